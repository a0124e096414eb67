package model

import (
	"fmt"
	"slices"
	"strings"
)

// pageCopy is a page as it was at some moment, on its way to the store.
type pageCopy struct {
	key   pageKey
	page  *page // that was copied; it may have left memory by now
	cell  cell
	rests position // the end of the page's newest event
}

// copyPage takes a copy of a page that has changed since its last one.
func (s *shard) copyPage(id entityID, k int) bool {
	e := s.places[id].entity
	if e == nil || e.pages[k] == nil || e.pages[k].position <= e.pages[k].copied {
		return false
	}
	p := e.pages[k]
	if p.position > s.validated && s.w.broken(waitForQuiet) {
		return false
	}
	p.copied = p.position
	c := pageCopy{pageKey{id, k}, p, cell{s.stamp(p), p.ids}, p.position}
	s.copies = append(s.copies, c)
	s.w.tell("flush", "copies %s", c)
	return true
}

// stamp is the position of a copy: it has all events below that concern the
// page, and no other.
func (s *shard) stamp(p *page) position {
	switch {
	case s.w.broken(stampLastEvent):
		return p.position - 1
	case s.w.broken(stampLastEnd):
		return p.position
	case s.w.broken(stampAppended):
		return s.next
	case s.w.broken(stampFormerEpoch) && s.validated == firstOf(s.epoch):
		return max(s.w.store.seals[s.epoch-1], p.position)
	}
	return max(s.validated, p.position)
}

// writeCopies gives the store, in one write, all copies that hold nothing but
// validated events.
func (s *shard) writeCopies() bool {
	var ready, early []pageCopy
	for _, c := range s.copies {
		if c.rests <= s.validated || s.w.broken(flushUnvalidated) {
			ready = append(ready, c)
		} else {
			early = append(early, c)
		}
	}
	if len(ready) == 0 {
		return false
	}
	s.w.noteIf(len(early) > 0, "a copy waits until it is validated")
	s.copies = early
	s.issue(ready)
	return true
}

func (s *shard) issue(copies []pageCopy) {
	wr := &write{done: func() { s.flushed(copies) }}
	var names []string
	for i := range copies {
		c := &copies[i]
		if s.w.broken(stampLate) {
			c.cell.position = s.validated
		}
		c.page.issued = max(c.page.issued, c.cell.position)
		wr.records = append(wr.records, s.w.store.putCell(c.key, c.cell))
		names = append(names, c.String())
	}
	wr.text = "pages " + strings.Join(names, ", ")
	s.w.store.begin(wr)
}

// flushed is told that copies are durable. Events that came after the copy
// are not in it.
func (s *shard) flushed(copies []pageCopy) {
	for _, c := range copies {
		if s.w.broken(flushClearsAll) {
			c.page.unflushed = nil
		}
		c.page.unflushed = from(c.page.unflushed, c.cell.position)
	}
}

// unissued returns the events that no copy has which the store was given.
func (p *page) unissued() []position { return from(p.unflushed, p.issued) }

// from returns the positions that are not below another.
func from(all []position, p position) []position {
	return slices.DeleteFunc(slices.Clone(all), func(at position) bool { return at < p })
}

func (c pageCopy) String() string { return fmt.Sprintf("%s=%v@%s", c.key, c.cell.ids, c.cell.position) }
