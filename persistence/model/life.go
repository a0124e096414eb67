package model

import "slices"

// wake begins an incarnation. It takes the tail and keeps each event for the
// pages that it touches; the pages stay where they are until they are needed.
func (s *shard) wake(id entityID) bool {
	p := &s.places[id]
	if p.entity != nil || p.crashed {
		return false
	}
	tail := p.tail
	p.entity, p.tail = &entity{}, nil
	s.w.tell(id.String(), "wakes with tail %v", tail)
	if s.w.broken(wakeWithoutTail) {
		return true
	}
	for _, e := range tail {
		touched := e.touches
		if e.deletes {
			touched = s.existing(id)
		}
		for k := range pages {
			if touched.has(k) {
				p.entity.pending[k] = append(p.entity.pending[k], e)
			}
		}
	}
	return true
}

// read is a page on its way into memory.
type read struct {
	shard  *shard
	entity *entity
	key    pageKey
	cell   cell
}

// load begins to read a page that is neither in memory nor on its way.
func (s *shard) load(id entityID, k int) bool {
	e := s.places[id].entity
	if (e.pages[k] != nil || e.loading.has(k)) && !s.w.broken(loadTwice) {
		return false
	}
	e.loading.add(k)
	key := pageKey{id, k}
	c, _ := s.w.store.readPage(key)
	s.w.reads = append(s.w.reads, read{s, e, key, c})
	s.w.tell(id.String(), "begins to read page %s, %v@%s", key, c.ids, c.position)
	return true
}

// loaded takes a page that was read and redoes what is kept for it, unless the
// incarnation that asked for it is no more: the page may have been read, flushed
// and dropped since, and the log below it deleted.
func (s *shard) loaded(r read) {
	k := r.key.page
	e := s.places[r.key.entity].entity
	if e != r.entity && !s.w.broken(loadOfFormerLife) {
		s.w.note("a page comes for a former incarnation")
		return
	}
	if e == nil || e.pages[k] != nil && !s.w.broken(loadTwice) {
		return // a mutation was here
	}
	c := r.cell
	p := &page{ids: c.ids, position: c.position, copied: c.position, issued: c.position}
	for _, event := range e.pending[k] {
		s.redo(p, event)
	}
	e.pages[k], e.pending[k] = p, nil
	e.loading &^= 1 << k
	s.w.tell(r.key.entity.String(), "has page %s in memory, %v@%s", r.key, p.ids, p.position)
	s.w.checker.inMemory(r.key, p)
}

// evict drops a page from memory that is durable as it is.
func (s *shard) evict(id entityID, k int) bool {
	e := s.places[id].entity
	if e == nil || e.pages[k] == nil {
		return false
	}
	dirty := e.pages[k].unflushed
	if s.w.broken(evictUnacknowledged) {
		dirty = e.pages[k].unissued()
	}
	if len(dirty) > 0 && !s.w.broken(evictDirty) {
		return false
	}
	e.pages[k] = nil
	s.w.tell(id.String(), "drops page %d from memory", k)
	return true
}

// passivate lets an entity go that has nothing to do and is durable as it is.
func (s *shard) passivate(id entityID) bool {
	p := &s.places[id]
	if p.entity == nil || len(p.mailbox) > 0 || !s.isClean(p.entity) {
		return false
	}
	if p.end > s.validated && !s.w.broken(passivateUnvalidated) {
		return false
	}
	p.entity, p.end = nil, 0
	s.w.tell(id.String(), "is passivated")
	return true
}

func (s *shard) isClean(e *entity) bool {
	for k, p := range e.pages {
		if len(e.pending[k]) > 0 && !s.w.broken(passivatePending) {
			return false
		}
		if p == nil {
			continue
		}
		dirty := p.unflushed
		if s.w.broken(passivateUnacknowledged) {
			dirty = p.unissued()
		}
		if s.w.broken(passivateUnvalidated) {
			dirty = slices.DeleteFunc(slices.Clone(dirty), func(at position) bool { return at >= s.validated })
		}
		if len(dirty) > 0 {
			return false
		}
	}
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
	s.w.tell(id.String(), "crashes, and holds the checkpoint at %s", held)
	return true
}

// restart reads the tail of an entity that crashed from the log, once all that
// it has appended is validated. It wakes with it as after a recovery.
func (s *shard) restart(id entityID) bool {
	p := &s.places[id]
	if !p.crashed || p.end > s.validated && !s.w.broken(restartEarly) {
		return false
	}
	frames, _, err := s.w.store.tail(s.w.store.readCheckpoint())
	if err != nil {
		s.w.fail("%s can't restart: %v", id, err)
	}
	p.crashed, p.held, p.tail = false, 0, nil
	for _, f := range frames {
		for _, e := range f.events {
			if e.entity == id && e.at < s.validated && !s.w.broken(restartFromPages) {
				p.tail = append(p.tail, e)
			}
		}
	}
	s.w.tell(id.String(), "restarts")
	return true
}
