package clustertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/cluster/clustertest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

var (
	oldRelease = persistence.Levels{Least: 1, Most: 1}
	newRelease = persistence.Levels{Least: 1, Most: 2}
)

// releases is a configuration in which the named nodes are of the old release, and all
// others of the new one.
func releases(t testing.TB, old ...persistence.NodeID) clustertest.Config {
	cfg := config(t, 16)
	cfg.Levels = func(id persistence.NodeID) persistence.Levels {
		for _, o := range old {
			if o == id {
				return oldRelease
			}
		}
		return newRelease
	}
	return cfg
}

// waitFor waits for what comes about by itself within a minute of the bubble.
func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 600 {
		if is() {
			return
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // in a bubble
	}
	t.Fatalf("never: %s", what)
}

// heldBack fails the test unless a finalize was refused, saying all of it.
func heldBack(t testing.TB, err error, says ...string) {
	t.Helper()
	var r *entity.Rejection
	if !errors.As(err, &r) || r.Reason != cluster.HeldBack {
		t.Fatalf("finalizing: %v, want a rejection", err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("finalizing: %v\nwant it to say %q", err, s)
		}
	}
}

// raise raises the store's level behind the nodes' backs: as a finalize does that has
// not seen who comes meanwhile.
func raise(t testing.TB, w *clustertest.World) {
	t.Helper()
	if err := w.As(newRelease).Level().Raise(t.Context(), 1, 2); err != nil {
		t.Error(err)
	}
}

// Two releases run side by side. While the old one is there the level stays; when it has
// left it is raised, all learn that as they run, and the old one can't return.
//
// Mutations seen to fail: decide that takes the highest level of any node; Finalize that
// raises when asked what it would do; without watchLevel (c never learns).
func TestFinalize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, releases(t, "a"))
		defer w.Close()
		for _, id := range []persistence.NodeID{"a", "b", "c"} {
			w.Start(id)
		}
		w.Settle()
		everyEntity(t, w.Node("a"), 32, 1)

		for _, through := range []persistence.NodeID{"a", "b"} {
			_, err := w.Node(through).Finalize(t.Context(), false)
			heldBack(t, err, "stays at level 1", `node "a" knows no level above 1`)
		}
		f, err := w.Node("b").Finalize(t.Context(), true)
		if err != nil || f.Level != 1 || f.Next != 1 || f.Raised || len(f.Nodes) != 3 || !strings.Contains(f.Held, `node "a"`) {
			t.Errorf("what it would be with the old release: %+v, %v", f, err)
		}
		if err := w.Stop("a"); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "b does not see a any more", func() bool { return len(w.Node("b").Members()) == 2 })
		if f, err = w.Node("b").Finalize(t.Context(), true); err != nil || f.Level != 1 || f.Next != 2 || f.Raised || f.Held != "" {
			t.Errorf("what it would be: %+v, %v", f, err)
		}
		if level, err := w.As(newRelease).Level().Read(t.Context()); err != nil || level != 1 {
			t.Errorf("after asking what it would be the store is at level %d, %v", level, err)
		}
		if f, err = w.Node("b").Finalize(t.Context(), false); err != nil || f.Level != 1 || f.Next != 2 || !f.Raised {
			t.Errorf("finalized: %+v, %v", f, err)
		}
		waitFor(t, "b sees that c has learned it", func() bool {
			seen := w.Node("b").Members()
			return len(seen) == 2 && seen[0].Level == 2 && seen[1].Level == 2
		})
		if got := w.Node("c").Self().Level; got != 2 {
			t.Errorf("c is at level %d", got)
		}
		everyEntity(t, w.Node("c"), 32, 2)

		if _, err := w.Begin("a", 100); !errors.Is(err, persistence.ErrLevel) || !strings.Contains(err.Error(), "run a release that knows level 2") {
			t.Errorf("the old release comes back: %v", err)
		}
		if f, err = w.Node("c").Finalize(t.Context(), false); err != nil || f.Level != 2 || f.Next != 2 || f.Raised {
			t.Errorf("finalized again: %+v, %v", f, err)
		}
	})
}

// A node that the raise has not seen finds it out by itself, gives its shards to the
// others at once, says that it has left, and fails with the reason.
//
// Mutations seen to fail: without watchLevel; outdated that does not release the shards
// (nobody answers for them), or goes on with them until it is found to be fenced;
// Node.State that says Serving still.
func TestOutdatedNodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, releases(t, "a"))
		defer w.Close()
		for _, id := range []persistence.NodeID{"a", "b", "c"} {
			w.Start(id)
		}
		w.Settle()
		everyEntity(t, w.Node("a"), 32, 1)
		a := w.Node("a")
		var appends atomic.Int32
		a.Fault(&persistencetest.Fault{Name: "count", Before: func(_ context.Context, op persistencetest.Op) error {
			if op.Kind == persistencetest.OpAppend {
				appends.Add(1)
			}
			return nil
		}})
		raise(t, w)
		select {
		case <-a.Host.Failed():
		case <-time.After(10 * time.Second):
			t.Fatal("a goes on")
		}
		synctest.Wait()
		before := appends.Load()
		soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		for i := range 32 {
			if _, err := add.Ask(soon, a.Host, fmt.Sprint("e", i), wrapperspb.Int64(1)); err == nil {
				t.Errorf("a takes a command for e%d", i)
			}
		}
		cancel()
		if n := appends.Load() - before; n > 0 {
			t.Errorf("a writes %d frames", n)
		}
		if err := a.Host.Err(); !errors.Is(err, persistence.ErrLevel) || !strings.Contains(err.Error(), "run a release that knows level 2") {
			t.Errorf("a has failed with %v", err)
		}
		waitFor(t, "b does not see a any more", func() bool { return len(w.Node("b").Members()) == 2 })
		w.Settle("b", "c") // while the process of a is there still
		everyEntity(t, w.Node("b"), 32, 2)
		if s := a.State(); s != cluster.Left {
			t.Errorf("a says that it is %s", s)
		}
		w.Quit("a")
		everyAnswers(t, w.Node("c"), 32, 2)
	})
}

// A node of the old release that takes shards after the raise takes none, though it has
// not looked at the level by itself yet: what their owners wrote it could not read.
//
// Mutation seen to fail: journal.claim without its read of the level.
func TestOutdatedNodeTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := releases(t, "a")
		cfg.Host = func(h *entity.HostConfig) { h.LevelEvery = time.Hour }
		w := clustertest.New(t, cfg)
		defer w.Close()
		a, b := w.Start("a"), w.Start("b")
		w.Settle()
		had := a.Status().Open
		raise(t, w)
		time.Sleep(10 * time.Second) //nolint:forbidigo // in a bubble
		if a.Host.Err() != nil || a.Status().Open != had {
			t.Fatalf("a has noticed already: %v, %s", a.Host.Err(), a.Status())
		}
		w.Crash("b")
		_ = b
		waitFor(t, "a has failed", func() bool { return a.Host.Err() != nil })
		if !errors.Is(a.Host.Err(), persistence.ErrLevel) {
			t.Errorf("a has failed with %v", a.Host.Err())
		}
		own := w.As(newRelease).Ownership()
		for s := range persistence.Shard(16) {
			row, err := own.Shard(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if row.Owner == "a" && a.Host.Status(s).Open {
				t.Errorf("a serves shard %d still", s)
			}
			if row.Owner == "a" {
				had--
			}
		}
		if had != 0 {
			t.Errorf("a has claimed %d shards more", -had)
		}
		w.Quit("a")
	})
}

// A node that opens the store before the raise, and joins after it, does not start.
//
// Mutation seen to fail: journal.Open that does not read the level.
func TestOutdatedNodeDoesNotBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := releases(t, "a")
		var w *clustertest.World
		cfg.Host = func(h *entity.HostConfig) {
			h.LevelEvery = time.Hour
			if h.Node == "a" { // its store is open
				raise(t, w)
			}
		}
		w = clustertest.New(t, cfg)
		defer w.Close()
		w.Start("b")
		if _, err := w.Begin("a", 100); !errors.Is(err, persistence.ErrLevel) || !strings.Contains(err.Error(), "raise its incarnation") && !strings.Contains(err.Error(), `node "a"`) {
			t.Errorf("a begins: %v", err)
		}
		w.Settle()
		everyEntity(t, w.Node("b"), 32, 1)
	})
}

// Who can't be asked holds the level back, by name, though it said once that it knows
// the next one.
//
// Mutations seen to fail: Finalize that does not ask the nodes (c is not reached); Finalize without the owners of the store (c is not seen).
func TestFinalizeNamesWhoIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, releases(t))
		defer w.Close()
		for _, id := range []persistence.NodeID{"a", "b", "c"} {
			w.Start(id)
		}
		w.Settle()
		ab, c := []persistence.NodeID{"a", "b"}, []persistence.NodeID{"c"}

		w.Part(clustertest.Requests, ab, c)
		_, err := w.Node("a").Finalize(t.Context(), false)
		heldBack(t, err, `node "c" is not reached, and may be of any release`)
		w.MendAll()
		w.Settle()

		w.Part(clustertest.Gossip, ab, c)
		waitFor(t, "a does not see c", func() bool { return len(w.Node("a").Members()) == 2 })
		_, err = w.Node("a").Finalize(t.Context(), false)
		heldBack(t, err, `node "c" has shards and is not seen`)
		if f, err := w.Node("a").Finalize(t.Context(), true); err != nil || !strings.Contains(f.Held, `node "c"`) {
			t.Errorf("what it would be: %+v, %v", f, err)
		}
		w.MendAll()
		waitFor(t, "all see each other", func() bool { return len(w.Node("a").Members()) == 3 })
		w.Settle()

		// One that is gone for good, and whose shards the others have, has no say.
		w.Crash("c")
		waitFor(t, "the others have all shards", func() bool {
			_, err := w.Node("a").Finalize(t.Context(), false)
			return err == nil
		})
		if level := w.Node("a").Self().Level; level != 2 {
			t.Errorf("the store is at level %d", level)
		}
	})
}

// Of several who finalize at a time all find it done, and once, also when the answer of
// the store is lost.
//
// Mutation seen to fail: Finalize that does not look what became of a lost answer.
func TestFinalizeRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := releases(t)
		w := clustertest.New(t, cfg)
		defer w.Close()
		w.Start("a")
		w.Start("b")
		w.Settle()
		w.Node("a").Fault(persistencetest.LoseReply(persistencetest.OpRaiseLevel))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				n := w.Node([]persistence.NodeID{"a", "b"}[i%2])
				f, err := n.Finalize(t.Context(), false)
				if err != nil || f.Next != 2 {
					t.Errorf("%s: %+v, %v", n.ID, f, err)
				}
			})
		}
		wg.Wait()
		if level, err := w.As(newRelease).Level().Read(t.Context()); err != nil || level != 2 {
			t.Errorf("the store is at level %d, %v", level, err)
		}
	})
}
