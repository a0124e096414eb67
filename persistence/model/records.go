package model

import (
	"fmt"
	"slices"
)

// Reads see what is written, and make it durable (S3). Pebble keeps that by its
// one write-ahead log and the flush at its opening, Cassandra by blocking read
// repair.

func (s *store) readPage(key pageKey) (cell, bool) {
	c, ok := s.written.cells[key]
	if ok && !s.w.broken(readUnsyncedPage) {
		s.durable.cells[key] = c
	}
	if len(c.ids) == 0 { // nothing is told of a tombstone
		return cell{}, false
	}
	return c, ok
}

// scan returns the names of an entity's pages.
func (s *store) scan(e entityID) pageSet {
	var found pageSet
	for k := range pages {
		if _, ok := s.readPage(pageKey{e, k}); ok {
			found.add(k)
		}
	}
	return found
}

func (s *store) readCheckpoint() position {
	if !s.w.broken(readUnsyncedCheckpoint) {
		s.durable.checkpoint = s.written.checkpoint
	}
	return s.written.checkpoint
}

func (s *store) readLow() position {
	s.durable.low = s.written.low
	return s.written.low
}

func (s *store) readFrame(begin position) (frame, bool) {
	f, ok := s.written.frames[begin]
	if ok && !s.w.broken(readUnsyncedFrame) {
		s.durable.frames[begin] = f
	}
	return f, ok
}

// tail reads the log from a checkpoint: each sealed epoch to its seal, the
// current one to its first gap.
func (s *store) tail(from position) (frames []frame, end position, err error) {
	for epoch := max(from.epoch(), 1); epoch <= s.epoch; epoch++ {
		seal, sealed := s.seals[epoch]
		end = max(from, firstOf(epoch))
		for !sealed || end < seal || s.w.broken(readPastSeal) {
			f, ok := s.readFrame(end)
			if !ok && sealed && end < seal {
				return nil, 0, fmt.Errorf("the frame at %s is missing, and the epoch goes to %s", end, seal)
			}
			if !ok {
				break
			}
			frames = append(frames, f)
			end = f.end
		}
	}
	return frames, end, nil
}

// seal ends the current epoch and begins the next.
func (s *store) seal(end position) {
	s.seals[s.epoch] = end
	s.epoch++
}

func (s *store) putFrame(f frame) record {
	return func(l *layer) {
		if old, ok := l.frames[f.begin]; ok && !slices.Equal(old.events, f.events) {
			s.w.fail("two frames at one position: %s and %s", old, f)
		}
		if f.begin.epoch() < s.epoch && f.begin >= s.seals[f.begin.epoch()] {
			s.w.note("a frame comes after its epoch was sealed")
		}
		l.frames[f.begin] = f
	}
}

// putCell stores a page, unless there is one with a position as high.
func (s *store) putCell(key pageKey, c cell) record {
	return func(l *layer) {
		if len(c.ids) == 0 && s.w.broken(deleteWithoutTombstone) {
			delete(l.cells, key)
			return
		}
		old, ok := l.cells[key]
		if ok && old.position >= c.position && !s.w.broken(lastWriteWins) {
			s.w.noteIf(old.position > c.position, "a page gives way to a newer one")
			s.w.noteIf(old.ids == nil && c.ids != nil, "a tombstone keeps a late page away")
			return
		}
		l.cells[key] = c
	}
}

func (s *store) putCheckpoint(p position) record {
	return func(l *layer) { l.checkpoint = max(l.checkpoint, p) }
}

func (s *store) putLow(p position) record {
	return func(l *layer) { l.low = max(l.low, p) }
}

func (s *store) dropFrame(begin position) record {
	return func(l *layer) { delete(l.frames, begin) }
}
