// Package clock gives each node a clock of its own.
//
// Nodes of a cluster disagree about the time, and nothing that is safe may rest
// on their agreement. To test that, a simulated cluster runs in one process
// with one Clock a node: one stands still, one is an hour ahead, one jumps.
// What belongs to a node and depends on time therefore takes a Clock; everywhere
// else the standard package time does, in tests under testing/synctest.
//
// System is the clock of the machine. Manual is one that a test moves by hand:
//
//	c := clock.NewManual(time.Date(2008, 5, 1, 0, 0, 0, 0, time.UTC))
//	c.AfterFunc(2*time.Second, n.stopServing)
//	c.Advance(2 * time.Second) // n.stopServing has run when this returns
//
// A clock shows two things that the standard time.Time hides in one value: the
// time of day, which administrators and NTP set, and the passing of time, which
// nobody does. Now tells the first; timers follow the second. Differences of
// System's Now are of the passing of time too, for it keeps Go's monotonic
// reading; those of a Manual jump with it, so that code which measures by them
// is seen to fail.
//
// All clocks and timers are safe for concurrent use.
package clock

import (
	"context"
	"time"
)

// Clock is the time as one node sees it.
type Clock interface {
	// Now is the current time. It may jump in either direction.
	Now() time.Time
	// AfterFunc calls f once, after the duration d has passed or, when d is
	// not positive, as soon as may be. The call is in another goroutine than
	// the caller's, except that a Manual calls f in the one that advances it;
	// f should therefore hand over what takes long, or waits.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call that a Clock has been asked for. *time.Timer is one.
type Timer interface {
	// Stop prevents the call and reports whether it did: false means that the
	// call has begun, or was stopped before. It does not wait for the call to
	// end.
	Stop() bool
	// Reset asks for the call after d from now, whether it was made, stopped
	// or is still to come, and reports whether it was still to come.
	Reset(d time.Duration) bool
}

// System returns the clock of the machine.
func System() Clock { return system{} }

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// Sleep waits until d has passed on the clock c, and returns nil, or until ctx
// is done, and returns the cause. If d is not positive it returns at once, with
// the cause if ctx is done already.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	passed := make(chan struct{})
	timer := c.AfterFunc(d, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-passed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
