package shard

import "github.com/mesonet/mesonet/persistence"

// mayTake takes a shard that is not served here, if it should be.
func (m *Machine) mayTake(s *slot) {
	switch {
	case m.state != Serving || m.self.inc > m.inc || m.now < s.backoff.at || !m.wants(s):
	case m.taking >= m.cfg.Takes:
		m.short = true
	default:
		s.doing = taking
		m.taking++
		m.emit(Take{s.number})
	}
}

// wants reports whether this node should ask the store for the shard.
func (m *Machine) wants(s *slot) bool {
	self := m.cfg.Node
	switch {
	case s.owner.Node == self && s.owner.Incarnation == m.inc:
		return true // nobody else can have it
	case s.target != self:
		return false
	case s.owner.Node == "":
		return m.now-m.tabled >= m.cfg.SettleFor
	case m.free(s):
		return true
	default: // another's, as far as is known
		return m.now-max(s.since, s.heard) >= m.cfg.LookEvery
	}
}

// opened takes note that a shard is served here.
func (m *Machine) opened(s *slot, epoch persistence.Epoch) {
	if s.doing == taking {
		m.stop(s)
	}
	if epoch < s.owner.Epoch || m.inc == 0 {
		return // it is over already, and the host will find out
	}
	s.open, s.opened = true, m.now
	s.backoff.reset()
	s.owner = Owner{Shard: s.number, Node: m.cfg.Node, Incarnation: m.inc, Epoch: epoch, Pinned: s.pinned}
	s.holder = m.self
	m.emit(Tell{"", s.owner})
}

// refused takes the store's word that a shard is another's.
func (m *Machine) refused(s *slot, w Owner) {
	if s.doing == taking {
		m.stop(s)
	}
	n := m.node(w.Node)
	if w.Node != m.cfg.Node && w.Incarnation == n.inc {
		n.left = 0 // it has not fenced itself after all
	}
	m.learn(s, w)
	if s.owner.Node == m.cfg.Node || m.free(s) {
		s.backoff.fail(m)
		return
	}
	s.backoff.failFor(m, m.cfg.LookEvery, 6*m.cfg.LookEvery)
	if n.there {
		m.emit(Tell{w.Node, w}) // it may not know
	}
}

func (m *Machine) takeFailed(s *slot) {
	if s.doing == taking {
		m.stop(s)
		s.backoff.fail(m)
	}
}

// lost takes note that a shard is not served here any more. The store has it as this
// node's, unless it says otherwise.
func (m *Machine) lost(s *slot) {
	s.open = false
}
