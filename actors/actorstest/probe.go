package actorstest

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mesonet/mesonet/actors"
)

// Probe is an actor whose messages the test reads. It keeps what it is told, in
// order, until an Expect takes it; of what the runtime tells it, only
// Terminated. A message that carries a Reply is for the test to answer.
type Probe struct {
	ref *actors.Ref

	mu      sync.Mutex
	queue   []any
	arrived chan struct{} // holds a token if the queue may have grown
}

var probes atomic.Int64

// NewProbe returns a probe in s, under a name of its own at the top of the tree.
func NewProbe(t testing.TB, s *actors.System) *Probe {
	t.Helper()
	p := &Probe{arrived: make(chan struct{}, 1)}
	ref, err := s.Spawn(fmt.Sprintf("probe-%d", probes.Add(1)), &actors.Props{
		New:     func() actors.Actor { return (*probeActor)(p) },
		Mailbox: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.ref = ref
	return p
}

type probeActor Probe

type turn struct {
	do   func(c *actors.Context)
	done chan struct{}
}

func (p *probeActor) Receive(c *actors.Context, msg any) {
	switch m := msg.(type) {
	case actors.Started, actors.Restarting, actors.Stopping, actors.Stopped:
		return
	case turn:
		defer close(m.done)
		m.do(c)
		return
	}
	p.mu.Lock()
	p.queue = append(p.queue, msg)
	p.mu.Unlock()
	select {
	case p.arrived <- struct{}{}:
	default:
	}
}

// Ref is the probe's address.
func (p *Probe) Ref() *actors.Ref { return p.ref }

// Tell sends a message, in the probe's own turn, and fails the test if it is not
// taken.
func (p *Probe) Tell(t testing.TB, to *actors.Ref, msg any) {
	t.Helper()
	var err error
	p.Do(t, func(*actors.Context) { err = to.Tell(msg) })
	if err != nil {
		t.Fatal(err)
	}
}

// Do runs f in the probe's turn, where it may spawn, watch and set timers, and
// waits for it.
func (p *Probe) Do(t testing.TB, f func(c *actors.Context)) {
	t.Helper()
	m := turn{do: f, done: make(chan struct{})}
	if err := p.ref.Tell(m); err != nil {
		t.Fatal(err)
	}
	select {
	case <-m.done:
	case <-p.ref.Done():
		t.Fatalf("actorstest: %s has stopped", p.ref)
	}
}

// Spawn makes a child of the probe.
func (p *Probe) Spawn(t testing.TB, name string, props *actors.Props) *actors.Ref {
	t.Helper()
	var ref *actors.Ref
	var err error
	p.Do(t, func(c *actors.Context) { ref, err = c.Spawn(name, props) })
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// Watch has the probe told Terminated when ref stops.
func (p *Probe) Watch(t testing.TB, ref *actors.Ref) {
	t.Helper()
	p.Do(t, func(c *actors.Context) { c.Watch(ref) })
}

// Expect takes the next message and fails unless it equals want.
func (p *Probe) Expect(t testing.TB, want any, within time.Duration) {
	t.Helper()
	got, ok := p.next(within)
	if !ok {
		t.Fatalf("actorstest: no message within %v, want %#v", within, want)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("actorstest: got %T %+v, want %T %+v", got, got, want, want)
	}
}

// ExpectTerminated takes the next message and fails unless it is Terminated of ref.
func (p *Probe) ExpectTerminated(t testing.TB, ref *actors.Ref, within time.Duration) {
	t.Helper()
	if got := ExpectType[actors.Terminated](t, p, within); got.Ref != ref {
		t.Fatalf("actorstest: got Terminated of %s, want of %s", got.Ref, ref)
	}
}

// ExpectNone fails if a message is there or arrives within d.
func (p *Probe) ExpectNone(t testing.TB, d time.Duration) {
	t.Helper()
	if got, ok := p.next(d); ok {
		t.Fatalf("actorstest: got %T %+v, want no message", got, got)
	}
}

// ExpectType takes the next message and fails unless it is an M.
func ExpectType[M any](t testing.TB, p *Probe, within time.Duration) M {
	t.Helper()
	got, ok := p.next(within)
	if !ok {
		t.Fatalf("actorstest: no message within %v, want %v", within, reflect.TypeFor[M]())
	}
	m, ok := got.(M)
	if !ok {
		t.Fatalf("actorstest: got %T %+v, want %v", got, got, reflect.TypeFor[M]())
	}
	return m
}

// Fish takes messages until one is an M that matches, and returns it; the others
// are thrown away. A nil match matches every M.
func Fish[M any](t testing.TB, p *Probe, within time.Duration, match func(M) bool) M {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		got, ok := p.next(time.Until(deadline))
		if !ok {
			t.Fatalf("actorstest: no matching %v within %v", reflect.TypeFor[M](), within)
		}
		if m, ok := got.(M); ok && (match == nil || match(m)) {
			return m
		}
	}
}

// next takes the next message, waiting for at most d.
func (p *Probe) next(d time.Duration) (any, bool) {
	var timer <-chan time.Time
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			msg := p.queue[0]
			p.queue = p.queue[1:]
			p.mu.Unlock()
			return msg, true
		}
		p.mu.Unlock()
		if timer == nil {
			t := time.NewTimer(d)
			defer t.Stop()
			timer = t.C
		}
		select {
		case <-p.arrived:
		case <-timer:
			return nil, false
		}
	}
}
