package entity_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// storeEntriesOnly makes a pass that stores entries, and breaks off at the pages.
func storeEntriesOnly(t *testing.T, h *entity.Host, store *persistencetest.Faulty) {
	t.Helper()
	store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, pages []persistence.Page) error {
		if pages[0].Key.Kind != "" {
			return errors.New("broken off")
		}
		return nil
	}})
	h.Checkpoint(t.Context())
	crashHost(t, h, store)
}

// checkpointAll makes passes until the tail is stored.
func checkpointAll(t *testing.T, h *entity.Host) {
	t.Helper()
	for range 3 {
		synctest.Wait()
		h.Checkpoint(t.Context())
	}
	if left := h.TailBytes(); left > 0 || h.Kept() > 0 {
		t.Errorf("a tail of %d bytes is left, and events of %d entities are kept", left, h.Kept())
	}
}

// An event may have changed the stored entries of an entity before a crash, and no
// page. When it is skipped, they are as if it had never been, and stay so. Mutations
// seen to fail: the stray ones not removed; the missing ones not put; those of pages
// that are not in memory left out of these; the checkpoint not waiting for them.
func TestSkipMendsEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer setTrap(nil)
		store := newStore(t)
		h := openHost(t, store, brittle)
		for _, n := range []int{8 + 1, 16 + 2} {
			if _, err := jot.Ask(t.Context(), h, "b0", note{0, n}); err != nil {
				t.Fatal(err)
			}
		}
		h.Checkpoint(t.Context())
		if _, err := jot.Ask(t.Context(), h, "b0", note{0, 24 + 1}); err != nil {
			t.Fatal(err)
		}
		storeEntriesOnly(t, h, store)

		h, at := openTrapped(t, store, 24+1)
		if err := h.Skip(t.Context(), entity.ID{Kind: "brittle", ID: "b0"}, at); err != nil {
			t.Fatal(err)
		}
		want := []entity.Entry{{Key: "00000009", ID: "b0"}}
		listed := func(when string) {
			var got []entity.Entry
			for e, err := range h.Find(t.Context(), byLast, entity.Entry{}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, e)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s it is listed as %v, want %v", when, got, want)
			}
		}
		listed("after the skip")
		checkpointAll(t, h)
		listed("stored,")
		crashHost(t, h, store)
		if _, found := verify(t, store, 0, brittle); len(found) > 0 {
			t.Errorf("found:\n%s", strings.Join(found, "\n"))
		}
		h = openHost(t, store, brittle)
		defer closeHost(t, h)
		listed("at the next start")
	})
}

// The same when a program without the index has skipped the event: the one that
// builds it afterwards puts what follows from the page, though it was removed after
// the page was stored. Mutations seen to fail: entries that are built put at the
// position of their page; inspect taking those for ahead of the log.
func TestIndexIsBuiltAfterASkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		move := func(n nomads, h *entity.Host, to string) error {
			_, err := n.move.Ask(t.Context(), h, "n0", wrapperspb.String(to))
			return err
		}
		h := openHost(t, store, placedNomads.kind)
		if err := move(placedNomads, h, "a1"); err != nil {
			t.Fatal(err)
		}
		h.Checkpoint(t.Context())
		if err := move(placedNomads, h, "a9"); err != nil {
			t.Fatal(err)
		}
		storeEntriesOnly(t, h, store)

		wary := newNomads("", "", "a9")
		h = openHost(t, store, wary.kind)
		at := corruptAt(move(wary, h, "b2"))
		if at == 0 {
			t.Fatal("an event that panics did no harm")
		}
		if err := h.Skip(t.Context(), entity.ID{Kind: "nomad", ID: "n0"}, at); err != nil {
			t.Fatal(err)
		}
		checkpointAll(t, h)
		closeHost(t, h)

		h = openHost(t, store, placedNomads.kind)
		want := placedNomads.entries(map[string]map[string]string{"n0": {"a": "1"}})
		if got, err := placedNomads.found(t.Context(), h); err != nil || !slices.Equal(got, want) {
			t.Errorf("built, the index has %v, %v; want %v", got, err, want)
		}
		crashHost(t, h, store)
		if _, found := verify(t, store, 0, placedNomads.kind); len(found) > 0 {
			t.Errorf("found:\n%s", strings.Join(found, "\n"))
		}
	})
}
