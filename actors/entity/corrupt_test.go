package entity_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// harmless is counter without its bugs: what it has stored counter can't evolve.
var (
	harmless = entity.New("counter", func(s *wrapperspb.Int64Value, e proto.Message) { s.Value += e.(*wrapperspb.Int64Value).Value })
	addTo    = entity.Command(harmless, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		return entity.Persist(c), nil
	}, total)
	getFrom = entity.Query(harmless, func(s *wrapperspb.Int64Value, _ *emptypb.Empty) (*wrapperspb.Int64Value, error) {
		return total(s), nil
	})
)

// corrupted returns a store in which entity a has the events 1, 666 and 2, of
// which counter can't evolve the second, at the position that is returned, and b
// has 3. Both are in one shard.
func corrupted(t *testing.T, inPages ...int64) (*persistencetest.Faulty, persistence.Position) {
	t.Helper()
	store := newStore(t)
	h := openHost(t, store, harmless.Kind)
	for _, n := range inPages {
		if _, err := addTo.Ask(t.Context(), h, "a", wrapperspb.Int64(n)); err != nil {
			t.Fatal(err)
		}
	}
	h.Checkpoint(t.Context())
	var at persistence.Position
	for _, n := range []int64{1, 666, 2} {
		var token entity.Token
		if _, err := addTo.Ask(t.Context(), h, "a", wrapperspb.Int64(n), entity.Into(&token)); err != nil {
			t.Fatal(err)
		}
		if n == 666 {
			at = token.Position - 1
		}
	}
	if _, err := addTo.Ask(t.Context(), h, neighbour(h, "a"), wrapperspb.Int64(3)); err != nil {
		t.Fatal(err)
	}
	crashHost(t, h, store)
	return store, at
}

// neighbour returns another entity of the same shard.
func neighbour(h *entity.Host, id string) string {
	shard := h.ShardOf(entity.ID{Kind: "counter", ID: id})
	for i := 0; ; i++ {
		if other := fmt.Sprint("n", i); h.ShardOf(entity.ID{Kind: "counter", ID: other}) == shard {
			return other
		}
	}
}

func corruptAt(err error) persistence.Position {
	var c *entity.CorruptError
	if !errors.Is(err, entity.ErrCorrupt) || !errors.As(err, &c) {
		return 0
	}
	return c.Position
}

// openTrapped opens a host in which an event of b0 panics, so that b0 is corrupt there,
// and returns the event's position.
func openTrapped(t *testing.T, store persistence.Store, number int) (*entity.Host, persistence.Position) {
	t.Helper()
	setTrap(func(point string, n note) {
		if point == "evolve" && n.number == number {
			panic(point)
		}
	})
	h := openHost(t, store, brittle)
	_, err := leafThrough.Ask(t.Context(), h, "b0", 0)
	at := corruptAt(err)
	if at == 0 {
		t.Fatalf("an event that panics: %v", err)
	}
	return h, at
}

// A corrupt entity does not hold its shard's checkpoint back: its events are kept
// aside, over restarts, until it is back, by another version of the program or by
// a skip. Mutations seen to fail: keep not writing; keptNow not lifting dirty;
// takeTail without what is kept; keep reading only up to what the actor had
// replayed; release before the pages are stored; the kept events not released.
func TestCorruptIsKept(t *testing.T) {
	store, at := corrupted(t, 100)
	for range 3 {
		h := openHost(t, store)
		if _, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}); corruptAt(err) != at {
			t.Errorf("the corrupt entity: %v, want corrupt at %s", err, at)
		}
		if h.Stats().Corrupt != 1 {
			t.Errorf("%d entities are corrupt", h.Stats().Corrupt)
		}
		b := neighbour(h, "a")
		ask(t, h, b, 1)
		waitFor(t, func() bool { h.Checkpoint(t.Context()); return h.TailBytes() == 0 })
		crashHost(t, h, store)
	}
	h := openHost(t, store, harmless.Kind)
	for range 2 {
		got, err := getFrom.Ask(t.Context(), h, "a", &emptypb.Empty{})
		if err != nil || got.Value != 769 {
			t.Errorf("understood, it is %v, %v; want 769", got, err)
		}
		h.Checkpoint(t.Context())
		waitFor(t, func() bool { return h.Kept() == 0 })
		crashHost(t, h, store)
		h = openHost(t, store, harmless.Kind)
	}
	closeHost(t, h)
	for p, err := range store.Pages().Scan(t.Context(), h.ShardOf(entity.ID{Kind: "counter", ID: "a"}), persistence.PageKey{Page: "kept/"}, true) {
		if err != nil || strings.HasPrefix(p.Key.Page, "kept/") {
			t.Errorf("%s is left, %v", p.Key, err)
		}
	}
}

// A skip leaves out the event by which an entity is corrupt, and no other, for
// ever. Mutations seen to fail: skip taking any position; replay not looking at
// skips; release before the skip is in a stored page.
func TestSkip(t *testing.T) {
	for _, late := range []bool{false, true} { // when the event is in the tail still, or kept
		store, at := corrupted(t)
		h := openHost(t, store)
		id := entity.ID{Kind: "counter", ID: "a"}
		var r *entity.Rejection
		if err := h.Skip(t.Context(), entity.ID{Kind: "counter", ID: neighbour(h, "a")}, at); !errors.As(err, &r) || r.Reason != "NOT_CORRUPT" {
			t.Errorf("skipping an event of an entity that is well: %v", err)
		}
		if _, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}); corruptAt(err) != at {
			t.Errorf("the corrupt entity: %v", err)
		}
		if late {
			waitFor(t, func() bool { h.Checkpoint(t.Context()); return h.TailBytes() == 0 })
			crashHost(t, h, store)
			h = openHost(t, store)
		}
		for _, wrong := range []persistence.Position{at - 1, at + 1} {
			if err := h.Skip(t.Context(), id, wrong); !errors.As(err, &r) || r.Reason != "NOT_THE_EVENT" {
				t.Errorf("skipping %s, which is not the event: %v", wrong, err)
			}
		}
		if err := h.Skip(t.Context(), id, at); err != nil {
			t.Fatal(err)
		}
		for step := range 4 {
			if got := ask(t, h, "a", 1); got != int64(4+step) {
				t.Errorf("step %d: after the skip it is %d, want %d", step, got, 4+step)
			}
			if step == 1 {
				h.Checkpoint(t.Context())
			}
			crashHost(t, h, store)
			h = openHost(t, store)
		}
		closeHost(t, h)
	}
}

// A frame that can't be read stops its shard, loudly, and no other.
func TestCorruptFrame(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store)
	for i := range 20 {
		ask(t, h, fmt.Sprint("c", i), 1)
	}
	crashHost(t, h, store)
	bad := h.ShardOf(entity.ID{Kind: "counter", ID: "c0"})
	cfg := hostConfig(&flippedLog{store, bad})
	var stopped atomic.Int64
	cfg.Listener.ShardStopped = func(n persistence.Shard, err error) {
		if n != bad || !errors.Is(err, entity.ErrCorrupt) {
			t.Errorf("shard %d stopped: %v", n, err)
		}
		stopped.Add(1)
	}
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, h)
	if s := h.Stats(); stopped.Load() != 1 || s.StoppedShards != 1 || s.OpenShards != s.Shards-1 {
		t.Errorf("stopped: told %d times, %+v", stopped.Load(), s)
	}
	for i := range 20 {
		id := fmt.Sprint("c", i)
		_, err := get.Ask(t.Context(), h, id, &emptypb.Empty{})
		if in := h.ShardOf(entity.ID{Kind: "counter", ID: id}) == bad; in != errors.Is(err, entity.ErrCorrupt) || !in && err != nil {
			t.Errorf("%s, in the bad shard %t: %v", id, in, err)
		}
	}
	if _, err := h.List(t.Context(), "counter", "", 10); !errors.Is(err, entity.ErrCorrupt) {
		t.Errorf("listing without the shard: %v", err)
	}
}

// flippedLog is a store of which one shard's frames are damaged.
type flippedLog struct {
	persistence.Store
	bad persistence.Shard
}

func (s *flippedLog) Log() persistence.Log { return &flipped{s.Store.Log(), s.bad} }

type flipped struct {
	persistence.Log
	bad persistence.Shard
}

func (l *flipped) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	return func(yield func(persistence.Frame, error) bool) {
		for f, err := range l.Log.Read(ctx, shard, from) {
			if shard == l.bad && len(f.Data) > 0 {
				f.Data[len(f.Data)-1] ^= 1
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// The events of a corrupt entity are kept as they are at the last change, in
// whatever order the changes end. Mutations seen to fail: a stamp that is taken
// when the page is written; keptNow taking the word of any change; changeKept not
// comparing stamps.
func TestKeptInOrder(t *testing.T) {
	for _, block := range []string{"write", "read"} {
		t.Run(block, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				h := openHost(t, store, harmless.Kind)
				var bad []persistence.Position
				for _, n := range []int64{1, 666, 666, 2} {
					var token entity.Token
					if _, err := addTo.Ask(t.Context(), h, "a", wrapperspb.Int64(n), entity.Into(&token)); err != nil {
						t.Fatal(err)
					}
					if n == 666 {
						bad = append(bad, token.Position-1)
					}
				}
				crashHost(t, h, store)
				h = openHost(t, store)

				// The first time that the events are kept takes long: in the write,
				// or before it, in the read; so does the first read of the second time, after
				// two of the skip.
				var writes, reads atomic.Int64
				release := []chan struct{}{make(chan struct{}), make(chan struct{})}
				store.Hook(persistencetest.Hooks{
					WritePages: func(_ context.Context, pages []persistence.Page) error {
						if block == "write" && strings.HasPrefix(pages[0].Key.Page, "kept/") && writes.Add(1) == 1 {
							<-release[0]
						}
						return nil
					},
					ReadPage: func(_ context.Context, key persistence.PageKey) error {
						if block == "read" && key.Page == "checkpoint" {
							switch reads.Add(1) {
							case 1:
								<-release[0]
							case 4:
								<-release[1]
							}
						}
						return nil
					},
				})
				corrupt := func(at persistence.Position) {
					t.Helper()
					if _, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}); corruptAt(err) != at {
						t.Errorf("it is corrupt, %v; want at %s", err, at)
					}
				}
				id := entity.ID{Kind: "counter", ID: "a"}
				corrupt(bad[0])
				synctest.Wait()
				if err := h.Skip(t.Context(), id, bad[0]); err != nil {
					t.Fatal(err)
				}
				corrupt(bad[1])
				synctest.Wait()
				if block == "write" && h.Clean(id) != h.Acked(id) {
					t.Errorf("kept, it holds the checkpoint at %s", h.Clean(id))
				}
				close(release[0])
				synctest.Wait()
				if block == "read" && h.Clean(id) == h.Acked(id) {
					t.Error("what was kept before the skip lets the checkpoint pass it")
				}
				close(release[1])
				synctest.Wait()
				store.Hook(persistencetest.Hooks{})
				h.Checkpoint(t.Context())
				if h.Clean(id) != h.Acked(id) || h.TailBytes() > 0 {
					t.Errorf("kept, it holds the checkpoint at %s", h.Clean(id))
				}

				if block == "read" {
					crashHost(t, h, store)
					h = openHost(t, store)
				}
				corrupt(bad[1])
				if err := h.Skip(t.Context(), id, bad[1]); err != nil {
					t.Fatal(err)
				}
				if got := ask(t, h, "a", 1); got != 4 {
					t.Errorf("after both were skipped it is %d, want 4", got)
				}
				closeHost(t, h)
			})
		})
	}
}

// Events are kept again after they have been let go of, though nothing but the one
// new event was acknowledged in between. Mutation seen to fail: the stamps of
// changes being what is acknowledged, that of the end 1 more.
func TestKeptAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer setTrap(nil)
		panics := func(at ...string) {
			setTrap(func(point string, _ note) {
				if slices.Contains(at, point) {
					panic(point)
				}
			})
		}
		store := newStore(t)
		h := openHost(t, store, brittle)
		if _, err := jot.Ask(t.Context(), h, "b0", note{0, 8 + 1}); err != nil {
			t.Fatal(err)
		}
		crashHost(t, h, store)
		h = openHost(t, store, brittle)
		id := entity.ID{Kind: "brittle", ID: "b0"}
		stored := func() {
			t.Helper()
			for range 2 {
				h.Checkpoint(t.Context())
				synctest.Wait()
			}
			if h.Clean(id) != h.Acked(id) || h.TailBytes() > 0 {
				t.Errorf("the checkpoint is held at %s, a tail of %d bytes is left", h.Clean(id), h.TailBytes())
			}
		}
		panics("evolve")
		_, err := leafThrough.Ask(t.Context(), h, "b0", 0)
		at := corruptAt(err)
		if at == 0 {
			t.Errorf("an event that panics: %v", err)
		}
		stored()
		setTrap(nil)
		if err := h.Skip(t.Context(), id, at); err != nil {
			t.Fatal(err)
		}
		stored()
		if n := h.Kept(); n != 0 {
			t.Errorf("events of %d entities are kept after the skip", n)
		}
		if _, err := jot.Ask(t.Context(), h, "b0", note{0, 16 + 1}); err != nil {
			t.Fatal(err)
		}
		panics("decide", "evolve")
		if _, err := jot.Ask(t.Context(), h, "b0", note{0, 24 + 1}); !errors.Is(err, entity.ErrCrashed) {
			t.Errorf("a command that panics: %v", err)
		}
		if _, err := leafThrough.Ask(t.Context(), h, "b0", 0); corruptAt(err) == 0 {
			t.Errorf("an event that panics: %v", err)
		}
		stored()
		crashHost(t, h, store)
		setTrap(nil)
		h = openHost(t, store, brittle)
		defer closeHost(t, h)
		want := jottings{{16 + 1}}
		if got, err := leafThrough.Ask(t.Context(), h, "b0", 0); err != nil || !want.equal(got) {
			t.Errorf("in the end it has %d, %v; want %d", got, err, want)
		}
	})
}

// Events that are kept and still in the tail, as the process ended before the
// checkpoint went on, come back once, and those of two entities are kept without
// the store looking wrong. Mutations seen to fail: takeTail putting the tail behind
// what is kept as it is; inspect holding pages of kept events against the log.
func TestKeptAndInTheTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer setTrap(nil)
		m, err := memory.New(1)
		if err != nil {
			t.Fatal(err)
		}
		store := &persistencetest.Faulty{Store: m}
		h := openHost(t, store, brittle)
		for owner := range 2 {
			for _, n := range []int{8 + 7, 16 + 7} { // will be joined
				if _, err := scribble.Ask(t.Context(), h, fmt.Sprint("b", owner), scrawl{owner, []int{n}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		crashHost(t, h, store)
		setTrap(func(point string, _ note) {
			if point == "decode event" {
				panic(point)
			}
		})
		h = openHost(t, store, brittle)
		for owner := range 2 {
			if _, err := leafThrough.Ask(t.Context(), h, fmt.Sprint("b", owner), allOf(owner)); corruptAt(err) == 0 {
				t.Errorf("an event that can't be read: %v", err)
			}
		}
		synctest.Wait()
		if n := h.Kept(); n != 2 {
			t.Errorf("events of %d entities are kept, want 2", n)
		}
		crashHost(t, h, store)
		setTrap(nil)
		if _, found := verify(t, store, 0, brittle); len(found) > 0 {
			t.Errorf("found:\n%s", strings.Join(found, "\n"))
		}
		h = openHost(t, store, brittle)
		defer closeHost(t, h)
		all := []int{8 + 7, 16 + 7}
		want := jottings{all, all, all}
		for owner := range 2 {
			if got, err := leafThrough.Ask(t.Context(), h, fmt.Sprint("b", owner), allOf(owner)); err != nil || !want.equal(got) {
				t.Errorf("b%d has %d, %v; want %d", owner, got, err, want)
			}
		}
	})
}

// Events that could not be kept are tried again. Mutation seen to fail: a flush
// that does nothing for a corrupt entity.
func TestKeepsAgainAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, at := corrupted(t)
		h := openHost(t, store)
		defer closeHost(t, h)
		store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { return errors.New("full") }})
		if _, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}); corruptAt(err) != at {
			t.Errorf("the corrupt entity: %v", err)
		}
		synctest.Wait()
		store.Hook(persistencetest.Hooks{})
		for range 2 {
			h.Checkpoint(t.Context())
			synctest.Wait()
		}
		if left := h.TailBytes(); left != 0 || h.Kept() != 1 {
			t.Errorf("a tail of %d bytes is left, and events of %d entities are kept; want 0 and 1", left, h.Kept())
		}
	})
}

// An entity whose events are all in stored pages has nothing to be kept, though it
// said that it is dirty, by a command that crashed. Mutation seen to fail: keep
// writing a page of no events.
func TestNothingToKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer setTrap(nil)
		store := newStore(t)
		h := openHost(t, store, brittle)
		defer closeHost(t, h)
		if _, err := jot.Ask(t.Context(), h, "b0", note{0, 8 + 1}); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		var reads atomic.Int64
		store.Hook(persistencetest.Hooks{
			WritePages: func(_ context.Context, pages []persistence.Page) error {
				if pages[0].Key.Page == "checkpoint" {
					return errors.New("not now")
				}
				return nil
			},
			ReadPage: func(_ context.Context, key persistence.PageKey) error {
				if key.Page == "checkpoint" && reads.Add(1) == 3 { // two by the entity, then to keep its events
					<-release
				}
				return nil
			},
		})
		h.Checkpoint(t.Context()) // of the pages alone
		setTrap(func(point string, _ note) {
			if point == "evolve" || point == "decode event" {
				panic(point)
			}
		})
		if _, err := jot.Ask(t.Context(), h, "b0", note{0, 16 + 1}); !errors.Is(err, entity.ErrCrashed) {
			t.Errorf("a command that panics: %v", err)
		}
		if _, err := leafThrough.Ask(t.Context(), h, "b0", 0); corruptAt(err) == 0 {
			t.Errorf("an event that panics: %v", err)
		}
		synctest.Wait()
		store.Hook(persistencetest.Hooks{})
		h.Checkpoint(t.Context())
		if left := h.TailBytes(); left > 0 {
			t.Fatalf("a tail of %d bytes is left, though all is stored", left)
		}
		close(release)
		synctest.Wait()
		if id := (entity.ID{Kind: "brittle", ID: "b0"}); h.Kept() > 0 || h.Clean(id) != h.Acked(id) {
			t.Errorf("events of %d entities are kept, the checkpoint is held at %s; want none, and %s", h.Kept(), h.Clean(id), h.Acked(id))
		}
	})
}

// A skip may come while the events of an entity are still on their way into the page
// that keeps them. It holds the checkpoint until they are there, and gone again:
// else the next start would replay them without the skip, and the entity would be
// corrupt once more. Mutation seen to fail: release not waiting for attempts that
// are under way.
func TestSkipWhileEventsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer setTrap(nil)
		store := newStore(t)
		h := openHost(t, store, brittle)
		for _, n := range []int{8 + 1, 16 + 2} {
			if _, err := jot.Ask(t.Context(), h, "b0", note{0, n}); err != nil {
				t.Fatal(err)
			}
		}
		crashHost(t, h, store)
		setTrap(func(point string, n note) {
			if point == "evolve" && n.number == 16+2 {
				panic(point)
			}
		})
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, pages []persistence.Page) error {
			if strings.HasPrefix(pages[0].Key.Page, "kept/") && !pages[0].Deleted {
				<-release
			}
			return nil
		}})
		h = openHost(t, store, brittle)
		_, err := leafThrough.Ask(t.Context(), h, "b0", 0)
		at := corruptAt(err)
		if at == 0 {
			t.Fatalf("an event that panics: %v", err)
		}
		id := entity.ID{Kind: "brittle", ID: "b0"}
		if err := h.Skip(t.Context(), id, at); err != nil {
			t.Fatal(err)
		}
		pass := func() {
			for range 2 {
				synctest.Wait()
				h.Checkpoint(t.Context())
			}
			synctest.Wait()
		}
		pass()
		if clean := h.Clean(id); clean > at {
			t.Errorf("the checkpoint may be %s while events up to %s are on their way aside", clean, at)
		}
		close(release)
		pass()
		if left := h.TailBytes(); left > 0 || h.Kept() > 0 {
			t.Errorf("a tail of %d bytes is left, and events of %d entities are kept; want none", left, h.Kept())
		}
		crashHost(t, h, store)
		h = openHost(t, store, brittle)
		defer closeHost(t, h)
		want := jottings{{8 + 1}}
		if got, err := leafThrough.Ask(t.Context(), h, "b0", 0); err != nil || !want.equal(got) {
			t.Errorf("at the next start it has %d, %v; want %d", got, err, want)
		}
	})
}

// Nor does the checkpoint pass a skip, before the events are let go of, because the
// entity has gone on. Mutation seen to fail: settle asking for what is kept only when
// no page is dirty.
func TestSkipStaysBesideWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer setTrap(nil)
		store := newStore(t)
		h := openHost(t, store, brittle)
		write := func(n int) {
			t.Helper()
			if _, err := jot.Ask(t.Context(), h, "b0", note{0, n}); err != nil {
				t.Fatal(err)
			}
		}
		write(8 + 2)
		crashHost(t, h, store)
		h, at := openTrapped(t, store, 8+2)
		synctest.Wait()
		store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { return errors.New("full") }})
		id := entity.ID{Kind: "brittle", ID: "b0"}
		if err := h.Skip(t.Context(), id, at); err != nil {
			t.Fatal(err)
		}
		write(16 + 1)
		crashHost(t, h, store)

		h = openHost(t, store, brittle) // finds the event aside, the skip and a newer one in the tail
		defer closeHost(t, h)
		store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { return errors.New("full") }})
		want := jottings{{16 + 1}}
		if got, err := leafThrough.Ask(t.Context(), h, "b0", 0); err != nil || !want.equal(got) {
			t.Fatalf("after the skip it has %d, %v; want %d", got, err, want)
		}
		if clean := h.Clean(id); h.Kept() == 1 && clean > at+1 {
			t.Errorf("the checkpoint may be %s, above the skip, and the event at %s is kept", clean, at)
		}
		store.Hook(persistencetest.Hooks{})
		for range 3 {
			synctest.Wait()
			h.Checkpoint(t.Context())
		}
		if left := h.TailBytes(); left > 0 || h.Kept() > 0 {
			t.Errorf("a tail of %d bytes is left, and events of %d entities are kept; want none", left, h.Kept())
		}
	})
}

// An event on which any function panics that sees it at a recovery can be skipped.
// Mutation seen to fail: touchedBy not saying which event it is.
func TestSkipWhatPanics(t *testing.T) {
	for _, point := range []string{"decode event", "touched", "changes", "evolve"} {
		t.Run(point, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer setTrap(nil)
				store := newStore(t)
				h := openHost(t, store, brittle)
				for _, n := range []int{8 + 7, 16 + 1} {
					if _, err := jot.Ask(t.Context(), h, "b0", note{0, n}); err != nil {
						t.Fatal(err)
					}
				}
				crashHost(t, h, store)
				setTrap(func(at string, _ note) {
					if at == point {
						panic(point)
					}
				})
				h = openHost(t, store, brittle)
				defer closeHost(t, h)
				_, err := leafThrough.Ask(t.Context(), h, "b0", 0)
				at := corruptAt(err)
				if at == 0 {
					t.Fatalf("an event that panics: %v", err)
				}
				setTrap(nil)
				if err := h.Skip(t.Context(), entity.ID{Kind: "brittle", ID: "b0"}, at); err != nil {
					t.Fatal(err)
				}
				want := jottings{{16 + 1}}
				if point == "changes" { // the first event makes the entity, and needs not ask
					want = jottings{{8 + 7}, {8 + 7}, {8 + 7}}
				}
				if got, err := leafThrough.Ask(t.Context(), h, "b0", 0); err != nil || !want.equal(got) {
					t.Errorf("after the skip it has %d, %v; want %d", got, err, want)
				}
			})
		})
	}
}

// What is kept stays until the pages are stored, and a skip in the tail until what
// is kept is gone, whatever the process ends between. Mutations seen to fail:
// settle letting go while a page is dirty; settle letting the checkpoint pass
// before what is kept is gone; released trying again at once when that failed.
func TestKeptUntilStored(t *testing.T) {
	id := entity.ID{Kind: "brittle", ID: "b0"}
	for _, skip := range []bool{false, true} {
		t.Run(fmt.Sprintf("skip=%t", skip), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer setTrap(nil)
				unreadable := func(point string, n note) {
					if point == "decode event" && n.number == 8+1 {
						panic(point)
					}
				}
				store := newStore(t)
				h := openHost(t, store, brittle)
				for _, n := range []int{8 + 1, 16 + 1} {
					if _, err := jot.Ask(t.Context(), h, "b0", note{0, n}); err != nil {
						t.Fatal(err)
					}
				}
				crashHost(t, h, store)
				h = openHost(t, store, brittle)
				checkpoints := func() {
					for range 2 {
						h.Checkpoint(t.Context())
						synctest.Wait()
					}
				}
				setTrap(unreadable)
				_, err := leafThrough.Ask(t.Context(), h, "b0", 0)
				at := corruptAt(err)
				if checkpoints(); at == 0 || h.Kept() != 1 || h.TailBytes() > 0 {
					t.Fatalf("an event that can't be read: %v, %d entities kept, a tail of %d bytes", err, h.Kept(), h.TailBytes())
				}
				want := jottings{{8 + 1, 16 + 1}}
				var fails func(p persistence.Page) bool
				if skip {
					want = jottings{{16 + 1}}
					if err := h.Skip(t.Context(), id, at); err != nil {
						t.Fatal(err)
					}
					fails = func(p persistence.Page) bool { return strings.HasPrefix(p.Key.Page, "kept/") }
				} else {
					setTrap(nil)
					crashHost(t, h, store)
					h = openHost(t, store, brittle)
					fails = func(p persistence.Page) bool { return p.Key.Kind != "" }
				}
				store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, pages []persistence.Page) error {
					if fails(pages[0]) {
						return errors.New("not now")
					}
					return nil
				}})
				for range 2 {
					if got, err := leafThrough.Ask(t.Context(), h, "b0", 0); err != nil || !want.equal(got) {
						t.Errorf("it has %d, %v; want %d", got, err, want)
					}
					synctest.Wait()
					checkpoints()
					crashHost(t, h, store)
					h = openHost(t, store, brittle)
				}
				if got, err := leafThrough.Ask(t.Context(), h, "b0", 0); err != nil || !want.equal(got) {
					t.Errorf("after a crash it has %d, %v; want %d", got, err, want)
				}
				closeHost(t, h)
			})
		})
	}
}

// Damage that the log finds while an entity starts again is told as corruption.
// Mutation seen to fail: stop passing the log's error on.
func TestCorruptLogAtRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		damaged := &flippedLog{store, persistence.Shard(store.Info().Shards)} // no shard yet
		h, err := entity.Open(t.Context(), hostConfig(damaged))
		if err != nil {
			t.Fatal(err)
		}
		defer closeHost(t, h)
		ask(t, h, "a", 1)
		damaged.bad = shardOf(h, "a")
		if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1313)); !errors.Is(err, entity.ErrCrashed) {
			t.Errorf("a command that crashes: %v", err)
		}
		if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrCorrupt) {
			t.Errorf("after the restart: %v", err)
		}
	})
}
