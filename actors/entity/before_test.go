package entity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
)

// What Before objects to may not be able to read what the store holds: then the
// opening ends and the pages are as they were, though there are events behind
// them. It is asked before checkpoints begin, and what it asks entities for is
// answered. Mutation seen to fail: Open closing the host without failing it.
func TestBefore(t *testing.T) {
	store := newStore(t)
	cfg := hostConfig(store)
	cfg.CheckpointEvery = time.Hour
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c"} {
		if _, err := add.Ask(t.Context(), h, id, wrapperspb.Int64(3)); err != nil {
			t.Fatal(err)
		}
	}
	h.Fail(errors.New("a crash"))
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	before := entityPages(t, store)
	objection := errors.New("the store is another's")
	cfg.CheckpointBytes, cfg.CheckpointEvery = 1, time.Nanosecond // as eager as can be
	cfg.Before = func(ctx context.Context, h *entity.Host) error {
		for _, id := range []string{"a", "b"} { // which are in memory then
			if got, err := get.Ask(ctx, h, id, &emptypb.Empty{}); err != nil || got.GetValue() != 3 {
				t.Errorf("%s is %v, %v", id, got, err)
			}
		}
		return objection
	}
	if h, err := entity.Open(t.Context(), cfg); h != nil || !errors.Is(err, objection) {
		t.Fatalf("it opens: %v", err)
	}
	if diff := cmp.Diff(before, entityPages(t, store)); diff != "" {
		t.Errorf("pages were stored (-before +after)\n%s", diff)
	}

	asked := false
	cfg.Before = func(context.Context, *entity.Host) error {
		asked = true
		return nil
	}
	h, err = entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := get.Ask(t.Context(), h, "c", &emptypb.Empty{})
	if err != nil || got.GetValue() != 3 || !asked {
		t.Errorf("c is %v, %v; asked before: %t", got, err, asked)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// entityPages are the pages of all entities, by name.
func entityPages(t *testing.T, store persistence.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for n := range persistence.Shard(store.Info().Shards) {
		for p, err := range store.Pages().Scan(t.Context(), n, persistence.PageKey{}, false) {
			if err != nil {
				t.Fatal(err)
			}
			if p.Key.Kind != "" {
				all[p.Key.String()] = p.Position.String() + string(p.Data)
			}
		}
	}
	return all
}
