package actors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
)

// props makes a kind of actor from one function; children restart at once, so
// that tests of other things than backoff need no clock.
func props(f func(c *actors.Context, msg any)) *actors.Props {
	return &actors.Props{
		New:         func() actors.Actor { return actors.Func(f) },
		Supervision: atOnce,
	}
}

var atOnce = actors.Supervision{MaxRestarts: -1, MinBackoff: -1}

func spawn(t testing.TB, s *actors.System, name string, p *actors.Props) *actors.Ref {
	t.Helper()
	r, err := s.Spawn(name, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tell(t testing.TB, r *actors.Ref, msg any) {
	t.Helper()
	if err := r.Tell(msg); err != nil {
		t.Fatal(err)
	}
}

// question is a message with an answer.
type question struct {
	*actors.Reply[string]
	about string
}

func ask(ctx context.Context, to *actors.Ref, about string) (string, error) {
	return actors.Ask(ctx, to, func(r *actors.Reply[string]) any { return question{r, about} })
}

// order has an actor run a function in its turn.
type order func(c *actors.Context)

// obey is an actor that does what it is told: it runs orders, panics with
// errors, and answers questions with its path.
func obey(c *actors.Context, msg any) {
	switch m := msg.(type) {
	case order:
		m(c)
	case error:
		panic(m)
	case question:
		m.Resolve(c.Self().Path())
	}
}

var errBoom = errors.New("boom")

// block makes an actor wait until the returned function is called, and returns
// when it does wait.
func block(t testing.TB, r *actors.Ref) (release func()) {
	t.Helper()
	in, out := make(chan struct{}), make(chan struct{})
	tell(t, r, order(func(*actors.Context) { close(in); <-out }))
	<-in
	return sync.OnceFunc(func() { close(out) })
}

// in runs f in r's turn and waits for it.
func in(t testing.TB, r *actors.Ref, f func(c *actors.Context)) {
	t.Helper()
	done := make(chan struct{})
	tell(t, r, order(func(c *actors.Context) { defer close(done); f(c) }))
	<-done
}

// parcel is a message that is Refusable and counts what becomes of it.
type parcel struct {
	id  int
	log *journal
}

func (p parcel) Refuse(err error) { p.log.add("refused %d: %v", p.id, kind(err)) }

// kind reduces an error to its sentinel's name.
func kind(err error) string {
	for _, e := range []struct {
		err  error
		name string
	}{
		{actors.ErrStopped, "stopped"},
		{actors.ErrOverloaded, "overloaded"},
		{actors.ErrCycle, "cycle"},
		{actors.ErrCrashed, "crashed"},
		{actors.ErrUnanswered, "unanswered"},
		{context.DeadlineExceeded, "deadline"},
		{context.Canceled, "canceled"},
	} {
		if errors.Is(err, e.err) {
			return e.name
		}
	}
	if err == nil {
		return "ok"
	}
	return err.Error()
}

// journal is a list of lines that actors write and a test reads.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// read returns the lines, and len how many there are.
func (j *journal) read() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

func (j *journal) len() int { return len(j.read()) }

// take returns the lines and forgets them.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.lines
	j.lines = nil
	return l
}

func (j *journal) want(t testing.TB, want ...string) {
	t.Helper()
	got := j.take()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got\n\t%q, want\n\t%q", got, want)
	}
}

// lifecycle wraps an actor so that it notes its lifecycle messages.
func lifecycle(j *journal, name string, f func(c *actors.Context, msg any)) *actors.Props {
	p := props(nil)
	incarnation := 0
	var mu sync.Mutex
	p.New = func() actors.Actor {
		mu.Lock()
		incarnation++
		n := incarnation
		mu.Unlock()
		return actors.Func(func(c *actors.Context, msg any) {
			switch m := msg.(type) {
			case actors.Started, actors.Stopping, actors.Stopped:
				j.add("%s%d %T", name, n, m)
			case actors.Restarting:
				j.add("%s%d %T %v", name, n, m, m.Reason)
			case actors.Terminated:
				j.add("%s%d %T %s", name, n, m, m.Ref)
			}
			if f != nil {
				f(c, msg)
			}
		})
	}
	return p
}

// pass lets d go by, in a synctest bubble, and what happens then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

var discard = slog.New(slog.DiscardHandler)

const soon = 10 * time.Second

func awaitErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}
