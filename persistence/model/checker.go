package model

import "slices"

// checker is the oracle. It keeps the whole history, which no deletion shortens,
// and what anyone was told.
type checker struct {
	w *world
	// history holds the events of each entity in the order of the log, those
	// under way too. A seal cuts it.
	history [entities][]event
	// now is the state that follows from history.
	now [entities][pages]ids
	// told is how many events of each history anyone was told of.
	told [entities]int
	// checkpoint is the last durable one that was examined.
	checkpoint position
}

// after returns the state of a page after an event.
func (i ids) after(e event, page int) ids {
	switch {
	case e.deletes:
		return nil
	case e.touches.has(page):
		return append(slices.Clone(i), e.id)
	}
	return i
}

func (c *checker) appended(events []event) {
	for _, e := range events {
		c.history[e.entity] = append(c.history[e.entity], e)
		for k := range pages {
			c.now[e.entity][k] = c.now[e.entity][k].after(e, k)
		}
	}
}

// inMemory: a page with its tail is what replaying the whole history gives.
func (c *checker) inMemory(key pageKey, p *page) {
	if want := c.now[key.entity][key.page]; !slices.Equal(p.ids, want) {
		c.w.fail("page %s in memory is %v; the history gives %v", key, p.ids, want)
	}
}

// isTold: an answer is the state after all of its entity's events up to the
// decision. So it has seen all that anyone was told of before it was asked for,
// each entity is linearizable, and what the answer shows is to stay.
func (c *checker) isTold(r *request, o outcome) {
	history := c.history[r.entity]
	if o.version > len(history) {
		c.w.fail("%s hears of %d events of %s, of which %d are in the log", r.client.name, o.version, r.entity, len(history))
		return
	}
	for k := range pages {
		var want ids
		for _, e := range history[:o.version] {
			want = want.after(e, k)
		}
		if r.needs.has(k) && !slices.Equal(o.pages[k], want) {
			c.w.fail("%s hears that page %s is %v; the history gives %v", r.client.name, pageKey{r.entity, k}, o.pages[k], want)
		}
	}
	c.told[r.entity] = max(c.told[r.entity], o.version)
}

// opened examines what a recovery has found.
func (c *checker) opened(o *opening) {
	for id := range entityID(entities) {
		c.cut(id, o.end)
	}
	c.wholeCommands()
	c.wholeTail(o)
	c.wholeLog(o.low, o.end)
	if o.low > o.checkpoint {
		c.w.fail("low %s is above the checkpoint %s", o.low, o.checkpoint)
	}
	c.storedPages(c.w.store.written)
	c.recoverable(c.w.store.written)
}

// cut ends the history at a seal: what anyone was told of is below it.
func (c *checker) cut(id entityID, seal position) {
	history := c.history[id]
	left := slices.DeleteFunc(slices.Clone(history), func(e event) bool { return e.at >= seal })
	if len(left) < c.told[id] {
		c.w.fail("%v is lost, and someone heard of it", history[len(left)])
	}
	c.history[id], c.now[id] = nil, [pages]ids{}
	c.appended(left)
}

// wholeCommands: of a command all events are in the log, or none.
func (c *checker) wholeCommands() {
	found := map[int]int{}
	for _, history := range c.history {
		for _, e := range history {
			found[e.command]++
		}
	}
	for _, history := range c.history {
		for _, e := range history {
			if n := found[e.command]; n != e.siblings {
				c.w.fail("the log has %d of the %d events of command %d", n, e.siblings, e.command)
				return
			}
		}
	}
}

// wholeTail: the tail is the history from the checkpoint on.
func (c *checker) wholeTail(o *opening) {
	var tail [entities][]event
	for _, f := range o.frames {
		for _, e := range f.events {
			tail[e.entity] = append(tail[e.entity], e)
		}
	}
	for id, history := range c.history {
		want := slices.DeleteFunc(slices.Clone(history), func(e event) bool { return e.at < o.checkpoint })
		if !slices.Equal(tail[id], want) {
			c.w.fail("the tail of %s is %v; the history from checkpoint %s on is %v", entityID(id), tail[id], o.checkpoint, want)
		}
	}
}

// wholeLog: what low doesn't give up can be read, by audits and rebuilds.
func (c *checker) wholeLog(low, end position) {
	stored := map[position]bool{}
	for _, f := range c.w.store.written.frames {
		for _, e := range f.events {
			stored[e.at] = true
		}
	}
	for _, history := range c.history {
		for _, e := range history {
			if e.at >= low && e.at < end && !stored[e.at] {
				c.w.fail("%v is gone from the log, and low is %s", e, low)
				return
			}
		}
	}
}

// storedPages: a page in the store is what the history below its position
// gives, and lies below the seal of its epoch.
func (c *checker) storedPages(l layer) {
	for key := range everyPage {
		stored, ok := l.cells[key]
		if !ok {
			continue
		}
		var want ids
		for _, e := range c.history[key.entity] {
			if e.at < stored.position {
				want = want.after(e, key.page)
			}
		}
		if !slices.Equal(stored.ids, want) {
			c.w.fail("page %s is stored as %v@%s; the history gives %v", key, stored.ids, stored.position, want)
		}
		if seal, sealed := c.w.store.seals[stored.position.epoch()]; sealed && stored.position > seal {
			c.w.fail("page %s is stored at %s, above the seal %s", key, stored.position, seal)
		}
	}
}

// recoverable: every page of a layer, with the events from its checkpoint on,
// gives the whole.
func (c *checker) recoverable(l layer) {
	for key := range everyPage {
		stored := l.cells[key]
		state := stored.ids
		for _, e := range c.history[key.entity] {
			if e.at >= l.checkpoint && e.at >= stored.position {
				state = state.after(e, key.page)
			}
		}
		if want := c.now[key.entity][key.page]; !slices.Equal(state, want) {
			c.w.fail("page %s, stored as %v@%s, recovers from checkpoint %s to %v; the history gives %v",
				key, stored.ids, stored.position, l.checkpoint, state, want)
		}
	}
}

// afterStep examines a checkpoint as soon as it is durable: the power may go
// now, and leave no more than what is synced.
func (c *checker) afterStep() {
	if l := c.w.store.durable; l.checkpoint != c.checkpoint {
		c.checkpoint = l.checkpoint
		c.recoverable(l)
	}
}
