package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
)

// inputs is what the machine is still to be told, in order. It has no bound: what
// comes is about shards and nodes, not about calls.
type inputs struct {
	mu   sync.Mutex
	list []shard.Input
	news chan struct{}
	over bool
}

func (q *inputs) init() { q.news = make(chan struct{}, 1) }

func (q *inputs) put(in shard.Input) {
	q.mu.Lock()
	if !q.over {
		q.list = append(q.list, in)
	}
	q.mu.Unlock()
	select {
	case q.news <- struct{}{}:
	default:
	}
}

func (q *inputs) take() []shard.Input {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}

func (q *inputs) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over, q.list = true, nil
}

// machine is the goroutine that the state machine belongs to.
type machine struct {
	n     *Node
	m     *shard.Machine
	ended sync.WaitGroup // effects that are being carried out
}

func newMachine(n *Node) (*machine, error) {
	m, err := shard.New(n.cfg.machine())
	if err != nil {
		return nil, err
	}
	return &machine{n: n, m: m}, nil
}

func (m *machine) run(ctx context.Context) {
	defer m.ended.Wait()
	for {
		select {
		case <-m.n.inputs.news:
		case <-ctx.Done():
			return
		}
		for _, in := range m.n.inputs.take() {
			call(m.n.cfg.Listener.Input, in)
			for _, e := range m.m.Step(in) {
				call(m.n.cfg.Listener.Effect, e)
				m.carry(ctx, e)
			}
		}
		m.n.publish(m.m)
	}
}

// carry carries out an effect, without waiting for what takes long.
func (m *machine) carry(ctx context.Context, e shard.Effect) {
	n := m.n
	later := func(f func(ctx context.Context)) {
		m.ended.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, n.cfg.StepWithin)
			defer cancel()
			f(ctx)
		})
	}
	switch e := e.(type) {
	case shard.Announce:
		n.announce(e.State)
	case shard.Take:
		n.mine[e.Shard].Store(true)
		later(func(ctx context.Context) { n.take(ctx, e.Shard) })
	case shard.HandOver:
		later(func(ctx context.Context) { n.handOver(ctx, e) })
	case shard.Fence:
		later(func(ctx context.Context) { n.fence(ctx, e) })
	case shard.Route:
		n.router.route(e)
	case shard.Tell:
		n.tell(e)
	case shard.Moved:
		n.moved(e)
	case shard.Drained:
		n.mu.Lock()
		waiting := slices.Clone(n.drained)
		n.mu.Unlock()
		for _, drained := range waiting {
			select {
			case <-drained: // it is not of interest any more
			default:
			}
			drained <- e
		}
	}
}

var errLostTouch = errors.New("the node has lost touch with its store, or with most of the others")

// announce says by gossip what the node is from now on.
func (n *Node) announce(s State) {
	old := State(n.state.Swap(uint32(s)))
	n.say()
	if old == s {
		return
	}
	switch s {
	case LostTouch:
		n.cfg.Logger.Warn("this node answers nothing until it reaches its store and most of the others again")
		n.takeNothing()
		n.host.GiveUp(errLostTouch)
	case Serving:
		n.cfg.Logger.Info("this node serves", "incarnation", n.inc.Load())
	case Joining, Draining, Left: // who asked for it knows
	}
	call(n.cfg.Listener.State, s)
	n.router.wake()
}

// say tells the others what this node says of itself now.
func (n *Node) say() {
	if !n.started.Load() {
		return
	}
	n.saying.Lock()
	defer n.saying.Unlock()
	self := n.Self()
	if err := n.gossip.Announce(self); err != nil {
		n.cfg.Logger.Warn("the other nodes could not be told what this one is", "state", self.State, "error", err)
	}
}

// takeNothing lets the host open no shard until there is word of it.
func (n *Node) takeNothing() {
	for i := range n.mine {
		n.mine[i].Store(false)
	}
}

// take opens a shard. That it is open the host says itself.
func (n *Node) take(ctx context.Context, s persistence.Shard) {
	err := n.host.Take(ctx, s)
	status := n.host.Status(s)
	switch {
	case err == nil || status.Open:
		return
	case status.Moved != nil:
		n.mine[s].Store(false)
		n.inputs.put(shard.Refused{Owner: ownerOf(status.Moved)})
	default:
		n.mine[s].Store(false)
		n.cfg.Logger.Debug("a shard could not be taken", "shard", s, "error", err)
		n.inputs.put(shard.TakeFailed{Shard: s})
	}
}

func ownerOf(m *entity.MovedError) shard.Owner {
	return shard.Owner{Shard: m.Shard, Node: m.To, Epoch: m.Epoch}
}

// learn takes the word of who has a shard that a refusal may have.
func (n *Node) learn(err error) {
	if moved, ok := errors.AsType[*entity.MovedError](err); ok {
		n.inputs.put(ownerOf(moved))
	}
}

// handOver gives a shard to another node.
func (n *Node) handOver(ctx context.Context, e shard.HandOver) {
	h, err := n.host.HandOver(ctx, e.Shard, e.To)
	in := shard.HandedOver{Shard: e.Shard, To: e.To, Outcome: shard.Given, Incarnation: h.To.Incarnation, Epoch: h.Epoch + 1}
	switch {
	case err == nil:
		n.mine[e.Shard].Store(false)
	case h.Kept || h.To.ID == "": // nothing was begun
		in.Outcome = shard.Kept
		n.cfg.Logger.Debug("a shard could not be handed over", "shard", e.Shard, "to", e.To, "error", err)
	default:
		in.Outcome = shard.Unknown
		n.mine[e.Shard].Store(false)
	}
	n.inputs.put(in)
}

// fence raises the incarnation of a node that is believed to be gone.
func (n *Node) fence(ctx context.Context, e shard.Fence) {
	own := n.cfg.Ownership
	inc, err := own.Fence(ctx, e.Node, e.Incarnation)
	if errors.Is(err, persistence.ErrLost) {
		var row persistence.NodeRow
		if row, err = own.Node(ctx, e.Node); err == nil {
			inc = row.Incarnation
		}
	} else if err == nil {
		n.cfg.Logger.Warn("a node was fenced: neither gossip nor its store hears of it", "node", e.Node, "incarnation", uint64(e.Incarnation))
	}
	if err != nil {
		n.cfg.Logger.Debug("a node could not be fenced", "node", e.Node, "error", err)
		n.inputs.put(shard.FenceFailed{Node: e.Node})
		return
	}
	n.inputs.put(shard.Raised{Node: e.Node, Incarnation: inc})
}

// moved tells who waits for a shard to be moved.
func (n *Node) moved(e shard.Moved) {
	n.mu.Lock()
	waiting := n.moves[e.Shard]
	delete(n.moves, e.Shard)
	n.mu.Unlock()
	for _, done := range waiting {
		done <- e.Why
	}
}

// Sighted takes news of gossip; it is for gossip to call.
func (n *Node) Sighted(s Sighting) {
	m := s.Member
	if m.Node == n.cfg.Self.Node {
		return
	}
	n.mu.Lock()
	if s.Gone {
		if known := n.peers[m.Node]; known.Incarnation <= m.Incarnation {
			delete(n.peers, m.Node)
		}
		n.missing = n.cfg.Clock.Now()
	} else {
		n.peers[m.Node] = m
		if m.State == LostTouch {
			n.missing = n.cfg.Clock.Now()
		}
	}
	transport := n.transport
	n.mu.Unlock()
	if s.Gone {
		n.inputs.put(shard.Gone{Node: m.Node, Incarnation: m.Incarnation, Left: m.State == Left})
	} else {
		n.inputs.put(shard.Seen{Member: shard.Member{Node: m.Node, Incarnation: m.Incarnation, State: m.State, Weight: m.Weight}})
	}
	if transport != nil {
		transport.Keep(n.allPeers())
	}
	n.router.wake()
}

// peer returns where a node is reached; false when gossip does not show it.
func (n *Node) peer(id persistence.NodeID) (Peer, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m, ok := n.peers[id]
	return Peer{id, m.Transport}, ok
}

// allPeers are the nodes that gossip shows, but for this one.
func (n *Node) allPeers() (all []Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.peers {
		all = append(all, Peer{m.Node, m.Transport})
	}
	return all
}

// every calls f again and again, by the node's clock, until ctx ends.
func (n *Node) every(ctx context.Context, d time.Duration, f func()) {
	due := make(chan struct{}, 1)
	timer := n.cfg.Clock.AfterFunc(d, func() {
		select {
		case due <- struct{}{}:
		default:
		}
	})
	defer timer.Stop()
	for {
		select {
		case <-due:
		case <-ctx.Done():
			return
		}
		f()
		timer.Reset(d)
	}
}

// ticks tell the machine what time it is, and that the store was not heard of, and try
// nodes that were not reached.
func (n *Node) ticks(ctx context.Context) {
	n.every(ctx, n.cfg.TickEvery, func() {
		now := n.cfg.Clock.Now().Sub(n.began)
		if silent := now - time.Duration(n.attended.Load()); n.inc.Load() > 0 && silent > n.cfg.CheckWithin {
			n.inputs.put(shard.Checked{OK: false})
		}
		n.inputs.put(shard.Tick{Now: n.now()})
		n.router.sweep()
		n.probe()
	})
}

// beats leave signs of life while the node serves.
func (n *Node) beats(ctx context.Context) {
	var last persistence.Incarnation
	var count uint64
	n.every(ctx, n.cfg.BeatEvery, func() {
		inc := persistence.Incarnation(n.inc.Load())
		if !n.answers() || inc == 0 {
			return
		}
		if inc != last {
			last, count = inc, 0
		}
		count++
		h := persistence.Heartbeat{Node: n.cfg.Self.Node, Incarnation: inc, Number: count}
		for _, m := range n.gossip.Members() {
			h.Peers = append(h.Peers, string(m.Node))
		}
		soon, cancel := context.WithTimeout(ctx, n.cfg.StepWithin)
		defer cancel()
		if err := n.cfg.Heartbeats.Beat(soon, h); err != nil && ctx.Err() == nil {
			n.cfg.Logger.Debug("no sign of life could be left in the store", "error", err)
		}
	})
}

// watchFor is how long signs of life are read often after somebody was missed.
const watchFor = 15 * time.Second

// watch reads the signs of life of the others: now and then, and often while somebody
// is missing.
func (n *Node) watch(ctx context.Context) {
	var last time.Time
	n.every(ctx, min(n.cfg.BeatEvery, n.cfg.WatchEvery), func() {
		now, pause := n.cfg.Clock.Now(), n.cfg.WatchEvery
		if n.misses(now) {
			pause = n.cfg.BeatEvery
		}
		if since := now.Sub(last); since >= 0 && since < pause-n.cfg.BeatEvery/2 {
			return
		}
		last = now
		soon, cancel := context.WithTimeout(ctx, n.cfg.StepWithin)
		defer cancel()
		all, err := n.cfg.Heartbeats.Heartbeats(soon)
		switch {
		case err == nil:
			n.inputs.put(shard.Beats{Rows: beatsOf(all)})
		case ctx.Err() == nil:
			n.cfg.Logger.Debug("the signs of life of the others could not be read", "error", err)
		}
	})
}

// misses reports whether somebody was found to be missing lately.
func (n *Node) misses(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	since := now.Sub(n.missing)
	return !n.missing.IsZero() && since >= 0 && since < watchFor
}

func beatsOf(all []persistence.Heartbeat) (rows []shard.Beat) {
	for _, h := range all {
		b := shard.Beat{Node: h.Node, Incarnation: h.Incarnation, Count: h.Number}
		for _, p := range h.Peers {
			b.Sees = append(b.Sees, persistence.NodeID(p))
		}
		rows = append(rows, b)
	}
	return rows
}

// Status is how the node stands.
type Status struct {
	State State
	// Open are the shards that it serves, Awaited those that are its to serve and are
	// not open yet, and Ownerless those of which nobody is known to serve them.
	Open, Awaited, Ownerless int
	// Settled: it serves, and there are none of the latter two.
	Settled bool
}

// String says how the node stands in a few words.
func (s Status) String() string {
	return fmt.Sprintf("%s, %d shards open, %d to be opened, %d that nobody serves", s.State, s.Open, s.Awaited, s.Ownerless)
}

// Status says how the node stands.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

// publish shows how the node stands to others than the machine's goroutine.
func (n *Node) publish(m *shard.Machine) {
	view := m.Snapshot()
	n.view.Store(&view)
	s := Status{State: n.State()}
	for _, v := range view.Shards {
		switch {
		case v.Open:
			s.Open++
		case v.Target == n.cfg.Self.Node:
			s.Awaited++
		case !v.Answers:
			s.Ownerless++
		}
	}
	s.Settled = s.State == Serving && s.Awaited == 0 && s.Ownerless == 0
	n.mu.Lock()
	changed := s != n.status
	if changed {
		n.status = s
		close(n.changed)
		n.changed = make(chan struct{})
	}
	n.mu.Unlock()
	if changed {
		call(n.cfg.Listener.Status, s)
	}
}

// View is what the node knows of the others and of all shards.
func (n *Node) View() shard.Snapshot {
	if v := n.view.Load(); v != nil {
		return *v
	}
	return shard.Snapshot{}
}

// Members returns the nodes that are believed to be alive, this one among them, in
// order of their ids.
func (n *Node) Members() []Member { return n.gossip.Members() }
