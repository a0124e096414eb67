package cluster

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
)

// links are the nodes that the last request did not reach. The machine gives them no
// shard, and tells them anew what they serve when they are reached again.
type links struct {
	some atomic.Int32 // how many there are; a hint, asked after each request

	mu   sync.Mutex
	down map[persistence.NodeID]downLink
}

// downLink is since when a node is not reached, and whether it is being tried.
type downLink struct {
	since  time.Time
	trying bool
}

// turn takes note whether a node was reached, and says whether that is new.
func (l *links) turn(node persistence.NodeID, up bool) (news bool) {
	if up && l.some.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, down := l.down[node]; down != up {
		return false
	}
	if up {
		delete(l.down, node)
	} else {
		if l.down == nil {
			l.down = make(map[persistence.NodeID]downLink)
		}
		l.down[node] = downLink{since: time.Now()}
	}
	l.some.Store(int32(len(l.down)))
	return true
}

// untried returns those that are not being tried, which they are from now on.
func (l *links) untried() (nodes []persistence.NodeID) {
	if l.some.Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for node, d := range l.down {
		if !d.trying {
			l.down[node] = downLink{d.since, true}
			nodes = append(nodes, node)
		}
	}
	return nodes
}

func (l *links) tried(node persistence.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d, down := l.down[node]; down {
		l.down[node] = downLink{since: d.since}
	}
}

// downFor returns for how long a node has not been reached.
func (l *links) downFor(node persistence.NodeID) time.Duration {
	if l.some.Load() == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if d, down := l.down[node]; down {
		return time.Since(d.since)
	}
	return 0
}

// send is the transport's Send, and takes note of which nodes are reached.
func (n *Node) send(to Peer, r Request, done func(reply []byte, err error)) {
	deadline := r.Deadline
	n.transport.Send(to, r, func(reply []byte, err error) {
		n.sent(to.Node, deadline, err)
		done(reply, err)
	})
}

// sent takes note of whether a request has reached a node.
func (n *Node) sent(to persistence.NodeID, deadline time.Time, err error) {
	switch {
	case err == nil:
		n.linked(to, true)
	case errors.Is(err, ErrFull), !deadline.IsZero() && !time.Now().Before(deadline): // it may be reached all the same
	default:
		n.linked(to, false)
	}
}

func (n *Node) linked(node persistence.NodeID, up bool) {
	if n.links.turn(node, up) && n.life.Err() == nil {
		n.inputs.put(shard.Link{Node: node, Up: up})
	}
}

// probe tries the nodes that were not reached, by telling them nothing. One that is no
// member any more is not to be reached, until it is one.
func (n *Node) probe() {
	for _, node := range n.links.untried() {
		peer, ok := n.peer(node)
		if !ok {
			n.linked(node, true)
			continue
		}
		body, err := cbor.Marshal(shard.Owns{})
		if err != nil {
			n.cfg.Logger.Error("a node could not be tried", "node", node, "error", err)
			return
		}
		r := Request{Kind: kindOwns, Body: body, Deadline: time.Now().Add(n.cfg.StepWithin)}
		n.send(peer, r, func([]byte, error) { n.links.tried(node) })
	}
}
