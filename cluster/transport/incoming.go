package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/cluster"
)

// An incoming is a connection from a node that asks.
type incoming struct {
	stream
	about Connection
	ready chan struct{} // closed when both have agreed
	room  sync.Cond     // fewer replies wait, or failed; with stream.mu

	// With stream.mu held: what was handed to the handler and has no reply that is
	// written.
	unanswered [lanes]struct{ requests, bytes int }
}

// exchange is the call of the service. It runs for as long as the connection, and
// writes replies.
func (t *Transport) exchange(_ any, s grpc.ServerStream) error {
	p, _ := grpcpeer.FromContext(s.Context())
	info, ok := p.AuthInfo.(authInfo)
	if !ok {
		return status.Error(codes.Internal, "a connection that was not accepted here")
	}
	info.meter.greeted.Store(true)
	in := &incoming{ready: make(chan struct{})}
	in.init(t, s, info.meter)
	in.room.L = &in.mu
	hellos := make(chan error, 1)
	if !t.start(func() { in.read(s.Context(), info, hellos) }) {
		return statusOf(errClosed)
	}
	err := in.greet(s, hellos)
	if err != nil {
		in.fail(err)
		return in.farewell(p.Addr.String(), err)
	}
	t.add(in)
	close(in.ready)
	t.cfg.Logger.Info("connected from node", "node", in.about.Node, "address", in.about.Address)
	if f := t.cfg.Listener.Connected; f != nil {
		f(in.about)
	}
	in.fail(in.write(in, func() {}))
	t.remove(in)
	err = in.failure // it has one, and keeps it
	t.tellLost(in.about.Address, in.about, true, err)
	return statusOf(err)
}

// greet waits for the client to say who it is, and says who this is.
func (in *incoming) greet(s grpc.ServerStream, hellos <-chan error) error {
	timer := time.NewTimer(in.t.cfg.HelloTimeout)
	defer timer.Stop()
	select {
	case err := <-hellos:
		if err != nil {
			return err
		}
	case <-timer.C:
		return malformed("no hello within %v", in.t.cfg.HelloTimeout)
	case <-s.Context().Done():
		return s.Context().Err()
	case <-in.t.closing:
		return errClosed
	}
	return s.SendMsg(&envelope{hello: in.t.hello("")})
}

// farewell says why somebody did not come in, here and there.
func (in *incoming) farewell(address string, err error) error {
	in.t.tellRefused(address, err)
	return statusOf(err)
}

// statusOf is what the client is told.
func statusOf(err error) error {
	_, refused := reasonOf(err)
	switch {
	case refused:
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, errMalformed):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, errClosed):
		return status.Error(codes.Unavailable, errClosing.Error())
	default:
		return status.Error(codes.Unavailable, err.Error())
	}
}

// read takes the client's hello, and then its requests to the handler, until the
// stream fails.
func (in *incoming) read(ctx context.Context, info authInfo, hellos chan<- error) {
	var e envelope
	err := in.pipe.RecvMsg(&e)
	if err == nil {
		if err = e.open(); err == nil {
			in.about, err = in.t.judgeClient(e.hello, in.meter.RemoteAddr().String(), info)
		}
	} else {
		err = readError(ctx, err)
	}
	e.free()
	hellos <- err
	select {
	case <-in.ready:
		in.fail(in.serve(ctx))
	case <-ctx.Done():
	}
}

// serve takes requests to the handler.
func (in *incoming) serve(ctx context.Context) error {
	var e envelope
	parts := assembly{limit: in.t.cfg.MaxMessage}
	var batch []frame
	for {
		if err := in.pipe.RecvMsg(&e); err != nil {
			return readError(ctx, err)
		}
		err := e.open()
		if err == nil && e.refused != "" {
			err = &refusal{ReasonRemote, fmt.Errorf("node %s at %s has refused this node: %q", in.about.Node, in.about.Address, e.refused)}
		}
		batch = batch[:0]
		if err == nil {
			batch, err = parts.read(e.frames, batch, request)
		}
		if err == nil {
			err = in.admit(batch)
		}
		if f := in.t.cfg.Listener.Received; f != nil && len(e.frames) > 0 {
			f(len(batch), len(e.frames))
		}
		if err == nil {
			in.hand(batch)
		}
		e.free()
		clear(batch)
		if err == nil {
			err = in.waitForRoom()
		}
		if err != nil {
			return err
		}
	}
}

func readError(ctx context.Context, err error) error {
	switch s := status.Convert(err); s.Code() {
	case codes.ResourceExhausted, codes.Internal:
		return malformed("%s", s.Message())
	default:
		return transportError(ctx, err)
	}
}

// admit counts requests, of which there may not be more than the client was told.
func (in *incoming) admit(batch []frame) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failure != nil {
		return in.failure
	}
	for i := range batch {
		u := &in.unanswered[batch[i].lane]
		size := batch[i].total + perMessage
		if u.requests > 0 && (u.requests >= in.t.cfg.MaxRequests || u.bytes+size > in.t.cfg.MaxUnanswered) {
			return malformed("more requests at once than this node takes: %d, of %d bytes", u.requests+1, u.bytes+size)
		}
		u.requests++
		u.bytes += size
	}
	return nil
}

// hand takes requests to the handler, in their order.
func (in *incoming) hand(batch []frame) {
	var now time.Time
	for i := range batch {
		f := &batch[i]
		r := cluster.Request{Kind: f.kind, Bulk: f.lane == bulk, Body: f.body}
		if f.left > 0 {
			if now.IsZero() {
				now = time.Now()
			}
			r.Deadline = now.Add(f.left)
		}
		in.t.handler(in.about.Node, r, in.replyTo(f.number, f.lane, f.total+perMessage))
	}
}

// replyTo returns the function by which the handler replies. A second call does
// nothing: the place of the request may be another's by then.
func (in *incoming) replyTo(number uint64, at lane, credit int) func([]byte) {
	answered := false // with stream.mu held
	return func(body []byte) {
		in.mu.Lock()
		defer in.mu.Unlock()
		if answered || in.failure != nil {
			return
		}
		answered = true
		what := reply
		if len(body) > in.t.cfg.MaxMessage {
			what, body = failure, fmt.Appendf(nil, "a reply of %d bytes, where %d are the most", len(body), in.t.cfg.MaxMessage)
		}
		in.out.push(item{
			frame:  frame{what: what, lane: at, number: number, total: len(body), body: body},
			size:   len(body) + perMessage,
			end:    never,
			credit: credit,
		})
		in.rouse()
	}
}

// begin is that of a gate.
func (*incoming) begin() {}

// enter is that of a gate: a reply may always be written.
func (*incoming) enter(*item) verdict { return pass }

// left is that of a gate: when a reply is written, its request is over.
func (in *incoming) left(it *item) {
	u := &in.unanswered[it.lane]
	u.requests--
	u.bytes -= it.credit
	if in.paused {
		in.room.Signal()
	}
}

// waitForRoom holds the reader while too many replies wait to be written. The client
// is held by what is unanswered before; this is for long replies to short requests.
func (in *incoming) waitForRoom() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.failure == nil && in.out.bytes() > in.t.cfg.MaxQueued {
		in.paused = true
		in.room.Wait()
	}
	in.paused = false
	return in.failure
}

// fail ends the connection. Replies are lost.
func (in *incoming) fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failure != nil {
		return
	}
	in.failure = err
	in.out = outbox{}
	in.asleep = false
	in.wake.Broadcast()
	in.room.Broadcast()
}
