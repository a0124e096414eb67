package client

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// call makes a call as often as its outcomes and its time allow. What is away is
// left at once for another server; only when none of them had it done is there a
// pause. A reply of which every part says that it is unavailable counts as that, as long
// as another server is left to ask.
func (c *Client) call(ctx context.Context, method string, request, reply any, options ...grpc.CallOption) error {
	begun := time.Now()
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = begun.Add(c.cfg.Timeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	request = c.ask(request)
	at, several := int(c.servers.current.Load()), len(c.servers.list)
	maybe := false
	for n := 1; ; n++ {
		e := c.attempt(ctx, c.servers.list[at], method, request, reply, options)
		if e == nil {
			parts := failures(reply)
			if noneDone(parts) {
				at = c.servers.leave(at)
				if n%several != 0 && n != c.cfg.Retry.Attempts {
					continue
				}
			}
			if maybe {
				doubt(parts)
			}
			c.hear(reply)
			return nil
		}
		maybe = maybe || e.maybe
		e.maybe, e.Attempts, e.Elapsed, e.Timeout = maybe, n, time.Since(begun), deadline.Sub(begun)
		// Whoever had less patience than the server has said nothing about that.
		if e.cause = ended(ctx, deadline); e.cause != nil {
			return e
		}
		asked := at
		if e.away() {
			at = c.servers.leave(at)
		}
		if !again(e.outcome, levelOf(method)) || n == c.cfg.Retry.Attempts {
			return e
		}
		if at != asked && n%several != 0 {
			continue
		}
		wait := c.cfg.Retry.pause((n+several-1)/several, e.RetryAfter, c.random())
		if time.Until(deadline) <= wait {
			e.cause = context.DeadlineExceeded // before another attempt
			return e
		}
		if e.cause = sleep(ctx, wait); e.cause != nil {
			e.Elapsed = time.Since(begun)
			return e
		}
	}
}

// away reports whether it is for the next server to try: this one could not be
// reached, could do nothing, or broke off. Whoever is overloaded wants to be left
// alone, which the others may be too.
func (e *Error) away() bool { return e.outcome == unavailable || e.outcome == unknown }

// ended returns why the time of a call is over, nil while it is not. That of the
// last attempt may end a moment before the call's, although it is the same.
func ended(ctx context.Context, deadline time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if time.Until(deadline) <= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// attempt makes a call once.
func (c *Client) attempt(ctx context.Context, s server, method string, request, reply any, options []grpc.CallOption) *Error {
	if c.cfg.AttemptTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.AttemptTimeout)
		defer cancel()
	}
	// gRPC knows whom it spoke to only if it had a connection: else nothing was
	// sent.
	var to peer.Peer
	err := s.conn.Invoke(ctx, method, request, reply, append(options[:len(options):len(options)], grpc.Peer(&to))...)
	if err == nil {
		return nil
	}
	return c.newError(s.addr, method, err, to.Addr != nil)
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stream opens a stream at the first server that can be reached. It is not opened
// again: what was received would come twice.
func (c *Client) stream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (*stream, error) {
	at := int(c.servers.current.Load())
	for n := 1; ; n++ {
		to := c.servers.list[at]
		s, err := to.conn.NewStream(ctx, desc, method, options...)
		if err == nil {
			return &stream{ClientStream: s, c: c, ctx: ctx, method: method, at: at}, nil
		}
		e := c.newError(to.addr, method, err, false)
		e.Attempts = n
		if e.cause = ctx.Err(); e.cause != nil || !e.away() {
			return nil, e
		}
		if at = c.servers.leave(at); n >= len(c.servers.list) {
			return nil, e
		}
	}
}

// stream is a stream whose questions carry what the client has seen, whose
// replies it sees, and whose errors are an *Error.
type stream struct {
	grpc.ClientStream

	c      *Client
	ctx    context.Context // of the caller
	method string
	at     int // the server's index
}

// leave makes what comes after this stream go to another server.
func (s *stream) leave() { s.c.servers.leave(s.at) }

func (s *stream) SendMsg(m any) error { return s.outcome(s.ClientStream.SendMsg(s.c.ask(m))) }

func (s *stream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.c.hear(m)
	}
	return s.outcome(err)
}

func (s *stream) newError(err error) *Error {
	return s.c.newError(s.c.servers.list[s.at].addr, s.method, err, true)
}

func (s *stream) outcome(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	e := s.newError(err)
	if e.cause = s.ctx.Err(); e.cause == nil && e.away() {
		s.leave()
	}
	return e
}
