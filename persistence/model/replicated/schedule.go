package replicated

import (
	"io"
	"slices"
)

// steps of a schedule, before its end.
const steps = 1500

// run plays the schedule of a seed.
func run(seed uint64, bug mutation, out io.Writer) *world {
	w := newWorld(seed, bug, out)
	w.play(w.drawWeights())
	w.finish()
	for _, p := range w.processes {
		for _, t := range p.tasks {
			t.dead = true
		}
	}
	w.sweep()
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
	{name: "deliver", weight: 350, do: (*world).deliver},
	{name: "hear of a write", weight: 250, do: onProcess((*process).hear)},
	{name: "spread an incarnation", weight: 10, do: (*world).spread},
	{name: "run a late change", weight: 3, do: (*world).runLate},
	{name: "send", weight: 40, do: func(w *world) bool { return w.clients[w.rng.IntN(clients)].send() }},
	{name: "take a request", weight: 120, do: (*world).takeMessage},
	{name: "handle", weight: 200, do: onEntity((*shard).handle)},
	{name: "send a frame", weight: 120, do: onShard((*shard).sendFrame)},
	{name: "send a frame again", weight: 10, do: onShard((*shard).retry)},
	{name: "begin a check", weight: 40, do: onShard((*shard).beginToCheck)},
	{name: "copy a page", weight: 15, do: onEntity((*shard).copySome)},
	{name: "write copies", weight: 20, do: onShard((*shard).writeCopies)},
	{name: "write the checkpoint", weight: 15, do: onShard((*shard).writeCheckpoint)},
	{name: "raise low", weight: 3, do: onShard((*shard).beginToLower)},
	{name: "delete frames", weight: 12, do: onShard((*shard).deleteFrames)},
	{name: "wake in the background", weight: 10, do: onEntity((*shard).wakeForTail)},
	{name: "passivate", weight: 8, do: onEntity((*shard).passivate)},
	{name: "restart an entity", weight: 20, do: onEntity((*shard).beginToRestart)},
	{name: "boot", weight: 60, do: onProcess((*process).beginToBoot)},
	{name: "claim", weight: 60, do: onProcess((*process).beginToClaim)},
	{name: "go on with a boot", weight: 200, do: goOn(booting)},
	{name: "go on with a fence", weight: 250, do: goOn(fencing)},
	{name: "go on with a claim", weight: 400, do: goOn(claiming)},
	{name: "go on with a check", weight: 200, do: goOn(checking)},
	{name: "go on with a wake-up", weight: 250, do: goOn(waking)},
	{name: "go on with low", weight: 80, do: goOn(lowering)},
	{name: "go on with a move", weight: 40, do: goOn(moving)},
	{name: "move a clock", weight: 1, do: (*world).moveClock},
	{name: "let another replica be slow", weight: 1, do: (*world).slowDown},
	{name: "fence", weight: 3, rare: true, do: onProcess((*process).beginToFence)},
	{name: "move", weight: 1, rare: true, do: onShard((*shard).beginToMove)},
	{name: "crash an entity", weight: 2, rare: true, do: onEntity((*shard).crash)},
	{name: "give up", weight: 1, rare: true, do: onShard(func(s *shard) bool { s.close("given up"); return true })},
	{name: "crash", weight: 1, rare: true, do: onProcess(func(p *process) bool { p.die("crashes"); return true })},
	{name: "become deaf", weight: 1, rare: true, do: onProcess((*process).becomeDeaf)},
	{name: "stand still", weight: 1, rare: true, do: onProcess((*process).standStill)},
}

// onProcess makes an action of any process that does not stand still; booting is
// for those that are down, all else for those that are up.
func onProcess(do func(p *process) bool) func(w *world) bool {
	return func(w *world) bool {
		p := w.processes[w.rng.IntN(processes)]
		return !p.stands() && do(p)
	}
}

// onShard makes an action of anybody who has the shard open.
func onShard(do func(s *shard) bool) func(w *world) bool {
	return func(w *world) bool {
		open := w.open()
		if len(open) == 0 {
			return false
		}
		s := open[w.rng.IntN(len(open))]
		return !s.p.stands() && do(s)
	}
}

func onEntity(do func(s *shard, id entityID) bool) func(w *world) bool {
	return onShard(func(s *shard) bool { return do(s, entityID(s.w.rng.IntN(entities))) })
}

// goOn makes the next step of a task of a kind.
func goOn(k kind) func(w *world) bool {
	return func(w *world) bool {
		var found []*task
		for _, p := range w.processes {
			for _, t := range p.tasks {
				if t.kind == k && !t.dead && t.until <= w.step && !p.stands() && (k != checking || !p.isDeaf()) {
					found = append(found, t)
				}
			}
		}
		if len(found) == 0 {
			return false
		}
		t := found[w.rng.IntN(len(found))]
		t.goOn()
		if w.rng.IntN(w.stalls) == 0 {
			t.until = w.step + w.rng.IntN(fresh)
		}
		return true
	}
}

func (p *process) beginToBoot() bool {
	if p.up || p.running(booting) > 0 || p == p.w.processes[nodes] && !p.w.double {
		return false
	}
	p.start(booting, nil, p.boot)
	return true
}

func (p *process) beginToClaim() bool {
	if !p.up || p.running(claiming) > 0 || p.shard != nil && !p.w.broken(claimWhileOpen) {
		return false
	}
	if !p.mayFind() && p.w.rng.IntN(20) > 0 {
		return false
	}
	p.start(claiming, nil, p.claim)
	return true
}

// mayFind: a claim has something to find. It need not know, but that saves steps.
func (p *process) mayFind() bool {
	row := p.w.row
	return row.owner == nobody || p.w.nodes[row.owner].inc > row.inc || row.owner == p.node && row.inc == p.inc
}

// beginToFence suspects another node, rightly or wrongly; rather the owner.
func (p *process) beginToFence() bool {
	node := p.w.rng.IntN(nodes)
	if p.w.row.owner != nobody && p.w.rng.IntN(2) == 0 {
		node = p.w.row.owner
	}
	if !p.up || node == p.node || p.running(fencing) > 0 {
		return false
	}
	p.start(fencing, nil, func(t *task) { p.fence(t, node) })
	return true
}

func (p *process) standStill() bool {
	p.still = p.w.step + 10 + p.w.rng.IntN(300)
	p.w.tell(p.name, "stands still until step %d", p.still)
	return true
}

func (p *process) becomeDeaf() bool {
	p.deaf = p.w.step + 50 + p.w.rng.IntN(5*fresh)
	p.w.tell(p.name, "gets no answers to checks until step %d", p.deaf)
	return true
}

// lateToHear lets those who have been fenced go on for a while without learning
// of it, often: what happens then is what the protocol is about.
func (w *world) lateToHear(node int) {
	for _, p := range w.processes {
		if p.node == node && p.shard != nil && w.rng.IntN(4) > 0 && !w.calm {
			p.becomeDeaf()
		}
	}
}

func (s *shard) beginToCheck() bool {
	idle := len(s.gate) == 0 && s.durable() == s.validated
	if s.p.running(checking) >= 2 || idle && s.w.rng.IntN(8) > 0 {
		return false
	}
	s.p.start(checking, s, s.check)
	return true
}

func (s *shard) beginToMove() bool {
	if s.p.running(moving) > 0 {
		return false
	}
	to := s.w.rng.IntN(nodes)
	s.p.start(moving, s, func(t *task) { s.move(t, to) })
	return true
}

// wakeForTail wakes, without being asked, an entity that holds the checkpoint
// back.
func (s *shard) wakeForTail(id entityID) bool {
	return len(s.places[id].tail) > 0 && s.beginToWake(id)
}

// copySome copies a page, rarely one of which such a copy is under way.
func (s *shard) copySome(id entityID) bool {
	k := s.w.rng.IntN(pages)
	if e := s.places[id].entity; e != nil && e.pages[k].issued >= s.validated && s.w.rng.IntN(8) > 0 {
		return false
	}
	return s.copyPage(id, k)
}

// moveClock lets a clock stop, run, or jump.
func (w *world) moveClock() bool {
	if w.honest {
		return false
	}
	p := w.processes[w.rng.IntN(processes)]
	p.rate = w.rng.IntN(4)
	if w.rng.IntN(4) == 0 {
		p.clock += w.rng.IntN(4*fresh) - 2*fresh
	}
	return true
}

// slowDown makes a replica hard to reach, or none.
func (w *world) slowDown() bool {
	before := w.slow
	w.slow = w.rng.IntN(2 * replicas)
	return w.slow != before
}

// drawWeights draws how willing this schedule is to do each kind of thing.
// Schedules that differ find more than schedules that are all alike.
func (w *world) drawWeights() []action {
	drawn := slices.Clone(actions)
	for i := range drawn {
		factors := [4]int{1, 4, 4, 16}
		if drawn[i].rare {
			factors = [4]int{0, 1, 1, 4}
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
	for idle := 0; w.step < steps && w.violation == ""; {
		n := w.rng.IntN(total)
		i := slices.IndexFunc(actions, func(a action) bool { n -= a.weight; return n < 0 })
		if did := actions[i].do(w); !did && idle < 100 {
			idle++
			continue
		} else if did {
			w.note(actions[i].name)
		}
		idle = 0
		w.sweep()
		w.tick() // time passes also while everybody stands still
	}
}

func (w *world) tick() {
	w.step++
	switch len(w.open()) {
	case 0:
		w.note("nobody has the shard open")
	case 1:
		w.note("one process has the shard open")
	default:
		w.note("two processes have the shard open")
	}
	for _, p := range w.processes {
		p.clock += p.rate
	}
}
