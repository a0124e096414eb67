package shard

import "github.com/mesonet/mesonet/persistence"

// node is what is known of one node.
type node struct {
	id persistence.NodeID
	// inc is the highest incarnation that anybody has spoken of: all before are fenced.
	inc persistence.Incarnation

	// By gossip: whether it is there, as what, and since when that is so.
	there  bool
	met    bool // it was there once
	member Member
	since  Millis
	// left is the incarnation with which it said goodbye, having fenced itself, as
	// long as the store does not say otherwise.
	left persistence.Incarnation
	down bool // requests don't reach it

	tabled uint32 // its weight in the table
	holds  bool   // scratch of suspect
	pulse  pulse
	fence  fencing
}

// seen takes word of a member by gossip. Of an incarnation that is over it is old
// news.
func (m *Machine) seen(w Member) {
	if w.Node == m.cfg.Node {
		return // what this node is it knows itself
	}
	n := m.node(w.Node)
	if n.there && n.member == w || n.there && w.Incarnation < n.member.Incarnation {
		return
	}
	anew := !n.there || w.Incarnation > n.member.Incarnation
	if anew || n.member.State != w.State {
		n.since = m.now
	}
	n.there, n.met, n.member = true, true, w
	if n.left != 0 && w.Incarnation > n.left {
		n.left = 0
	}
	if w.Incarnation > n.inc {
		m.raised(n.id, w.Incarnation)
	}
	if anew {
		m.tellMine(n.id)
	}
}

// link takes word whether requests reach a node. What it was told while they did not
// is lost.
func (m *Machine) link(n *node, up bool) {
	if up && n.down {
		m.tellMine(n.id)
	}
	n.down = !up
}

// gone takes word that a member is not there any more.
func (m *Machine) gone(g Gone) {
	n := m.node(g.Node)
	if g.Node == m.cfg.Node || n.there && g.Incarnation < n.member.Incarnation {
		return
	}
	if n.there {
		n.there, n.since = false, m.now
	}
	if g.Left && g.Incarnation >= n.inc {
		n.inc, n.left = g.Incarnation, g.Incarnation
		m.freed(n)
	}
}

// freed lets what the node had be taken without waiting.
func (m *Machine) freed(n *node) {
	for i := range m.shards {
		if s := &m.shards[i]; s.holder == n && n.id != m.cfg.Node && m.free(s) {
			s.backoff.reset()
		}
	}
}

// serves reports whether a node is one that shards belong to: it says so, with an
// incarnation that is not fenced.
func (m *Machine) serves(n *node) bool {
	return n.there && n.member.State == Serving && n.member.Weight > 0 && n.member.Incarnation >= n.inc && n.left == 0
}

// serving returns the ids of the nodes that serve.
func (m *Machine) serving() (ids []persistence.NodeID) {
	for _, n := range m.nodes {
		if m.serves(n) {
			ids = append(ids, n.id)
		}
	}
	return ids
}

// free reports whether the store would let anybody take the shard, as far as is
// known: nobody has it, or its owner is fenced.
func (m *Machine) free(s *slot) bool {
	n := s.holder
	return n == nil || n.inc > s.owner.Incarnation || n.left != 0 && n.left >= s.owner.Incarnation
}

// tellMine tells a node, or all of them, what this one serves.
func (m *Machine) tellMine(to persistence.NodeID) {
	var words []Owner
	for i := range m.shards {
		if s := &m.shards[i]; s.open {
			words = append(words, s.owner)
		}
	}
	if len(words) > 0 {
		m.emit(Tell{to, Owns{words}})
	}
}

// retell tells all of it again, now and then, as words may have been lost.
func (m *Machine) retell() {
	if m.now >= m.told+m.cfg.TellEvery {
		m.told = m.now
		m.tellMine("")
	}
}
