package replicated

import "slices"

const replicas = 3

// replica is one of three copies of all plain records.
type replica struct {
	w          *world
	frames     map[position]frame
	deleted    position // frames below are gone, those that come late too
	pages      map[pageKey]cell
	checkpoint position
}

func newReplica(w *world) *replica {
	return &replica{w: w, frames: map[position]frame{}, pages: map[pageKey]cell{}}
}

func (r *replica) putFrame(f frame) {
	if f.end <= r.deleted {
		r.w.note("a frame comes after it was deleted")
		return
	}
	if old, ok := r.frames[f.begin]; ok && !slices.Equal(old.events, f.events) {
		r.w.fail("two frames at one position: %s and %s", old, f)
	}
	if seal, sealed := r.w.checker.seals[f.begin.epoch()]; sealed && f.begin >= seal {
		r.w.note("a frame comes after its epoch was sealed")
	}
	r.frames[f.begin] = f
}

// putPage keeps the page with the higher position, whatever comes last.
func (r *replica) putPage(key pageKey, c cell) {
	old := r.pages[key]
	if old.position >= c.position && !r.w.broken(lastWriteWins) {
		r.w.noteIf(old.position > c.position, "a page gives way to a newer one")
		return
	}
	r.pages[key] = c
	r.w.checker.stored(key, c)
}

func (r *replica) putCheckpoint(p position) { r.checkpoint = max(r.checkpoint, p) }

// delete removes frames that lie wholly below a position. As a deletion has a
// write time at or above theirs, none of them comes back.
func (r *replica) delete(below position) {
	for begin, f := range r.frames {
		if f.end <= below {
			delete(r.frames, begin)
		}
	}
	if !r.w.broken(deleteByClock) {
		r.deleted = max(r.deleted, below)
	}
}

// twoReplicas draws those that a read asks; a slow one is rarely among them.
func (w *world) twoReplicas() (a, b *replica) {
	order := w.rng.Perm(replicas)
	if i := slices.Index(order[:2], w.slow); i >= 0 && w.rng.IntN(4) > 0 {
		order[i] = order[2]
	}
	return w.replicas[order[0]], w.replicas[order[1]]
}

// readPage takes the page with the higher position of two replicas. What it
// returns has become durable (blocking read repair).
func (t *task) readPage(key pageKey) cell {
	w := t.p.w
	a, b := w.twoReplicas()
	c := a.pages[key]
	t.pause()
	if other := b.pages[key]; other.position > c.position && !w.broken(readAtOne) {
		c = other
	}
	if !w.broken(pageWithoutRepair) && c.position > 0 {
		a.putPage(key, c)
		b.putPage(key, c)
	}
	t.pause()
	return c
}

func (t *task) readCheckpoint() position {
	w := t.p.w
	a, b := w.twoReplicas()
	p := a.checkpoint
	t.pause()
	if !w.broken(readAtOne) {
		p = max(p, b.checkpoint)
	}
	if !w.broken(checkpointWithoutRepair) {
		a.putCheckpoint(p)
		b.putCheckpoint(p)
	}
	t.pause()
	return p
}

// readFrames returns all frames from a position on that two replicas have.
func (t *task) readFrames(from position) map[position]frame {
	w := t.p.w
	a, b := w.twoReplicas()
	found := map[position]frame{}
	collect := func(r *replica) {
		for begin, f := range r.frames {
			if begin >= from {
				found[begin] = f
			}
		}
	}
	collect(a)
	deleted := a.deleted
	t.pause()
	if !w.broken(readAtOne) {
		collect(b)
		deleted = max(deleted, b.deleted)
	}
	for begin, f := range found {
		if f.end <= deleted {
			delete(found, begin)
		}
	}
	if !w.broken(logWithoutRepair) {
		for _, f := range found {
			a.putFrame(f)
			b.putFrame(f)
		}
	}
	t.pause()
	return found
}
