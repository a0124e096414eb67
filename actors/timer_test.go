package actors_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

// A timer's message arrives when it is due, unless it was stopped, also when it
// waits in the mailbox already; a full mailbox takes it.
// Mutations: force obeys the bound; take delivers whatever the state; Stop of a
// fired timer reports false (or does nothing).
func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		p := actorstest.NewProbe(t, s)
		kind := props(func(c *actors.Context, msg any) {
			if m, ok := msg.(string); ok {
				tell(t, p.Ref(), m)
			}
			obey(c, msg)
		})
		kind.Mailbox = 1
		r := spawn(t, s, "a", kind)
		var stopped, fired, late *actors.Timer
		in(t, r, func(c *actors.Context) {
			late = c.After(3*time.Second, "3s")
			c.After(time.Second, "1s")
			stopped = c.After(2*time.Second, "never")
			fired = c.After(2*time.Second, "neither")
		})
		p.ExpectNone(t, time.Second-1)
		p.Expect(t, "1s", time.Millisecond)
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop of a timer that waits: want true, then false")
		}
		release := block(t, r)
		pass(time.Second)
		awaitErr(t, r.Tell(0), actors.ErrOverloaded)
		if !fired.Stop() || fired.Stop() {
			t.Error("Stop of a timer whose message waits: want true, then false")
		}
		pass(time.Second)
		release()
		p.Expect(t, "3s", soon)
		p.ExpectNone(t, soon)
		if late.Stop() {
			t.Error("Stop of a delivered timer: want false")
		}
	})
}

// Timers end with the System, which waits for none of them, and a reply in one
// is answered.
// Mutations: stopTimers forgets to stop them (Stop hangs, or goleak finds them),
// or to refuse.
func TestTimersEndWithTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		r := spawn(t, s, "a", props(obey))
		reply := new(actors.Reply[int])
		in(t, r, func(c *actors.Context) {
			for range 10 {
				c.After(time.Hour, 1)
			}
			c.After(time.Hour, reply)
		})
		begin := time.Now()
		if err := s.Stop(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("Stop: %v after %v", err, time.Since(begin))
		}
		_, err := reply.Wait(t.Context())
		awaitErr(t, err, actors.ErrStopped)
	})
}

// A panic on a timer's message refuses that message.
// Mutation: receive does not make it the current message.
func TestTimerMessageIsRefusedByAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) { c.Supervision = atOnce })
		r := spawn(t, s, "a", props(func(c *actors.Context, msg any) {
			if _, ok := msg.(parcel); ok {
				panic(errBoom)
			}
			obey(c, msg)
		}))
		in(t, r, func(c *actors.Context) { c.After(0, parcel{1, j}) })
		pass(time.Second)
		j.want(t, "refused 1: crashed")
	})
}
