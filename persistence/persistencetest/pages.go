package persistencetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesonet/mesonet/persistence"
)

func page(id, name string, at persistence.Position, data string) persistence.Page {
	return persistence.Page{
		Key: persistence.PageKey{Shard: 7, Kind: "station", ID: id, Page: name}, Position: at, Version: 1, Data: []byte(data),
	}
}

func checkPagePosition(t *testing.T, s Subject) {
	ctx, pages := t.Context(), s.Store.Pages()
	newer, same, older := page("a", "head", 20, "newer"), page("a", "head", 20, "same"), page("a", "head", 10, "older")
	for _, p := range []persistence.Page{newer, older, same} {
		must(t, pages.Write(ctx, []persistence.Page{p}))
		got, err := pages.Read(ctx, newer.Key)
		must(t, err)
		equal(t, got, newer)
	}
	newest := page("a", "head", persistence.At(e, 1), "newest")
	must(t, pages.Write(ctx, []persistence.Page{newest}))
	got, err := pages.Read(ctx, newer.Key)
	must(t, err)
	equal(t, got, newest)
}

func checkPageDeleted(t *testing.T, s Subject) {
	ctx, pages := t.Context(), s.Store.Pages()
	must(t, pages.Write(ctx, []persistence.Page{page("a", "head", 10, "x")}))
	gone := page("a", "head", 20, "")
	gone.Deleted = true
	must(t, pages.Write(ctx, []persistence.Page{gone}))
	must(t, pages.Write(ctx, []persistence.Page{page("a", "head", 15, "late")})) // must not come back
	if got, err := pages.Read(ctx, gone.Key); !errors.Is(err, persistence.ErrNotFound) || got.Position != gone.Position {
		t.Errorf("reading a deleted page: %s, %v, want ErrNotFound at %s", got.Position, err, gone.Position)
	}
	for p, err := range pages.Scan(ctx, 7, persistence.PageKey{}, false) {
		t.Errorf("a scan found %v, %v", p.Key, err)
	}
	again := page("a", "head", 30, "again")
	must(t, pages.Write(ctx, []persistence.Page{again}))
	got, err := pages.Read(ctx, gone.Key)
	must(t, err)
	equal(t, got, again)
}

func checkPageScan(t *testing.T, s Subject) {
	ctx, pages := t.Context(), s.Store.Pages()
	var all []persistence.Page
	for i := range 5 {
		for _, name := range []string{"head", "month/2008-01", "year/2008"} {
			all = append(all, page(fmt.Sprintf("72503%d:14732", i), name, persistence.At(e, 1), name))
		}
	}
	other := page("0", "head", 1, "of another shard")
	other.Key.Shard = 8
	checkpoint := persistence.Page{Key: persistence.CheckpointKey(7), Position: persistence.At(e, 1)}
	must(t, pages.Write(ctx, append([]persistence.Page{other, checkpoint}, all...)))
	all = append([]persistence.Page{checkpoint}, all...) // a shard's own pages come first
	scan := func(from persistence.PageKey, keysOnly bool) []persistence.Page {
		var got []persistence.Page
		for p, err := range pages.Scan(ctx, 7, from, keysOnly) {
			must(t, err)
			if len(p.Data) == 0 {
				p.Data = nil
			}
			got = append(got, p)
		}
		return got
	}
	equal(t, scan(persistence.PageKey{}, false), all)
	equal(t, scan(all[7].Key, false), all[7:])
	keys := append([]persistence.Page(nil), all...)
	for i := range keys {
		keys[i].Data = nil
	}
	equal(t, scan(persistence.PageKey{}, true), keys)
}

func checkPageKinds(t *testing.T, s Subject) {
	ctx, pages := t.Context(), s.Store.Pages()
	kinds := func(shard persistence.Shard, want ...string) {
		t.Helper()
		got, err := pages.Kinds(ctx, shard)
		must(t, err)
		equal(t, got, want)
	}
	kinds(7)
	must(t, pages.Write(ctx, []persistence.Page{{Key: persistence.CheckpointKey(7), Position: persistence.At(e, 1)}}))
	kinds(7) // a shard's own pages are of no kind
	all := []persistence.Page{page("a", "head", 1, "x"), page("b", "head", 1, "x"), page("c", "head", 1, "x"), page("d", "head", 1, "x")}
	all[1].Key.Kind, all[2].Key.Kind, all[3].Key.Shard, all[3].Key.Kind = "quarantine", "station-1", 8, "network"
	must(t, pages.Write(ctx, all))
	kinds(7, "quarantine", "station", "station-1")
	kinds(8, "network")
	kinds(9)
}

func checkPageNotFound(t *testing.T, s Subject) {
	ctx, pages := t.Context(), s.Store.Pages()
	must(t, pages.Write(ctx, []persistence.Page{page("ab", "c", 1, "x")}))
	for _, key := range []persistence.PageKey{
		{Shard: 7, Kind: "station", ID: "a", Page: "bc"},
		{Shard: 7, Kind: "station", ID: "ab", Page: "cd"},
		{Shard: 6, Kind: "station", ID: "ab", Page: "c"},
		persistence.CheckpointKey(7),
	} {
		if _, err := pages.Read(ctx, key); !errors.Is(err, persistence.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", key, err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}
