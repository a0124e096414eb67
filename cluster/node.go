package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
)

// Node is one node of a cluster. It is the [entity.Locator] of all entities of the
// store, wherever they are.
type Node struct {
	cfg       Config
	host      *entity.Host
	gossip    Gossip
	transport Transport
	router    *router
	started   atomic.Bool // host, gossip and transport are there
	inputs    inputs
	links     links
	began     time.Time

	mine     []atomic.Bool // shards that the host may open
	inc      atomic.Uint64
	state    atomic.Uint32 // State, as announced last
	outdated atomic.Bool   // the store was raised to a level that the node doesn't know
	saying   sync.Mutex    // what is said of the node is said in order
	view     atomic.Pointer[shard.Snapshot]
	attended atomic.Int64 // when the store was heard of last, in nanoseconds since began

	mu      sync.Mutex
	peers   map[persistence.NodeID]Member
	missing time.Time // when somebody was last found to be missing
	status  Status
	changed chan struct{} // closed at the next change of status
	moves   map[persistence.Shard][]chan string
	drained []chan shard.Drained // of each Drain that waits

	lists  chan struct{} // one for each list that is being answered
	life   context.Context
	end    context.CancelFunc
	wg     sync.WaitGroup
	closed sync.Once
}

var (
	_ entity.Locator = (*Node)(nil)
	_ entity.Router  = (*router)(nil)
)

// New makes a node that takes no part yet: [Node.Attach] it to a host before that
// opens, give [Node.Handle] to the transport and [Node.Sighted] to gossip, and
// [Node.Start] it.
func New(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, began: cfg.Clock.Now(), mine: make([]atomic.Bool, cfg.Shards),
		peers: make(map[persistence.NodeID]Member), changed: make(chan struct{}),
		moves: make(map[persistence.Shard][]chan string), lists: make(chan struct{}, cfg.Lists),
	}
	n.state.Store(uint32(Joining))
	n.inputs.init()
	n.life, n.end = context.WithCancel(context.Background())
	n.router = newRouter(n)
	return n, nil
}

// Attach lets a host tell the node what happens to its shards, and take those that
// the node says.
func (n *Node) Attach(h *entity.HostConfig) {
	h.Mine = func(s persistence.Shard) bool { return int(s) < len(n.mine) && n.mine[s].Load() }
	h.CheckEvery = min(h.CheckEvery, n.cfg.CheckWithin/3)
	l := &h.Listener
	joined, opened, checked, stopped := l.Joined, l.ShardOpened, l.Checked, l.ShardStopped
	seen := l.Level
	l.Level = func(level persistence.Level, err error) {
		if err != nil {
			n.outdated.Store(true)
			n.router.wake()
		}
		n.say()
		if seen != nil {
			seen(level, err)
		}
	}
	l.Joined = func(inc persistence.Incarnation) {
		n.takeNothing()
		n.inc.Store(uint64(inc))
		n.inputs.put(shard.JoinedStore{Incarnation: inc})
		call(joined, inc)
	}
	l.ShardOpened = func(o entity.ShardOpening) {
		n.inputs.put(shard.Opened{Shard: o.Shard, Epoch: o.Epoch})
		call(opened, o)
	}
	l.Checked = func(err error) {
		n.attended.Store(int64(n.cfg.Clock.Now().Sub(n.began)))
		n.inputs.put(shard.Checked{OK: err == nil})
		call(checked, err)
	}
	l.ShardStopped = func(s persistence.Shard, err error) {
		n.inputs.put(shard.Lost{Shard: s})
		if stopped != nil {
			stopped(s, err)
		}
	}
	lost := h.Journal.Listener.ShardLost
	h.Journal.Listener.ShardLost = func(s persistence.Shard, err error) {
		n.inputs.put(shard.Lost{Shard: s})
		if lost != nil {
			lost(s, err)
		}
	}
}

func call[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}

// Start takes part: with the host that the node was attached to, which has joined
// the store, and with gossip that has not joined anybody yet. It asks the seeds for
// the others, and returns when this node serves the shards that are its to serve,
// or ctx ends. Without seeds, or where none answers, it begins alone.
func (n *Node) Start(ctx context.Context, host *entity.Host, gossip Gossip, transport Transport, seeds []string) error {
	n.mu.Lock() // Sighted may look already
	n.host, n.gossip, n.transport, n.router.host = host, gossip, transport, host
	n.mu.Unlock()
	n.started.Store(true)
	self, err := newMachine(n)
	if err != nil {
		return err
	}
	n.wg.Go(func() { self.run(n.life) })
	n.wg.Go(func() { n.ticks(n.life) })
	n.wg.Go(func() { n.beats(n.life) })
	n.wg.Go(func() { n.watch(n.life) })
	if len(seeds) > 0 {
		if _, err := gossip.Join(ctx, seeds); err != nil && ctx.Err() == nil {
			n.cfg.Logger.Warn("no other node answers; this one begins alone, and goes on asking", "error", err)
		}
	}
	n.inputs.put(shard.JoinedGossip{})
	if err := n.Settled(ctx); err != nil {
		return fmt.Errorf("cluster: node %q has joined, and not all of its shards are open: %w", n.cfg.Self.Node, err)
	}
	return nil
}

// Settled waits until this node serves, with all shards open that are its to serve,
// and somebody is known for each of the others.
func (n *Node) Settled(ctx context.Context) error {
	for {
		n.mu.Lock()
		status, changed := n.status, n.changed
		n.mu.Unlock()
		if status.Settled {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", status, context.Cause(ctx))
		}
	}
}

// Drain hands over all shards of this node, for it to leave. It returns when there
// are none left, or when ctx ends; the error then says which are left.
func (n *Node) Drain(ctx context.Context) error {
	if !n.others() {
		return ErrAlone
	}
	drained := make(chan shard.Drained, 1)
	n.mu.Lock()
	n.drained = append(n.drained, drained)
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.drained = slices.DeleteFunc(n.drained, func(c chan shard.Drained) bool { return c == drained })
	}()
	n.inputs.put(shard.Drain{})
	var left []persistence.Shard
	for {
		select {
		case d := <-drained:
			if left = d.Left; len(left) == 0 {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("cluster: %d shards could not be handed over: %w", len(left), context.Cause(ctx))
		case <-n.life.Done():
			return errors.New("cluster: the node is closed")
		}
		if !n.others() {
			return fmt.Errorf("%w: %d shards stay", ErrAlone, len(left))
		}
	}
}

// ErrAlone says that there is no other node that could take a shard.
var ErrAlone = errors.New("cluster: there is no other node that takes shards")

// others reports whether another node serves.
func (n *Node) others() bool {
	return slices.ContainsFunc(n.gossip.Members(), func(m Member) bool {
		return m.Node != n.cfg.Self.Node && m.State == Serving && m.Weight > 0
	})
}

// Move hands a shard that this node serves to another, which keeps it until it
// drains or loses it.
func (n *Node) Move(ctx context.Context, s persistence.Shard, to persistence.NodeID) error {
	if s >= persistence.Shard(n.cfg.Shards) {
		return entity.RejectInvalid("there is no shard %d: they are 0 to %d", s, n.cfg.Shards-1)
	}
	done := make(chan string, 1)
	n.mu.Lock()
	n.moves[s] = append(n.moves[s], done)
	n.mu.Unlock()
	n.inputs.put(shard.Move{Shard: s, To: to})
	select {
	case why := <-done:
		if why != "" {
			return entity.Reject("shard %d is not moved to node %q: %s", s, to, why)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cluster: shard %d is still being moved: %w", s, context.Cause(ctx))
	case <-n.life.Done():
		return errors.New("cluster: the node is closed")
	}
}

// Leave says goodbye to the others. Call it when the host is closed, so that they
// may take its shards.
func (n *Node) Leave(ctx context.Context) error { return n.gossip.Leave(ctx) }

// Close ends the node: calls that wait are refused. Close the transport and gossip
// after it.
func (n *Node) Close() {
	n.closed.Do(func() {
		n.end()
		n.inputs.close()
		n.router.close()
		n.wg.Wait()
	})
}

// now is the time that the machine sees.
func (n *Node) now() shard.Millis { return shard.Millis(n.cfg.Clock.Now().Sub(n.began).Milliseconds()) }

// State is what the node says of itself.
func (n *Node) State() State {
	if n.outdated.Load() {
		return Left
	}
	return State(n.state.Load())
}

// answers reports whether the node may answer callers.
func (n *Node) answers() bool {
	s := n.State()
	return s == Serving || s == Draining
}
