package actorstest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

type greet struct {
	name string
	to   *actors.Ref
}

func greeter(c *actors.Context, msg any) {
	if m, ok := msg.(greet); ok {
		_ = m.to.Tell("Hello, " + m.name + "!")
		c.After(time.Hour, func() {})
	}
}

// A test of an actor, in virtual time.
func TestGreeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		g, err := s.Spawn("greeter", &actors.Props{New: func() actors.Actor { return actors.Func(greeter) }})
		if err != nil {
			t.Fatal(err)
		}
		p := actorstest.NewProbe(t, s)
		p.Tell(t, g, greet{"Ada", p.Ref()})
		p.Expect(t, "Hello, Ada!", time.Second)
		p.ExpectNone(t, time.Hour)
	})
}

// recorder is a test that is expected to fail: it keeps what it is told.
type recorder struct {
	testing.TB
	failure  string
	cleanups []func()
}

func (r *recorder) Helper()                   {}
func (r *recorder) Cleanup(f func())          { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(f string, a ...any) { r.failure = fmt.Sprintf(f, a...) }
func (r *recorder) Fatal(a ...any)            { r.failure = fmt.Sprint(a...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.failure = fmt.Sprintf(f, a...); runtime.Goexit() }

// fails runs f, and says what it failed with.
func fails(t *testing.T, f func(t testing.TB)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	for _, c := range r.cleanups {
		c()
	}
	return r.failure
}

// Each expectation fails when it should, and says what it got.
func TestExpectationsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		p := actorstest.NewProbe(t, s)
		send := func(msgs ...any) {
			for _, m := range msgs {
				if err := p.Ref().Tell(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, c := range []struct {
			send []any
			f    func(t testing.TB)
			want string
		}{
			{nil, func(t testing.TB) { p.Expect(t, 1, time.Second) }, "no message within 1s, want 1"},
			{[]any{"x"}, func(t testing.TB) { p.Expect(t, 1, time.Second) }, "got string x, want int 1"},
			{[]any{"x"}, func(t testing.TB) { p.ExpectNone(t, time.Second) }, "got string x, want no message"},
			{[]any{"x"}, func(t testing.TB) { actorstest.ExpectType[int](t, p, time.Second) }, "got string x, want int"},
			{nil, func(t testing.TB) { actorstest.ExpectType[int](t, p, time.Second) }, "no message within 1s, want int"},
			{[]any{1, "x"}, func(t testing.TB) {
				actorstest.Fish(t, p, time.Second, func(n int) bool { return n > 1 })
			}, "no matching int within 1s"},
			{[]any{actors.Terminated{Ref: p.Ref()}}, func(t testing.TB) { p.ExpectTerminated(t, nil, time.Second) }, "want of"},
			{nil, func(t testing.TB) { actorstest.AwaitStopped(t, p.Ref(), time.Second) }, "has not stopped within 1s"},
		} {
			send(c.send...)
			if got := fails(t, c.f); !strings.Contains(got, c.want) {
				t.Errorf("failed with %q, want %q", got, c.want)
			}
		}
		send(1, "x", 2)
		if got := actorstest.Fish(t, p, time.Second, func(n int) bool { return n > 1 }); got != 2 {
			t.Errorf("fished %d", got)
		}
	})
}

// A test that leaves an actor stuck fails, and is told which.
// Mutation: stop ignores the error.
func TestLeakFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var s *actors.System
		got := fails(t, func(t testing.TB) {
			s = actorstest.NewSystem(t)
			_, _ = s.Spawn("stuck", &actors.Props{New: func() actors.Actor {
				return actors.Func(func(_ *actors.Context, msg any) {
					if _, ok := msg.(actors.Started); ok {
						<-release
					}
				})
			}})
		})
		if !strings.Contains(got, "still there: stuck") || !strings.Contains(got, "stuck (running, 0 waiting, 0 restarts)") {
			t.Errorf("failed with %q", got)
		}
		close(release)
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
