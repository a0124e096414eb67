package entity_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// The longer a tail is, the more pages are stored at once: few while it is about as long
// as it may be, all when it is twice that.
func TestPacedPages(t *testing.T) {
	for _, test := range []struct{ tail, may, want int }{
		{8 << 20, 8 << 20, 4},
		{9 << 20, 8 << 20, 4},
		{12 << 20, 8 << 20, 32},
		{14 << 20, 8 << 20, 108},
		{16 << 20, 8 << 20, 256},
		{80 << 20, 8 << 20, 256},
		{1, 8 << 20, 4}, // another one was long, and is not any more
		{2, 1, 256},
	} {
		if got := entity.PacedPages(test.tail, test.may); got != test.want {
			t.Errorf("%d pages at once at a tail of %d bytes that may have %d, want %d", got, test.tail, test.may, test.want)
		}
	}
}

// An entity's pages are stored together, as many as a store may write as one, unless they
// are very many.
//
// Mutations seen to fail: few pages and no more; Kind or ID not looked at; no bound.
func TestWholeEntities(t *testing.T) {
	var pages []persistence.Page
	for _, of := range []struct {
		kind, id string
		pages    int
	}{{"a", "x", 3}, {"a", "y", 6}, {"b", "y", 2}, {"b", "z", 1000}} {
		for range of.pages {
			pages = append(pages, persistence.Page{Key: persistence.PageKey{Kind: of.kind, ID: of.id}})
		}
	}
	for _, test := range []struct{ from, few, want int }{
		{0, 1, 3},
		{0, 3, 3},
		{0, 4, 9},
		{3, 4, 6},
		{9, 2, 2},
		{9, 3, 64},
		{11, 4, 64},
		{11, 256, 256},
		{1000, 4, 11},
		{1011, 4, 0},
	} {
		if got := entity.WholeEntities(pages[test.from:], test.few); got != test.want {
			t.Errorf("from %d on %d pages instead of %d, want %d", test.from, got, test.few, test.want)
		}
	}
}

func longestTail(h *entity.Host) (bytes int) {
	for _, s := range h.Tree(0) {
		bytes = max(bytes, s.TailBytes)
	}
	return bytes
}

// However few pages are stored at once, those of an entity are in one write. Mutation
// seen to fail: store with no more than it may.
func TestEntitiesAreStoredWhole(t *testing.T) {
	store := newStore(t)
	store.Remote = true
	h := openHost(t, store, archives.Kind)
	defer func() { closeHost(t, h) }()
	for i := range 100 {
		for _, box := range []string{"a", "b"} { // and a list of these
			if _, err := archives.pack.Ask(t.Context(), h, fmt.Sprintf("x%d", i), pack{box, "1"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var mu sync.Mutex
	writes, pages := make(map[string]int), 0
	store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, some []persistence.Page) error {
		mu.Lock()
		defer mu.Unlock()
		of := make(map[string]bool)
		for _, p := range some {
			if p.Key.Kind == archives.Name() {
				of[p.Key.ID] = true
				pages++
			}
		}
		for id := range of {
			writes[id]++
		}
		return nil
	}})
	h.CheckpointOver(t.Context(), longestTail(h))
	mu.Lock()
	defer mu.Unlock()
	if pages != 3*len(writes) || len(writes) < 8 {
		t.Errorf("%d pages of %d entities were stored, which have three each", pages, len(writes))
	}
	for id, n := range writes {
		if n != 1 {
			t.Errorf("the pages of %s were stored in %d writes", id, n)
		}
	}
}

// Pages go to a store that others reach, too, few at a time, as events share it with
// them; all at once when a tail is far too long, when a node stops, and to a store of
// this process alone. Mutations seen to fail: pace nil always, and for a local store as
// well; store taking no notice of it; the longest tail that of no shard.
func TestPagesAreStoredFewAtATime(t *testing.T) {
	const entities = 200
	for name, test := range map[string]struct {
		remote  bool
		over    int // times as long as it may be
		stops   bool
		atMost  int
		atLeast int
	}{
		"in time":          {remote: true, over: 1, atMost: 4},
		"late":             {remote: true, over: 2, atLeast: 20},
		"stopping":         {remote: true, stops: true, atLeast: 20},
		"of one's process": {over: 1, atLeast: 20},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			store.Remote = test.remote
			h := openHost(t, store)
			closed := false
			defer func() {
				if !closed {
					closeHost(t, h)
				}
			}()
			for i := range entities {
				if _, err := add.Ask(t.Context(), h, fmt.Sprintf("e%d", i), wrapperspb.Int64(1)); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			largest, pages := 0, 0
			store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, some []persistence.Page) error {
				mu.Lock()
				defer mu.Unlock()
				n := 0
				for _, p := range some {
					if p.Key.Kind != "" {
						n++
					}
				}
				largest, pages = max(largest, n), pages+n
				return nil
			}})
			longest := longestTail(h)
			if test.stops {
				closeHost(t, h)
				closed = true
			} else {
				h.CheckpointOver(t.Context(), longest/test.over)
			}
			mu.Lock()
			defer mu.Unlock()
			if pages < entities/8 || test.atMost > 0 && largest > test.atMost || largest < test.atLeast {
				t.Errorf("%d pages were stored, and %d of them at once", pages, largest)
			}
		})
	}
}
