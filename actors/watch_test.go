package actors_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

// Terminated arrives once: watched twice, by the parent or by another, before or
// after the end; and not at all after Unwatch, even if it waits already.
// Mutations: addWatch accepts what has stopped (no Terminated); unwatch does not
// forget; receive does not ask unwatch.
func TestTerminatedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		p := actorstest.NewProbe(t, s)
		child := p.Spawn(t, "child", props(obey))
		other := spawn(t, s, "other", props(obey))
		unwatched := spawn(t, s, "unwatched", props(obey))
		all := []*actors.Ref{child, other, unwatched}
		for _, r := range all {
			p.Watch(t, r)
			p.Watch(t, r)
		}
		p.Do(t, func(c *actors.Context) {
			for _, r := range all {
				r.Stop()
				<-r.Done() // a probe may block: it has a worker
			}
			c.Unwatch(unwatched)
		})
		left := map[*actors.Ref]bool{child: true, other: true} // in either order
		for range 2 {
			m := actorstest.ExpectType[actors.Terminated](t, p, soon)
			if !left[m.Ref] {
				t.Errorf("got Terminated of %s, want of %v", m.Ref, left)
			}
			delete(left, m.Ref)
		}
		p.ExpectNone(t, soon)
		for _, r := range all { // dead already
			p.Do(t, func(c *actors.Context) { c.Watch(r); c.Watch(r) })
			p.ExpectTerminated(t, r, soon)
			p.ExpectNone(t, soon)
		}
		p.Do(t, func(c *actors.Context) { c.Watch(other); c.Unwatch(other); c.Watch(other) })
		p.ExpectTerminated(t, other, soon)
		p.ExpectNone(t, soon)
	})
}

// Terminated comes when the actor has stopped, not when it begins to (which is
// when protoactor answers a late Watch): its children are gone, and its name is
// free for whoever hears it, at the top and in a family.
// Mutations: addWatch reports false from stopping on; spawn does not wait for the
// old child's end.
func TestTerminatedComesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		p := actorstest.NewProbe(t, s)
		for _, where := range []func() (*actors.Ref, error){
			func() (*actors.Ref, error) { return s.Spawn("a", props(obey)) },
			func() (ref *actors.Ref, err error) {
				p.Do(t, func(c *actors.Context) { ref, err = c.Spawn("a", props(obey)) })
				return ref, err
			},
		} {
			r, err := where()
			if err != nil {
				t.Fatal(err)
			}
			var child *actors.Ref
			in(t, r, func(c *actors.Context) { child, _ = c.Spawn("child", props(obey)) })
			release := block(t, child)
			r.Stop()
			synctest.Wait()
			p.Watch(t, r)
			p.ExpectNone(t, time.Hour)
			_, err = where()
			awaitErr(t, err, actors.ErrNameExists)
			release()
			p.ExpectTerminated(t, r, soon)
			again, err := where()
			if err != nil {
				t.Fatal(err)
			}
			if again == r {
				t.Error("the same Ref")
			}
			p.ExpectNone(t, time.Hour) // the old one's end is not taken for the new one's
		}
	})
}

// What an actor sent before it stopped arrives before its Terminated.
// Mutation: Terminated is a system message.
func TestTerminatedComesLast(t *testing.T) {
	s := actorstest.NewSystem(t)
	for range 100 {
		p := actorstest.NewProbe(t, s)
		r := spawn(t, s, "a", props(obey))
		p.Watch(t, r)
		tell(t, r, order(func(c *actors.Context) {
			for i := range 10 {
				tell(t, p.Ref(), i)
			}
			c.Stop(c.Self())
		}))
		for i := range 10 {
			p.Expect(t, i, soon)
		}
		p.ExpectTerminated(t, r, soon)
	}
}

// Watching races with the end, and the answer is still one Terminated.
// The name is free each time.
// Mutations: ended sets stopped after it has taken the watchers; bury tells the
// watchers before it frees the name.
func TestWatchRace(t *testing.T) {
	s := actorstest.NewSystem(t, func(c *actors.Config) { c.Workers = 4 })
	p := actorstest.NewProbe(t, s)
	for i := range 2000 {
		r := spawn(t, s, "a", props(obey))
		go r.Stop()
		for range i % 7 {
			runtime.Gosched()
		}
		p.Watch(t, r)
		p.ExpectTerminated(t, r, soon)
	}
	p.ExpectNone(t, time.Millisecond)
}

// A watcher that is gone leaves nothing behind at what it watched.
// Mutation: retire does not unwatch.
func TestWatcherLeavesNothing(t *testing.T) {
	s := actorstest.NewSystem(t)
	r := spawn(t, s, "a", props(obey))
	for range 10 {
		w := spawn(t, s, "w", props(obey))
		in(t, w, func(c *actors.Context) { c.Watch(r) })
		w.Stop()
		actorstest.AwaitStopped(t, w, soon)
	}
	if n := actors.Watchers(r); n != 0 {
		t.Errorf("%d watchers left", n)
	}
}
