package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

// A tree stops from top to bottom and ends from bottom to top: Stopping goes to
// a parent before its children, Stopped after. Stop waits for all of it.
// Mutations: bury does not wait for the children; children are told first.
func TestStopOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, func(c *actors.Config) {
			c.Listener.Stopped = func(i actors.StopInfo) { j.add("%s ended", i.Path) }
		})
		var family func(name, child string) *actors.Props
		family = func(name, child string) *actors.Props {
			return lifecycle(j, name, func(c *actors.Context, msg any) {
				if _, ok := msg.(actors.Started); ok && child != "" {
					if _, err := c.Spawn(child, family(child, child[1:])); err != nil {
						t.Error(err)
					}
				}
			})
		}
		spawn(t, s, "abc", family("abc", "bc"))
		synctest.Wait()
		j.want(t, "abc1 actors.Started", "bc1 actors.Started", "c1 actors.Started")
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		j.want(t, "abc1 actors.Stopping", "bc1 actors.Stopping", "c1 actors.Stopping",
			"c1 actors.Stopped", "abc/bc/c ended", "bc1 actors.Stopped", "abc/bc ended", "abc1 actors.Stopped", "abc ended")
		if n := len(s.Tree()); n != 0 || s.Live() != 0 {
			t.Errorf("%d actors in the tree, %d live", n, s.Live())
		}
		_, err := s.Spawn("d", props(obey))
		awaitErr(t, err, actors.ErrStopped)
		if err := s.Stop(t.Context()); err != nil {
			t.Errorf("Stop again: %v", err)
		}
	})
}

// Children that are many stop too, and a parent that crashes meanwhile does not
// change its mind.
func TestStopWhileChildrenFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) { c.Supervision = atOnce })
		top := spawn(t, s, "top", props(obey))
		var child *actors.Ref
		in(t, top, func(c *actors.Context) {
			for i := range 1000 {
				child, _ = c.Spawn(fmt.Sprint(i), props(obey))
			}
		})
		release := block(t, child)
		tell(t, top, errBoom)
		synctest.Wait() // restarting: waits for that child
		if got := s.Tree()[0]; got.State != "restarting" || got.Children != 1 {
			t.Errorf("%+v", got)
		}
		top.Stop()
		synctest.Wait()
		release()
		actorstest.AwaitStopped(t, top, soon)
	})
}

// A Stop that runs out of time says who holds it up, and can be called again;
// inside an actor it says that it would wait for itself.
// Mutation: Stop ignores its context.
func TestStopNamesWhoIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		top := spawn(t, s, "top", props(obey))
		var stuck *actors.Ref
		in(t, top, func(c *actors.Context) {
			stuck, _ = c.Spawn("stuck", props(obey))
			awaitErr(t, s.Stop(c.Context()), actors.ErrCycle)
		})
		release := block(t, stuck)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.Stop(ctx)
		awaitErr(t, err, context.DeadlineExceeded)
		if !strings.HasSuffix(err.Error(), "still there: top/stuck") {
			t.Error(err)
		}
		release()
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Names are unique in a family and nowhere else, whatever is in them; they are
// taken until the end. A spawn in an actor that is stopping fails.
// Mutations: '/' is not escaped (a/b is b of a); Spawn does not look at life.
func TestNames(t *testing.T) {
	s := actorstest.NewSystem(t)
	a := spawn(t, s, "a", props(obey))
	spawn(t, s, "a/b", props(obey))
	in(t, a, func(c *actors.Context) {
		b, err := c.Spawn("b", props(obey))
		if err != nil || b.Path() != "a/b" || b.Name() != "b" || b.Parent() != a || c.Child("b") != b || c.Child("x") != nil {
			t.Errorf("%v, %v", b, err)
		}
		_, err = c.Spawn("b", props(obey))
		awaitErr(t, err, actors.ErrNameExists)
		_, err = c.Spawn("", props(obey))
		awaitErr(t, err, actors.ErrBadName)
		_, err = c.Spawn("c", &actors.Props{})
		awaitErr(t, err, actors.ErrBadProps)
		_, err = c.Spawn("c", nil)
		awaitErr(t, err, actors.ErrBadProps)
		if got := fmt.Sprint(c.Children()); got != "[a/b]" {
			t.Error(got)
		}
	})
	_, err := s.Spawn("a", props(obey))
	awaitErr(t, err, actors.ErrNameExists)
	r := spawn(t, s, "shard/17", props(obey))
	in(t, r, func(c *actors.Context) {
		e, _ := c.Spawn("station/725030:14732", props(obey))
		if e.Path() != "shard%2F17/station%2F725030:14732" || e.Name() != "station/725030:14732" {
			t.Errorf("path %s, name %s", e.Path(), e.Name())
		}
	})
	errs := make(chan error, 1)
	last := spawn(t, s, "last", props(func(c *actors.Context, msg any) {
		if _, ok := msg.(actors.Stopping); ok {
			_, err := c.Spawn("child", props(obey))
			errs <- err
		}
	}))
	last.Stop()
	awaitErr(t, <-errs, actors.ErrStopped)
}

func TestTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t, quiet)
		b := spawn(t, s, "b", props(obey))
		spawn(t, s, "a", props(obey))
		var child *actors.Ref
		in(t, b, func(c *actors.Context) { child, _ = c.Spawn("x", props(obey)) })
		tell(t, child, errBoom)
		synctest.Wait()
		release := block(t, b)
		defer release()
		tell(t, b, 1)
		tell(t, b, 2)
		synctest.Wait()
		want := []actors.Node{
			{Path: "a", Name: "a", State: "running"},
			{Path: "b", Name: "b", State: "running", Mailbox: 2, Children: 1},
			{Path: "b/x", Name: "x", Depth: 1, State: "running", Restarts: 1},
		}
		if got := s.Tree(); !slices.Equal(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

// What is logged: a crash, by us, once; nothing by protoactor, and never a
// message.
// Mutation: protoactor gets the logger as it is.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	s := actorstest.NewSystem(t, func(c *actors.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Supervision = atOnce
	})
	r := spawn(t, s, "a", props(func(c *actors.Context, msg any) {
		if m, ok := msg.(string); ok {
			_ = m
			panic("why")
		}
	}))
	tell(t, r, "payload")
	r.Stop()
	_ = r.Tell("payload")
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = r.Tell("payload")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) > 1 || strings.Contains(out.String(), "payload") || lines[0] != "" && !strings.Contains(lines[0], `actor=a panic=why then=restart`) {
		t.Errorf("log:\n%s", out.String())
	}
}

// A Listener that panics breaks nothing.
// Mutation: hear does not recover.
func TestListenerPanics(t *testing.T) {
	s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
		c.Supervision = atOnce
		c.Listener = actors.Listener{
			Failed:     func(actors.FailureInfo) { panic("failed") },
			Restarted:  func(actors.RestartInfo) { panic("restarted") },
			Stopped:    func(actors.StopInfo) { panic("stopped") },
			Overloaded: func(string) { panic("overloaded") },
			DeadLetter: func(actors.DeadLetterInfo) { panic("dead letter") },
		}
	})
	p := props(obey)
	p.Mailbox = 1
	r := spawn(t, s, "a", p)
	tell(t, r, errBoom)
	for {
		if _, err := ask(t.Context(), r, ""); err == nil {
			break
		}
	}
	release := block(t, r)
	tell(t, r, 1)
	awaitErr(t, r.Tell(2), actors.ErrOverloaded)
	r.Stop()
	release()
	actorstest.AwaitStopped(t, r, soon)
}

// Refuse that panics breaks nothing.
type badParcel struct{}

func (badParcel) Refuse(error) { panic("in Refuse") }

func TestRefusePanics(t *testing.T) {
	s := actorstest.NewSystem(t, quiet)
	r := spawn(t, s, "a", props(obey))
	release := block(t, r)
	tell(t, r, badParcel{})
	r.Stop()
	release()
	actorstest.AwaitStopped(t, r, soon)
	awaitErr(t, r.Tell(badParcel{}), actors.ErrStopped)
}

func TestConfig(t *testing.T) {
	for _, f := range []func(*actors.Config){
		func(c *actors.Config) { c.Workers = -1 },
		func(c *actors.Config) { c.Turn = 0 },
		func(c *actors.Config) { c.Supervision.Within = -1 },
		func(c *actors.Config) { c.Supervision.MinBackoff = time.Hour },
	} {
		c := actors.DefaultConfig()
		f(&c)
		_, err := actors.NewSystem(c)
		awaitErr(t, err, actors.ErrBadProps)
	}
}

// Everything at once, from many goroutines: spawning, telling, asking, watching,
// crashing and stopping, in a tree of three levels. The race detector and goleak
// look on; at the end nothing is left.
func TestStress(t *testing.T) {
	for seed := range uint64(5) {
		stress(t, seed)
	}
}

func stress(t *testing.T, seed uint64) {
	s := actorstest.NewSystem(t, quiet, func(c *actors.Config) { c.Workers, c.Turn, c.Supervision = 4, 3, atOnce })
	var terminated, watched atomic.Int64
	var kind *actors.Props
	kind = props(func(c *actors.Context, msg any) {
		switch m := msg.(type) {
		case int:
			if len(c.Children()) < 3 && strings.Count(c.Self().Path(), "/") < 2 {
				if child, err := c.Spawn(fmt.Sprint(m%5), kind); err == nil {
					c.Watch(child)
				}
			}
			for _, child := range c.Children() {
				_ = child.Tell(m / 2)
			}
		case *actors.Ref:
			c.Watch(m)
			watched.Add(1)
			c.After(time.Microsecond, "tick")
		case actors.Terminated:
			terminated.Add(1)
		}
		obey(c, msg)
	})
	kind.Mailbox = 20
	var mu sync.Mutex
	refs := map[string]*actors.Ref{}
	pick := func(rnd *rand.Rand) *actors.Ref {
		mu.Lock()
		defer mu.Unlock()
		name := fmt.Sprint(rnd.IntN(4))
		if r, err := s.Spawn(name, kind); err == nil {
			refs[name] = r
		} else if !errors.Is(err, actors.ErrNameExists) {
			t.Error(err)
		}
		return refs[name]
	}
	var wg sync.WaitGroup
	for id := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(id)))
			for range 500 {
				r := pick(rnd)
				switch rnd.IntN(12) {
				case 0:
					r.Stop()
				case 1:
					_ = r.Tell(errBoom)
				case 2:
					_ = r.Tell(pick(rnd))
				case 3:
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					if _, err := ask(ctx, r, ""); errors.Is(err, context.DeadlineExceeded) {
						t.Error("an ask hangs")
					}
					cancel()
				case 4:
					s.Tree()
				case 5:
					_ = r.Tell(order(func(c *actors.Context) {
						if child := c.Child("1"); child != nil {
							_, _ = ask(c.Context(), child, "")
							child.Stop()
						}
					}))
				default:
					_ = r.Tell(rnd.IntN(100))
				}
			}
		})
	}
	wg.Wait()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Live() != 0 {
		t.Errorf("%d actors live", s.Live())
	}
	t.Logf("%d watches, %d ends", watched.Load(), terminated.Load())
}
