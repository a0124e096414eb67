// Package actorstest helps to test actors: a System that cleans up after itself
// and a Probe, an actor that the test speaks through.
//
//	func TestGreeter(t *testing.T) {
//		s := actorstest.NewSystem(t)
//		greeter, _ := s.Spawn("greeter", greeterProps)
//		p := actorstest.NewProbe(t, s)
//		p.Tell(t, greeter, Greet{Name: "Ada", To: p.Ref()})
//		p.Expect(t, "Hello, Ada!", time.Second)
//		p.ExpectNone(t, time.Second)
//	}
//
// Nothing here sleeps or polls: what waits is woken. In a testing/synctest
// bubble (make the System inside it) time is virtual, so that an ExpectNone of
// an hour takes no time; elsewhere it takes the time it says.
//
// Functions that take a *testing.T end the test when they fail, so they must be
// called from the test's own goroutine, never inside a Receive.
package actorstest

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet/actors"
)

// Grace is how long NewSystem waits for the actors when the test ends.
const Grace = 10 * time.Second

// NewSystem returns a System that is stopped when the test ends. Its log goes to
// the test's output. If an actor does not stop the test fails, and is told
// which; that is an actor that is stuck in Receive. The Config can be changed
// by the functions.
func NewSystem(t testing.TB, configure ...func(*actors.Config)) *actors.System {
	t.Helper()
	c := actors.DefaultConfig()
	c.Name = t.Name()
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	c.Workers = max(4, runtime.GOMAXPROCS(0)) // tests block actors on purpose
	for _, f := range configure {
		f(&c)
	}
	s, err := actors.NewSystem(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s *actors.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Grace)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("actorstest: actors leaked: %v\n%s", err, Tree(s))
	}
	if n := s.Live(); n != 0 && ctx.Err() == nil {
		t.Errorf("actorstest: %d actors live after the system has stopped", n)
	}
}

// Tree returns the actors of s as an indented list, for failure messages.
func Tree(s *actors.System) string {
	var b strings.Builder
	for _, n := range s.Tree() {
		fmt.Fprintf(&b, "%*s%s (%s, %d waiting, %d restarts)\n", 2*n.Depth, "", n.Name, n.State, n.Mailbox, n.Restarts)
	}
	return b.String()
}

// AwaitStopped waits until an actor has stopped.
func AwaitStopped(t testing.TB, ref *actors.Ref, within time.Duration) {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-ref.Done():
	case <-timer.C:
		t.Fatalf("actorstest: %s has not stopped within %v", ref, within)
	}
}
