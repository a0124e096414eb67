package actors_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

// A child that fails again and again waits twice as long each time, at most
// MaxBackoff. Failures that have left the window are forgotten.
// Mutations: the backoff is linear, or has no maximum; failures are never
// forgotten.
func TestBackoffAndLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		begin := time.Now()
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
			c.Listener.Restarted = func(i actors.RestartInfo) { j.add("%v restart %d", time.Since(begin), i.Restarts) }
			c.Listener.Failed = func(i actors.FailureInfo) {
				j.add("%v %v %d: %v after %v", time.Since(begin), i.Err.Reason, i.Failures, i.Directive, i.Backoff)
			}
			c.Supervision = actors.Supervision{MaxRestarts: 4, Within: time.Minute, MinBackoff: time.Second, MaxBackoff: 6 * time.Second}
		})
		r := spawn(t, s, "a", props(obey))
		for range 4 {
			tell(t, r, errBoom)
			pass(6 * time.Second)
		}
		j.want(t,
			"0s boom 1: restart after 1s", "1s restart 1",
			"6s boom 2: restart after 2s", "8s restart 2",
			"12s boom 3: restart after 4s", "16s restart 3",
			"18s boom 4: restart after 6s", "24s restart 4")
		pass(42 * time.Second) // the first two were a minute ago, or more
		tell(t, r, errBoom)
		pass(6 * time.Second)
		j.want(t, "1m6s boom 3: restart after 4s", "1m10s restart 5")
	})
}

// One failure too many within the window stops the actor, and who watches it is
// told.
// Mutations: no limit; the limit is off by one.
func TestLimitStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
			c.Listener.Stopped = func(i actors.StopInfo) { j.add("%s stopped: %v", i.Path, i.Err) }
			c.Supervision = actors.Supervision{MaxRestarts: 2, MinBackoff: time.Second}
		})
		p := actorstest.NewProbe(t, s)
		r := spawn(t, s, "a", props(obey))
		p.Watch(t, r)
		for range 3 {
			tell(t, r, errBoom)
		}
		p.ExpectNone(t, 3*time.Second-1)
		p.ExpectTerminated(t, r, time.Millisecond)
		j.want(t, "a stopped: actors: the actor crashed: a: boom")
		awaitErr(t, r.Tell(1), actors.ErrStopped)
	})
}

// A failure that no supervisor decides on any more, because it is stopping, is heard
// of all the same, and every failure once. Mutations seen to fail: stopped not
// telling of it; failed telling twice.
func TestFailureOfAChildOfOneThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
			c.Listener.Failed = func(i actors.FailureInfo) { j.add("%s %v: %v", i.Path, i.Err.Reason, i.Directive) }
		})
		top := spawn(t, s, "top", props(obey))
		var child *actors.Ref
		in(t, top, func(c *actors.Context) { child, _ = c.Spawn("child", props(obey)) })
		begin := make(chan struct{})
		tell(t, child, order(func(*actors.Context) { <-begin; panic(errBoom) }))
		synctest.Wait()
		top.Stop()
		synctest.Wait() // top waits for its child, which has not failed yet
		close(begin)
		<-top.Done()
		j.want(t, "top/child boom: stop")
		other := spawn(t, s, "other", props(obey))
		tell(t, other, errBoom)
		synctest.Wait()
		other.Stop()
		<-other.Done()
		j.want(t, "other boom: restart")
	})
}

// The supervisor's restart may come when the actor has been told to stop, and
// waits for its children: it stays stopped.
// Mutation: system accepts a restart in any state.
func TestRestartAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet)
		top := spawn(t, s, "top", props(obey))
		var r, child *actors.Ref
		in(t, top, func(c *actors.Context) { r, _ = c.Spawn("a", lifecycle(j, "a", obey)) })
		in(t, r, func(c *actors.Context) { child, _ = c.Spawn("child", props(obey)) })
		releaseTop, releaseChild := block(t, top), block(t, child)
		tell(t, r, errBoom)
		synctest.Wait()
		r.Stop()
		synctest.Wait()
		releaseTop()
		synctest.Wait()
		releaseChild()
		actorstest.AwaitStopped(t, r, soon)
		j.want(t, "a1 actors.Started", "a1 actors.Stopping", "a1 actors.Stopped")
	})
}

// A stop during the backoff is not undone by the restart, and does not wait for it.
// Mutation: the backoff's timer is not stopped (System.Stop waits for it).
func TestStopDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
			c.Supervision = actors.Supervision{MinBackoff: time.Hour, MaxBackoff: time.Hour}
		})
		r := spawn(t, s, "a", lifecycle(j, "a", obey))
		tell(t, r, errBoom)
		tell(t, r, parcel{1, j})
		synctest.Wait()
		r.Stop()
		synctest.Wait()
		j.want(t, "a1 actors.Started", "refused 1: stopped", "a1 actors.Stopping", "a1 actors.Stopped")
		begin := time.Now()
		if err := s.Stop(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("Stop: %v after %v", err, time.Since(begin))
		}
	})
}

// Each directive, and what the failed actor's siblings notice: nothing.
// Mutations: Resume makes a new incarnation; Restart keeps the old; a panic in
// Decide is not recovered, and so fails the parent.
func TestDirectives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet)
		p := actorstest.NewProbe(t, s)
		parent := props(obey)
		parent.Supervision.Decide = func(reason any) actors.Directive {
			switch fmt.Sprint(reason) {
			case "resume":
				return actors.Resume
			case "stop":
				return actors.Stop
			case "panic":
				panic("in Decide")
			}
			return actors.Restart
		}
		top := spawn(t, s, "top", parent)
		child := func(name string) (ref *actors.Ref) {
			in(t, top, func(c *actors.Context) { ref, _ = c.Spawn(name, lifecycle(j, name, obey)) })
			p.Watch(t, ref)
			synctest.Wait()
			j.take()
			return ref
		}
		a, b := child("a"), child("b")
		tell(t, a, fmt.Errorf("resume"))
		synctest.Wait()
		j.want(t)
		if got, err := ask(t.Context(), a, ""); got != "top/a" || err != nil {
			t.Errorf("after resume: %q, %v", got, err)
		}
		tell(t, a, fmt.Errorf("restart"))
		synctest.Wait()
		j.want(t, "a1 actors.Restarting restart", "a2 actors.Started")
		tell(t, a, fmt.Errorf("stop"))
		p.ExpectTerminated(t, a, soon)
		j.want(t, "a2 actors.Stopping", "a2 actors.Stopped")
		tell(t, b, fmt.Errorf("panic"))
		p.ExpectTerminated(t, b, soon)
		j.want(t, "b1 actors.Stopping", "b1 actors.Stopped")
		if _, err := ask(t.Context(), top, ""); err != nil {
			t.Error(err)
		}
		for _, n := range s.Tree() {
			if n.Restarts != 0 {
				t.Errorf("%s has been restarted", n.Path)
			}
		}
	})
}

// Escalate fails the parent, whose own supervisor decides: a restart ends the
// children with it, a resume lets both go on, and at the top it is a stop.
// Mutations: escalate is ignored at the top (the child hangs); a resume leaves
// the child suspended; the parent goes on while its supervisor decides.
func TestEscalate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		directive := actors.Restart
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
			c.Supervision.Decide = func(any) actors.Directive { return directive }
		})
		middle := lifecycle(j, "middle", func(c *actors.Context, msg any) {
			if _, ok := msg.(actors.Started); ok {
				_, _ = c.Spawn("child", lifecycle(j, "child", obey))
			}
			obey(c, msg)
		})
		middle.Supervision.Decide = func(any) actors.Directive { return actors.Escalate }
		m := spawn(t, s, "middle", middle)
		child := func() (ref *actors.Ref) {
			in(t, m, func(c *actors.Context) { ref = c.Child("child") })
			synctest.Wait()
			j.take()
			return ref
		}
		first := child()
		tell(t, first, errBoom)
		synctest.Wait()
		if got := actorstest.Tree(s); got != "middle (failed, 0 waiting, 0 restarts)\n  child (failed, 0 waiting, 0 restarts)\n" {
			t.Error(got)
		}
		tell(t, m, order(func(*actors.Context) { j.add("middle goes on") }))
		pass(time.Second)
		lines := j.take()
		if len(lines) > 4 {
			slices.Sort(lines[4:]) // two actors at once
		}
		j.lines = lines
		j.want(t, "middle1 actors.Restarting boom", "child1 actors.Stopping", "child1 actors.Stopped",
			"middle2 actors.Started", "child1 actors.Started", "middle goes on")

		directive = actors.Resume
		second := child()
		if first == second {
			t.Error("a restart keeps its children")
		}
		tell(t, second, errBoom)
		synctest.Wait()
		j.want(t)
		for _, r := range []*actors.Ref{m, second} {
			if _, err := ask(t.Context(), r, ""); err != nil {
				t.Errorf("%s after a resume: %v", r, err)
			}
		}

		directive = actors.Escalate
		tell(t, second, errBoom)
		actorstest.AwaitStopped(t, m, soon)
		j.want(t, "middle2 actors.Stopping", "child1 actors.Stopping", "child1 actors.Stopped", "middle2 actors.Stopped")
	})
}

// New and Started may fail like any message: the queue waits for an incarnation
// that starts. There is nothing to resume after a New that failed, so that is a
// restart.
// Mutations: a panic in New ends the worker; Resume makes New run in a loop
// without backoff.
func TestPanicAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []actors.Directive{actors.Restart, actors.Resume} {
			j := new(journal)
			s := actorstest.NewSystem(t, quiet, func(c *actors.Config) {
				c.Supervision.Decide = func(any) actors.Directive { return d }
			})
			n := 0
			r := spawn(t, s, "a", &actors.Props{New: func() actors.Actor {
				switch n++; n {
				case 1:
					panic("no actor")
				case 2:
					return nil
				}
				return actors.Func(func(c *actors.Context, msg any) {
					if _, ok := msg.(actors.Started); ok && n == 3 {
						n++
						j.add("started")
						panic("not started")
					}
					obey(c, msg)
				})
			}})
			if got, err := ask(t.Context(), r, ""); got != "a" || err != nil {
				t.Fatalf("%v: got %q, %v", d, got, err)
			}
			j.want(t, "started")
		}
	})
}

// A panic in the last messages of an actor's life changes nothing: a restart
// stays one, a stop stays one, children stop, watchers are told. The same for
// runtime.Goexit, which is what t.FailNow does, anywhere.
// Mutations: tell does not recover (a stop becomes a restart); tell calls then
// only after a normal return (Goexit hangs); the worker is not replaced; tell
// does not finish its message (the next incarnation has a dead context).
func TestPanicAtTheEnd(t *testing.T) {
	for name, end := range map[string]func(){
		"panic":  func() { panic("at the end") },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				s := actorstest.NewSystem(t, quiet, func(c *actors.Config) { c.Workers, c.Supervision = 1, atOnce })
				p := actorstest.NewProbe(t, s)
				r := spawn(t, s, "a", lifecycle(j, "a", func(c *actors.Context, msg any) {
					switch msg.(type) {
					case actors.Started:
						_, _ = c.Spawn("child", props(obey))
						if err := c.Context().Err(); err != nil {
							t.Error(err)
						}
					case actors.Restarting, actors.Stopping, actors.Stopped:
						_ = c.Context() // not to be handed to the next incarnation
						end()
					case string:
						end()
					}
					obey(c, msg)
				}))
				p.Watch(t, r)
				tell(t, r, "fail")
				if got, err := ask(t.Context(), r, ""); got != "a" || err != nil {
					t.Fatalf("got %q, %v", got, err)
				}
				r.Stop()
				p.ExpectTerminated(t, r, soon)
				lines := j.take()
				lines[1] = lines[1][:len("a1 actors.Restarting")]
				j.lines = lines
				j.want(t, "a1 actors.Started", "a1 actors.Restarting", "a2 actors.Started", "a2 actors.Stopping", "a2 actors.Stopped")
			})
		})
	}
}

// A restart ends what belongs to the incarnation: children, timers, watches, its
// context. The next one starts with nothing.
// Mutations: retire does not stop timers / unwatch / cancel; termination and
// tick are delivered whatever the incarnation.
func TestRestartStartsWithNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := actorstest.NewSystem(t, quiet, func(c *actors.Config) { c.Supervision = atOnce })
		other := spawn(t, s, "other", props(obey))
		gone := spawn(t, s, "gone", props(obey))
		r := spawn(t, s, "a", lifecycle(j, "a", func(c *actors.Context, msg any) {
			if p, ok := msg.(parcel); ok {
				j.add("tick %d", p.id)
			}
			obey(c, msg)
		}))
		synctest.Wait()
		var ended <-chan struct{}
		in(t, r, func(c *actors.Context) {
			ended = c.Context().Done()
			child, _ := c.Spawn("child", props(obey))
			c.Watch(child)
			c.Watch(other)
			c.Watch(gone)
			c.After(time.Second, parcel{1, j})
			c.After(time.Millisecond, parcel{2, j})
		})
		release := block(t, r)
		tell(t, r, errBoom)
		gone.Stop() // its Terminated, and a timer's message, wait when r fails
		pass(time.Millisecond)
		release()
		j.take()
		synctest.Wait()
		<-ended
		other.Stop()
		pass(time.Minute)
		lines := fmt.Sprint(j.take())
		if want := "[a1 actors.Restarting boom refused 1: stopped a2 actors.Started refused 2: stopped]"; lines != want {
			t.Errorf("got %s, want %s", lines, want)
		}
		in(t, r, func(c *actors.Context) {
			if n := len(c.Children()); n != 0 || c.Context().Err() != nil {
				t.Errorf("%d children, context %v", n, c.Context().Err())
			}
			c.Watch(other)
		})
		synctest.Wait()
		j.want(t, "a2 actors.Terminated other")
	})
}

// An actor that begins anew because what it rests on has gone is restarted like
// another, heard of, and told in one line without a stack; one that has a bug is
// told with it. Mutation seen to fail: the line of a crash for both.
func TestExpectedIsNoCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // all is quiet when it is read
		j := new(journal)
		s := actorstest.NewSystem(t, func(c *actors.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.Listener.Failed = func(i actors.FailureInfo) {
				j.add("%v %v: %v", i.Err.Reason, errors.Is(i.Err, errBoom), i.Directive)
			}
		})
		r := spawn(t, s, "a", props(obey))
		tell(t, r, actors.Expected{Err: fmt.Errorf("the store: %w", errBoom)})
		pass(time.Second)
		j.want(t, "the store: boom true: restart")
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `level=INFO msg="actors: an actor begins anew" actor=a reason="the store: boom"`) || strings.Contains(text, "stack") {
			t.Errorf("the log has %s", text)
		}
		tell(t, r, errBoom)
		pass(time.Second)
		j.want(t, "boom true: restart")
		if text := log.String(); !strings.Contains(text, "an actor crashed") || !strings.Contains(text, "stack=") {
			t.Errorf("the log has %s", text)
		}
	})
}
