package shard

import (
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// touch is what the node knows of its own standing: whether it reaches the store, and
// whether it is on the side of a split that goes on.
type touch struct {
	inGossip bool
	met      Millis // since when
	// failing says that the last check failed, and since which it was so; lost that
	// this went on for too long.
	failing bool
	since   Millis
	lost    bool
	// outdone says that a node which does not see this one is on a better side, since
	// when this, or the contrary, is so; split that it went on for too long.
	outdone bool
	turned  Millis
	split   bool
	// back is when the node began to serve, or came back to it.
	back Millis
}

// checked takes the outcome of an ownership check.
func (m *Machine) checked(ok bool) {
	t := &m.touch
	switch {
	case ok:
		t.failing, t.lost = false, false
	case !t.failing:
		t.failing, t.since = true, m.now
	case m.now-t.since >= m.cfg.LostAfter: // and not the clock alone says so
		t.lost = true
	}
}

// stand decides what the node is, and announces it when it is something else.
func (m *Machine) stand() {
	t := &m.touch
	if outdone := m.outdone(); outdone != t.outdone {
		t.outdone, t.turned = outdone, m.now
	}
	switch {
	case t.outdone && m.now-t.turned >= m.cfg.SplitAfter:
		t.split = true
	case !t.outdone && m.now-t.turned >= m.cfg.StableFor:
		t.split = false
	}
	state := Serving
	switch {
	case m.draining:
		state = Draining
	case m.inc == 0 || !t.inGossip:
		state = Joining
	case t.lost || t.split:
		state = LostTouch
	}
	m.self.there, m.self.member = true, Member{m.cfg.Node, m.inc, state, m.cfg.Weight}
	if state == m.state {
		return
	}
	if state == Serving {
		t.back = m.now
	}
	m.state = state
	m.emit(Announce{state})
}

// outdone reports whether some node that lives is not on this node's side, and is on a
// better one. A node's side are those that it sees and that see it: one whom the
// others don't hear is alone, whatever it hears. The bigger side is the better, and of
// two that are equal the one with the lowest id.
func (m *Machine) outdone() bool {
	var alive []*node
	for _, n := range m.nodes {
		if n.id == m.cfg.Node || m.lives(n) {
			alive = append(alive, n)
		}
	}
	mine := m.side(m.self, alive)
	if len(mine) == len(alive) {
		return false
	}
	for _, n := range alive {
		if slices.Contains(mine, n.id) {
			continue
		}
		side := m.side(n, alive)
		if len(side) > len(mine) || len(side) == len(mine) && slices.Compare(side, mine) < 0 {
			return true
		}
	}
	return false
}

// side returns the ids of those of alive that n sees and that see it, and its own, in
// order.
func (m *Machine) side(n *node, alive []*node) (ids []persistence.NodeID) {
	for _, o := range alive {
		if o == n || m.sees(n, o) && m.sees(o, n) {
			ids = append(ids, o.id)
		}
	}
	return ids
}

// sees reports whether gossip shows o to n, by what n has written last.
func (m *Machine) sees(n, o *node) bool {
	if n.id == m.cfg.Node {
		return o.there
	}
	return slices.Contains(n.pulse.beat.Sees, o.id)
}
