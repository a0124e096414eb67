package model

import "slices"

// entity is an incarnation of an entity. Its pages come into memory one by one,
// when they are needed.
type entity struct {
	pages [pages]*page // nil: not in memory
	// pending are the events that are kept for a page until it is in memory.
	pending [pages][]event
	loading pageSet // pages on their way into memory
}

// page is a page in memory.
type page struct {
	ids ids
	// position: the events below that concern the page are in it.
	position position
	// unflushed are the events in it that are not in an acknowledged copy.
	unflushed []position
	// copied is the position at its newest copy, or at loading; issued is the
	// stamp of the newest copy that the store was given.
	copied, issued position
}

// handle takes an entity that was asked something one step on: it wakes, begins
// to load a page that the decision needs, or decides.
func (s *shard) handle(id entityID) bool {
	p := &s.places[id]
	if len(p.mailbox) == 0 {
		return false
	}
	if p.entity == nil {
		return s.wake(id)
	}
	r := p.mailbox[0]
	for k := range pages {
		if r.needs.has(k) && p.entity.pages[k] == nil {
			return s.load(id, k)
		}
	}
	p.mailbox = slices.Clone(p.mailbox[1:])
	s.decide(r)
	return true
}

// decide handles a request on the state in memory, which may be ahead of the
// log.
func (s *shard) decide(r *request) {
	e := s.places[r.entity].entity
	o := outcome{verdict: answered}
	if r.verb != ask {
		o.verdict = rejected
		if e.accepts(r) {
			o.verdict = accepted
			s.remember(r.entity, s.w.newEvents(r))
		}
	}
	for k := range pages {
		if r.needs.has(k) {
			o.pages[k] = e.pages[k].ids
		}
	}
	o.version = len(s.w.checker.history[r.entity])
	s.w.tell(r.entity.String(), "decides for %s: %s; the log is at %s", r.client.name, o.verdict, s.next)
	s.answer(r, o)
}

// accepts is the domain: some rule about the pages that the decision needs.
func (e *entity) accepts(r *request) bool {
	n := 0
	for k := range pages {
		if r.needs.has(k) {
			n += len(e.pages[k].ids)
		}
	}
	if r.verb == remove {
		return n > 0
	}
	return n%4 != 3
}

// remember gives events their places in the log, evolves the pages with them,
// and appends them. It is one step of the entity: no copy of a page is taken in
// its middle.
func (s *shard) remember(id entityID, events []event) {
	for i := range events {
		events[i].at = s.next + position(i)
		s.evolve(id, events[i])
	}
	s.next += position(len(events))
	s.places[id].end = s.next
	s.queue = append(s.queue, events)
	s.w.checker.appended(events)
}

// evolve applies a new event to the pages in memory and keeps it for the
// others. It lies above whatever any page has: there is nothing to compare.
func (s *shard) evolve(id entityID, e event) {
	p := &s.places[id]
	touched := e.touches
	if e.deletes {
		touched = s.existing(id)
	}
	guess := max(p.end, firstOf(s.epoch))
	if s.w.broken(guessPosition) {
		e.at = guess + e.at - s.next
	}
	for k := range pages {
		page := p.entity.pages[k]
		switch {
		case !touched.has(k):
		case page == nil:
			p.entity.pending[k] = append(p.entity.pending[k], e)
			s.w.noteIf(e.deletes, "a deletion waits for a page that is not in memory")
		case s.w.broken(compareNew) && guess < page.position:
		default:
			page.apply(e)
		}
	}
}

// apply sees this page and this event only.
func (p *page) apply(e event) {
	if e.deletes {
		p.ids = nil
	} else {
		p.ids = append(slices.Clone(p.ids), e.id)
	}
	p.position = max(p.position, e.at+1)
	p.unflushed = append(p.unflushed, e.at)
}

// redo applies an event of the past, unless the page has it.
func (s *shard) redo(p *page, e event) {
	has := e.at < p.position
	if s.w.broken(redoAbove) {
		has = e.at <= p.position
	}
	if s.w.broken(redoAlways) {
		has = false
	}
	if !has {
		p.apply(e)
	}
}

// existing returns every page that an entity has, wherever it is.
func (s *shard) existing(id entityID) pageSet {
	var inMemory pageSet
	e := s.places[id].entity
	for k := range pages {
		if e.pages[k] != nil || len(e.pending[k]) > 0 {
			inMemory.add(k)
		}
	}
	stored := s.w.store.scan(id)
	switch {
	case s.w.broken(deleteForgetsStored):
		return inMemory
	case s.w.broken(deleteForgetsUnstored):
		return stored
	}
	return stored | inMemory
}
