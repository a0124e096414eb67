package replicated

import "slices"

// pageCopy is a page as it was between two commands, on its way to the store.
type pageCopy struct {
	key  pageKey
	page *page
	cell cell
}

// copyPage takes a copy of a page that is not stored as it is. It is stamped with
// what the shard has validated, which is at least the beginning of its own epoch,
// or the end of the page's newest event if that is higher.
func (s *shard) copyPage(id entityID, k int) bool {
	e := s.places[id].entity
	if e == nil || len(e.pages[k].unflushed) == 0 {
		return false
	}
	p := e.pages[k]
	stamp := max(s.validated, p.position)
	if s.w.broken(stampOfPage) {
		stamp = p.position
	}
	key := pageKey{id, k}
	s.copies = slices.DeleteFunc(s.copies, func(c pageCopy) bool { return c.key == key && c.cell.position == stamp })
	s.copies = append(s.copies, pageCopy{key, p, cell{stamp, p.ids}})
	return true
}

// writeCopies writes the copies of which everything is validated.
func (s *shard) writeCopies() bool {
	ready, early := []pageCopy{}, []pageCopy{}
	for _, c := range s.copies {
		if c.cell.position <= s.validated || s.w.broken(flushUnvalidated) {
			ready = append(ready, c)
		} else {
			early = append(early, c)
		}
	}
	s.copies = early
	for _, c := range ready {
		c.page.issued = max(c.page.issued, c.cell.position)
		s.p.send(&write{
			text:  "page " + c.key.String() + "=" + c.cell.String(),
			put:   func(r *replica) { r.putPage(c.key, c.cell) },
			heard: func() { c.page.unflushed = from(c.page.unflushed, c.cell.position) },
		})
	}
	return len(ready) > 0
}

// from returns the positions that are not below another.
func from(all []position, p position) []position {
	return slices.DeleteFunc(slices.Clone(all), func(at position) bool { return at < p })
}

// firstUnflushed returns the first event of an entity that is not in a durable
// copy of every page that it touches.
func (s *shard) firstUnflushed(id entityID) (first position, some bool) {
	var firsts []position
	p := &s.places[id]
	if p.held > 0 {
		firsts = append(firsts, p.held)
	}
	if len(p.tail) > 0 && !s.w.broken(checkpointOverAsleep) {
		firsts = append(firsts, p.tail[0].at)
	}
	if p.entity != nil {
		for _, page := range p.entity.pages {
			left := page.unflushed
			if s.w.broken(checkpointOverUnacknowledged) {
				left = from(left, page.issued)
			}
			if len(left) > 0 {
				firsts = append(firsts, left[0])
			}
		}
	}
	if len(firsts) == 0 {
		return 0, false
	}
	return slices.Min(firsts), true
}

// writeCheckpoint stores the end of what is validated or, if earlier, the first
// event that is not in a durable page.
func (s *shard) writeCheckpoint() bool {
	to := s.validated
	for id := range entityID(entities) {
		if first, some := s.firstUnflushed(id); some {
			to = min(to, first)
		}
	}
	to = s.frameOf(to)
	if to < s.checkpoint.begun || to == s.checkpoint.durable {
		return false
	}
	s.checkpoint.begun = to
	s.p.send(&write{
		text: "checkpoint " + to.String(),
		put:  func(r *replica) { r.putCheckpoint(to); r.w.checker.storedCheckpoint(to) },
		heard: func() {
			s.checkpoint.durable = max(s.checkpoint.durable, to)
			s.frames = slices.DeleteFunc(s.frames, func(f frame) bool { return f.end <= s.checkpoint.durable })
		},
	})
	return true
}

// beginToLower starts to raise low to a durable checkpoint.
func (s *shard) beginToLower() bool {
	to := s.checkpoint.durable
	if s.w.broken(lowBeforeCheckpoint) {
		to = s.checkpoint.begun
	}
	if to <= s.low || s.p.running(lowering) > 0 {
		return false
	}
	if s.w.broken(deleteBeforeLow) {
		s.low = to
		return true
	}
	s.p.start(lowering, s, func(t *task) { s.raiseLow(t, to) })
	return true
}

// raiseLow says in the row, under the own epoch, what is about to be deleted. An
// uncertain outcome is settled by a SERIAL read.
func (s *shard) raiseLow(t *task, to position) {
	row := t.readShard()
	if row.epoch != s.epoch && !s.w.broken(lowUnderAnyEpoch) {
		s.replaced("the row")
		return
	}
	if row.low < to {
		v := t.raiseLow(row, to)
		if v == uncertain && t.readShard().low >= to {
			v = applied
		}
		if v != applied {
			return
		}
	}
	s.low = max(s.low, to)
}

// deleteFrames deletes what lies wholly below low.
func (s *shard) deleteFrames() bool {
	if s.low <= s.deleted {
		return false
	}
	below := s.low
	s.deleted = below
	s.p.send(&write{
		text:  "deletion below " + below.String(),
		put:   func(r *replica) { r.delete(below) },
		heard: func() {},
	})
	return true
}
