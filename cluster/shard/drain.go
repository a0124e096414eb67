package shard

import (
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// mayDrain gives a shard away: to the node that the table names, without waiting
// whether it goes on to, or else to the next that can have it.
func (m *Machine) mayDrain(s *slot) {
	if m.now < s.backoff.at {
		return
	}
	var to *node
	if s.target != "" {
		to = m.node(s.target)
	}
	if to == nil || !m.canHave(to) {
		to = m.heir(s)
	}
	if to != nil {
		m.handOver(s, to, m.cfg.DrainAtOnce)
	}
}

// heir returns who bids most for a shard of those that can have it, nil if nobody
// can.
func (m *Machine) heir(s *slot) *node {
	var can []Member
	for _, n := range m.nodes {
		if m.canHave(n) {
			can = append(can, n.member)
		}
	}
	if len(can) == 0 {
		return nil
	}
	return m.node(m.alloc.first(can, m.cfg.Shards, s.number))
}

// sayDrained says when nothing more can be handed over.
func (m *Machine) sayDrained() {
	if !m.draining || m.taking+m.handing > 0 {
		return
	}
	d := Drained{}
	for i := range m.shards {
		if m.shards[i].open {
			d.Left = append(d.Left, persistence.Shard(i))
		}
	}
	if len(d.Left) > 0 && slices.ContainsFunc(m.nodes, m.canHave) {
		m.drained = nil // they go when they are tried again
		return
	}
	if m.drained == nil || !slices.Equal(m.drained.Left, d.Left) {
		m.drained = &Drained{slices.Clone(d.Left)}
		m.emit(d)
	}
}
