package clock

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// Manual is a Clock that stands still until it is advanced or set. Equal calls
// in an equal order make it fire the same timers in the same order: by the time
// at which they are due, and those due together in the order in which they were
// set.
type Manual struct {
	// turn is held by the one Advance that is running, for timers must fire
	// one after the other; mu is not held while they do.
	turn sync.Mutex

	mu      sync.Mutex
	now     time.Time     // time of day
	elapsed time.Duration // time passed since the clock was made
	set     uint64        // timers set so far
	waiting timers
}

// NewManual returns a clock that stands at start.
func NewManual(start time.Time) *Manual {
	return &Manual{now: start.Round(0)} // without a monotonic reading: that of another clock
}

// Now is the time to which the clock was advanced or set.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// AfterFunc has f called by the Advance that reaches d from now; by the next
// one, be it by 0, when d is not positive.
func (m *Manual) AfterFunc(d time.Duration, f func()) Timer {
	t := &manualTimer{clock: m, f: f, index: idle}
	t.Reset(d)
	return t
}

// Set makes t the time of day, earlier or later, as an administrator does. No
// time passes: timers stay as far away as they were.
func (m *Manual) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = t.Round(0)
}

// Advance lets d pass, which is not negative. Each timer that is due within it,
// also one that another sets meanwhile, is called at its own time, in the
// calling goroutine; when Advance returns they have all run. Calls from several
// goroutines take turns. A timer must not advance its own clock: that waits for
// ever.
func (m *Manual) Advance(d time.Duration) {
	if d < 0 {
		panic("clock: Advance by a negative duration; use Set to turn a clock back") //nolint:forbidigo // a mistake of the test that moves the clock
	}
	m.turn.Lock()
	defer m.turn.Unlock()

	m.mu.Lock()
	defer m.mu.Unlock()
	end := m.elapsed + d
	for len(m.waiting) > 0 && m.waiting[0].due <= end {
		t := heap.Pop(&m.waiting).(*manualTimer)
		m.pass(t.due)
		m.call(t.f)
	}
	m.pass(end)
}

// pass moves both times on until elapsed. What was due before now, since it was
// set for a duration that was not positive, happens now.
func (m *Manual) pass(elapsed time.Duration) {
	if d := elapsed - m.elapsed; d > 0 {
		m.now = m.now.Add(d)
		m.elapsed = elapsed
	}
}

// call runs f without mu, which it locks again even if f panics, for the caller
// unlocks it.
func (m *Manual) call(f func()) {
	m.mu.Unlock()
	defer m.mu.Lock()
	f()
}

// Next returns how far away the next timer is, and false if there is none. A
// simulation advances the clock that has the nearest.
func (m *Manual) Next() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 {
		return 0, false
	}
	return max(0, m.waiting[0].due-m.elapsed), true
}

// idle is the index of a timer that waits for nothing.
const idle = -1

// manualTimer is guarded by the mutex of its clock.
type manualTimer struct {
	clock *Manual
	f     func()
	due   time.Duration // on the scale of elapsed
	order uint64        // breaks ties
	index int           // in waiting, or idle
}

func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.stop()
}

func (t *manualTimer) stop() bool {
	if t.index == idle {
		return false
	}
	heap.Remove(&t.clock.waiting, t.index)
	return true
}

func (t *manualTimer) Reset(d time.Duration) bool {
	m := t.clock
	m.mu.Lock()
	defer m.mu.Unlock()
	waited := t.stop()
	m.set++
	t.due, t.order = m.elapsed+max(0, d), m.set
	if t.due < m.elapsed { // past the end of a Duration, some 292 years: never
		t.due = math.MaxInt64
	}
	heap.Push(&m.waiting, t)
	return waited
}

// timers is a heap with the next to fire on top.
type timers []*manualTimer

func (ts timers) Len() int { return len(ts) }

func (ts timers) Less(i, j int) bool {
	if ts[i].due != ts[j].due {
		return ts[i].due < ts[j].due
	}
	return ts[i].order < ts[j].order
}

func (ts timers) Swap(i, j int) {
	ts[i], ts[j] = ts[j], ts[i]
	ts[i].index, ts[j].index = i, j
}

func (ts *timers) Push(x any) {
	t := x.(*manualTimer)
	t.index = len(*ts)
	*ts = append(*ts, t)
}

func (ts *timers) Pop() any {
	last := len(*ts) - 1
	t := (*ts)[last]
	(*ts)[last] = nil
	*ts = (*ts)[:last]
	t.index = idle
	return t
}
