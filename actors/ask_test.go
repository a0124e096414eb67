package actors_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

// The first answer wins; every waiter gets it, before or after; a waiter that
// gives up takes nothing with it.
// Mutations: settle wakes one waiter; fail after Resolve overwrites; forget
// leaves the waiter in the list (a later answer blocks, or wakes another ask).
func TestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r actors.Reply[int]
		var wg sync.WaitGroup
		heard := 0
		r.Then(func(v int, err error) { heard += v })
		for range 5 {
			wg.Go(func() {
				if v, err := r.Wait(t.Context()); v != 7 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if r.Settled() {
			t.Error("settled by a waiter that gave up")
		}
		if !r.Resolve(7) || r.Resolve(8) || r.Fail(errBoom) {
			t.Error("the first answer must win, and only it")
		}
		r.Refuse(errBoom)
		wg.Wait()
		r.Then(func(v int, err error) { heard += v })
		if v, err := r.Wait(t.Context()); v != 7 || err != nil || heard != 14 {
			t.Errorf("got %d, %v; Then heard %d", v, err, heard)
		}
	})
}

// An answer and a deadline that come together never mix two asks up: the
// waiter's channel is used again.
// Mutation: wait returns after a lost race with the deadline without taking the
// token, so that the next ask with that waiter returns at once with no answer.
func TestAnswersAndDeadlinesTogether(t *testing.T) {
	s := actorstest.NewSystem(t)
	p := props(func(_ *actors.Context, msg any) {
		if q, ok := msg.(question); ok {
			q.Resolve(q.about)
		}
	})
	p.Mailbox = 1 << 20 // questions that nobody waits for any more wait too
	r := spawn(t, s, "a", p)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				about := fmt.Sprint(g, "/", i)
				if got, err := ask(ctx, r, about); err == nil && got != about || err != nil && ctx.Err() == nil {
					t.Errorf("asked %q, got %q, %v", about, got, err)
				}
			}
		})
	}
	wg.Wait()
}

// An ask ends with its context, before it is sent and after.
func TestAskHonoursItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		r := spawn(t, s, "a", props(obey))
		release := block(t, r)
		defer release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := ask(ctx, r, "")
		awaitErr(t, err, context.DeadlineExceeded)
		if !strings.Contains(err.Error(), "ask a") || time.Since(begin) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
		_, err = ask(ctx, r, "")
		awaitErr(t, err, context.DeadlineExceeded)
		if n := s.Tree()[0].Mailbox; n != 1 {
			t.Errorf("%d messages wait: an ask whose time was over has been sent", n)
		}
	})
}

// relay makes an actor that answers by asking the next one.
func relay(t testing.TB, s *actors.System, name string, next **actors.Ref) *actors.Ref {
	return spawn(t, s, name, props(func(c *actors.Context, msg any) {
		switch m := msg.(type) {
		case question:
			if *next == nil {
				m.Resolve("end")
				return
			}
			ctx, cancel := context.WithTimeout(c.Context(), time.Hour)
			defer cancel()
			if answer, err := ask(ctx, *next, m.about); err != nil {
				m.Fail(err)
			} else {
				m.Resolve(c.Self().Name() + " " + answer)
			}
		case order:
			m(c)
		}
	}))
}

// Actors that ask each other in a chain, longer than there are workers, do not
// starve; when it is over no more workers run than should.
// Mutations: enterWait does not count the worker out (hangs); leaveWait does not
// count it in (one more runs each time).
func TestChainOfAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t, func(c *actors.Config) { c.Workers = 1 })
		const length = 20
		refs := make([]*actors.Ref, length+1)
		for i := range length {
			refs[i] = relay(t, s, fmt.Sprint(i), &refs[i+1])
		}
		for range 3 {
			got, err := ask(t.Context(), refs[0], "")
			if err != nil || len(strings.Fields(got)) != length {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		synctest.Wait()
		running, parked := actors.Workers(s)
		if running != 0 || parked > 2 {
			t.Errorf("%d workers run, %d are kept; want 0 and a spare or two", running, parked)
		}
		// One worker means one actor at a time, spare or not.
		a, b := spawn(t, s, "a", props(obey)), spawn(t, s, "b", props(obey))
		release := block(t, a)
		tell(t, b, order(func(*actors.Context) { release() }))
		synctest.Wait()
		if n := s.Live(); n != length+2 {
			t.Fatal(n)
		}
		if got, _ := actors.Workers(s); got != 1 {
			t.Errorf("%d workers run, want 1", got)
		}
		release()
	})
}

// A ring of asks fails at once and names the ring, whether it closes on the
// asker itself, over several, behind a Forward, or in two asks that cross. Those
// in the ring live on.
// Mutations: check looks at the asker only; the context of the message's asker is
// not linked (prev); ring is not walked; Forward does not check, or not the ring;
// finishMessage leaves at as it is, so that an ask that is put by looks like one
// that is waited for.
func TestCycle(t *testing.T) {
	want := func(t *testing.T, err error, ring string) {
		t.Helper()
		awaitErr(t, err, actors.ErrCycle)
		if !strings.Contains(err.Error(), ring) {
			t.Errorf("got %q, want it to name %q", err, ring)
		}
	}
	t.Run("ring", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := actorstest.NewSystem(t)
			var refs [4]*actors.Ref
			for i, name := range []string{"a", "b", "c", "d"} {
				refs[i] = relay(t, s, name, &refs[(i+1)%4])
			}
			_, err := ask(t.Context(), refs[0], "")
			want(t, err, "a → b → c → d → a")
			refs[3] = nil
			if got, err := ask(t.Context(), refs[0], ""); got != "a b end" || err != nil {
				t.Errorf("afterwards: got %q, %v", got, err)
			}
		})
	})
	t.Run("self", func(t *testing.T) {
		s := actorstest.NewSystem(t)
		var self *actors.Ref
		self = relay(t, s, "a", &self)
		_, err := ask(t.Context(), self, "")
		want(t, err, "a → a")
	})
	t.Run("goroutine", func(t *testing.T) { // B's goroutine asks A, after B's Receive
		synctest.Test(t, func(t *testing.T) {
			s := actorstest.NewSystem(t)
			var b *actors.Ref
			a := relay(t, s, "a", &b)
			b = spawn(t, s, "b", props(func(c *actors.Context, msg any) {
				if q, ok := msg.(question); ok {
					ctx := c.Context()
					go func() {
						synctest.Wait()
						_, err := ask(ctx, a, "")
						q.Fail(err)
					}()
				}
			}))
			_, err := ask(t.Context(), a, "")
			want(t, err, "a → b → a")
		})
	})
	t.Run("forward", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := actorstest.NewSystem(t)
			var a, b, host *actors.Ref
			host = spawn(t, s, "host", props(func(c *actors.Context, msg any) {
				if q, ok := msg.(question); ok {
					to := b
					if q.about == "back" {
						to = a
					}
					q.about = "back"
					if err := c.Forward(to, q); err != nil {
						q.Fail(err)
					}
				}
			}))
			a = relay(t, s, "a", &host)
			b = relay(t, s, "b", &host)
			_, err := ask(t.Context(), a, "there")
			want(t, err, "a → b → a")
			b2 := relay(t, s, "b2", new(*actors.Ref))
			b = b2
			if got, err := ask(t.Context(), a, "there"); got != "a end" || err != nil {
				t.Errorf("a forwarded ask: got %q, %v", got, err)
			}
		})
	})
	t.Run("crossing", func(t *testing.T) {
		for range 100 {
			s := actorstest.NewSystem(t, func(c *actors.Config) { c.Workers = 2 })
			var a, b *actors.Ref
			a = relay(t, s, "a", &b)
			b = relay(t, s, "b", &a)
			var wg sync.WaitGroup
			for _, r := range []*actors.Ref{a, b} {
				// Without a deadline: nothing but the detection ends them.
				wg.Go(func() { _, err := ask(context.Background(), r, ""); awaitCycle(t, err) })
			}
			wg.Wait()
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("crossing forwards", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := actorstest.NewSystem(t)
			var a, b, hostA, hostB *actors.Ref
			host := func(to **actors.Ref, meet chan struct{}) func(c *actors.Context, msg any) {
				return func(c *actors.Context, msg any) {
					if q, ok := msg.(question); ok {
						<-meet
						if err := c.Forward(*to, q); err != nil {
							q.Fail(err)
						}
					}
				}
			}
			meet := make(chan struct{})
			hostA = spawn(t, s, "hostA", props(host(&a, meet)))
			hostB = spawn(t, s, "hostB", props(host(&b, meet)))
			a, b = relay(t, s, "a", &hostB), relay(t, s, "b", &hostA)
			errs := make(chan error)
			for _, r := range []*actors.Ref{a, b} {
				go func() { _, err := ask(t.Context(), r, ""); errs <- err }()
			}
			synctest.Wait() // a waits at hostB, b at hostA
			close(meet)
			awaitErr(t, <-errs, actors.ErrCycle)
			awaitErr(t, <-errs, actors.ErrCycle)
		})
	})
	t.Run("held is no cycle", func(t *testing.T) { // who has put an ask by does not hold it up
		synctest.Test(t, func(t *testing.T) {
			s := actorstest.NewSystem(t)
			var kept question
			b := spawn(t, s, "b", props(func(c *actors.Context, msg any) {
				switch m := msg.(type) {
				case question:
					kept = m
				case order:
					m(c)
				}
			}))
			next := b
			a := relay(t, s, "a", &next)
			first := make(chan error)
			go func() { _, err := ask(t.Context(), a, ""); first <- err }()
			synctest.Wait() // a waits for b's answer; b is free
			next = nil
			done := make(chan error)
			tell(t, b, order(func(c *actors.Context) {
				ctx, cancel := context.WithTimeout(c.Context(), time.Second)
				defer cancel()
				_, err := ask(ctx, a, "")
				done <- err
			}))
			synctest.Wait()
			kept.Resolve("at last") // by somebody outside
			awaitErr(t, <-first, nil)
			awaitErr(t, <-done, nil)
		})
	})
}

func awaitCycle(t *testing.T, err error) {
	if kind(err) != "cycle" && err != nil {
		t.Errorf("got %v, want an answer or a cycle", err)
	}
}

// An actor that waits for an answer is told to stop: the wait ends, so that it
// can.
// Mutation: postSystem cancels nothing.
func TestStopEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		never := spawn(t, s, "never", props(func(*actors.Context, any) {}))
		a := relay(t, s, "a", &never)
		asked := make(chan error)
		go func() { _, err := ask(t.Context(), a, ""); asked <- err }()
		synctest.Wait()
		begin := time.Now()
		a.Stop()
		awaitErr(t, <-asked, context.Canceled)
		actorstest.AwaitStopped(t, a, soon)
		if time.Since(begin) != 0 {
			t.Errorf("it took %v", time.Since(begin))
		}
	})
}

// A context is that of its message while it is handled and no longer, and ends
// with the actor.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		r := spawn(t, s, "a", props(obey))
		var ctx context.Context
		in(t, r, func(c *actors.Context) {
			ctx = c.Context() //nolint:fatcontext // a single one, to look at from outside
			if ctx != c.Context() {
				t.Error("two contexts for one message")
			}
		})
		synctest.Wait()
		if ctx.Err() != nil {
			t.Error("ended with its message")
		}
		r.Stop()
		<-ctx.Done()
		actorstest.AwaitStopped(t, r, soon)
		in := make(chan error, 1)
		r2 := spawn(t, s, "b", props(func(c *actors.Context, msg any) {
			if _, ok := msg.(actors.Stopping); ok {
				in <- c.Context().Err()
			}
		}))
		r2.Stop()
		awaitErr(t, <-in, context.Canceled)
	})
}

// Fairness: an actor that always has something to do lets others have a turn.
// Mutation: turn has no limit.
func TestFairness(t *testing.T) {
	s := actorstest.NewSystem(t, func(c *actors.Config) { c.Workers = 1 })
	var stop bool
	busy := spawn(t, s, "busy", props(func(c *actors.Context, msg any) {
		if m, ok := msg.(int); ok && !stop {
			_ = c.Self().Tell(m)
		}
		obey(c, msg)
	}))
	tell(t, busy, 1)
	other := spawn(t, s, "other", props(obey))
	for range 100 {
		if _, err := ask(t.Context(), other, ""); err != nil {
			t.Fatal(err)
		}
	}
	in(t, busy, func(*actors.Context) { stop = true })
	runtime.KeepAlive(busy)
}
