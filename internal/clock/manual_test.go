package clock_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
)

var epoch = time.Date(2008, 5, 1, 0, 0, 0, 0, time.UTC)

// journal notes who fired, and when.
type journal struct {
	clock   clock.Clock
	entries []string
}

func (j *journal) fire(name string) func() {
	return func() {
		j.entries = append(j.entries, fmt.Sprintf("%s at %s", name, j.clock.Now().Format("15:04:05")))
	}
}

func (j *journal) want(t *testing.T, entries ...string) {
	t.Helper()
	if !slices.Equal(j.entries, entries) {
		t.Errorf("fired:\n\t%s\nwant:\n\t%s", strings.Join(j.entries, "\n\t"), strings.Join(entries, "\n\t"))
	}
}

func TestAdvanceFiresInOrder(t *testing.T) {
	c := clock.NewManual(epoch)
	j := &journal{clock: c}
	c.AfterFunc(3*time.Second, j.fire("late"))
	c.AfterFunc(1*time.Second, j.fire("first of two"))
	c.AfterFunc(1*time.Second, j.fire("second of two"))
	c.AfterFunc(-time.Hour, j.fire("overdue"))
	c.AfterFunc(9*time.Second, j.fire("too late"))
	j.want(t)

	c.Advance(0)
	j.want(t, "overdue at 00:00:00")

	c.Advance(8 * time.Second)
	j.want(t,
		"overdue at 00:00:00",
		"first of two at 00:00:01",
		"second of two at 00:00:01",
		"late at 00:00:03",
	)
	if got, want := c.Now(), epoch.Add(8*time.Second); !got.Equal(want) {
		t.Errorf("Now() = %v, want %v", got, want)
	}
	if d, ok := c.Next(); !ok || d != time.Second {
		t.Errorf("Next() = %v, %v, want 1s, true", d, ok)
	}
}

func TestAdvanceFiresWhatTimersSet(t *testing.T) {
	c := clock.NewManual(epoch)
	j := &journal{clock: c}
	var tick func()
	tick = func() {
		j.fire("tick")()
		c.AfterFunc(2*time.Second, tick)
	}
	c.AfterFunc(2*time.Second, tick)
	c.AfterFunc(3*time.Second, j.fire("between"))
	c.Advance(5 * time.Second)
	j.want(t, "tick at 00:00:02", "between at 00:00:03", "tick at 00:00:04")
}

// The wall clock of a machine may be set without any time passing.
func TestSetMovesNoTimer(t *testing.T) {
	c := clock.NewManual(epoch)
	j := &journal{clock: c}
	c.AfterFunc(2*time.Second, j.fire("timer"))
	c.Advance(time.Second)

	c.Set(epoch.Add(10 * time.Hour))
	j.want(t)
	if d, ok := c.Next(); !ok || d != time.Second {
		t.Errorf("Next() = %v, %v after the clock was set, want 1s, true", d, ok)
	}
	c.Set(epoch.Add(-time.Hour))
	c.Advance(time.Second)
	j.want(t, "timer at 23:00:01")
}

func TestStopAndReset(t *testing.T) {
	c := clock.NewManual(epoch)
	j := &journal{clock: c}
	timer := c.AfterFunc(time.Second, j.fire("timer"))

	report := func(call string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %v, want %v", call, got, want)
		}
	}
	report("Stop before", timer.Stop(), true)
	report("Stop again", timer.Stop(), false)
	c.Advance(time.Minute)
	j.want(t)

	report("Reset of what was stopped", timer.Reset(2*time.Second), false)
	report("Reset of what is to come", timer.Reset(time.Second), true)
	c.Advance(time.Minute)
	j.want(t, "timer at 00:01:01")
	report("Stop after", timer.Stop(), false)
	report("Reset after", timer.Reset(time.Second), false)
	c.Advance(time.Second)
	j.want(t, "timer at 00:01:01", "timer at 00:02:01")
}

func TestTimerStopsAnotherDueAtTheSameTime(t *testing.T) {
	c := clock.NewManual(epoch)
	var other clock.Timer
	c.AfterFunc(time.Second, func() { other.Stop() })
	other = c.AfterFunc(time.Second, func() { t.Error("a timer fired after it was stopped") })
	c.Advance(time.Second)
}

func TestLongTimerNeverFires(t *testing.T) {
	c := clock.NewManual(epoch)
	c.Advance(time.Hour)
	c.AfterFunc(math.MaxInt64, func() { t.Error("a timer of 292 years fired after an hour") })
	c.Advance(time.Hour)
}

func TestAdvanceGoesOnAfterPanic(t *testing.T) {
	c := clock.NewManual(epoch)
	j := &journal{clock: c}
	c.AfterFunc(1*time.Second, func() { panic("a bug of the node") })
	c.AfterFunc(2*time.Second, j.fire("next"))
	func() {
		defer func() {
			if found := recover(); found != "a bug of the node" {
				t.Errorf("recovered %v, want the panic of the timer", found)
			}
		}()
		c.Advance(time.Minute)
	}()
	c.Advance(time.Second)
	j.want(t, "next at 00:00:02")
}

func TestAdvanceBackwardsPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Advance(-1) did not panic")
		}
	}()
	clock.NewManual(epoch).Advance(-1)
}

// Manual must behave as the standard timers do. Random scripts run on both, the
// latter in the fake time of synctest, and must fire the same timers at the
// same times.
func TestManualEqualsSystem(t *testing.T) {
	for range 200 {
		seed := rand.Uint64()
		manual := clock.NewManual(epoch)
		got := runScript(seed, manual, manual.Advance)
		var want []string
		synctest.Test(t, func(*testing.T) {
			c := clock.System()
			want = runScript(seed, c, func(d time.Duration) {
				time.Sleep(d) //nolint:forbidigo // fake time
				synctest.Wait()
			})
		})
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: a Manual fired\n\t%v\nthe system clock\n\t%v", seed, got, want)
		}
	}
}

// runScript sets, stops, resets and lets time pass as the seed says, and returns
// what fired, in the order of time.
func runScript(seed uint64, c clock.Clock, advance func(time.Duration)) []string {
	type firing struct {
		timer int
		after time.Duration
	}
	var (
		random = rand.New(rand.NewPCG(seed, 0))
		start  = c.Now()
		mu     sync.Mutex // the system clock calls each timer in its own goroutine
		fired  []firing
		log    []string
		all    []clock.Timer
	)
	for range 60 {
		d := time.Duration(random.IntN(12)-1) * time.Second
		switch n := random.IntN(10); {
		case n < 4 || len(all) == 0:
			id := len(all)
			all = append(all, c.AfterFunc(d, func() {
				mu.Lock()
				defer mu.Unlock()
				fired = append(fired, firing{id, c.Now().Sub(start)})
			}))
		case n < 5:
			id := random.IntN(len(all))
			log = append(log, fmt.Sprintf("stop %d: %v", id, all[id].Stop()))
		case n < 7:
			id := random.IntN(len(all))
			log = append(log, fmt.Sprintf("reset %d: %v", id, all[id].Reset(d)))
		default:
			advance(max(0, d))
			continue
		}
		// Overdue timers of the system fire as soon as may be, those of a
		// Manual when it is next advanced: let both come here.
		advance(0)
	}
	advance(time.Hour)
	// Goroutines that start together run in any order.
	slices.SortStableFunc(fired, func(a, b firing) int {
		return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.timer, b.timer))
	})
	for _, f := range fired {
		log = append(log, fmt.Sprintf("%d at %v", f.timer, f.after))
	}
	return log
}

func TestManualIsSafeForConcurrentUse(t *testing.T) {
	const goroutines, timersEach = 8, 100
	c := clock.NewManual(epoch)
	var fired, stopped atomic.Int64
	var running atomic.Int32
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range timersEach {
				timer := c.AfterFunc(time.Duration(i%7)*time.Millisecond, func() {
					if running.Add(1) > 1 {
						t.Error("two timers ran at once")
					}
					fired.Add(1)
					running.Add(-1)
				})
				switch {
				case i%5 == g%5:
					if timer.Stop() {
						stopped.Add(1)
					}
				case i%3 == 0:
					c.Advance(time.Millisecond)
				}
				c.Now()
				c.Next()
			}
		})
	}
	wg.Wait()
	c.Advance(time.Second)
	if got := fired.Load() + stopped.Load(); got != goroutines*timersEach {
		t.Errorf("%d timers fired and %d were stopped, want %d together", fired.Load(), stopped.Load(), goroutines*timersEach)
	}
}
