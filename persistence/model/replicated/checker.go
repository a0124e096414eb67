package replicated

import "slices"

// checker is the oracle. It sees all registers and replicas at once, keeps the
// whole history, which no deletion shortens, and what anyone was told.
type checker struct {
	w *world
	// epochs holds what was given a place; a seal decides what of it is history.
	epochs  map[int][]event
	seals   map[int]position
	last    int               // epoch that was sealed
	history [entities][]event // below the seals
	effects map[command]event
	told    []toldReply // by epochs that are not sealed
	heard   [entities][]heardOf
	owner   map[int]*shard      // who opened an epoch
	boots   map[[2]int]*process // whose a node's incarnation is
}

// toldReply is a reply that someone has heard.
type toldReply struct {
	reply
	epoch int
}

// heardOf says in which step someone heard of a state, and of which.
type heardOf struct {
	step  int
	shows position // the end of the entity's newest event in it
}

// expectation is the oldest state that may answer a request.
type expectation struct {
	newest  position // that anyone heard of
	own     position // that this client heard of
	settled position // that anyone heard of, a while ago
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, epochs: map[int][]event{}, seals: map[int]position{}, last: -1, effects: map[command]event{},
		owner: map[int]*shard{}, boots: map[[2]int]*process{},
	}
}

// booted: no two processes are one incarnation. A mutation that makes them so on
// purpose has to show by what comes of it, as below.
func (c *checker) booted(p *process) {
	key := [2]int{p.node, p.inc}
	if other := c.boots[key]; other != nil && !c.w.broken(bootWithoutRaise) {
		c.w.fail("%s and %s are both incarnation %d of node %d", other.name, p.name, p.inc, p.node)
	}
	c.boots[key] = p
}

// appended: an event gets a place that no other has (I8).
func (c *checker) appended(s *shard, e event) {
	all := c.epochs[s.epoch]
	if n := len(all); n > 0 && all[n-1].at >= e.at {
		c.w.fail("%v gets a place at or below that of %v", e, all[n-1])
	}
	c.epochs[s.epoch] = append(all, e)
}

// seen returns the events of an entity below a position, as the owner of its
// epoch takes them to be.
func (c *checker) seen(id entityID, at position) []event {
	var events []event
	for _, e := range c.history[id] {
		if e.at < at && e.at.epoch() < at.epoch() {
			events = append(events, e)
		}
	}
	for _, e := range c.epochs[at.epoch()] {
		if e.entity == id && e.at < at {
			events = append(events, e)
		}
	}
	return events
}

func stateOf(events []event, page int) ids {
	var state ids
	for _, e := range events {
		if e.touches(page) {
			state = append(state, e.id)
		}
	}
	return state
}

// sealed: an epoch ends, once (I3), and what is below its end is history.
func (c *checker) sealed(epoch int, seal position) {
	if old, again := c.seals[epoch]; again || epoch != c.last+1 {
		c.w.fail("epoch %d is sealed at %s, and was at %s; the last was %d", epoch, seal, old, c.last)
	}
	c.seals[epoch], c.last = seal, epoch
	for _, e := range c.epochs[epoch] {
		if e.at >= seal {
			continue
		}
		if first, again := c.effects[e.command]; again {
			c.w.fail("command %v took effect as %v and as %v", e.command, first, e)
		}
		c.effects[e.command] = e
		c.history[e.entity] = append(c.history[e.entity], e)
	}
	var later []toldReply
	for _, t := range c.told {
		if t.epoch > epoch {
			later = append(later, t)
		} else {
			c.stays(t)
		}
	}
	c.told = later
	for _, r := range c.w.replicas {
		for id := range entityID(entities) {
			for k := range pages {
				key := pageKey{id, k}
				c.stored(key, r.pages[key])
			}
		}
		c.storedCheckpoint(r.checkpoint)
	}
}

// below returns the history of an entity below a position.
func (c *checker) below(id entityID, at position) []event {
	return slices.DeleteFunc(slices.Clone(c.history[id]), func(e event) bool { return e.at >= at })
}

// stays: what someone was told is what the log says below the decision (I5, I6).
func (c *checker) stays(t toldReply) {
	history := c.below(t.request.entity, t.at)
	for k := range pages {
		if want := stateOf(history, k); !slices.Equal(t.pages[k], want) {
			c.w.fail("%s was told %s by epoch %d, with page %d as %v; the log gives %v", t.request, t.verdict, t.epoch, k, t.pages[k], want)
			return
		}
	}
	if t.verdict == accepted && !slices.ContainsFunc(history, func(e event) bool { return e.command == t.request.command }) {
		c.w.fail("%s was told %s by epoch %d, and the log has it not", t.request, t.verdict, t.epoch)
	}
}

// asked notes what an answer has to show at least.
func (c *checker) asked(r *request) expectation {
	var x expectation
	for _, h := range c.heard[r.entity] {
		x.newest = max(x.newest, h.shows)
		if h.step < c.w.step-fresh {
			x.settled = max(x.settled, h.shows)
		}
	}
	if !r.client.careless {
		x.own = r.client.shown[r.entity]
	}
	return x
}

// isTold: a reply shows what it has to show. Commands and questions that ask for
// it are linearizable; a session never goes back, by any clock; an answer from
// memory is behind by no more than it may be, if clocks go right.
func (c *checker) isTold(s *shard, r reply) {
	var shows position
	for _, e := range c.seen(r.request.entity, r.at) {
		shows = e.at + 1
	}
	x := r.request.expect
	switch {
	case shows < x.own:
		c.w.fail("%s goes back from %s to %s", r.request, x.own, shows)
	case r.request.verb != ask && shows < x.newest:
		c.w.fail("%s shows %s, and someone had heard of %s before", r.request, shows, x.newest)
	case r.request.verb == ask && c.w.honest && shows < x.settled:
		c.w.fail("%s shows %s, and someone had heard of %s long before", r.request, shows, x.settled)
	}
	c.w.noteIf(r.request.verb == ask && s.epoch < c.w.row.epoch, "an owner that was replaced answers from memory")
	c.heard[r.request.entity] = append(c.heard[r.request.entity], heardOf{c.w.step, shows})
	own := &r.request.client.shown[r.request.entity]
	*own = max(*own, shows)
	t := toldReply{r, s.epoch}
	if _, sealed := c.seals[s.epoch]; sealed {
		c.stays(t)
	} else {
		c.told = append(c.told, t)
	}
}

// stored: a page in a replica is what the history below its position gives, and
// lies below the seal of its epoch (I9).
func (c *checker) stored(key pageKey, p cell) {
	seal, sealed := c.seals[p.position.epoch()]
	switch {
	case p.position == 0 || !sealed:
	case p.position > seal:
		c.w.fail("page %s is stored at %s, above the seal %s", key, p.position, seal)
	default:
		if want := stateOf(c.below(key.entity, p.position), key.page); !slices.Equal(p.ids, want) {
			c.w.fail("page %s is stored as %s; the log gives %v", key, p, want)
		}
	}
}

func (c *checker) storedCheckpoint(p position) {
	if seal, sealed := c.seals[p.epoch()]; sealed && p > seal {
		c.w.fail("a checkpoint is stored at %s, above the seal %s", p, seal)
	}
}

// awake: an entity is what the history gives, as far as its owner can know.
func (c *checker) awake(s *shard, id entityID) {
	events := c.seen(id, s.next)
	for k, page := range s.places[id].entity.pages {
		if want := stateOf(events, k); !slices.Equal(page.ids, want) {
			c.w.fail("%s has page %s as %v, in epoch %d; the log gives %v", s.p.name, pageKey{id, k}, page.ids, s.epoch, want)
		}
	}
}

// opened: an epoch is opened once (I2, I15), with the history from the checkpoint
// on as its tail (I6, I7), of which every part can be read from any two replicas.
func (c *checker) opened(s *shard, tl tail) {
	if other := c.owner[s.epoch]; other != nil && !c.w.broken(reopenEpoch) {
		c.w.fail("epoch %d is opened by %s, and was by %s", s.epoch, s.p.name, other.p.name)
	}
	c.owner[s.epoch] = s
	if c.w.broken(reopenEpoch) {
		return
	}
	var tail [entities][]event
	for _, f := range tl.frames {
		for _, e := range f.events {
			tail[e.entity] = append(tail[e.entity], e)
		}
	}
	for id, history := range c.history {
		want := slices.DeleteFunc(slices.Clone(history), func(e event) bool {
			return e.at < tl.from || e.at.epoch() >= s.epoch
		})
		if !slices.Equal(tail[id], want) {
			c.w.fail("epoch %d is opened with %v of %s; the log from %s on is %v", s.epoch, tail[id], entityID(id), tl.from, want)
		}
	}
	c.wholeLog()
}

// wholeLog: what low does not give up can be read from any two replicas, by
// whoever comes next, by audits and rebuilds.
func (c *checker) wholeLog() {
	copies := map[position]int{}
	for _, r := range c.w.replicas {
		for _, f := range r.frames {
			for _, e := range f.events {
				copies[e.at]++
			}
		}
	}
	for _, history := range c.history {
		for _, e := range history {
			if e.at >= c.w.row.low && copies[e.at] < 2 {
				c.w.fail("%d replicas have %v, and low is %s", copies[e.at], e, c.w.row.low)
				return
			}
		}
	}
}
