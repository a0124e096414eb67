package client

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// call makes a call as often as its outcomes and its time allow.
func (c *Client) call(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	begun := time.Now()
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = begun.Add(c.cfg.Timeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	request = c.ask(request)
	maybe := false
	for n := 1; ; n++ {
		e := c.attempt(ctx, method, request, reply, conn, invoke, options)
		if e == nil {
			c.hear(reply)
			return nil
		}
		maybe = maybe || e.maybe
		e.maybe, e.Attempts, e.Elapsed, e.Timeout = maybe, n, time.Since(begun), deadline.Sub(begun)
		if e.cause = ended(ctx, deadline); e.cause != nil {
			return e
		}
		if !again(e.outcome, levelOf(method)) || n == c.cfg.Retry.Attempts {
			return e
		}
		wait := c.cfg.Retry.pause(n, e.RetryAfter, c.random())
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
func (c *Client) attempt(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options []grpc.CallOption) *Error {
	if c.cfg.AttemptTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.AttemptTimeout)
		defer cancel()
	}
	// gRPC knows whom it spoke to only if it had a connection: else nothing was
	// sent.
	var to peer.Peer
	err := invoke(ctx, method, request, reply, conn, append(options[:len(options):len(options)], grpc.Peer(&to))...)
	if err == nil {
		return nil
	}
	return c.newError(method, err, to.Addr != nil)
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

// stream opens a stream. It is not opened again: what was received would come
// twice.
func (c *Client) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, conn, method, options...)
	if err != nil {
		e := c.newError(method, err, false)
		e.cause = ctx.Err()
		return nil, e
	}
	return &stream{ClientStream: s, c: c, ctx: ctx, method: method}, nil
}

// stream is a stream whose questions carry what the client has seen, whose
// replies it sees, and whose errors are an *Error.
type stream struct {
	grpc.ClientStream

	c      *Client
	ctx    context.Context // of the caller
	method string
}

func (s *stream) SendMsg(m any) error { return s.outcome(s.ClientStream.SendMsg(s.c.ask(m))) }

func (s *stream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.c.hear(m)
	}
	return s.outcome(err)
}

func (s *stream) outcome(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	e := s.c.newError(s.method, err, true)
	e.cause = s.ctx.Err()
	return e
}
