package entity_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// What describes an entity says that it is there exactly when it is, whatever of
// it is stored, in memory or in the tail, and wakes nobody. Mutations seen to fail:
// Describe not asking what is pending; taking an entity that was asked about for
// one that is there; not looking for a deletion in the tail.
func TestDescribe(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t)
		h := openHost(t, store, shelf)
		defer func() { closeHost(t, h) }()
		there := map[string]bool{}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "id")
			switch rapid.SampledFrom([]string{"put", "delete", "look", "store", "evict", "stop", "kill"}).Draw(rt, "step") {
			case "put":
				if _, err := put.Ask(t.Context(), h, id, wrapperspb.String("b")); err != nil {
					rt.Fatal(err)
				}
				there[id] = true
			case "delete":
				if _, err := put.Ask(t.Context(), h, id, wrapperspb.String("-")); err != nil {
					rt.Fatal(err)
				}
				there[id] = false
			case "look":
				if _, err := look.Ask(t.Context(), h, id, "a"); err != nil {
					rt.Fatal(err)
				}
			case "store":
				h.Checkpoint(t.Context())
			case "evict":
				h.Evict(t.Context(), 0)
			case "stop":
				closeHost(t, h)
				h = openHost(t, store, shelf)
			case "kill":
				crashHost(t, h, store)
				h = openHost(t, store, shelf)
			}
			if rapid.Bool().Draw(rt, "ask at the same time") {
				look.Send(t.Context(), h, id, "a", func(string, entity.Token, error) {})
			}
			before := h.Entries()
			d, err := h.Describe(t.Context(), entity.ID{Kind: "shelf", ID: id})
			var r *entity.Rejection
			if ok := err == nil; ok != there[id] || !ok && (!errors.As(err, &r) || r.Reason != "NO_ENTITY") {
				rt.Fatalf("%s: %+v, %v; there: %t", id, d, err, there[id])
			}
			if n := h.Entries(); n > before {
				rt.Fatalf("%d entities were in memory, and then %d", before, n)
			}
		}
	})
}

// One whose events have left the tail, and are in no page yet, is there. Mutation
// seen to fail: Describe not waiting for one that rises.
func TestDescribeOfOneThatRises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		ask(t, h, "a", 1)
		crashHost(t, h, store)
		h = openHost(t, store)
		defer closeHost(t, h)
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{ReadPage: func(context.Context, persistence.PageKey) error { <-release; return nil }})
		add.Send(t.Context(), h, "a", wrapperspb.Int64(1), func(_ *wrapperspb.Int64Value, _ entity.Token, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		var described sync.WaitGroup
		described.Go(func() {
			if _, err := h.Describe(t.Context(), entity.ID{Kind: "counter", ID: "a"}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(release)
		described.Wait()
	})
}

// A node that was replaced describes nothing. Mutation seen to fail: Describe not
// asking whether it is still the owner.
func TestDescribeOfANodeThatWasReplaced(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store)
	ask(t, h, "a", 1)
	if _, err := store.Ownership().Boot(t.Context(), "n", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if d, err := h.Describe(t.Context(), entity.ID{Kind: "counter", ID: "a"}); !errors.Is(err, entity.ErrUnavailable) {
		t.Errorf("described as %+v, %v", d, err)
	}
	_ = h.Close(t.Context()) // it has lost its place
}
