package entity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// heard is what a listener was told.
type heard struct {
	mu      sync.Mutex
	opened  []entity.ShardOpening
	woke    []string // kinds
	failed  []string // paths
	causes  []error  // of failed
	corrupt map[entity.ID]error
	stored  []entity.PageFlush
	points  map[persistence.Shard]persistence.Position // checkpoints
}

// openHeard opens a host whose listener remembers.
func openHeard(t *testing.T, store persistence.Store) (*entity.Host, *heard) {
	t.Helper()
	n := &heard{corrupt: map[entity.ID]error{}, points: map[persistence.Shard]persistence.Position{}}
	cfg := hostConfig(store)
	cfg.Listener = entity.Listener{
		ShardOpened: func(o entity.ShardOpening) { n.note(func() { n.opened = append(n.opened, o) }) },
		EntityWoke:  func(kind string) { n.note(func() { n.woke = append(n.woke, kind) }) },
		EntityFailed: func(path string, err error) {
			n.note(func() { n.failed, n.causes = append(n.failed, path), append(n.causes, err) })
		},
		EntityCorrupt: func(id entity.ID, err error) { n.note(func() { n.corrupt[id] = errors.Join(n.corrupt[id], err) }) },
		PagesStored:   func(f entity.PageFlush) { n.note(func() { n.stored = append(n.stored, f) }) },
		Checkpointed: func(s persistence.Shard, at persistence.Position) {
			n.note(func() { n.points[s] = at })
		},
	}
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h, n
}

func (n *heard) note(what func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	what()
}

// settled waits until nothing goes on any more, and looks at what was told.
func (n *heard) settled(look func()) {
	synctest.Wait()
	n.note(look)
}

func shardOf(h *entity.Host, id string) persistence.Shard {
	return h.ShardOf(entity.ID{Kind: "counter", ID: id})
}

// A shard is said to be open each time it is, with what was read, and not when an
// opening fails. Mutations seen to fail: told also of an opening that failed; the
// number of events left out.
func TestShardOpenedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		for i := range 10 {
			ask(t, h, fmt.Sprint("c", i), 1)
		}
		crashHost(t, h, store)

		fails := 3 // of every shard's first opening
		var mu sync.Mutex
		store.Hook(persistencetest.Hooks{ReadPage: func(context.Context, persistence.PageKey) error {
			mu.Lock()
			defer mu.Unlock()
			if fails--; fails >= 0 {
				return errors.New("not now")
			}
			return nil
		}})
		h, n := openHeard(t, store)
		defer closeHost(t, h)
		lost := shardOf(h, "c0")
		var epoch persistence.Epoch
		n.settled(func() {
			events := 0
			shards := map[persistence.Shard]bool{}
			for _, o := range n.opened {
				shards[o.Shard] = true
				events += o.Events
				if o.Shard == lost {
					epoch = o.Epoch
				}
				if o.Took < 0 {
					t.Errorf("shard %d took %s", o.Shard, o.Took)
				}
			}
			if len(n.opened) != 4 || len(shards) != 4 || events != 10 {
				t.Errorf("told of %d openings of %d shards with %d events; want 4 of 4 with 10", len(n.opened), len(shards), events)
			}
			n.opened = nil
		})

		store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error { return errors.New("away") }})
		if _, err := add.Ask(t.Context(), h, "c0", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrUnknown) {
			t.Errorf("a command that was not written: %v", err)
		}
		store.Hook(persistencetest.Hooks{})
		time.Sleep(time.Minute) //nolint:forbidigo // in a synctest bubble: the shard restarts after a pause
		n.settled(func() {
			if len(n.opened) != 1 || n.opened[0].Shard != lost || n.opened[0].Epoch <= epoch {
				t.Errorf("after the loss of shard %d, told of %+v; want it, above epoch %d", lost, n.opened, epoch)
			}
		})
	})
}

// An entity is said to wake when an actor is made for it, once however often it
// is asked, and also if its code fails meanwhile. Mutation seen to fail: told of
// every incarnation.
func TestEntityWokeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h, n := openHeard(t, store)
		for range 3 {
			ask(t, h, "a", 1)
			ask(t, h, "b", 1)
		}
		if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1313)); !errors.Is(err, entity.ErrCrashed) {
			t.Errorf("a command that crashes: %v", err)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // in a synctest bubble: the entity restarts after a pause
		ask(t, h, "a", 1)
		n.settled(func() {
			if !slices.Equal(n.woke, []string{"counter", "counter"}) {
				t.Errorf("two entities: told of %v", n.woke)
			}
		})
		closeHost(t, h)
		h, n = openHeard(t, store)
		defer closeHost(t, h)
		n.settled(func() {
			if len(n.woke) > 0 {
				t.Errorf("nobody was asked: told of %v", n.woke)
			}
		})
		ask(t, h, "b", 1)
		n.settled(func() {
			if len(n.woke) != 1 {
				t.Errorf("one entity: told of %v", n.woke)
			}
		})
	})
}

// A panic is told, with where; a rejection is none. Mutation seen to fail: the
// listener's call taken out.
func TestEntityFailedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n := openHeard(t, newStore(t))
		defer closeHost(t, h)
		if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(-1)); err == nil {
			t.Error("a negative number was taken")
		}
		for _, id := range []string{"a", "b"} {
			if _, err := add.Ask(t.Context(), h, id, wrapperspb.Int64(1313)); !errors.Is(err, entity.ErrCrashed) {
				t.Errorf("a command that crashes: %v", err)
			}
		}
		n.settled(func() {
			if len(n.failed) != 2 || !strings.HasSuffix(n.failed[0], "/counter:a") || !strings.HasSuffix(n.failed[1], "/counter:b") {
				t.Errorf("two crashes: told of %v", n.failed)
			}
			for _, err := range n.causes {
				if err == nil || !strings.Contains(err.Error(), "unlucky") {
					t.Errorf("told of the cause %v", err)
				}
			}
		})
	})
}

// An entity with events that can't be evolved is told of, with the position.
// Mutation seen to fail: the listener's call taken out.
func TestEntityCorruptIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		ask(t, h, "a", 1)
		ask(t, h, "b", 1)
		closeHost(t, h)
		id := entity.ID{Kind: "counter", ID: "a"}
		bad := persistence.Page{
			Key:      persistence.PageKey{Shard: h.ShardOf(id), Kind: id.Kind, ID: id.ID, Page: "state"},
			Position: persistence.At(persistence.LastEpoch, 0), Version: 1, Data: []byte("\xff\xff"),
		}
		if err := store.Pages().Write(t.Context(), []persistence.Page{bad}); err != nil {
			t.Fatal(err)
		}
		h, n := openHeard(t, store)
		defer closeHost(t, h)
		ask(t, h, "b", 1)
		n.settled(func() {
			if len(n.corrupt) > 0 {
				t.Errorf("before it is asked: told of %v", n.corrupt)
			}
		})
		for range 3 {
			if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrCorrupt) {
				t.Errorf("the corrupt entity: %v", err)
			}
		}
		n.settled(func() {
			if err := n.corrupt[id]; len(n.corrupt) != 1 || !errors.Is(err, entity.ErrCorrupt) || strings.Count(err.Error(), "corrupt at") != 1 {
				t.Errorf("told of %v; want %s, once", n.corrupt, id)
			}
		})
	})
}

// Every write of pages is told, with its outcome, and every checkpoint that was
// stored, with its place. Mutations seen to fail: each of the calls taken out; a
// checkpoint told when its pages were not stored; the bytes left out.
func TestPagesAndCheckpointsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h, n := openHeard(t, store)
		defer closeHost(t, h)
		ids := map[persistence.Shard]int{}
		for i := range 20 {
			id := fmt.Sprint("c", i)
			ask(t, h, id, 1)
			ids[shardOf(h, id)]++
		}
		broken := errors.New("disk full")
		store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { return broken }})
		h.Checkpoint(t.Context())
		n.settled(func() {
			for _, f := range n.stored {
				if !errors.Is(f.Err, broken) {
					t.Errorf("pages that were not stored: told of %+v", f)
				}
			}
			if len(n.stored) != len(ids) || len(n.points) > 0 {
				t.Errorf("told of %d writes and the checkpoints %v; want %d and none", len(n.stored), n.points, len(ids))
			}
			n.stored = nil
		})
		store.Hook(persistencetest.Hooks{})
		h.Checkpoint(t.Context())
		n.settled(func() {
			for _, f := range n.stored {
				if f.Err != nil || f.Pages != ids[f.Shard] || f.Bytes != 2*f.Pages || f.Took < 0 { // a counter's page has two bytes
					t.Errorf("told of %+v; want %d pages of two bytes", f, ids[f.Shard])
				}
			}
			if len(n.stored) != len(ids) || len(n.points) != len(ids) {
				t.Errorf("told of %d writes and %d checkpoints, want %d of each", len(n.stored), len(n.points), len(ids))
			}
			for shard, at := range n.points {
				page, err := store.Pages().Read(t.Context(), persistence.CheckpointKey(shard))
				if err != nil || page.Position != at {
					t.Errorf("shard %d: told of a checkpoint at %s, and it is at %s, %v", shard, at, page.Position, err)
				}
			}
			n.stored = nil
			clear(n.points)
		})
		h.Checkpoint(t.Context())
		n.settled(func() {
			if len(n.stored) > 0 || len(n.points) > 0 {
				t.Errorf("with nothing to store: told of %+v, %v", n.stored, n.points)
			}
		})
	})
}
