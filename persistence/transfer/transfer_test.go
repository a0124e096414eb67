package transfer_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
	"github.com/mesonet/mesonet/persistence/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T, shards uint32) persistence.Store {
	t.Helper()
	store, err := memory.New(shards)
	must(t, err)
	return store
}

// claim makes a node the owner of a shard, in its first epoch.
func claim(t *testing.T, store persistence.Store, shard persistence.Shard) {
	t.Helper()
	own := store.Ownership()
	inc, err := own.Boot(t.Context(), "n", "")
	must(t, err)
	_, err = own.Claim(t.Context(), persistence.Claim{Shard: shard, Owner: "n", Incarnation: inc})
	must(t, err)
}

// pagesOf returns the names of a store's pages, in order.
func pagesOf(t *testing.T, store persistence.Store) (all []string) {
	t.Helper()
	for n := range persistence.Shard(store.Info().Shards) {
		for page, err := range store.Pages().Scan(t.Context(), n, persistence.PageKey{}, true) {
			must(t, err)
			all = append(all, page.Key.Page)
		}
	}
	slices.Sort(all)
	return all
}

// How far the tables beside a store are rendered is no part of a copy, which has
// none: a mark of it would say that they are there, and nobody would render them. Nor
// is it in the way. Mutations seen to fail: planPage not knowing these marks; place
// taking them along.
func TestCopyLeavesMarksOfViews(t *testing.T) {
	for _, shards := range []uint32{1, 4} {
		from, to := newStore(t, 1), newStore(t, shards)
		claim(t, from, 0)
		first := persistence.At(persistence.FirstEpoch, 0)
		must(t, persistencetest.Append(t.Context(), from.Log(), persistencetest.Frame(t, 0, first, 3, "x")))
		must(t, from.Pages().Write(t.Context(), []persistence.Page{
			{Key: persistence.PageKey{Page: "viewed/daily"}, Position: first + 5, Version: 1, Data: []byte(`{"version":1,"done":true}`)},
			{Key: persistence.PageKey{Page: "viewed/raw"}, Position: first + 2, Version: 1, Data: []byte(`{"version":1,"cursor":"test/one"}`)},
			{Key: persistence.PageKey{Kind: "test", ID: "one", Page: "state"}, Position: first + 3, Version: 1, Data: []byte("state")},
			{Key: persistence.CheckpointKey(0), Position: first + 3},
		}))
		copied, err := transfer.Copy(t.Context(), from, to, transfer.DefaultConfig(), func(f inspect.Finding) { t.Errorf("found %s", f) })
		must(t, err)
		if copied.Events != 3 || copied.Pages != 1 {
			t.Errorf("into %d shards: %d events and %d pages were copied, want 3 and 1", shards, copied.Events, copied.Pages)
		}
		all := pagesOf(t, to)
		if !slices.Contains(all, "state") || slices.ContainsFunc(all, func(name string) bool { return strings.HasPrefix(name, "viewed/") }) {
			t.Errorf("into %d shards: the copy has the pages %q", shards, all)
		}
	}
}
