package cluster

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
)

// A call goes to the node that is known to have its shard, in one hop. One that
// comes back, because that node does not serve the shard, or can't be reached, had no
// effect, and waits in the lane of its shard: until there is news of the shard, or
// else for a little while, longer each time. What comes meanwhile waits behind it.
//
// A node that has lost touch keeps no call waiting: it does not know when it will be
// back, and whoever asked may know another node, which has that shard by now. Nor do
// calls wait for a node that is seen and not reached, once that has lasted for longer
// than a takeover: nobody will take its shards, and others may reach it.
//
// So calls of one sender to one entity stay in their order while a shard is served,
// and when it is lost all at once. Only if a node refuses some calls and then serves
// the shard, before it gets to those behind them, may these overtake the others.
//
// Rejected: numbers a sender and a shard, so that what was overtaken could be refused
// again. A receiver would have to remember each sender; and who minds the order sends
// the next call when the last is answered, or gives both an order of their own, as
// readings have by their time.

// router takes calls to the nodes that have their shards.
type router struct {
	n      *Node
	host   *entity.Host
	lanes  []lane
	parked atomic.Int64
	over   atomic.Bool
}

// lane is the way to one shard.
type lane struct {
	r      *router
	number persistence.Shard
	to     atomic.Pointer[shard.Route] // nil for nobody
	clear  atomic.Bool                 // nothing waits: calls need not look further

	mu       sync.Mutex
	state    laneState
	returned []*entity.Call // in the order in which they came back
	fresh    []*entity.Call // those that came meanwhile
	pause    time.Duration
	again    bool // there was news while calls were being sent
	timer    clock.Timer
	why      error // what the last call came back with
}

type laneState uint8

const (
	laneClear   laneState = iota // calls are sent at once
	laneWaiting                  // calls wait
	laneSending                  // those that waited are being sent
)

func newRouter(n *Node) *router {
	r := &router{n: n, lanes: make([]lane, n.cfg.Shards)}
	for i := range r.lanes {
		l := &r.lanes[i]
		l.r, l.number = r, persistence.Shard(i)
		l.clear.Store(true)
	}
	return r
}

// ShardOf returns the shard that an entity is in.
func (n *Node) ShardOf(id entity.ID) persistence.Shard {
	return persistence.ShardOf(id.Kind, id.ID, n.cfg.Shards)
}

// Deliver takes a call to its entity, wherever that is. It does not block.
func (n *Node) Deliver(c *entity.Call) { n.router.deliver(c) }

func (r *router) deliver(c *entity.Call) {
	l := &r.lanes[c.Shard()]
	if l.clear.Load() {
		l.send(c)
		return
	}
	l.mu.Lock()
	if l.state == laneClear {
		l.mu.Unlock()
		l.send(c)
		return
	}
	if r.over.Load() || r.parked.Add(1) > int64(r.n.cfg.Parked) {
		l.mu.Unlock()
		r.refuse(c)
		return
	}
	c.Within(r.n.cfg.WaitMost)
	l.fresh = append(l.fresh, c)
	l.mu.Unlock()
}

// refuse ends a call, and those linked to it, for which there is no room.
func (r *router) refuse(c *entity.Call) {
	if r.over.Load() {
		c.RefuseAll(errClosed)
		return
	}
	r.parked.Add(-1)
	c.RefuseAll(fmt.Errorf("%w: %d calls wait for shards that nobody serves at the moment", entity.ErrOverloaded, r.n.cfg.Parked))
}

var errClosed = fmt.Errorf("%w: %w: the node stops", entity.ErrUnavailable, entity.ErrNotServed)

// send sends a call to whoever has the shard.
func (l *lane) send(c *entity.Call) {
	r := l.r
	c.ReturnTo(r)
	to := l.to.Load()
	switch {
	case to == nil || !r.n.answers():
		c.RefuseAll(notServed(l.number, r.n.State()))
	case to.Node == r.n.cfg.Self.Node:
		r.host.Deliver(c)
	default:
		switch peer, ok := r.n.peer(to.Node); {
		case !ok:
			c.RefuseAll(unseen(to.Node))
		case r.n.links.downFor(to.Node) >= r.n.cfg.CutMost:
			l.fail(c, cut(to.Node))
		default:
			r.n.forward(peer, c)
		}
	}
}

func notServed(s persistence.Shard, state State) error {
	if state != Serving && state != Draining {
		return fmt.Errorf("%w: %w: this node does not serve: it says %q of itself", entity.ErrUnavailable, entity.ErrNotServed, state)
	}
	return fmt.Errorf("%w: %w: nobody is known to have shard %d at the moment", entity.ErrUnavailable, entity.ErrNotServed, s)
}

func unseen(node persistence.NodeID) error {
	return fmt.Errorf("%w: %w: node %q is not seen at the moment", entity.ErrUnavailable, entity.ErrNotServed, node)
}

func cut(node persistence.NodeID) error {
	return fmt.Errorf("%w: %w: node %q is seen, and not reached from here; another node may reach it", entity.ErrUnavailable, entity.ErrNotServed, node)
}

// Returned takes a call back that had no effect.
func (r *router) Returned(c *entity.Call, err error) {
	r.n.learn(err)
	c.Within(r.n.cfg.WaitMost)
	l := &r.lanes[c.Shard()]
	if end, _ := c.Deadline(); r.over.Load() || r.n.State() == LostTouch || !time.Now().Before(end) {
		l.fail(c, err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.parked.Add(1) // those that come back have room: they had it before
	l.returned = append(l.returned, c)
	l.why = err
	if l.state == laneClear {
		l.state = laneWaiting
		l.clear.Store(false)
		l.wait()
	}
}

// fail gives a call up, and those linked to it.
func (l *lane) fail(c *entity.Call, why error) {
	if why == nil {
		why = notServed(l.number, l.r.n.State())
	}
	call(l.r.n.cfg.Listener.Failed, why)
	c.ReturnTo(nil)
	c.RefuseAll(why)
}

// wait sees to it that what waits is sent again. The lane is locked.
func (l *lane) wait() {
	cfg := &l.r.n.cfg
	l.pause = min(max(2*l.pause, cfg.RetryFirst), cfg.RetryMost)
	if l.timer == nil {
		l.timer = cfg.Clock.AfterFunc(l.pause, l.resend)
		return
	}
	l.timer.Reset(l.pause)
}

// resend sends what waits, until there is nothing left or a call has come back.
func (l *lane) resend() {
	l.mu.Lock()
	if l.state != laneWaiting {
		l.mu.Unlock()
		return
	}
	l.state = laneSending
	for {
		calls := slices.Concat(l.returned, l.fresh)
		l.returned, l.fresh, l.again = nil, nil, false
		why := l.why
		l.mu.Unlock()
		l.r.parked.Add(-int64(len(calls)))
		now := time.Now()
		for _, c := range calls {
			if end, bounded := c.Deadline(); bounded && !now.Before(end) {
				l.fail(c, why)
			} else {
				l.send(c)
			}
		}
		l.mu.Lock()
		switch {
		case len(l.returned) > 0 && !l.again:
			l.state = laneWaiting
			l.wait()
			l.mu.Unlock()
			return
		case len(l.returned)+len(l.fresh) == 0:
			l.state, l.pause, l.why = laneClear, 0, nil
			l.clear.Store(true)
			l.mu.Unlock()
			return
		}
	}
}

// news sends at once what waits: something has changed.
func (l *lane) news() {
	l.mu.Lock()
	l.again = true
	l.pause = 0
	if l.state == laneWaiting && l.timer != nil && l.timer.Stop() {
		l.timer.Reset(0)
	}
	l.mu.Unlock()
}

// route takes word of who has a shard.
func (r *router) route(to shard.Route) {
	l := &r.lanes[to.Shard]
	if to.Node == "" {
		l.to.Store(nil)
		return
	}
	l.to.Store(&to)
	l.news()
}

// wake tells all lanes that something has changed.
func (r *router) wake() {
	for i := range r.lanes {
		if l := &r.lanes[i]; !l.clear.Load() {
			l.news()
		}
	}
}

// sweep gives up what waits for longer than anybody wants.
func (r *router) sweep() {
	call(r.n.cfg.Listener.Parked, int(r.parked.Load()))
	if r.parked.Load() == 0 {
		return
	}
	now := time.Now()
	for i := range r.lanes {
		l := &r.lanes[i]
		if l.clear.Load() {
			continue
		}
		l.mu.Lock()
		why := l.why
		var late []*entity.Call
		for _, list := range []*[]*entity.Call{&l.returned, &l.fresh} {
			*list = slices.DeleteFunc(*list, func(c *entity.Call) bool {
				end, bounded := c.Deadline()
				if bounded && !now.Before(end) {
					late = append(late, c)
					return true
				}
				return false
			})
		}
		l.mu.Unlock()
		r.parked.Add(-int64(len(late)))
		for _, c := range late {
			l.fail(c, why)
		}
	}
}

// close ends the calls that wait.
func (r *router) close() {
	r.over.Store(true)
	for i := range r.lanes {
		l := &r.lanes[i]
		l.mu.Lock()
		calls := slices.Concat(l.returned, l.fresh)
		l.returned, l.fresh = nil, nil
		if l.timer != nil {
			l.timer.Stop()
		}
		l.mu.Unlock()
		r.parked.Add(-int64(len(calls)))
		for _, c := range calls {
			c.ReturnTo(nil)
			c.RefuseAll(errClosed)
		}
	}
}
