package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

// Messages of one sender arrive in order, and an actor handles one at a time,
// also across restarts.
// Mutations: rest forgets that the actor is queued again (scheduled); pop takes
// the newest first.
func TestOneAtATimeInOrder(t *testing.T) {
	s := actorstest.NewSystem(t, func(c *actors.Config) { c.Workers = 4; c.Turn = 7; c.Supervision = atOnce; quiet(c) })
	const senders, each = 8, 3000
	var inside atomic.Int32
	var last [senders]int
	done := make(chan struct{})
	left := senders * each
	r := spawn(t, s, "a", props(func(_ *actors.Context, msg any) {
		m, ok := msg.([2]int)
		if !ok {
			return
		}
		if inside.Add(1) != 1 {
			t.Error("two messages at a time")
		}
		defer inside.Add(-1)
		if last[m[0]]++; last[m[0]] != m[1] {
			t.Errorf("sender %d: got %d, want %d", m[0], m[1], last[m[0]])
		}
		if left--; left == 0 {
			close(done)
		}
		if m[1]%500 == 0 {
			panic(errBoom)
		}
	}))
	for id := range senders {
		go func() {
			for i := 1; i <= each; {
				switch err := r.Tell([2]int{id, i}); {
				case err == nil:
					i++
				case errors.Is(err, actors.ErrOverloaded):
					runtime.Gosched()
				default:
					t.Error(err)
					return
				}
			}
		}()
	}
	<-done
}

// quiet drops the log of a test that crashes actors by the hundred.
func quiet(c *actors.Config) { c.Logger = discard }

// A full mailbox says so at once and takes not one more than its bound; what the
// runtime sends is not refused, and the message stays the caller's.
// Mutations: the bound is not checked; system messages are checked against it;
// send refuses an overloaded message.
func TestOverloaded(t *testing.T) {
	var overloaded []string
	j := new(journal)
	s := actorstest.NewSystem(t, func(c *actors.Config) {
		c.Listener.Overloaded = func(path string) { overloaded = append(overloaded, path) }
	})
	p := props(obey)
	p.Mailbox = 3
	r := spawn(t, s, "a", p)
	release := block(t, r)
	defer release()
	for i := range 3 {
		tell(t, r, parcel{i, j})
	}
	awaitErr(t, r.Tell(parcel{3, j}), actors.ErrOverloaded)
	awaitErr(t, r.Offer(parcel{4, j}), actors.ErrOverloaded)
	_, err := ask(t.Context(), r, "")
	awaitErr(t, err, actors.ErrOverloaded)
	if got := fmt.Sprint(overloaded); got != "[a a a]" {
		t.Errorf("Listener.Overloaded heard of %s", got)
	}
	r.Stop()
	release()
	actorstest.AwaitStopped(t, r, soon)
	j.want(t, "refused 0: stopped", "refused 1: stopped", "refused 2: stopped")
}

// What waits when an actor stops is refused, once, and so is what comes later,
// by whoever sends it. What is not Refusable is a dead letter, of which only the
// type is told.
// Mutations: stop does not drain; send does not refuse; refuse skips Refuse (or
// calls it and reports a dead letter too).
func TestStoppedActorRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, func(c *actors.Config) {
			c.Listener.DeadLetter = func(d actors.DeadLetterInfo) { j.add("dead letter %s %s: %v", d.Path, d.Type, kind(d.Err)) }
		})
		r := spawn(t, s, "a", props(obey))
		release := block(t, r)
		tell(t, r, parcel{1, j})
		tell(t, r, "secret")
		asked := make(chan error, 2)
		go func() { _, err := ask(t.Context(), r, ""); asked <- err }()
		synctest.Wait()
		r.Stop()
		awaitErr(t, r.Tell(parcel{2, j}), actors.ErrStopped) // stopping is enough
		awaitErr(t, r.Offer(parcel{3, j}), actors.ErrStopped)
		j.want(t, "refused 2: stopped")
		release()
		actorstest.AwaitStopped(t, r, soon)
		awaitErr(t, <-asked, actors.ErrStopped)
		j.want(t, "refused 1: stopped", "dead letter a string: stopped")

		awaitErr(t, r.Tell(parcel{4, j}), actors.ErrStopped)
		awaitErr(t, r.Tell(5), actors.ErrStopped)
		_, err := ask(t.Context(), r, "")
		awaitErr(t, err, actors.ErrStopped)
		j.want(t, "refused 4: stopped", "dead letter a int: stopped")
	})
}

// The message that an actor panics on is refused with the panic; those behind it
// wait for the next incarnation, in order, and come after its Started.
// Mutations: fail does not refuse; a restart empties the mailbox; incarnate does
// not send Started first.
func TestCrashRefusesOneMessageAndKeepsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
			c.Supervision = actors.Supervision{MinBackoff: time.Minute, MaxBackoff: time.Minute}
			c.Listener.DeadLetter = func(d actors.DeadLetterInfo) { j.add("dead letter %s: %v", d.Type, kind(d.Err)) }
		})
		r := spawn(t, s, "a", lifecycle(j, "a", func(c *actors.Context, msg any) {
			switch m := msg.(type) {
			case parcel:
				j.add("handles %d", m.id)
				if m.id == 0 {
					panic(errBoom)
				}
			case float64:
				panic(m)
			case string:
				j.add("handles %s", m)
			}
		}))
		synctest.Wait()
		tell(t, r, parcel{0, j})
		tell(t, r, "x")
		tell(t, r, parcel{1, j})
		synctest.Wait()
		j.want(t, "a1 actors.Started", "handles 0", "refused 0: crashed")
		tell(t, r, "y") // its mailbox takes messages meanwhile
		pass(time.Minute)
		j.want(t, "a1 actors.Restarting boom", "a2 actors.Started", "handles x", "handles 1", "handles y")
		tell(t, r, 1.5)
		pass(time.Minute)
		j.want(t, "dead letter float64: crashed", "a2 actors.Restarting 1.5", "a3 actors.Started")
	})
}

// While an actor waits for its restart, its mailbox takes what fits, and no more.
// Mutation: a suspended mailbox refuses, or has no bound.
func TestMailboxOfAFailedActorIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t, quiet)
		p := props(obey)
		p.Mailbox = 2
		r := spawn(t, s, "a", p)
		tell(t, r, errBoom)
		synctest.Wait()
		tell(t, r, 1)
		tell(t, r, 2)
		awaitErr(t, r.Tell(3), actors.ErrOverloaded)
		_, err := ask(t.Context(), r, "")
		awaitErr(t, err, actors.ErrOverloaded)
	})
}

// An ask whose message does not know its reply (it is not Refusable) fails like
// any other.
// Mutation: refuse does not fail the slot's ask.
func TestAskFailsWithoutRefusable(t *testing.T) {
	s := actorstest.NewSystem(t, quiet, func(c *actors.Config) { c.Supervision = atOnce })
	r := spawn(t, s, "a", props(func(_ *actors.Context, msg any) {
		if _, ok := msg.(string); ok {
			panic(errBoom)
		}
	}))
	_, err := actors.Ask(t.Context(), r, func(*actors.Reply[int]) any { return "crash" })
	awaitErr(t, err, actors.ErrCrashed)
	awaitErr(t, err, errBoom)
	var crash *actors.CrashError
	if !errors.As(err, &crash) || crash.Path != "a" || !errors.Is(err, errBoom) || len(crash.Stack) == 0 {
		t.Errorf("got %+v", crash)
	}
}

// An actor that takes a question and ends before it answers, fails the ask:
// when it stops, and when it restarts. A detached reply is somebody else's.
// Mutations: finishMessage does not hold; retire does not fail what is held;
// hold ignores detached.
func TestOwedAnswersFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) { c.Supervision = atOnce })
		var taken []question
		r := spawn(t, s, "a", props(func(_ *actors.Context, msg any) {
			switch m := msg.(type) {
			case question:
				if m.about == "detach" {
					m.Detach()
				}
				taken = append(taken, m)
			case error:
				panic(m)
			}
		}))
		begin := func(about string) *actors.Reply[string] {
			reply := actors.Request(r, func(r *actors.Reply[string]) any { return question{r, about} })
			synctest.Wait()
			return reply
		}
		check := func(reply *actors.Reply[string], want error) {
			t.Helper()
			if !reply.Settled() {
				t.Fatal("no answer")
			}
			_, err := reply.Wait(t.Context())
			awaitErr(t, err, want)
		}
		late, detached, crashed := begin("late"), begin("detach"), begin("")
		taken[0].Resolve("in time")
		tell(t, r, errBoom)
		synctest.Wait()
		check(late, nil)
		check(crashed, actors.ErrCrashed)
		stopped := begin("")
		r.Stop()
		synctest.Wait()
		check(stopped, actors.ErrUnanswered)
		check(begin(""), actors.ErrStopped)
		if detached.Settled() {
			t.Fatal("a detached reply was answered by the runtime")
		}
		taken[1].Resolve("by the gate")
		check(detached, nil)
	})
}

// Whatever happens to actors, a message is handled or refused, never both, never
// neither, never twice; the one that an actor panicked on is both. And every ask
// ends.
// Mutations: stop drains only what pop has taken; push after close is accepted;
// a crash drops what its turn has taken.
func TestEveryMessageIsAccountedFor(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { accountForEveryMessage(t, seed) })
	}
}

type item struct {
	n              int
	crash          bool
	handled, ended *atomic.Int32 // ended: refused
}

func (i item) Refuse(error) { i.ended.Add(1) }

func accountForEveryMessage(t *testing.T, seed uint64) {
	const senders, each, names = 6, 400, 5
	s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
		c.Workers, c.Turn, c.Supervision = 3, 5, atOnce
		c.Supervision.MaxRestarts = 3
	})
	p := props(func(c *actors.Context, msg any) {
		switch m := msg.(type) {
		case item:
			m.handled.Add(1)
			if m.crash {
				panic("crash")
			}
		case question:
			if m.about == "late" {
				return // owed for ever
			}
			m.Resolve("")
		case actors.Started:
			if c.Parent() == nil {
				_, _ = c.Spawn("child", props(obey))
			}
		case actors.Restarting, actors.Stopping:
			panic("crash in " + fmt.Sprintf("%T", m))
		}
	})
	p.Mailbox = 50
	var mu sync.Mutex
	refs := make([]*actors.Ref, names)
	get := func(i int) *actors.Ref {
		mu.Lock()
		defer mu.Unlock()
		if refs[i] == nil || refs[i].Tell(order(nil)) != nil {
			if r, err := s.Spawn(fmt.Sprint(i), p); err == nil {
				refs[i] = r
			}
		}
		return refs[i]
	}
	var items [senders][]item
	var wg sync.WaitGroup
	for id := range senders {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(id)))
			for n := range each {
				r := get(rnd.IntN(names))
				switch k := rnd.IntN(100); {
				case k < 2:
					r.Stop()
				case k < 20:
					about := ""
					if k < 5 {
						about = "late"
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					if about == "late" {
						actors.Request(r, func(r *actors.Reply[string]) any { return question{r, about} })
					} else if _, err := ask(ctx, r, about); errors.Is(err, context.DeadlineExceeded) {
						t.Error("an ask hangs")
					}
					cancel()
				default:
					i := item{n, k < 25, new(atomic.Int32), new(atomic.Int32)}
					if err := r.Tell(i); !errors.Is(err, actors.ErrOverloaded) {
						items[id] = append(items[id], i)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id := range items {
		for _, i := range items[id] {
			handled, refused := i.handled.Load(), i.ended.Load()
			if handled+refused != 1 && !(i.crash && handled == 1 && refused == 1) {
				t.Fatalf("sender %d, message %d (crash %v): handled %d times, refused %d times", id, i.n, i.crash, handled, refused)
			}
		}
	}
	if n := s.Live(); n != 0 {
		t.Errorf("%d actors live", n)
	}
}
