package shard

import "github.com/mesonet/mesonet/persistence"

// learn takes word of whose a shard is, if it is newer than what is known.
func (m *Machine) learn(s *slot, w Owner) {
	if w.Epoch == s.owner.Epoch && w.Node == s.owner.Node && !s.open {
		s.owner.Pinned = w.Pinned
	}
	if w.Node == "" || w.Epoch <= s.owner.Epoch {
		return
	}
	n := m.node(w.Node)
	if w.Incarnation == 0 {
		w.Incarnation = n.inc
	}
	m.raised(w.Node, w.Incarnation)
	if w.Node == m.cfg.Node && s.gave && m.now-s.gaveAt < m.cfg.RestFor {
		s.rest, s.giver = m.now+m.cfg.RestFor, s.owner
	}
	s.owner, s.holder, s.heard, s.open = w, n, m.now, false
	s.pinned = w.Node == m.cfg.Node && w.Pinned
	s.backoff.reset()
}

// route says where requests for a shard go, when that has changed.
func (m *Machine) route(s *slot) {
	r := Route{Shard: s.number}
	if m.answers(s) {
		r.Node, r.Epoch = s.owner.Node, s.owner.Epoch
	}
	if r != s.routed {
		s.routed = r
		m.emit(r)
	}
}

// answers reports whether somebody is believed to answer for the shard.
func (m *Machine) answers(s *slot) bool {
	n := s.holder
	if n == nil || m.free(s) {
		return false
	}
	state := n.member.State
	if n.id == m.cfg.Node {
		state = m.state
		if !s.open {
			return false
		}
	}
	return n.there && (state == Serving || state == Draining)
}

// Where returns who is believed to answer for a shard, as [Route] said last.
func (m *Machine) Where(shard persistence.Shard) Route {
	if s := m.slot(shard); s != nil {
		return s.routed
	}
	return Route{Shard: shard}
}
