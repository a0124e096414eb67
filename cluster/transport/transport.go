package transport

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/mesonet/mesonet/cluster"
	clusterv1 "github.com/mesonet/mesonet/proto/mesonet/cluster/v1"
)

const (
	// maxEnvelope is the longest message of grpc-go: a batch, or a hello.
	maxEnvelope = maxBatch + 1<<10
	// maxHeaders is how long HTTP/2 headers may be; the text of a refusal is one.
	maxHeaders = 16 << 10
	// keepaliveTime is the least that grpc-go lets a client have.
	keepaliveTime = 10 * time.Second
)

// Errors that are causes, within ErrUnsent and ErrBroken.
var (
	errClosed     = errors.New("this node's transport is closed")
	errClosing    = errors.New("it is being closed") // the same, told to the others
	errKept       = errors.New("the node is no peer any more")
	errDeadline   = errors.New("its deadline has passed")
	errUnanswered = errors.New("there was no reply until its deadline")
)

func errSilent(d time.Duration) error { return fmt.Errorf("nothing was heard of it for %v", d) }

func errTimeout(d time.Duration) error { return fmt.Errorf("no connection within %v", d) }

// Transport is a cluster.Transport. It is safe for concurrent use.
type Transport struct {
	cfg     Config
	handler cluster.Handler
	process [16]byte
	pool    *batchPool
	server  *grpc.Server
	begin   time.Time
	silence int // heartbeats
	closing chan struct{}
	work    sync.WaitGroup // all goroutines but those of grpc-go
	next    atomic.Int64   // an instant: no deadline of a request is earlier
	sooner  chan struct{}  // next has become less
	said    quiet

	mu       sync.RWMutex
	closed   bool
	peers    map[cluster.Peer]*peer
	incoming map[*incoming]struct{}
	sockets  map[net.Conn]*meter // that were accepted; nil before their handshake has ended
}

var _ cluster.Transport = (*Transport)(nil)

// New returns a transport that listens to other nodes at once, and takes their
// requests to the handler.
func New(cfg Config, handler cluster.Handler) (*Transport, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if handler == nil {
		return nil, errors.New("transport: a handler is needed")
	}
	t := &Transport{
		cfg:      cfg,
		handler:  handler,
		pool:     newBatchPool(cfg.BatchBytes),
		begin:    time.Now(),
		silence:  int((cfg.Silence + cfg.Heartbeat - 1) / cfg.Heartbeat),
		closing:  make(chan struct{}),
		sooner:   make(chan struct{}, 1),
		peers:    make(map[cluster.Peer]*peer),
		incoming: make(map[*incoming]struct{}),
		sockets:  make(map[net.Conn]*meter),
	}
	t.next.Store(math.MaxInt64)
	_, _ = rand.Read(t.process[:]) // it does not fail
	t.server = grpc.NewServer(
		grpc.Creds(&accepting{handshake{cfg.TLS != nil}, t}),
		grpc.ForceServerCodecV2(codec{t.pool}),
		grpc.MaxRecvMsgSize(maxEnvelope),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxConcurrentStreams(1),
		grpc.StaticStreamWindowSize(int32(cfg.Window)),
		grpc.StaticConnWindowSize(int32(cfg.Window)),
		grpc.ConnectionTimeout(cfg.HelloTimeout),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: 2 * cfg.HelloTimeout, // without a call
			Time:              keepaliveTime,
			Timeout:           cfg.Silence,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTime / 2, PermitWithoutStream: true}),
	)
	desc := exchange
	desc.Handler = t.exchange
	t.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: clusterv1.TransportService_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{desc},
	}, t)
	t.work.Go(t.serve)
	t.work.Go(t.keep)
	return t, nil
}

// Address is where other nodes reach this one.
func (t *Transport) Address() string { return t.cfg.Socket.Addr().String() }

// Send is that of cluster.Transport.
func (t *Transport) Send(to cluster.Peer, r cluster.Request, done func(reply []byte, err error)) {
	if err := t.send(to, r, done); err != nil {
		if errors.Is(err, cluster.ErrFull) && t.cfg.Listener.Full != nil {
			t.cfg.Listener.Full(to)
		}
		done(nil, err)
	}
}

func (t *Transport) send(to cluster.Peer, r cluster.Request, done func(reply []byte, err error)) error {
	if len(r.Body) > t.cfg.MaxMessage {
		return tooLong(to, len(r.Body), t.cfg.MaxMessage)
	}
	end := instantOf(r.Deadline, t.begin)
	if end != never && end <= t.now() {
		return unsent(to, errDeadline)
	}
	p, err := t.peer(to)
	if err != nil {
		return err
	}
	err = p.send(item{
		frame: frame{what: request, lane: laneOf(r), kind: r.Kind, total: len(r.Body), body: r.Body},
		size:  len(r.Body) + perMessage,
		end:   end,
		done:  done,
	})
	if err == nil && end != never {
		t.lookAt(end)
	}
	return err
}

// peer returns the node to send to.
func (t *Transport) peer(to cluster.Peer) (*peer, error) {
	t.mu.RLock()
	p, closed := t.peers[to], t.closed
	t.mu.RUnlock()
	if closed {
		return nil, unsent(to, errClosed)
	}
	if p != nil {
		return p, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, unsent(to, errClosed)
	}
	if p = t.peers[to]; p == nil {
		p = &peer{t: t, to: to}
		t.peers[to] = p
	}
	return p, nil
}

// Keep is that of cluster.Transport. It is about connections that this node has made:
// those of others are theirs to end.
func (t *Transport) Keep(peers []cluster.Peer) {
	keep := make(map[cluster.Peer]bool, len(peers))
	for _, p := range peers {
		keep[p] = true
	}
	var gone []*peer
	t.mu.Lock()
	for to, p := range t.peers {
		if !keep[to] {
			delete(t.peers, to)
			gone = append(gone, p)
		}
	}
	t.mu.Unlock()
	for _, p := range gone {
		p.close(errKept)
	}
}

// Close is that of cluster.Transport. It waits for all goroutines, and so may not be
// called by a handler or by what Send calls when it is done.
func (t *Transport) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		t.work.Wait()
		return nil
	}
	t.closed = true
	close(t.closing)
	peers, ins, sockets := t.peers, slices.Collect(maps.Keys(t.incoming)), slices.Collect(maps.Keys(t.sockets))
	t.peers = make(map[cluster.Peer]*peer)
	t.mu.Unlock()
	for _, p := range peers {
		p.close(errClosed)
	}
	for _, in := range ins {
		in.fail(errClosed)
	}
	for _, c := range sockets {
		_ = c.Close()
	}
	t.server.Stop()
	t.work.Wait()
	return nil
}

// start begins a goroutine that Close waits for; false when it is too late.
func (t *Transport) start(f func()) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return false
	}
	t.work.Go(f)
	return true
}

// serve accepts connections.
func (t *Transport) serve() {
	if err := t.server.Serve(t.cfg.Socket); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		t.cfg.Logger.Error("other nodes can't connect any more", "err", err)
	}
}

// now is the time by the transport's clock.
func (t *Transport) now() instant { return max(1, instant(time.Since(t.begin))) }

// add notes a connection that came in, remove forgets it.
func (t *Transport) add(in *incoming) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.incoming[in] = struct{}{}
	if t.closed {
		in.fail(errClosed)
	}
}

func (t *Transport) remove(in *incoming) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.incoming, in)
}

// accepted notes a connection of somebody; false when it comes too late.
func (t *Transport) accepted(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.sockets[c] = nil
	return true
}

// secured notes that its handshake has ended; false when it comes too late.
func (t *Transport) secured(c net.Conn, m *meter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	m.since = t.now()
	t.sockets[c] = m
	return true
}

// closeMute ends the connections of those who have not called for too long. grpc-go
// would wait for them, once more and longer.
func (t *Transport) closeMute() {
	var mute []*meter
	t.mu.RLock()
	for _, m := range t.sockets {
		if m != nil && !m.greeted.Load() && t.now()-m.since > instant(t.cfg.HelloTimeout) {
			mute = append(mute, m)
		}
	}
	t.mu.RUnlock()
	for _, m := range mute {
		_ = m.Close()
	}
}

// ended forgets it. m is nil if its handshake has failed.
func (t *Transport) ended(c net.Conn, m *meter) {
	t.mu.Lock()
	delete(t.sockets, c)
	closed := t.closed
	t.mu.Unlock()
	if m != nil && !closed && !m.greeted.Load() && m.read.Load() > 0 {
		t.tellMalformed(c.RemoteAddr().String(), malformed("%d bytes, and no call of a node", m.read.Load()))
	}
}

// Stats is what is there at a moment, over all nodes.
type Stats struct {
	// Outbound and Inbound are connections that are up.
	Outbound, Inbound int
	// Queued are requests and replies that wait to be written, and QueuedBytes what
	// they count.
	Queued, QueuedBytes int
	// Unanswered are requests to others that are written and have no reply, Taken
	// those of others that have no reply that is written.
	Unanswered, Taken int
}

// Stats looks at all connections.
func (t *Transport) Stats() Stats {
	var s Stats
	outs, ins := t.connections()
	for _, o := range outs {
		o.mu.Lock()
		if o.up {
			s.Outbound++
		}
		s.addQueue(&o.out)
		s.Unanswered += o.pending.count[urgent] + o.pending.count[bulk]
		o.mu.Unlock()
	}
	for _, in := range ins {
		in.mu.Lock()
		s.Inbound++
		s.addQueue(&in.out)
		s.Taken += in.unanswered[urgent].requests + in.unanswered[bulk].requests
		in.mu.Unlock()
	}
	return s
}

func (s *Stats) addQueue(o *outbox) {
	for i := range o.lanes {
		s.Queued += o.lanes[i].items.len()
		s.QueuedBytes += o.lanes[i].bytes
	}
}

// connections returns all that there are.
func (t *Transport) connections() ([]*outgoing, []*incoming) {
	t.mu.RLock()
	peers, ins := slices.Collect(maps.Values(t.peers)), slices.Collect(maps.Keys(t.incoming))
	t.mu.RUnlock() // before looking into them: a peer that dials looks here
	outs := make([]*outgoing, 0, len(peers))
	for _, p := range peers {
		if o := p.current(); o != nil {
			outs = append(outs, o)
		}
	}
	return outs, ins
}
