package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/cluster"
	clusterv1 "github.com/mesonet/mesonet/proto/mesonet/cluster/v1"
)

// An outgoing is a connection to a node, from the request that it is made for until
// it ends. It connects but once: the next request after it has ended makes another.
type outgoing struct {
	stream
	peer   *peer
	cancel context.CancelCauseFunc
	ctx    context.Context //nolint:containedctx // that of the stream, which ends with it

	// With stream.mu held:
	pending pending
	about   Connection
	up      bool // has agreed with the other node
	maxMessage,
	maxRequests, maxBytes int // what both take
	ended []ended // requests that the writer has taken out and nobody was told of
	now   instant // of the batch that is being filled
}

// ended is a request that is over, and what its sender is to be told.
type ended struct {
	done  func([]byte, error)
	reply []byte
	err   error
}

func tell(all []ended) {
	for _, e := range all {
		e.done(e.reply, e.err)
	}
}

// send takes a request, or returns why not.
func (o *outgoing) send(it item) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure != nil {
		return unsent(o.peer.to, o.failure)
	}
	if l := &o.out.lanes[it.lane]; l.items.len() > 0 && l.bytes+it.size > o.t.cfg.MaxQueued {
		return fmt.Errorf("%w to node %s at %s: %d bytes", cluster.ErrFull, o.peer.to.Node, o.peer.to.Address, l.bytes)
	}
	o.out.push(it)
	o.rouse()
	return nil
}

func unsent(to cluster.Peer, err error) error {
	if errors.Is(err, cluster.ErrUnsent) {
		return err
	}
	return fmt.Errorf("%w to node %s at %s: %w", cluster.ErrUnsent, to.Node, to.Address, err)
}

func broken(to cluster.Peer, err error) error {
	return fmt.Errorf("%w to node %s at %s: %w", cluster.ErrBroken, to.Node, to.Address, err)
}

// run connects, writes, and returns when all has ended.
func (o *outgoing) run(after time.Duration) {
	defer o.cancel(nil)
	if after > 0 {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-o.ctx.Done():
			o.fail(context.Cause(o.ctx))
			return
		}
	}
	conn, err := o.connect()
	if err != nil {
		o.fail(err)
		return
	}
	reading := make(chan struct{})
	o.t.work.Go(func() {
		defer close(reading)
		o.fail(o.read())
	})
	err = o.write(o, o.tellEnded)
	if errors.Is(err, io.EOF) {
		<-reading // the stream has ended, and the reader knows why
	}
	o.fail(err)
	_ = o.meter.Close() // at once: grpc-go would wait to say goodbye
	<-reading
	_ = conn.Close()
}

// connect dials the node and agrees with it.
func (o *outgoing) connect() (_ *grpc.ClientConn, err error) {
	t, to := o.t, o.peer.to
	timer := time.AfterFunc(t.cfg.ConnectTimeout, func() { o.cancel(errTimeout(t.cfg.ConnectTimeout)) })
	defer timer.Stop()
	secure, err := t.clientTLS(to.Node)
	if err != nil {
		return nil, err
	}
	creds := &dialing{handshake: handshake{secure != nil}, tls: secure}
	conn, err := grpc.NewClient("passthrough:///"+to.Address, append(t.dialOptions(), grpc.WithTransportCredentials(creds))...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		o.cancel(err)
		if m := creds.made.Load(); m != nil {
			_ = m.Close()
		}
		_ = conn.Close()
		err = o.explain(creds, err)
	}()
	s, err := conn.NewStream(o.ctx, &exchange, clusterv1.TransportService_Exchange_FullMethodName)
	if err != nil {
		if m := creds.made.Load(); m != nil && m.read.Load() > 0 && o.ctx.Err() == nil && creds.refusedBy() == nil {
			err = malformed("who answers does not speak gRPC: %s", status.Convert(err).Message())
		}
		return nil, err
	}
	if err := s.SendMsg(&envelope{hello: t.hello(to.Node)}); err != nil {
		return nil, receiveError(s, err)
	}
	var first envelope
	if err := s.RecvMsg(&first); err != nil {
		return nil, err
	}
	defer first.free()
	if err := first.open(); err != nil {
		return nil, err
	}
	about, err := t.judgeServer(first.hello, to)
	if err != nil {
		o.goodbye(s, err)
		return nil, err
	}
	if err := o.connected(s, creds.made.Load(), about, first.hello); err != nil {
		return nil, err
	}
	return conn, nil
}

// receiveError returns why a stream can't be written to, which is told to who reads.
func receiveError(s grpc.ClientStream, err error) error {
	if received := s.RecvMsg(&envelope{}); received != nil {
		return received
	}
	return err
}

// goodbye tells the server why it is refused, and waits until it knows.
func (o *outgoing) goodbye(s grpc.ClientStream, why error) {
	if s.SendMsg(&envelope{refused: why.Error()}) == nil && s.CloseSend() == nil {
		for s.RecvMsg(&envelope{}) == nil { // at most until the timeout to connect
		}
	}
}

// explain makes of an error of grpc-go what has happened.
func (o *outgoing) explain(creds *dialing, err error) error {
	if wrong := creds.refusedBy(); wrong != nil {
		return &refusal{ReasonCertificate, fmt.Errorf("the certificate of one side is not good for the other: %w", wrong)}
	}
	if _, ok := reasonOf(err); ok || errors.Is(err, errMalformed) {
		return err
	}
	s := status.Convert(err)
	switch s.Code() {
	case codes.FailedPrecondition:
		return &refusal{ReasonRemote, errors.New("it has refused this node: " + s.Message())}
	case codes.ResourceExhausted, codes.Unimplemented:
		return malformed("who answers is no node: %s", s.Message())
	default:
		return transportError(o.ctx, err)
	}
}

// transportError is an error of grpc-go, or what has ended its context.
func transportError(ctx context.Context, err error) error {
	if s, ok := status.FromError(err); ok {
		if cause := context.Cause(ctx); cause != nil && s.Code() == codes.Canceled && !errors.Is(cause, context.Canceled) {
			return cause
		}
		if s.Message() != "" {
			return errors.New(s.Message())
		}
	}
	return err
}

// connected begins the exchange, unless it has ended meanwhile.
func (o *outgoing) connected(s grpc.ClientStream, m *meter, about Connection, hello *clusterv1.Hello) error {
	t := o.t
	o.mu.Lock()
	if o.failure != nil {
		o.mu.Unlock()
		return o.failure
	}
	o.pipe, o.meter, o.about = s, m, about
	o.maxMessage = int(min(uint64(t.cfg.MaxMessage), hello.GetMaxMessage()))
	o.maxRequests = int(min(uint64(t.cfg.MaxRequests), max(1, hello.GetMaxRequests())))
	o.maxBytes = int(min(1<<40, hello.GetMaxBytes()))
	o.up = true
	o.mu.Unlock()
	o.peer.connected()
	t.cfg.Logger.Info("connected to node", "node", about.Node, "address", about.Address)
	if f := t.cfg.Listener.Connected; f != nil {
		f(about)
	}
	return nil
}

// begin is that of a gate.
func (o *outgoing) begin() { o.now = 0 }

// enter is that of a gate: whether a request may be written.
func (o *outgoing) enter(it *item) verdict {
	if it.end != never {
		if o.now == 0 {
			o.now = o.t.now()
		}
		if it.end <= o.now {
			o.ended = append(o.ended, ended{done: it.done, err: o.lateUnsent()})
			return discard
		}
		it.frame.left = time.Duration(it.end - o.now)
	}
	if len(it.body) > o.maxMessage {
		o.ended = append(o.ended, ended{done: it.done, err: tooLong(o.peer.to, len(it.body), o.maxMessage)})
		return discard
	}
	if !o.pending.fits(it, o.maxRequests, o.maxBytes) {
		return wait
	}
	it.number = o.pending.add(it)
	return pass
}

// left is that of a gate: all of a request is written.
func (o *outgoing) left(it *item) { o.pending.wrote(it.number) }

// discarded reports that somebody is to be told.
func (o *outgoing) discarded() bool { return len(o.ended) > 0 }

// tellEnded tells those whose requests the writer has taken out.
func (o *outgoing) tellEnded() {
	o.mu.Lock()
	all := o.ended
	o.ended = nil
	o.mu.Unlock()
	tell(all)
}

func (o *outgoing) lateUnsent() error {
	return unsent(o.peer.to, errDeadline)
}

func tooLong(to cluster.Peer, n, limit int) error {
	return unsent(to, fmt.Errorf("a request of %d bytes, where %d are the most", n, limit))
}

// read takes in replies until the stream fails.
func (o *outgoing) read() error {
	var e envelope
	parts := assembly{limit: o.t.cfg.MaxMessage}
	var batch []frame
	var all []ended
	for {
		if err := o.pipe.RecvMsg(&e); err != nil {
			return o.readError(err)
		}
		err := e.open()
		batch = batch[:0]
		if err == nil {
			batch, err = parts.read(e.frames, batch, reply, failure)
		}
		if err == nil {
			all, err = o.answered(batch, all[:0])
			tell(all)
		}
		if f := o.t.cfg.Listener.Received; f != nil && len(e.frames) > 0 {
			f(len(batch), len(e.frames))
		}
		e.free()
		clear(batch)
		clear(all)
		if err != nil {
			return err
		}
	}
}

func (o *outgoing) readError(err error) error {
	switch s := status.Convert(err); s.Code() {
	case codes.ResourceExhausted:
		return malformed("%s", s.Message())
	case codes.InvalidArgument:
		return errors.New("it can't read what this node sends: " + s.Message())
	default:
		return transportError(o.ctx, err)
	}
}

// answered finds the requests of replies.
func (o *outgoing) answered(batch []frame, all []ended) ([]ended, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure != nil {
		return all, o.failure
	}
	for _, f := range batch {
		done, ok := o.pending.answered(f.number)
		if !ok {
			return all, malformed("a reply to request %#x, which is not under way", f.number)
		}
		if done == nil {
			continue // its deadline was earlier
		}
		if f.what == failure {
			all = append(all, ended{done: done, err: broken(o.peer.to, fmt.Errorf("it was received, and has no reply: %q", f.body))})
			continue
		}
		body := f.body
		if len(body) > 0 {
			body = append([]byte(nil), body...) // the sender's, for as long as it likes
		}
		all = append(all, ended{done: done, reply: body})
	}
	if len(batch) > 0 && !o.out.empty() {
		o.rouse() // there is room for more
	}
	return all, nil
}

// late ends what is past its deadline, and returns when that is the next time.
func (o *outgoing) late(now instant) instant {
	o.mu.Lock()
	var all []ended
	items, next := o.out.takeLate(now, nil)
	for _, it := range items {
		if it.number != 0 {
			o.pending.remove(it.number)
		}
		all = append(all, ended{done: it.done, err: o.lateUnsent()})
	}
	next = min(next, o.pending.late(now, func(done func([]byte, error)) {
		all = append(all, ended{done: done, err: broken(o.peer.to, errUnanswered)})
	}))
	if len(items) > 0 {
		o.rouse()
	}
	o.mu.Unlock()
	tell(all)
	return next
}

// fail ends the connection: everybody who waits is told at once.
func (o *outgoing) fail(err error) {
	o.mu.Lock()
	if o.failure != nil {
		o.mu.Unlock()
		return
	}
	o.failure = err
	all := o.ended
	o.ended = nil
	for _, it := range o.out.takeAll(nil) {
		all = append(all, ended{done: it.done, err: unsent(o.peer.to, err)})
	}
	o.pending.all(func(done func([]byte, error)) {
		all = append(all, ended{done: done, err: broken(o.peer.to, err)})
	})
	up, about := o.up, o.about
	o.asleep = false
	o.wake.Broadcast()
	o.mu.Unlock()
	o.cancel(err)
	o.peer.lost(o, err, up)
	o.t.tellLost(o.peer.to.Address, about, up, err)
	tell(all)
}

// dialOptions are those of every connection.
func (t *Transport) dialOptions() []grpc.DialOption {
	dialer := &net.Dialer{}
	return []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}),
		grpc.WithNoProxy(),
		grpc.WithDisableRetry(), // a request that was sent twice would be answered twice
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableHealthCheck(),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Hour, MaxDelay: time.Hour}, MinConnectTimeout: t.cfg.ConnectTimeout}), // once
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{t.pool}), grpc.MaxCallRecvMsgSize(maxEnvelope)),
		grpc.WithStaticStreamWindowSize(int32(t.cfg.Window)),
		grpc.WithStaticConnWindowSize(int32(t.cfg.Window)),
		grpc.WithMaxHeaderListSize(maxHeaders),
		// grpc-go's own pings come too late; this is for the time that the system waits
		// for what it has sent to be acknowledged.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: t.cfg.Silence}),
	}
}

var exchange = grpc.StreamDesc{StreamName: "Exchange", ServerStreams: true, ClientStreams: true}
