package shard

// mayHandOver gives a shard that is served here to the node that the table names, if
// it has named it for long enough. A shard that has just come may have come because
// the table has changed, of which this node does not know yet: it stays as long.
func (m *Machine) mayHandOver(s *slot) {
	if m.draining {
		m.mayDrain(s)
		return
	}
	if m.state != Serving || s.target == "" || s.target == m.cfg.Node || s.pinned ||
		m.now-max(s.since, s.opened) < m.cfg.StableFor || m.now < s.backoff.at || m.rests(s) || !m.canHave(m.node(s.target)) {
		return
	}
	m.handOver(s, m.node(s.target), m.cfg.HandOvers)
}

// rests reports whether the shard came back soon after it was given away: where it
// belongs, nodes differ about.
func (m *Machine) rests(s *slot) bool {
	if m.now >= s.rest {
		return false
	}
	giver := m.node(s.giver.Node)
	return m.serves(giver) && giver.member.Incarnation == s.giver.Incarnation
}

// canHave reports whether a shard can be given to a node.
func (m *Machine) canHave(n *node) bool {
	return n.id != m.cfg.Node && m.serves(n) && !n.down && !m.still(n)
}

func (m *Machine) handOver(s *slot, to *node, most int) {
	if m.handing >= most {
		m.short = true
		return
	}
	s.doing, s.to = handing, to.id
	m.handing++
	m.emit(HandOver{s.number, to.id})
}

// handedOver takes the outcome of a hand-over.
func (m *Machine) handedOver(s *slot, h HandedOver) {
	moving := false
	if s.doing == handing && s.to == h.To {
		moving, s.moving = s.moving, false
		m.stop(s)
	}
	switch h.Outcome {
	case Given:
		s.open = false
		s.gave, s.gaveAt = true, m.now
		w := Owner{
			Shard: s.number, Node: h.To, Incarnation: h.Incarnation, Epoch: h.Epoch,
			Pinned: moving && s.target != h.To,
		}
		m.learn(s, w)
		m.emit(Tell{"", w})
		if moving {
			m.emit(Moved{s.number, h.To, ""})
		}
	case Kept:
		s.backoff.fail(m)
		if moving {
			m.emit(Moved{s.number, h.To, "the hand-over did not come to its end in time"})
		}
	case Unknown:
		s.open = false
		s.backoff.fail(m) // then the store is asked
		if moving {
			m.emit(Moved{s.number, h.To, "the store gave no answer; look whose it is, and ask again"})
		}
	}
}

// move gives a shard to the node that an operator names. The pin lives with the owner,
// who alone decides about a shard that is served; the others need not know.
func (m *Machine) move(in Move) {
	s := m.slot(in.Shard)
	n := m.node(in.To)
	why := ""
	switch {
	case s == nil:
		why = "there is no such shard"
	case !s.open:
		why = "this node does not serve it; ask the one that does"
	case s.doing != idle:
		why = "it is being handed over already"
	case m.state != Serving:
		why = "this node is " + m.state.String()
	case in.To == m.cfg.Node:
		s.pinned = s.target != in.To
		s.owner.Pinned = s.pinned
		m.emit(Tell{"", s.owner})
	case !n.there || n.member.State != Serving || n.left != 0 || n.member.Incarnation < n.inc:
		why = "that node does not serve"
	case n.down || m.still(n):
		why = "that node is not reached"
	default:
		s.moving = true
		m.handOver(s, n, m.handing+1)
		return
	}
	m.emit(Moved{in.Shard, in.To, why})
}
