package actors

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// twin is a mailbox as one would write it without a thought for speed.
type twin struct {
	bound                               int
	user, system, bulk                  []int
	batch                               int // how many of user were taken at once and are not popped
	passed                              int // batches since the last of bulk
	scheduled, suspended, closed, ended bool
	slow                                bool
}

// work says whether there is something to do, and whether it is bulk alone.
func (m *twin) work() (some, slow bool) {
	some = len(m.system) > 0 || !m.suspended && len(m.user) > 0
	if !some && !m.suspended && len(m.bulk) > 0 {
		return true, true
	}
	return some, false
}

func (m *twin) push(v int, bound int) (bool, error) {
	switch {
	case m.closed:
		return false, ErrStopped
	case bound > 0 && len(m.user) >= bound:
		return false, ErrOverloaded
	}
	m.user = append(m.user, v)
	return m.wake(), nil
}

func (m *twin) pushSystem(v int) bool {
	if m.ended {
		return false
	}
	m.system = append(m.system, v)
	return m.wake()
}

func (m *twin) pushBulk(v int) (bool, error) {
	switch {
	case m.closed:
		return false, ErrStopped
	case len(m.bulk) >= m.bound:
		return false, ErrOverloaded
	}
	m.bulk = append(m.bulk, v)
	return m.wake(), nil
}

// wake says whether the actor has to be scheduled: it is not, or for bulk only.
func (m *twin) wake() bool {
	some, slow := m.work()
	if !some || m.scheduled && (!m.slow || slow) {
		return false
	}
	m.scheduled, m.slow = true, slow
	return true
}

func (m *twin) pop(allowed bool) (v int, bulk, ok bool) {
	if m.batch == 0 {
		if len(m.bulk) > 0 && allowed && (len(m.user) == 0 || m.passed >= passBulk) {
			m.passed = 0
			v, _ := shift(&m.bulk)
			return v, true, true
		}
		if m.batch = len(m.user); len(m.bulk) > 0 {
			m.passed++
		}
	}
	if v, ok = shift(&m.user); ok {
		m.batch--
	}
	return v, false, ok
}

func (m *twin) rest() (more, slow bool) {
	m.scheduled, m.slow = m.work()
	return m.scheduled, m.slow
}

func shift(q *[]int) (int, bool) {
	if len(*q) == 0 {
		return 0, false
	}
	v := (*q)[0]
	*q = (*q)[1:]
	return v, true
}

// The mailbox does what the twin does, for any sequence of operations: order,
// bound, wake-ups, suspension, closing; bulk comes after what is not, or after
// passBulk batches of it.
// Mutations: >= bound becomes > bound; pop takes the newest; rest always says
// false; push wakes while suspended; end keeps the system messages; a push that
// finds bulk scheduled does not wake; pop never lets bulk pass; passed is not
// set back.
func TestMailboxIsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.IntRange(1, 3*chunkSlots).Draw(t, "bound")
		m, w := new(mailbox), &twin{bound: bound}
		next := 0
		same := func(what string, got, want any) {
			if got != want {
				t.Fatalf("%s: got %v, want %v", what, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 2*chunkSlots).Draw(t, "n") {
					b := bound
					if rapid.IntRange(0, 9).Draw(t, "force") == 0 {
						b = 0
					}
					next++
					wake, err := m.push(slot{msg: next}, int32(b))
					wantWake, wantErr := w.push(next, b)
					same("wake", wake, wantWake)
					same("err", err, wantErr)
				}
			},
			"pushBulk": func(t *rapid.T) {
				for range rapid.IntRange(1, 2*chunkSlots).Draw(t, "n") {
					next++
					wake, err := m.pushBulk(slot{msg: next}, int32(bound))
					wantWake, wantErr := w.pushBulk(next)
					same("wake", wake, wantWake)
					same("err", err, wantErr)
				}
			},
			"pushSystem": func(*rapid.T) {
				next++
				same("wake", m.pushSystem(next), w.pushSystem(next))
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(1, 2*chunkSlots).Draw(t, "n") {
					allowed := rapid.Bool().Draw(t, "bulk")
					s, bulk, ok := m.pop(allowed)
					v, wantBulk, wantOK := w.pop(allowed)
					same("ok", ok, wantOK)
					same("bulk", bulk, wantBulk)
					if ok {
						same("message", s.msg, any(v))
					}
				}
			},
			"popSystem": func(*rapid.T) {
				v, ok := m.popSystem()
				want, wantOK := shift(&w.system)
				same("ok", ok, wantOK)
				if ok {
					same("system message", v, any(want))
				}
			},
			"rest": func(*rapid.T) {
				more, slow := m.rest()
				wantMore, wantSlow := w.rest()
				same("more", more, wantMore)
				same("slow", slow, wantSlow)
			},
			"suspend": func(t *rapid.T) {
				yes := rapid.Bool().Draw(t, "yes")
				m.suspend(yes)
				w.suspended = yes
				more, _ := m.rest() // as after any turn
				wantMore, _ := w.rest()
				same("more", more, wantMore)
			},
			"end": func(t *rapid.T) {
				if rapid.IntRange(0, 20).Draw(t, "rarely") == 0 {
					m.end()
					w.closed, w.ended, w.system = true, true, nil
				}
			},
			"": func(*rapid.T) { same("queued", int(m.queued.Load()), len(w.user)) },
		})
	})
}

// Under many producers and consumers that take turns: nothing is lost, nothing
// is handled twice, each producer's messages come in order, the bound holds, and
// no two workers have the mailbox at once.
// Mutations: rest reads without the lock (or does not look at head); scheduled
// is not set by push; queued is not raised.
func TestMailboxUnderLoad(t *testing.T) {
	const producers, each, bound = 8, 20_000, 64
	m := new(mailbox)
	queue := make(chan *mailbox, 4) // the dispatcher: at most one entry, if the mailbox is right
	var inside, handled atomic.Int32
	var last [producers]int
	done := make(chan struct{})
	for range 3 {
		go func() {
			for m := range queue {
				if inside.Add(1) != 1 {
					t.Error("two workers have the mailbox")
				}
				for range 50 {
					if n := m.queued.Load(); n > bound {
						t.Errorf("%d messages wait, bound %d", n, bound)
					}
					s, _, ok := m.pop(true)
					if !ok {
						break
					}
					v := s.msg.([2]int)
					if last[v[0]]++; last[v[0]] != v[1] {
						t.Errorf("producer %d: got message %d, want %d", v[0], v[1], last[v[0]])
						last[v[0]] = v[1]
					}
					if handled.Add(1) == producers*each {
						close(done)
					}
				}
				inside.Add(-1)
				if more, _ := m.rest(); more {
					queue <- m
				}
			}
		}()
	}
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := 1; i <= each; {
				wake, err := m.push(slot{msg: [2]int{p, i}}, bound)
				if errors.Is(err, ErrOverloaded) {
					runtime.Gosched()
					continue
				}
				if wake {
					queue <- m
				}
				i++
			}
		})
	}
	wg.Wait()
	<-done
	close(queue)
}

// An empty mailbox has given its buffer back.
// Mutation: pop keeps the last chunk.
func TestMailboxIdleHoldsNothing(t *testing.T) {
	m := new(mailbox)
	for range 1000 {
		for i := range 100 {
			_, _ = m.push(slot{msg: i}, 0)
			_, _ = m.pushBulk(slot{msg: i}, 1000)
		}
		for range 200 {
			m.pop(true)
		}
		if m.out != nil || m.head != nil || m.tail != nil || m.system != nil || m.bulk != nil {
			t.Fatal("an empty mailbox holds a chunk")
		}
	}
}
