package clustertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// Plane is one of the ways in which nodes reach each other.
type Plane uint8

// The planes. Store is the way from a node to the store, whatever the other end is
// called.
const (
	Gossip Plane = iota
	Requests
	Store
)

// Planes are all of them.
var Planes = []Plane{Gossip, Requests, Store}

// String returns the plane's name.
func (p Plane) String() string { return [...]string{"gossip", "requests", "store"}[p] }

// network is what the nodes of a world reach each other by.
type network struct {
	mu    sync.Mutex
	rng   *rand.Rand
	ends  []*end // one for each process that there was
	cuts  map[cut]bool
	moved chan struct{} // closed when anything has changed
	stop  chan struct{}
	wg    sync.WaitGroup
}

// cut is a way that leads nowhere.
type cut struct {
	plane    Plane
	from, to persistence.NodeID
}

// detection is how long gossip needs to find out that a node is gone.
const detection = 1200 * time.Millisecond

// breaks is how long a connection needs to find out that it leads nowhere.
const breaks = time.Second

func newNetwork(seed uint64) *network {
	n := &network{rng: rand.New(rand.NewPCG(seed, 1)), cuts: map[cut]bool{}, moved: make(chan struct{}), stop: make(chan struct{})}
	n.wg.Go(n.spread)
	return n
}

func (n *network) close() {
	close(n.stop)
	n.wg.Wait()
}

// change changes something, and tells those who wait.
func (n *network) change(f func()) {
	n.mu.Lock()
	f()
	close(n.moved)
	n.moved = make(chan struct{})
	n.mu.Unlock()
}

// open reports whether there is a way. The network is locked.
func (n *network) open(p Plane, from, to persistence.NodeID) bool { return !n.cuts[cut{p, from, to}] }

// end is one process of a node on the network. It is the node's gossip and its
// transport.
type end struct {
	net     *network
	id      persistence.NodeID
	handle  cluster.Handler
	sighted func(cluster.Sighting)

	// Of the network's lock:
	self   cluster.Member
	joined bool
	gone   bool // crashed or closed
	left   bool
	paused bool
	sees   map[*end]*sight
	news   []cluster.Sighting // to be told
	queues map[*end]*queue
}

// sight is what a node has seen of another.
type sight struct {
	member cluster.Member
	heard  time.Time
	dead   bool
}

func (n *network) connect(self cluster.Member, handle cluster.Handler, sighted func(cluster.Sighting)) *end {
	e := &end{net: n, id: self.Node, self: self, handle: handle, sighted: sighted, sees: map[*end]*sight{}, queues: map[*end]*queue{}}
	n.change(func() { n.ends = append(n.ends, e) })
	return e
}

// spread is gossip: it goes on for all nodes at once.
func (n *network) spread() {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-n.stop:
			return
		}
		n.mu.Lock()
		now := time.Now()
		for _, a := range n.ends {
			if !a.joined || a.gone || a.paused {
				continue
			}
			for _, b := range n.ends {
				if a != b && b.joined {
					a.look(b, now)
				}
			}
		}
		n.mu.Unlock()
		n.tell()
	}
}

// look is what a node learns of another. The network is locked.
func (e *end) look(b *end, now time.Time) {
	s := e.sees[b]
	left := b.left || b.self.State == cluster.Left
	reached := !left && !b.gone && !b.paused && e.net.open(Gossip, b.id, e.id) && e.net.open(Gossip, e.id, b.id)
	switch {
	case reached && (s == nil || s.dead || s.member != b.self):
		e.sees[b] = &sight{b.self, now, false}
		e.news = append(e.news, cluster.Sighting{Member: b.self})
	case reached:
		s.heard = now
	case s == nil || s.dead:
	case left && e.net.open(Gossip, b.id, e.id):
		s.dead = true
		s.member.State = cluster.Left
		e.news = append(e.news, cluster.Sighting{Member: s.member, Gone: true})
	case now.Sub(s.heard) >= detection:
		s.dead = true
		e.news = append(e.news, cluster.Sighting{Member: s.member, Gone: true})
	}
}

// tell gives the news to the nodes, outside of the lock.
func (n *network) tell() {
	for {
		n.mu.Lock()
		i := slices.IndexFunc(n.ends, func(e *end) bool { return len(e.news) > 0 })
		if i < 0 {
			n.mu.Unlock()
			return
		}
		e := n.ends[i]
		news := e.news
		e.news = nil
		n.mu.Unlock()
		for _, s := range news {
			e.sighted(s)
		}
	}
}

// Announce says something else of the node.
func (e *end) Announce(m cluster.Member) error {
	e.net.change(func() { e.self = m })
	return nil
}

// Members returns who is seen.
func (e *end) Members() []cluster.Member {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	members := []cluster.Member{e.self}
	for _, s := range e.sees {
		if !s.dead {
			members = append(members, s.member)
		}
	}
	slices.SortFunc(members, func(a, b cluster.Member) int {
		if a.Node != b.Node {
			return map[bool]int{true: -1, false: 1}[a.Node < b.Node]
		}
		return int(b.Incarnation) - int(a.Incarnation)
	})
	return slices.CompactFunc(members, func(a, b cluster.Member) bool { return a.Node == b.Node })
}

// Join begins to take part.
func (e *end) Join(context.Context, []string) (int, error) {
	e.net.change(func() { e.joined = true })
	return 1, nil
}

// Leave says goodbye.
func (e *end) Leave(context.Context) error {
	e.net.change(func() { e.left, e.gone = true, true })
	return nil
}

// Keep does nothing: there are no connections.
func (e *end) Keep([]cluster.Peer) {}

// Close ends the process's part in the network.
func (e *end) Close() error {
	e.net.change(func() { e.gone = true })
	return nil
}

// queue is requests from one node to another, in order.
type queue struct {
	list []*parcel
	busy bool
}

type parcel struct {
	r    cluster.Request
	once sync.Once
	done func([]byte, error)
}

func (p *parcel) end(body []byte, err error) { p.once.Do(func() { p.done(body, err) }) }

// Send sends a request.
func (e *end) Send(to cluster.Peer, r cluster.Request, done func([]byte, error)) {
	p := &parcel{r: r, done: done}
	n := e.net
	n.mu.Lock()
	var target *end
	for _, o := range n.ends {
		if o.id == to.Node && !o.gone && o.self.Transport == to.Address {
			target = o
		}
	}
	if target == nil || e.gone {
		n.mu.Unlock()
		p.end(nil, fmt.Errorf("%w: node %q does not listen", cluster.ErrUnsent, to.Node))
		return
	}
	q := e.queues[target]
	if q == nil {
		q = &queue{}
		e.queues[target] = q
	}
	q.list = append(q.list, p)
	if !q.busy {
		q.busy = true
		n.wg.Go(func() { e.deliver(target, q) })
	}
	n.mu.Unlock()
}

// deliver takes what is in a queue to the other node.
func (e *end) deliver(to *end, q *queue) {
	n := e.net
	for {
		n.mu.Lock()
		if len(q.list) == 0 {
			q.busy = false
			n.mu.Unlock()
			return
		}
		p := q.list[0]
		q.list = q.list[1:]
		latency := time.Duration(n.rng.Int64N(int64(2 * time.Millisecond)))
		n.mu.Unlock()
		time.Sleep(latency) //nolint:forbidigo // in a bubble
		if !n.passes(e, to) {
			n.mu.Lock()
			rest := append([]*parcel{p}, q.list...)
			q.list = nil
			n.mu.Unlock()
			for _, p := range rest { // the connection is broken, for all
				p.end(nil, fmt.Errorf("%w: node %q is not reached", cluster.ErrUnsent, to.id))
			}
			continue
		}
		n.answers(e, to, p)
	}
}

// answers lets the other node answer, and takes the answer back.
func (n *network) answers(from, to *end, p *parcel) {
	over := make(chan struct{})
	n.wg.Go(func() { n.watch(from, to, p, over) })
	to.handle(from.id, p.r, func(body []byte) {
		body = slices.Clone(body)
		n.wg.Go(func() {
			defer close(over)
			if !n.passes(to, from) {
				p.end(nil, fmt.Errorf("%w: the answer of node %q was lost", cluster.ErrBroken, to.id))
				return
			}
			p.end(body, nil)
		})
	})
}

// watch ends a request whose answer does not come because there is no way any more.
func (n *network) watch(from, to *end, p *parcel, over <-chan struct{}) {
	for {
		n.mu.Lock()
		gone, moved := from.gone || to.gone, n.moved
		n.mu.Unlock()
		if gone {
			p.end(nil, fmt.Errorf("%w: node %q is gone", cluster.ErrBroken, to.id))
			return
		}
		select {
		case <-over:
			return
		case <-moved:
			if !n.passes(from, to) || !n.passes(to, from) {
				p.end(nil, fmt.Errorf("%w: the way to node %q", cluster.ErrBroken, to.id))
				return
			}
		case <-n.stop:
			p.end(nil, cluster.ErrBroken)
			return
		}
	}
}

// passes waits until there is a way, for as long as a connection would hope.
func (n *network) passes(from, to *end) bool {
	end := time.NewTimer(breaks)
	defer end.Stop()
	for {
		n.mu.Lock()
		way, gone, moved := n.open(Requests, from.id, to.id) && !from.paused && !to.paused, from.gone || to.gone, n.moved
		n.mu.Unlock()
		switch {
		case gone:
			return false
		case way:
			return true
		}
		select {
		case <-moved:
		case <-end.C:
			return false
		case <-n.stop:
			return false
		}
	}
}

// reached waits until a node has a way to the store, and does not stand still. It
// returns an error when ctx ends first.
func (n *network) reached(ctx context.Context, e *end) error {
	for {
		n.mu.Lock()
		way, gone, moved := n.open(Store, e.id, e.id) && !e.paused, e.gone, n.moved
		n.mu.Unlock()
		switch {
		case gone:
			return errGone
		case way:
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("the store is not reached: %w", context.Cause(ctx))
		case <-n.stop:
			return errGone
		}
	}
}

var errGone = errors.New("clustertest: the process is gone")
