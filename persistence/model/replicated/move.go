package replicated

// move gives the shard away. The owner takes no more requests, lets its frames
// finish, stops answering, and seals its epoch in the name of the next owner:
// that its incarnation is unchanged proves that nobody took the shard, not that
// it did not give it away. However that ends, and also if nobody can say how, the
// epoch is over for it.
func (s *shard) move(t *task, to int) {
	s.parked = true
	s.w.tell(s.p.name, "prepares to move the shard to node %d", to)
	for n := 0; !s.drained(); n++ {
		if t.pause(); n == 30 {
			s.close("it can't be moved, as its frames don't finish")
			return
		}
	}
	row := t.readShard()
	if row.epoch != s.epoch {
		s.replaced("the row")
		return
	}
	inc := s.w.nodes[to].copies[s.w.rng.IntN(replicas)] // as it was heard of, somehow
	s.silent = true
	s.w.tell(s.p.name, "moves the shard to node %d, incarnation %d", to, inc)
	v := t.claimShard(row, row.claimed(to, inc, s.next, s.w.newToken()))
	if v == uncertain && s.w.broken(resumeAfterMove) && t.readShard().epoch == s.epoch {
		s.parked, s.silent = false, false
		return
	}
	s.w.noteIf(v == uncertain, "a move ends uncertain")
	s.close("moved")
}

// drained: every event has been validated, and every request decided.
func (s *shard) drained() bool {
	for _, p := range s.places {
		if len(p.mailbox) > 0 {
			return false
		}
	}
	return s.validated == s.next || s.w.broken(moveUndrained)
}
