package replicated

import (
	"fmt"
	"slices"
)

// entity is the state of an entity that is awake: both of its pages. It may be
// ahead of the log.
type entity struct{ pages [pages]*page }

// page is a page in memory.
type page struct {
	ids ids
	// position: all events below that concern the page are in it.
	position position
	// unflushed are the events that are in no copy that is known to be durable.
	unflushed []position
	// issued is the position of the newest copy that was given to the store.
	issued position
}

// wake reads the pages of an entity and redoes its tail on them. A page of a
// later epoch says that this process has been replaced.
func (s *shard) wake(t *task, id entityID) {
	e := &entity{}
	for k := range pages {
		c := t.readPage(pageKey{id, k})
		if c.position.epoch() > s.epoch && !s.w.broken(ignoreLaterPage) {
			s.replaced("a page")
			return
		}
		e.pages[k] = &page{ids: c.ids, position: c.position, issued: c.position}
	}
	p := &s.places[id]
	for _, event := range p.tail {
		for k, pg := range e.pages {
			if event.touches(k) && event.at >= pg.position {
				pg.apply(event, k)
			}
		}
	}
	p.entity, p.tail, p.waking = e, nil, false
	s.w.tell(s.p.name, "wakes %s: %v %v", id, e.pages[0].ids, e.pages[1].ids)
	s.w.checker.awake(s, id)
}

func (p *page) apply(e event, k int) {
	p.ids = p.ids.after(e, k)
	p.position = e.at + 1
	p.unflushed = append(p.unflushed, e.at)
}

// beginToWake starts a wake-up, unless there is one or none is needed.
func (s *shard) beginToWake(id entityID) bool {
	p := &s.places[id]
	if p.entity != nil || p.waking || p.crashed {
		return false
	}
	p.waking = true
	s.p.start(waking, s, func(t *task) { s.wake(t, id) })
	return true
}

// handle lets an entity handle the next request.
func (s *shard) handle(id entityID) bool {
	p := &s.places[id]
	if len(p.mailbox) == 0 {
		return false
	}
	if p.entity == nil {
		return s.beginToWake(id)
	}
	c := p.mailbox[0]
	p.mailbox = slices.Clone(p.mailbox[1:])
	s.decide(c)
	return true
}

// decide handles a request on the state in memory.
func (s *shard) decide(c call) {
	r := c.request
	p := &s.places[r.entity]
	out := reply{call: c, rests: p.end}
	switch {
	case r.verb != add:
		out.verdict = answered
	default:
		out.verdict, out.again = s.known(r, p.entity)
		if out.verdict == "" && s.w.refuses(r, len(p.entity.pages[0].ids)) {
			out.verdict = rejected
		} else if out.verdict == "" {
			out.verdict = accepted
			s.remember(r)
			out.rests = p.end
		}
	}
	out.at = s.next
	for k, page := range p.entity.pages {
		out.pages[k] = page.ids
	}
	s.w.tell(s.p.name, "decides for %s: %s, on %v; the log is at %s", r, out.verdict, out.pages, s.next)
	if out.verdict == unknown {
		s.w.note("a command lies below its window")
		out.request.client.hear(s, out)
		return
	}
	s.answer(out)
}

// known looks a command up in the window of its client: those of its commands that
// took effect and have the highest numbers. Page 0 has them all. A command below
// the window may have taken effect.
func (s *shard) known(r *request, e *entity) (v verdict, again bool) {
	if s.w.broken(executeAgain) {
		return "", false
	}
	var window []int
	for _, id := range e.pages[0].ids {
		if c := s.w.commands[id]; c.client == r.command.client {
			window = append(window, c.number)
		}
	}
	if !s.w.broken(windowByAge) {
		slices.Sort(window)
	}
	full := len(window) > windowSize
	window = window[max(0, len(window)-windowSize):]
	switch {
	case slices.Contains(window, r.command.number):
		s.w.note("a command comes again")
		return accepted, true
	case full && r.command.number < slices.Min(window) && !s.w.broken(executeBelowWindow):
		return unknown, false
	}
	return "", false
}

// remember gives an event its place in the log, evolves the pages with it, and
// appends it.
func (s *shard) remember(r *request) {
	id := s.w.newCommand(r.command)
	e := event{at: s.next, entity: r.entity, id: id, command: r.command, both: r.both}
	s.next++
	p := &s.places[r.entity]
	for k, page := range p.entity.pages {
		if e.touches(k) {
			page.apply(e, k)
		}
	}
	p.end = s.next
	s.queue = append(s.queue, e)
	s.w.checker.appended(s, e)
}

// passivate lets an entity go that has nothing to do, whose events are all
// validated, and whose pages are durable as they are.
func (s *shard) passivate(id entityID) bool {
	p := &s.places[id]
	if p.entity == nil || len(p.mailbox) > 0 {
		return false
	}
	if p.end > s.validated && !s.w.broken(passivateUnvalidated) {
		return false
	}
	for _, page := range p.entity.pages {
		left := page.unflushed
		if s.w.broken(passivateUnacknowledged) {
			left = from(left, page.issued)
		}
		if s.w.broken(passivateUnvalidated) {
			left = slices.DeleteFunc(slices.Clone(left), func(at position) bool { return at >= s.validated })
		}
		if len(left) > 0 {
			return false
		}
	}
	p.entity, p.end = nil, 0
	s.w.tell(s.p.name, "lets %s go", id)
	return true
}

// crash is a panic in the entity's code. Its state is dropped.
func (s *shard) crash(id entityID) bool {
	p := &s.places[id]
	if p.entity == nil {
		return false
	}
	held, _ := s.firstUnflushed(id)
	p.entity, p.crashed, p.held = nil, true, held
	s.w.tell(s.p.name, "%s crashes, and holds the checkpoint at %s", id, held)
	return true
}

// beginToRestart starts to read an entity back that crashed, once all of its
// events are validated.
func (s *shard) beginToRestart(id entityID) bool {
	p := &s.places[id]
	if !p.crashed || p.restarting || p.end > s.validated {
		return false
	}
	p.restarting = true
	s.p.start(waking, s, func(t *task) { s.restart(t, id) })
	return true
}

// restart reads the tail of an entity from the log. A checkpoint of a later epoch
// says that this process has been replaced; one that moved, that what was read may
// be what a deletion left.
func (s *shard) restart(t *task, id entityID) {
	for {
		begin := t.readCheckpoint()
		if begin.epoch() > s.epoch && !s.w.broken(ignoreLaterCheckpoint) {
			s.replaced("a checkpoint")
			return
		}
		tl := t.readTail(s.row, begin)
		if !s.w.broken(restartWithoutSecondRead) && t.readCheckpoint() != begin {
			s.w.note("a restart starts over: the checkpoint moved")
			continue
		}
		if !tl.whole && !s.w.broken(ignoreLaterCheckpoint) && !s.w.broken(restartWithoutSecondRead) {
			s.w.fail("%s can't restart %s: a frame is missing from %s on", s.p.name, id, begin)
		}
		p := &s.places[id]
		p.crashed, p.restarting, p.held, p.tail = false, false, 0, nil
		for _, f := range tl.frames {
			for _, e := range f.events {
				if e.entity == id && e.at < s.validated {
					p.tail = append(p.tail, e)
				}
			}
		}
		s.w.tell(s.p.name, "restarts %s, with %d events", id, len(p.tail))
		return
	}
}

func (r *request) String() string {
	return fmt.Sprintf("%s %d: %s %s", r.client.name, r.command.number, r.verb, r.entity)
}
