package model

// opening is a claim of the shard: what it has read, before it seals.
type opening struct {
	checkpoint, low position
	frames          []frame
	end             position
}

// readTail is the first half of a recovery. What a former owner began may still
// arrive between the halves, and later.
func (w *world) readTail() bool {
	if w.shard != nil || w.opening != nil {
		return false
	}
	o := &opening{checkpoint: w.store.readCheckpoint(), low: w.store.readLow()}
	var err error
	if o.frames, o.end, err = w.store.tail(o.checkpoint); err != nil {
		w.fail("recovery from checkpoint %s is stuck: %v", o.checkpoint, err)
		return true
	}
	w.opening = o
	w.tell("open", "reads checkpoint %s and tail %v", o.checkpoint, o.frames)
	return true
}

// claim is the second half: the epoch ends at what was read, a new one begins.
func (w *world) claim() bool {
	if w.opening == nil {
		return false
	}
	o := w.opening
	w.opening = nil
	s := &shard{
		w: w, frames: o.frames,
		checkpoint: mark{o.checkpoint, o.checkpoint},
		low:        mark{o.low, o.low}, dropped: o.low,
	}
	if w.broken(reopenEpoch) && w.store.epoch > 0 {
		s.next = o.end
	} else {
		w.store.seal(o.end)
		s.next = firstOf(w.store.epoch)
	}
	s.epoch, s.validated = w.store.epoch, s.next
	for _, f := range o.frames {
		for _, e := range f.events {
			p := &s.places[e.entity]
			p.tail = append(p.tail, e)
		}
	}
	w.keep(s)
	w.tell("open", "the epoch before ends at %s; the next event is %s", o.end, s.next)
	w.shard = s
	w.checker.opened(o)
	return true
}

// giveUp is the loss of the shard to its own process, as when an append has no
// answer.
func (w *world) giveUp() bool {
	if w.shard == nil {
		return false
	}
	w.tell("shard", "is given up")
	former := *w.shard
	w.former = &former
	if w.broken(keepGate) {
		w.shard.gate = nil
	}
	w.shard.close()
	return true
}

// keep lets a new shard have what mutations keep of the one before.
func (w *world) keep(s *shard) {
	if w.former == nil {
		return
	}
	if w.broken(keepState) {
		for id := range s.places {
			s.places[id].entity = w.former.places[id].entity
		}
	}
	if w.broken(keepCopies) {
		s.copies = w.former.copies
	}
	if w.broken(keepGate) {
		s.gate = w.former.gate
	}
}

// die is the end of the process.
func (w *world) die(how string, crash func()) {
	w.tell("process", "%s", how)
	if w.shard != nil {
		w.shard.close()
	}
	w.opening, w.former, w.reads = nil, nil, nil
	crash()
}
