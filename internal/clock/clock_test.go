package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
)

func TestSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.System()
		start := time.Now()
		if !c.Now().Equal(start) {
			t.Errorf("Now() = %v, want the machine's %v", c.Now(), start)
		}
		fired := make(chan time.Time, 1)
		c.AfterFunc(time.Minute, func() { fired <- c.Now() })
		if got := (<-fired).Sub(start); got != time.Minute {
			t.Errorf("a timer of a minute fired after %v", got)
		}
		timer := c.AfterFunc(time.Minute, func() { t.Error("a stopped timer fired") })
		if !timer.Stop() {
			t.Error("Stop() = false for a timer that was to come")
		}
		if err := clock.Sleep(t.Context(), c, time.Hour); err != nil {
			t.Errorf("Sleep: %v", err)
		}
		if got := time.Since(start); got != time.Hour+time.Minute {
			t.Errorf("%v have passed, want 1h1m", got)
		}
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.NewManual(epoch)
		slept := make(chan error, 1)
		go func() { slept <- clock.Sleep(t.Context(), c, time.Second) }()
		synctest.Wait() // until it sleeps

		c.Advance(time.Second - 1)
		synctest.Wait()
		select {
		case err := <-slept:
			t.Fatalf("Sleep(1s) returned %v after 1s less a nanosecond", err)
		default:
		}
		c.Advance(1)
		if err := <-slept; err != nil {
			t.Errorf("Sleep: %v", err)
		}
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.NewManual(epoch)
		reason := errors.New("shard 17 was handed over")
		ctx, cancel := context.WithCancelCause(t.Context())
		slept := make(chan error, 1)
		go func() { slept <- clock.Sleep(ctx, c, time.Second) }()
		synctest.Wait()

		cancel(reason)
		if err := <-slept; !errors.Is(err, reason) {
			t.Errorf("Sleep = %v, want the cause %q", err, reason)
		}
		if d, waiting := c.Next(); waiting {
			t.Errorf("Sleep left a timer behind, due in %v", d)
		}
		if err := clock.Sleep(ctx, c, 0); !errors.Is(err, reason) {
			t.Errorf("Sleep(0) = %v, want the cause of the context that is done", err)
		}
	})
}

func TestSleepForNothing(t *testing.T) {
	// A clock that nobody advances would keep a Sleep that waits.
	for _, d := range []time.Duration{0, -time.Second} {
		if err := clock.Sleep(t.Context(), clock.NewManual(epoch), d); err != nil {
			t.Errorf("Sleep(%v): %v", d, err)
		}
	}
}
