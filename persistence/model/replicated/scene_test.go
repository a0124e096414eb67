package replicated

import (
	"io"
	"testing"
)

// scene is a schedule of which the course is given, and chance decides only what
// is left open: which replicas are asked, what becomes of a change. It is for
// mistakes that need so much to come together that random schedules rarely meet
// them.
type scene struct{ *world }

func newScene(seed uint64, bug mutation, out io.Writer) scene {
	w := newWorld(seed, bug, out)
	w.calm, w.honest, w.slow = true, true, replicas
	return scene{w}
}

// play plays a scene to its end, which is that of any schedule.
func play(seed uint64, bug, of mutation, out io.Writer) *world {
	w := newScene(seed, bug, out)
	scenes[of](w)
	w.calm = true
	for _, p := range w.processes {
		for _, t := range p.tasks {
			t.dead = true
		}
	}
	w.sweep()
	w.finish()
	return w.world
}

// A scene breaks no promise; with its mutation it does, by some of its seeds.
func TestScenes(t *testing.T) {
	const quiet, tries = 30, 1000
	for m := range scenes {
		t.Run(string(m), func(t *testing.T) {
			for seed := range uint64(quiet) {
				if w := play(seed, none, m, nil); w.violation != "" {
					t.Errorf("seed %d, without a mutation: %s", seed, w.violation)
				}
			}
			for seed := range uint64(tries) {
				if w := play(seed, m, m, nil); w.violation != "" {
					t.Logf("seed %d: %s", seed, w.violation)
					return
				}
			}
			t.Errorf("%d seeds catch nothing", tries)
		})
	}
}

// TestScene plays the scene of -mutation with a seed and prints it, with -v; without
// the mutation for -quiet.
func TestScene(t *testing.T) {
	m := mutation(*mutationFlag)
	if scenes[m] == nil {
		t.Skip("no -mutation that has a scene")
	}
	bug := m
	if *quietFlag {
		bug = none
	}
	play(*seedFlag, bug, m, t.Output())
}

// opens makes the process of a node the owner, and returns the shard as it has
// it. Who was the owner does not learn of it.
func (w scene) opens(node int) *shard {
	w.takeOver(w.processes[node])
	if s := w.processes[node].shard; s != nil {
		return s
	}
	return &shard{w: w.world, p: w.processes[node], closed: true} // a mutation was here
}

// fences lets the process of a node fence an owner.
func (w scene) fences(node int, owner *shard) *process {
	p := w.processes[node]
	p.beginToBoot()
	w.through(p)
	p.start(fencing, nil, func(t *task) { p.fence(t, owner.p.node) })
	w.through(p)
	return p
}

// replaced is an owner that has been replaced and does not know it. Client 2 has
// heard of what the new one has.
func (w scene) replaced() (old, next *shard) {
	old = w.opens(0)
	w.adds(old, 0, 1)
	next = w.opens(1)
	w.adds(next, 2, 1)
	return old, next
}

// request is what a client asks of entity a.
func (w scene) request(client int, v verb, number int) *request {
	c := w.clients[client]
	r := &request{client: c, verb: v, command: command{client, number}, token: c.session}
	r.expect = w.checker.asked(r)
	c.request = r
	return r
}

// decides lets an owner decide on a request.
func (w scene) decides(s *shard, r *request) {
	if s.closed {
		return
	}
	p := &s.places[r.entity]
	p.mailbox = append(p.mailbox, call{r, w.step})
	for s.handle(r.entity) {
		for _, t := range s.p.tasks {
			for t.kind == waking && !t.dead {
				t.goOn()
			}
		}
	}
	w.pass(1)
}

// ask lets an owner decide, and answer if it may do so at once.
func (w scene) ask(s *shard, client int, v verb, number int) {
	w.decides(s, w.request(client, v, number))
}

// adds lets an owner accept a command, and its client hear of it.
func (w scene) adds(s *shard, client, number int) {
	w.ask(s, client, add, number)
	w.commits(s)
}

// commits lets an owner validate what it has.
func (w scene) commits(s *shard) {
	for s.sendFrame() {
		w.allArrive(s.p)
	}
	s.beginToCheck()
	w.through(s.p)
}

func (w scene) flushes(s *shard) {
	for k := range pages {
		s.copyPage(0, k)
	}
	s.writeCopies()
	w.allArrive(s.p)
}

// drops moves the checkpoint, and deletes what is below.
func (w scene) drops(s *shard) {
	s.writeCheckpoint()
	w.allArrive(s.p)
	s.beginToLower()
	for s.p.running(lowering) > 0 {
		w.task(s.p, lowering).goOn()
	}
	s.deleteFrames()
	w.allArrive(s.p)
}

func (w scene) task(p *process, k kind) *task {
	for _, t := range p.tasks {
		if t.kind == k {
			return t
		}
	}
	return &task{p: p, dead: true, next: func() (none struct{}, more bool) { return none, false }, stop: func() {}}
}

func (w scene) pass(steps int) {
	for range steps {
		w.tick()
	}
}
