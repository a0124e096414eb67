package replicated

// move gives the shard away. The owner takes no more requests, lets its frames
// finish, stops answering, and seals its epoch in the name of the next owner:
// that its incarnation is unchanged proves that nobody took the shard, not that
// it did not give it away. Until it asks for that, it may change its mind. From
// then on the epoch is over for it, whatever comes of it.
func (s *shard) move(t *task, to int) {
	s.parked = true
	s.w.tell(s.p.name, "prepares to move the shard to node %d", to)
	row := t.readShard()
	if row.epoch != s.epoch {
		s.replaced("the row")
		return
	}
	for n := 0; !s.drained(); n++ {
		if t.pause(); n == 30 {
			s.w.tell(s.p.name, "does not move the shard, as its frames don't finish")
			s.w.note("a move is given up")
			s.parked = false
			return
		}
	}
	inc := s.w.nodes[to].copies[s.w.rng.IntN(replicas)] // as it was heard of, somehow
	if s.w.broken(moveToNobody) {
		inc = s.w.nodes[to].inc + 1
	}
	next := row.claimed(to, inc, s.next, s.w.newToken())
	if s.w.broken(moveForgetsLow) {
		next.low = 0
	}
	s.silent = true
	s.w.tell(s.p.name, "moves the shard to node %d, incarnation %d", to, inc)
	if s.giveAway(t, row, next) == uncertain && s.w.broken(resumeAfterMove) && t.readShard().epoch == s.epoch {
		s.parked, s.silent = false, false
		return
	}
	s.close("moved")
}

// giveAway asks for the change that gives the shard away. After an uncertain
// outcome it may ask for the same again, as long as the row is as it was: of the
// two at most one is applied.
func (s *shard) giveAway(t *task, row, next shardRow) result {
	for {
		v := t.claimShard(row, next)
		if v != uncertain {
			return v
		}
		s.w.note("a move ends uncertain")
		if s.w.rng.IntN(2) == 0 {
			return uncertain
		}
		t.pause()
		is := t.readShard()
		switch {
		case is.token == next.token:
			return applied
		case s.w.broken(moveAnew):
			row, next = is, is.claimed(next.owner, next.inc, s.next, s.w.newToken())
		case !is.same(row):
			return refused
		}
		s.w.note("a move is asked for again")
	}
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
