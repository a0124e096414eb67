package replicated

// scenes is what happens, for each mutation that has a scene.
var scenes = map[mutation]func(w scene){
	rejectUnchecked: func(w scene) {
		old, _ := w.replaced()
		w.ask(old, 3, add, 3) // refused: one event and number 3
	},
	answerUnchecked: func(w scene) {
		old, _ := w.replaced()
		w.ask(old, 3, linear, 0)
	},
	checkBeforeAsked: func(w scene) {
		old, _ := w.replaced()
		w.ask(old, 3, linear, 0)
	},
	ignoreToken: func(w scene) {
		old, _ := w.replaced()
		w.ask(old, 2, ask, 0)
	},
	answerAnyTime: func(w scene) {
		old, _ := w.replaced()
		w.pass(fresh + 1)
		w.ask(old, 3, ask, 0)
	},
	// The check reads one copy before the fence and another, which the fence has
	// not reached, long after.
	countFromCheckEnd: func(w scene) {
		s := w.opens(0)
		w.adds(s, 0, 1)
		s.beginToCheck()
		check := w.task(s.p, checking)
		check.goOn()
		w.pass(10)
		next := w.opens(1)
		w.adds(next, 2, 1)
		w.pass(fresh)
		check.goOn()
		check.goOn()
		w.ask(s, 3, ask, 0)
	},
	// The owner gives the shard away and does not hear that it has; the next
	// one has accepted more.
	answerDuringMove: func(w scene) {
		p := w.processes[1]
		p.beginToBoot()
		w.through(p)
		w.nodes[1].copies = [replicas]int{p.inc, p.inc, p.inc}
		s := w.opens(0)
		w.adds(s, 0, 1)
		s.p.start(moving, s, func(t *task) { s.move(t, 1) })
		for move := w.task(s.p, moving); w.row.epoch == s.epoch; {
			move.goOn()
		}
		w.adds(w.opens(1), 2, 1)
		w.decides(s, w.request(3, linear, 0))
		s.beginToCheck()
		for check := w.task(s.p, checking); !check.dead; {
			check.goOn()
		}
	},
	executeBelowWindow: func(w scene) {
		s := w.opens(0)
		for _, number := range []int{1, 4, 1} {
			w.adds(s, 0, number)
		}
	},
	windowByAge: func(w scene) {
		s := w.opens(0)
		for _, number := range []int{5, 1, 5} {
			w.adds(s, 0, number)
		}
	},
	// The checkpoint is on its way while the log below it goes.
	lowBeforeCheckpoint: func(w scene) {
		s := w.opens(0)
		w.adds(s, 0, 1)
		w.flushes(s)
		s.writeCheckpoint()
		held := w.network
		w.network = nil
		s.beginToLower()
		w.through(s.p)
		s.deleteFrames()
		w.allArrive(s.p)
		w.opens(1)
		w.network = held
	},
	// The checkpoint passes, and the log below it goes, while a claim is between
	// its reading of both.
	claimBlindToDeletion: func(w scene) {
		s := w.opens(0)
		w.adds(s, 0, 1)
		w.flushes(s)
		p := w.fences(1, s)
		p.beginToClaim()
		claim := w.task(p, claiming)
		for range 5 { // row, node, checkpoint
			claim.goOn()
		}
		w.drops(s)
		w.through(p)
		w.opens(1)
	},
	// The same in an epoch that is sealed.
	missingIsDamage: func(w scene) {
		w.adds(w.opens(0), 0, 1)
		s := w.opens(1)
		s.beginToWake(0)
		w.through(s.p)
		w.flushes(s)
		p := w.fences(2, s)
		p.beginToClaim()
		claim := w.task(p, claiming)
		for range 5 {
			claim.goOn()
		}
		w.drops(s)
		w.through(p)
	},
	// One claim is late, a second sees more of what the old owner still writes,
	// and nobody hears what became of that one.
	claimWithoutToken: func(w scene) {
		s := w.opens(0)
		w.adds(s, 0, 1)
		p := w.fences(1, s)
		w.calm, w.doubts = false, 3
		p.beginToClaim()
		w.through(p)
		w.decides(s, w.request(1, add, 1))
		s.sendFrame()
		w.lastArrivals(1 + w.rng.IntN(2))
		p.beginToClaim()
		for len(p.tasks) > 0 && w.violation == "" {
			p.tasks[0].goOn()
			if w.rng.IntN(4) == 0 {
				w.runLate()
			}
		}
	},
	// The second of two frames is durable.
	ackAcrossGap: func(w scene) {
		s := w.opens(0)
		w.decides(s, w.request(0, add, 1))
		s.sendFrame()
		w.network = nil
		w.decides(s, w.request(1, add, 1))
		s.sendFrame()
		w.allArrive(s.p)
		s.beginToCheck()
		w.through(s.p)
		w.opens(1)
	},
	// The frame gets through after the check has looked, and after a claim has.
	checkBeforeDurable: func(w scene) {
		s := w.opens(0)
		w.decides(s, w.request(0, add, 1))
		s.sendFrame()
		s.beginToCheck()
		check := w.task(s.p, checking)
		check.goOn()
		check.goOn()
		w.opens(1)
		w.allArrive(s.p)
		check.goOn()
	},
	// One copy does not have the fence.
	checkAtOne: func(w scene) {
		s := w.opens(0)
		w.opens(1)
		w.adds(s, 0, 1)
	},
	// One copy has the fence, and nobody has committed it.
	claimAfterPlainRead: func(w scene) {
		s := w.opens(0)
		p := w.processes[1]
		p.beginToBoot()
		w.through(p)
		w.nodes[0].inc++
		w.nodes[0].copies[0]++
		w.calm, w.doubts, w.losses = false, 1000, 1000
		p.beginToClaim()
		w.through(p)
		w.adds(s, 0, 1)
	},
	// One replica has the checkpoint; one who read it there deletes what lies
	// below, and the next does not see it.
	checkpointWithoutRepair: func(w scene) {
		s := w.opens(0)
		w.adds(s, 0, 1)
		w.flushes(s)
		s.writeCheckpoint()
		w.arrive(w.network[0], false)
		w.network = nil
		next := w.opens(1)
		w.adds(next, 1, 1)
		next.beginToLower()
		w.through(next.p)
		next.deleteFrames()
		w.allArrive(next.p)
		w.opens(2)
	},
	// The change that gives the shard away is late.
	resumeAfterMove: func(w scene) {
		s := w.opens(0)
		w.adds(s, 0, 1)
		w.calm, w.doubts = false, 3
		s.p.start(moving, s, func(t *task) { s.move(t, 1) })
		w.through(s.p)
		w.calm = true
		w.adds(s, 1, 1)
		w.runLate()
	},
	// The change has given the shard away, and nobody hears of it. The next owner
	// has accepted more by the time it is asked for again.
	moveAnew: func(w scene) {
		p := w.processes[1]
		p.beginToBoot()
		w.through(p)
		w.nodes[1].copies = [replicas]int{p.inc, p.inc, p.inc}
		s := w.opens(0)
		w.adds(s, 0, 1)
		w.calm, w.doubts = false, 3
		s.p.start(moving, s, func(t *task) { s.move(t, 1) })
		for move := w.task(s.p, moving); w.row.epoch == s.epoch && !move.dead; {
			move.goOn()
		}
		w.calm = true
		w.adds(w.opens(1), 2, 1)
		w.through(s.p)
	},
	ignoreLaterPage: func(w scene) {
		old, next := w.replaced()
		w.flushes(next)
		old.places[0].entity, old.places[0].end = nil, 0
		old.beginToWake(0)
		w.through(old.p)
	},
	// An entity reads back its tail, of which the next owner deletes the
	// beginning; the rest is in no page yet.
	restartWithoutSecondRead: func(w scene) {
		s := w.opens(0)
		w.adds(s, 0, 1)
		r := w.request(1, add, 1)
		r.entity = 1
		w.decides(s, r)
		w.commits(s)
		s.crash(1)
		s.beginToRestart(1)
		restart := w.task(s.p, waking)
		for range 3 { // the checkpoint
			restart.goOn()
		}
		next := w.opens(1)
		next.beginToWake(0)
		w.through(next.p)
		w.flushes(next)
		w.drops(next)
		w.through(s.p)
		if !s.closed {
			s.beginToWake(1)
			w.through(s.p)
		}
	},
}
