package model

import (
	"io"
	"slices"
)

// steps of a schedule, before the last crash.
const steps = 400

// run plays the schedule of a seed.
func run(seed uint64, bug mutation, out io.Writer) *world {
	w := newWorld(seed, bug, out)
	w.play(w.drawWeights())
	w.finish()
	return w
}

// action is a kind of step. Doing it tells whether there was anything to do.
type action struct {
	name   string
	weight int
	rare   bool
	do     func(w *world) bool
}

var actions = []action{
	{name: "ask", weight: 120, do: (*world).ask},
	{name: "handle", weight: 200, do: onEntity((*shard).handle)},
	{name: "send a frame", weight: 60, do: on((*shard).sendFrame)},
	{name: "advance the store", weight: 200, do: func(w *world) bool { return w.store.advance() }},
	{name: "take a page", weight: 80, do: (*world).takePage},
	{name: "copy pages", weight: 50, do: on((*shard).copySome)},
	{name: "write copies", weight: 50, do: on((*shard).writeCopies)},
	{name: "write the checkpoint", weight: 30, do: on((*shard).writeCheckpoint)},
	{name: "raise low", weight: 10, do: on((*shard).raiseLow)},
	{name: "drop frames", weight: 10, do: on((*shard).dropFrames)},
	{name: "wake in the background", weight: 20, do: onEntity((*shard).wakeForTail)},
	{name: "load ahead", weight: 30, do: onEntity((*shard).loadSome)},
	{name: "evict", weight: 40, do: onEntity((*shard).evictSome)},
	{name: "passivate", weight: 20, do: onEntity((*shard).passivate)},
	{name: "restart", weight: 40, do: onEntity((*shard).restart)},
	{name: "read the tail", weight: 100, do: (*world).readTail},
	{name: "claim", weight: 100, do: (*world).claim},
	{name: "crash", weight: 3, rare: true, do: onEntity((*shard).crash)},
	{name: "give up", weight: 2, rare: true, do: (*world).giveUp},
	{name: "kill", weight: 2, rare: true, do: func(w *world) bool { w.die("is killed", w.store.kill); return true }},
	{name: "power loss", weight: 2, rare: true, do: func(w *world) bool { w.die("loses its power", w.store.powerLoss); return true }},
}

// on makes an action of the open shard.
func on(do func(s *shard) bool) func(w *world) bool {
	return func(w *world) bool { return w.shard != nil && do(w.shard) }
}

// onEntity makes an action of any entity of the open shard.
func onEntity(do func(s *shard, id entityID) bool) func(w *world) bool {
	return on(func(s *shard) bool { return do(s, entityID(s.w.rng.IntN(entities))) })
}

// drawWeights draws how willing this schedule is to do each kind of thing.
// Schedules that differ find more than schedules that are all alike.
func (w *world) drawWeights() []action {
	drawn := slices.Clone(actions)
	for i := range drawn {
		factors := [4]int{1, 4, 4, 16}
		if drawn[i].rare {
			factors = [4]int{0, 1, 4, 8}
		}
		drawn[i].weight *= factors[w.rng.IntN(4)]
	}
	return drawn
}

func (w *world) play(actions []action) {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for w.step < steps && w.violation == "" {
		n := w.rng.IntN(total)
		i := slices.IndexFunc(actions, func(a action) bool { n -= a.weight; return n < 0 })
		if actions[i].do(w) {
			w.note(actions[i].name)
			w.checker.afterStep()
			w.step++
		}
	}
}

func (w *world) ask() bool {
	return w.clients[w.rng.IntN(len(w.clients))].send(w.newRequest())
}

// takePage lets a page arrive in memory.
func (w *world) takePage() bool {
	if len(w.reads) == 0 {
		return false
	}
	i := w.rng.IntN(len(w.reads))
	r := w.reads[i]
	w.reads = slices.Delete(w.reads, i, i+1)
	if r.shard.isOpen() {
		r.shard.loaded(r)
	}
	return true
}

func (s *shard) copySome() bool {
	some := false
	for key := range everyPage {
		if s.w.rng.IntN(2) == 0 {
			some = s.copyPage(key.entity, key.page) || some
		}
	}
	return some
}

// wakeForTail wakes, without being asked, an entity that holds the checkpoint
// back.
func (s *shard) wakeForTail(id entityID) bool {
	return len(s.places[id].tail) > 0 && s.wake(id)
}

// loadSome loads a page that nobody waits for.
func (s *shard) loadSome(id entityID) bool {
	return s.places[id].entity != nil && s.load(id, s.w.rng.IntN(pages))
}

func (s *shard) evictSome(id entityID) bool { return s.evict(id, s.w.rng.IntN(pages)) }

// finish ends a schedule: a last crash, a recovery, and everything that is left
// to do until the shard is at rest.
func (w *world) finish() {
	if w.violation != "" {
		return
	}
	w.die("loses its power at the end", w.store.powerLoss)
	w.readTail()
	w.claim()
	for i := 0; i < 10 && w.violation == ""; i++ {
		w.settle()
	}
	if w.violation == "" {
		w.atRest()
	}
}

// settle does everything that can be done without clients, a step on.
func (w *world) settle() {
	s := w.shard
	for key := range everyPage {
		s.restart(key.entity)
		s.wakeForTail(key.entity)
		if e := s.places[key.entity].entity; e != nil && len(e.pending[key.page]) > 0 {
			s.load(key.entity, key.page)
		}
		s.copyPage(key.entity, key.page)
	}
	for w.takePage() {
		w.step++
	}
	s.writeCopies()
	s.writeCheckpoint()
	s.raiseLow()
	s.dropFrames()
	for w.store.advance() {
		w.checker.afterStep()
	}
}

// atRest: nothing holds the checkpoint back, the log is gone, every entity can
// be let go, and every page can be had again.
func (w *world) atRest() {
	s := w.shard
	if s.checkpoint.durable != s.validated {
		w.fail("at rest the checkpoint is %s, and the end %s", s.checkpoint.durable, s.validated)
	}
	if n := len(w.store.written.frames); n > 0 {
		w.fail("at rest %d frames are left", n)
	}
	for id := range entityID(entities) {
		if s.places[id].entity != nil && !s.passivate(id) {
			w.fail("at rest %s can't be passivated", id)
		}
		s.wake(id)
		for k := range pages {
			s.load(id, k)
		}
	}
	for w.takePage() {
	}
}
