package entity_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
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
		id := entity.ID{Kind: "counter", ID: "a"}
		waitFor(t, func() bool { h.Checkpoint(t.Context()); return h.Clean(id) == h.Acked(id) })
		if left := h.TailBytes(); left != 0 {
			t.Errorf("a tail of %d bytes is left", left)
		}
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
			waitFor(t, func() bool { h.Checkpoint(t.Context()); return h.Clean(id) == h.Acked(id) })
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
