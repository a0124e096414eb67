package actors

import "slices"

// Watch has the actor told Terminated when ref has stopped, once, also if it has
// stopped already. Messages that ref had sent to this actor before arrive
// before. Watching twice is watching once. A watch ends with the incarnation:
// what the next one wants to watch, it watches.
func (c *Context) Watch(ref *Ref) {
	r := c.ref
	r.mb.mu.Lock()
	x := r.extras()
	var known, alive bool
	if ref.parent == r {
		// A parent is told of its children's ends anyway; a mark is enough.
		known, ref.watched = ref.watched == r.incarnation, r.incarnation
		alive = x.family[lastSegment(ref.pid.Id)] == ref
	} else {
		if _, known = x.watching[ref]; !known && x.watching == nil {
			x.watching = make(map[*Ref]struct{})
		}
		x.watching[ref] = struct{}{}
	}
	r.mb.mu.Unlock()
	if known {
		return
	}
	if ref.parent != r {
		alive = ref.addWatch(watch{r, r.incarnation})
	}
	if !alive {
		r.force(&termination{ref, r.incarnation})
	}
}

// Unwatch ends a watch. No Terminated of ref arrives after it.
func (c *Context) Unwatch(ref *Ref) {
	if c.ref.unwatch(ref) && ref.parent != c.ref {
		ref.removeWatch(c.ref)
	}
}

// watch is a watcher, as the watched knows it.
type watch struct {
	watcher     *Ref
	incarnation uint32
}

// termination is Terminated on its way to an incarnation of the watcher, which
// may have lost interest when it arrives.
type termination struct {
	ref         *Ref
	incarnation uint32
}

// unwatch reports whether r watched ref, and forgets it.
func (r *Ref) unwatch(ref *Ref) bool {
	if ref.parent == r {
		was := ref.watched == r.incarnation
		ref.watched = 0
		return was
	}
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if r.x == nil {
		return false
	}
	_, was := r.x.watching[ref]
	delete(r.x.watching, ref)
	return was
}

// unwatchAll ends the watches of an incarnation. (Those of children do so by
// themselves: the next incarnation has another number.)
func (r *Ref) unwatchAll() {
	r.mb.mu.Lock()
	if r.x == nil {
		r.mb.mu.Unlock()
		return
	}
	watching := r.x.watching
	r.x.watching = nil
	r.mb.mu.Unlock()
	for ref := range watching {
		ref.removeWatch(r)
	}
}

// addWatch reports false if r has stopped.
func (r *Ref) addWatch(w watch) bool {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if r.life.Load() == stopped {
		return false
	}
	x := r.extras()
	x.watchers = append(x.watchers, w)
	return true
}

func (r *Ref) removeWatch(watcher *Ref) {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if r.x != nil {
		r.x.watchers = slices.DeleteFunc(r.x.watchers, func(w watch) bool { return w.watcher == watcher })
	}
}
