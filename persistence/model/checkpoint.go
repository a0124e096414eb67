package model

import (
	"maps"
	"slices"
)

// newCheckpoint returns the highest position below which every event is in
// durable pages, as far as is known, and where a recovery can begin to read.
func (s *shard) newCheckpoint() position {
	c := s.validated
	if s.w.broken(checkpointAppended) {
		c = s.next
	}
	for id := range entityID(entities) {
		if first, some := s.firstUnflushed(id); some {
			c = min(c, first)
		}
	}
	if s.w.broken(checkpointInFrame) {
		return c
	}
	return s.frameOf(c)
}

// firstUnflushed returns the first event of an entity that is not in a durable
// copy of every page that it touches, as far as is known; false if there is
// none.
func (s *shard) firstUnflushed(id entityID) (position, bool) {
	var firsts []position
	p := &s.places[id]
	if p.held > 0 && !s.w.broken(forgetCrashed) {
		firsts = append(firsts, p.held)
	}
	if len(p.tail) > 0 && !s.w.broken(forgetAsleep) {
		firsts = append(firsts, p.tail[0].at)
	}
	if p.entity != nil {
		firsts = append(firsts, s.firstsAwake(p.entity)...)
	}
	if len(firsts) == 0 {
		return 0, false
	}
	return slices.Min(firsts), true
}

// firstsAwake is firstUnflushed of each page of an entity that is awake.
func (s *shard) firstsAwake(e *entity) []position {
	var firsts []position
	for k, p := range e.pages {
		if pending := e.pending[k]; len(pending) > 0 && !s.w.broken(forgetPending) {
			firsts = append(firsts, pending[0].at)
		}
		if p == nil || s.w.broken(forgetDirty) {
			continue
		}
		dirty := p.unflushed
		if s.w.broken(flushIssued) {
			dirty = p.unissued()
		}
		if len(dirty) > 0 {
			firsts = append(firsts, dirty[0])
		}
	}
	return firsts
}

// writeCheckpoint may be called at any time: what the checkpoint rests on is
// durable already.
func (s *shard) writeCheckpoint() bool {
	c := s.newCheckpoint()
	if c <= s.checkpoint.begun {
		return false
	}
	s.checkpoint.begun = c
	s.w.store.begin(&write{
		text: "checkpoint " + c.String(), records: []record{s.w.store.putCheckpoint(c)},
		done: func() { s.checkpoint.durable = max(s.checkpoint.durable, c) },
	})
	return true
}

// raiseLow announces that the log below a durable checkpoint may be missing.
func (s *shard) raiseLow() bool {
	low := s.checkpoint.durable
	if s.w.broken(lowBeforeCheckpoint) {
		low = s.checkpoint.begun
	}
	if s.w.broken(lowAboveCheckpoint) {
		low = s.validated
	}
	if low <= s.low.begun {
		return false
	}
	s.low.begun = low
	s.w.store.begin(&write{
		text: "low " + low.String(), records: []record{s.w.store.putLow(low)},
		done: func() { s.low.durable = max(s.low.durable, low) },
	})
	return true
}

// dropFrames deletes the frames that lie wholly below a durable low.
func (s *shard) dropFrames() bool {
	below := s.low.durable
	if s.w.broken(dropBeforeLow) {
		below = s.low.begun
	}
	if below <= s.dropped {
		return false
	}
	s.dropped = below
	wr := &write{text: "deletion of the log below " + below.String()}
	stored := s.w.store.written.frames
	for _, begin := range slices.Sorted(maps.Keys(stored)) {
		if stored[begin].end <= below {
			wr.records = append(wr.records, s.w.store.dropFrame(begin))
		}
	}
	s.w.store.begin(wr)
	return true
}
