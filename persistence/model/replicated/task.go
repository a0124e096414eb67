package replicated

import "iter"

// task is something that a process does in several steps, between which anything
// may happen: a claim, a check, the reading of a page. It is a coroutine, so that
// it reads from top to bottom. It goes on when the schedule says so.
type task struct {
	p     *process
	shard *shard // that it ends with, if any
	kind  kind
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	until int  // this step its store does not answer
	dead  bool // it goes no further than its next pause
}

// kind is what a task does; each kind has a speed of its own in a schedule.
type kind string

const (
	booting  kind = "boot"
	fencing  kind = "fence"
	claiming kind = "claim"
	checking kind = "check"
	waking   kind = "wake"
	lowering kind = "low"
	moving   kind = "move"
)

// stopped unwinds a task that was stopped.
type stopped struct{}

// start begins a task; it does nothing before the schedule lets it go on.
func (p *process) start(k kind, s *shard, do func(t *task)) {
	t := &task{p: p, shard: s, kind: k}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && r != (stopped{}) {
				panic(r) //nolint:forbidigo // somebody else's
			}
		}()
		t.yield = yield
		do(t)
	})
	p.tasks = append(p.tasks, t)
}

// pause lets anything happen.
func (t *task) pause() {
	if !t.yield(struct{}{}) {
		panic(stopped{}) //nolint:forbidigo // start recovers it: the way out of a coroutine
	}
}

// running returns how many tasks of a kind there are.
func (p *process) running(k kind) int {
	n := 0
	for _, t := range p.tasks {
		if t.kind == k && !t.dead {
			n++
		}
	}
	return n
}

// goOn lets a task do its next step.
func (t *task) goOn() {
	if _, more := t.next(); !more {
		t.dead = true
	}
	t.p.w.sweep()
}

// sweep takes away the tasks that are over. One may end itself, which is why they
// are only marked at first.
func (w *world) sweep() {
	for _, p := range w.processes {
		left := p.tasks[:0]
		for _, t := range p.tasks {
			if t.dead {
				t.stop()
			} else {
				left = append(left, t)
			}
		}
		clear(p.tasks[len(left):])
		p.tasks = left
	}
}
