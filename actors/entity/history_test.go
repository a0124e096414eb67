package entity_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
)

// Without history the log holds what recoveries need, and they find it, also that
// of an entity that crashes while frames go. Mutations seen to fail: DropHistory
// deleting up to what is acknowledged; not raising low.
func TestDropHistory(t *testing.T) {
	store := newStore(t)
	open := func() *entity.Host {
		cfg := hostConfig(store)
		cfg.DropHistory = true
		h, err := entity.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	frames := func() (n int) {
		for shard := range persistence.Shard(store.Info().Shards) {
			row, err := store.Ownership().Shard(t.Context(), shard)
			if err != nil {
				t.Fatal(err)
			}
			for epoch := persistence.FirstEpoch; epoch <= row.Epoch; epoch++ {
				for f, err := range store.Log().Read(t.Context(), shard, persistence.At(epoch, 0)) {
					if err != nil {
						t.Fatal(err)
					}
					if f.Position < row.Low {
						t.Errorf("shard %d has a frame at %s, low is %s", shard, f.Position, row.Low)
					}
					n++
				}
			}
		}
		return n
	}
	want := map[string]int64{}
	h := open()
	for round := range 4 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for w := range 4 {
			id := fmt.Sprint("c", w)
			wg.Go(func() {
				for range 50 {
					got := ask(t, h, id, 1)
					mu.Lock()
					want[id] = got
					mu.Unlock()
				}
			})
		}
		wg.Go(func() {
			for range 10 {
				h.Checkpoint(t.Context())
			}
		})
		wg.Wait()
		if round%2 == 0 {
			h.Checkpoint(t.Context())
			if n := frames(); n != 0 {
				t.Errorf("%d frames are left below the checkpoints", n)
			}
			ask(t, h, "c0", 1)
			want["c0"]++
		}
		crashHost(t, h, store)
		h = open()
		for id, n := range want {
			if got := ask(t, h, id, 0); got != n {
				t.Fatalf("round %d: %s is %d, want %d", round, id, got, n)
			}
		}
	}
	closeHost(t, h)
}

// An entity that crashes reads its events back while the checkpoint moves and
// the log below it goes. Mutation seen to fail: ReadEntity not looking at the
// checkpoint again.
func TestReadBackWhileHistoryGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		cfg := hostConfig(store)
		cfg.DropHistory, cfg.CheckpointBytes = true, 1<<30
		h, err := entity.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer closeHost(t, h)
		other := neighbour(h, "a")
		for range 3 {
			ask(t, h, "a", 1)
			ask(t, h, other, 1)
		}
		h.Checkpoint(t.Context())
		ask(t, h, other, 1)
		ask(t, h, "a", 5)
		for i := range 20 {
			if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1313)); !errors.Is(err, entity.ErrCrashed) && !errors.Is(err, entity.ErrUnavailable) {
				t.Fatal(err)
			}
			ask(t, h, other, 1)
			h.Checkpoint(t.Context())
			time.Sleep(20 * time.Second) //nolint:forbidigo // in a synctest bubble: the entity restarts after a pause
			if got := ask(t, h, "a", 0); got != 8 {
				t.Fatalf("after crash %d: a is %d, want 8", i, got)
			}
		}
	})
}

// Entities of the tail are woken though nobody asks them, so that the tail can be
// let go of. Mutation seen to fail: checkpoints not waking them.
func TestTailIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		ids := make([]string, 0, 600)
		for i := range cap(ids) {
			ids = append(ids, fmt.Sprint("c", i))
			ask(t, h, ids[i], int64(i+1))
		}
		crashHost(t, h, store)
		h = openHost(t, store)
		defer closeHost(t, h)
		time.Sleep(time.Minute) //nolint:forbidigo // in a synctest bubble
		if n := h.Stats().Entities["counter"]; n != len(ids) {
			t.Errorf("%d entities are awake, want %d", n, len(ids))
		}
		slices.Reverse(ids)
		for i, id := range ids {
			if got := ask(t, h, id, 0); got != int64(len(ids)-i) {
				t.Fatalf("%s is %d", id, got)
			}
		}
	})
}
