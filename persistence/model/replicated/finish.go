package replicated

// finish ends a schedule: every process ends, a new one takes the shard, then
// what is under way arrives, and everything is done that is left to do until the
// shard is at rest.
func (w *world) finish() {
	if w.violation != "" {
		return
	}
	w.tell("end", "everybody dies")
	for _, p := range w.processes {
		p.die("dies at the end")
		p.still = 0
	}
	w.sweep()
	w.calm, w.slow = true, replicas
	w.lastArrivals(2)
	p := w.processes[1]
	w.takeOver(p)
	w.lastArrivals(2)
	held := w.network
	w.network = nil
	if w.violation == "" {
		w.settle(p)
	}
	w.network = held
	w.lastArrivals(1)
	if w.violation == "" {
		w.atRest(p)
	}
}

// lastArrivals lets one in so many of the writes and changes come that are under
// way.
func (w *world) lastArrivals(oneIn int) {
	left := w.network[:0:0]
	for _, d := range w.network {
		if w.rng.IntN(oneIn) == 0 {
			w.arrive(d, true)
		} else {
			left = append(left, d)
		}
	}
	w.network = left
	for n := len(w.late); n > 0; n-- {
		if w.rng.IntN(oneIn) == 0 {
			w.runLate()
		}
	}
}

// takeOver makes a process the owner, with nobody in its way.
func (w *world) takeOver(p *process) {
	for range 10 {
		switch {
		case w.violation != "" || p.shard != nil:
			return
		case !p.up:
			p.beginToBoot()
		case w.row.owner != p.node && w.row.owner != nobody && w.nodes[w.row.owner].inc == w.row.inc:
			node := w.row.owner
			p.start(fencing, nil, func(t *task) { p.fence(t, node) })
		default:
			p.beginToClaim()
		}
		w.through(p)
	}
	w.fail("%s can't take the shard over", p.name)
}

// through lets a process get on with its tasks until none is left.
func (w *world) through(p *process) {
	for n := 0; len(p.tasks) > 0 && w.violation == ""; n++ {
		p.tasks[0].goOn()
		w.tick()
		if n > 1000 {
			w.fail("a task of %s does not end", p.name)
		}
	}
}

// settle does everything that can be done without clients.
func (w *world) settle(p *process) {
	s := p.shard
	for range 3 {
		for id := range entityID(entities) {
			s.beginToWake(id)
		}
		w.through(p)
		if w.violation != "" || s.closed {
			return
		}
		for id := range entityID(entities) {
			for k := range pages {
				s.copyPage(id, k)
			}
		}
		s.writeCopies()
		w.allArrive(p)
		s.writeCheckpoint()
		w.allArrive(p)
		s.beginToLower()
		w.through(p)
		s.deleteFrames()
		w.allArrive(p)
	}
}

func (w *world) allArrive(p *process) {
	w.lastArrivals(1)
	for p.hear() {
		w.tick()
	}
}

// atRest: nothing holds the checkpoint back, the log is gone, every entity can be
// let go, and the shard can be taken once more.
func (w *world) atRest(p *process) {
	s := p.shard
	if s == nil {
		w.fail("%s lost the shard, with nobody else there", p.name)
		return
	}
	if s.checkpoint.durable != s.validated {
		w.fail("at rest the checkpoint is %s, and the end %s", s.checkpoint.durable, s.validated)
	}
	for i, r := range w.replicas {
		for _, f := range r.frames {
			if f.end <= w.row.low {
				w.fail("at rest replica %d has %v, and low is %s", i, f, w.row.low)
			}
		}
	}
	for id := range entityID(entities) {
		if !s.passivate(id) {
			w.fail("at rest %s can't be passivated", id)
		}
	}
	s.close("claimed once more")
	w.takeOver(p)
	if len(w.checker.told) > 0 {
		w.fail("%d replies were not looked at", len(w.checker.told))
	}
}
