package shard

import "github.com/mesonet/mesonet/persistence"

// A node is fenced when two signals say that it is gone: gossip, and its heartbeat in
// the store. Either alone is wrong too often. Gossip goes by the network between the
// nodes, and a node that stands still for a second is dead to it; a heartbeat goes by
// the node's way to the store. A node that has neither serves nobody.
//
// Of the survivors the first, in an order of the dead node's own, fences it, and each
// further one only after the one before has had time to, and to say so.

// pulse is a node's heartbeat, as reads of it have shown it.
type pulse struct {
	beat Beat // the newest
	// known says that there is one, and moved that there was another before it.
	known, moved bool
	// news says that the next read that counts is the first to show it.
	news bool
	// Reads from at to until have shown nothing newer, that many after the first; it
	// holds since begun.
	at, until Millis
	reads     int
	begun     bool
}

// fencing is how far the suspicion of a node has come.
type fencing struct {
	sure    bool // both signals are there, since when
	since   Millis
	asked   bool // a Fence is under way
	backoff backoff
}

// beats takes a read of all heartbeats. One that does not show this node's own to go
// on proves nothing about others: it may be of a replica that has missed them.
func (m *Machine) beats(rows []Beat) {
	counts := false
	for _, b := range rows {
		n := m.node(b.Node)
		if b.Incarnation > n.inc {
			m.raised(n.id, b.Incarnation)
		}
		if n.pulse.see(b) && n.id == m.cfg.Node {
			counts = true
		}
	}
	if counts {
		for _, n := range m.nodes {
			n.pulse.pass(m.now)
		}
	}
}

// see takes the row of a read, and reports whether it is newer than what was seen.
func (p *pulse) see(b Beat) bool {
	if p.known && (b.Incarnation < p.beat.Incarnation || b.Incarnation == p.beat.Incarnation && b.Count <= p.beat.Count) {
		return false // a replica may be behind
	}
	p.moved = p.known
	p.known, p.news, p.beat = true, true, b
	return true
}

// pass takes note that a read is over, whether it had a row of the node or not.
func (p *pulse) pass(now Millis) {
	if p.news || !p.begun {
		p.begun, p.news, p.at, p.reads = true, false, now, 0
	} else {
		p.reads++
	}
	p.until = now
}

// still reports whether reads have shown nothing new for long enough.
func (m *Machine) still(n *node) bool {
	p := &n.pulse
	return !p.news && p.reads >= m.cfg.StillReads && p.until-p.at >= m.cfg.StillFor
}

// lives reports whether the node's heartbeat goes on.
func (m *Machine) lives(n *node) bool {
	return n.pulse.moved && n.pulse.beat.Incarnation == n.inc && !m.still(n)
}

// missing reports whether the node is gone as far as gossip knows.
func (m *Machine) missing(n *node) bool {
	switch {
	case n.there && n.member.State == LostTouch:
		return m.now-max(n.since, m.touch.back) >= m.cfg.TouchGrace
	case n.there:
		return false
	case n.met:
		return true
	default:
		return m.now-max(n.since, m.touch.met) >= m.cfg.UnseenFor
	}
}

// suspect looks at all who have shards, and fences those who are gone.
func (m *Machine) suspect() {
	if m.state != Serving || m.cfg.Weight == 0 || m.touch.failing {
		return
	}
	for i := range m.shards {
		if s := &m.shards[i]; s.holder != nil && !m.free(s) {
			s.holder.holds = true
		}
	}
	for _, n := range m.nodes {
		gone := n.holds && n.id != m.cfg.Node && m.missing(n) && m.still(n)
		n.holds = false
		f := &n.fence
		if !gone {
			f.sure = false
			continue
		}
		if !f.sure {
			f.sure, f.since = true, m.now
		}
		wait := m.cfg.FenceStep * Millis(rankOf(n.id, m.cfg.Node, m.serving()))
		if !f.asked && m.now >= f.since+wait && m.now >= f.backoff.at {
			f.asked = true
			m.emit(Fence{n.id, n.inc})
		}
	}
}

// raised takes word that a node has this incarnation in the store.
func (m *Machine) raised(id persistence.NodeID, inc persistence.Incarnation) {
	n := m.node(id)
	if inc <= n.inc {
		return
	}
	n.inc = inc
	n.fence = fencing{}
	m.freed(n)
}

// fenced takes the answer to a fence, or word of another's.
func (m *Machine) fenced(r Raised) {
	n := m.node(r.Node)
	if asked := n.fence.asked; asked {
		if r.Incarnation <= n.inc {
			m.fenceFailed(r.Node) // an answer to something else
			return
		}
		m.emit(Tell{"", r})
	}
	m.raised(r.Node, r.Incarnation)
}

func (m *Machine) fenceFailed(id persistence.NodeID) {
	f := &m.node(id).fence
	f.asked = false
	f.backoff.fail(m)
}
