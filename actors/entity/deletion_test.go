package entity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// A shelf is a kind with a page for each letter and an index by what stands on
// page a. An event is a text that is put on the page of its first letter; "-"
// deletes the entity, and "-x" deletes it and puts x.
var (
	shelf  = entity.NewKind("shelf")
	boards = entity.Pages(shelf, "board", entity.PageCodec[*board]{
		Version: 1,
		New:     func(string) (*board, error) { return &board{}, nil },
		Append:  func(dst []byte, b *board) []byte { return append(dst, strings.Join(b.texts, ",")...) },
		Decode:  func(_ uint32, b []byte) (*board, error) { return &board{strings.Split(string(b), ",")}, nil },
	}, func(dst []string, event any) []string {
		return append(dst, event.(*wrapperspb.StringValue).Value[:1])
	}, func(b *board, event any) { b.texts = append(b.texts, event.(*wrapperspb.StringValue).Value) })
	onA = entity.IndexOf(shelf, "on-a", boards, func(event any) bool {
		s, ok := event.(*wrapperspb.StringValue)
		return ok && s.Value[0] == 'a'
	}, func(dst []string, b *board) []string {
		if last := b.texts[len(b.texts)-1]; last[0] == 'a' {
			dst = append(dst, last)
		}
		return dst
	})
	put = entity.CommandOn(shelf, func(dst []entity.PageRef, _ *wrapperspb.StringValue) []entity.PageRef { return dst },
		func(_ *entity.View, c *wrapperspb.StringValue) (entity.Events, struct{}, error) {
			rest, deletes := strings.CutPrefix(c.Value, "-")
			var events entity.Events
			if deletes {
				events = append(events, entity.Delete())
			}
			if rest != "" {
				events = append(events, wrapperspb.String(rest))
			}
			return events, struct{}{}, nil
		})
	look = entity.QueryOn(shelf, func(dst []entity.PageRef, name string) []entity.PageRef { return append(dst, boards.At(name)) },
		func(v *entity.View, name string) (string, error) {
			b, ok := boards.In(v, name)
			if !ok {
				return "", nil
			}
			return strings.Join(b.texts, ","), nil
		})
)

type board struct{ texts []string }

// shelfTwin is what a shelf holds, by page.
type shelfTwin map[string][]string

func (s shelfTwin) put(text string) {
	rest, deletes := strings.CutPrefix(text, "-")
	if deletes {
		clear(s)
	}
	if rest != "" {
		s[rest[:1]] = append(s[rest[:1]], rest)
	}
}

// What was deleted is gone from every page, in whatever combination pages were
// stored, in memory or read back when the process ended; what came after the
// deletion is there. Indexes say the same, without waking anybody. Mutations seen
// to fail: clear leaving the state; a deletion touching only the pages in memory,
// or at a replay only those that its neighbours touch; readPages not taking the
// position of a deleted page; entries not stored, stored without what is under
// way, or only when their page is; the overlay not hiding what is stored.
func TestDeletionAndIndexes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t)
		h := openHost(t, store, shelf)
		defer func() { closeHost(t, h) }()
		ids := []string{"x", "y", "z"}
		twin := map[string]shelfTwin{"x": {}, "y": {}, "z": {}}
		list := func() {
			var wantIDs []string
			var want []entity.Entry
			for _, id := range ids {
				if len(twin[id]) > 0 {
					wantIDs = append(wantIDs, id)
				}
				if a := twin[id]["a"]; len(a) > 0 {
					want = append(want, entity.Entry{Key: a[len(a)-1], ID: id})
				}
			}
			slices.SortFunc(want, func(a, b entity.Entry) int {
				return strings.Compare(a.Key+"\x00"+a.ID, b.Key+"\x00"+b.ID)
			})
			got, err := h.List(t.Context(), "shelf", "", 10)
			if err != nil || !slices.Equal(got, wantIDs) {
				rt.Fatalf("listed %v, %v; want %v", got, err, wantIDs)
			}
			var found []entity.Entry
			for e, err := range h.Find(t.Context(), onA, entity.Entry{}) {
				if err != nil {
					rt.Fatal(err)
				}
				found = append(found, e)
			}
			if !slices.Equal(found, want) {
				rt.Fatalf("found %v, want %v", found, want)
			}
		}
		check := func(id string) {
			for _, name := range []string{"a", "b", "c"} {
				got, err := look.Ask(t.Context(), h, id, name)
				if want := strings.Join(twin[id][name], ","); err != nil || got != want {
					rt.Fatalf("%s has %q on board %s, %v; want %q", id, got, name, err, want)
				}
			}
		}
		n := 0
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				id := rapid.SampledFrom(ids).Draw(rt, "id")
				n++
				text := fmt.Sprint(rapid.SampledFrom([]string{"a", "b", "c", "a", "b", "-a", "-c"}).Draw(rt, "page"), n)
				if rapid.IntRange(0, 5).Draw(rt, "only delete") == 0 {
					text = "-"
				}
				if _, err := put.Ask(t.Context(), h, id, wrapperspb.String(text)); err != nil {
					rt.Fatal(err)
				}
				twin[id].put(text)
			},
			"checkpoint": func(*rapid.T) { h.Checkpoint(t.Context()) },
			"cut checkpoint": func(rt *rapid.T) { // some pages are stored, then it fails
				keep := rapid.IntRange(0, 15).Draw(rt, "keep")
				store.Hook(persistencetest.Hooks{WritePages: func(ctx context.Context, all []persistence.Page) error {
					var some []persistence.Page
					for _, p := range all {
						kind := strings.IndexByte("abc", p.Key.Page[len(p.Key.Page)-1])
						if kind < 0 {
							kind = 3 // entries
						}
						if keep&(1<<kind) != 0 {
							some = append(some, p)
						}
					}
					return errors.Join(store.Store.Pages().Write(ctx, some), errors.New("cut"))
				}})
				h.Checkpoint(t.Context())
				store.Hook(persistencetest.Hooks{})
			},
			"evict": func(*rapid.T) { h.Evict(t.Context(), 0) },
			"check": func(rt *rapid.T) { check(rapid.SampledFrom(ids).Draw(rt, "id")) },
			"list":  func(*rapid.T) { list() },
			"end": func(rt *rapid.T) {
				endHost(rt, t, h, store)
				h = openHost(t, store, shelf)
			},
		})
		list()
		crashHost(t, h, store)
		h = openHost(t, store, shelf)
		list()
		for _, id := range ids {
			check(id)
		}
	})
}

// After everything was deleted and stored, nothing of it is left but marks that
// hold off older writes; what the shard has of its own stays.
func TestDeletedLeavesNothing(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, shelf)
	for i := range 10 {
		for _, text := range []string{"a1", "b2", "-"} {
			if _, err := put.Ask(t.Context(), h, fmt.Sprint("s", i), wrapperspb.String(text)); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				h.Checkpoint(t.Context())
			}
		}
	}
	closeHost(t, h)
	for shard := range persistence.Shard(store.Info().Shards) {
		for p, err := range store.Pages().Scan(t.Context(), shard, persistence.PageKey{}, false) {
			if err != nil || p.Key.Page != "checkpoint" && p.Key.Page != "indexed/shelf/on-a" {
				t.Errorf("page %s is left, %v", p.Key, err)
			}
		}
	}
}

// An index is walked from anywhere, over all shards, in order.
func TestFindInPages(t *testing.T) {
	h := openHost(t, newStore(t), shelf)
	defer closeHost(t, h)
	var want []entity.Entry
	for i := range 60 {
		key := fmt.Sprintf("a%02d", i%20)
		id := fmt.Sprintf("s%02d", i)
		if _, err := put.Ask(t.Context(), h, id, wrapperspb.String(key)); err != nil {
			t.Fatal(err)
		}
		want = append(want, entity.Entry{Key: key, ID: id})
		if i == 30 {
			h.Checkpoint(t.Context())
		}
	}
	slices.SortFunc(want, func(a, b entity.Entry) int { return strings.Compare(a.Key+"\x00"+a.ID, b.Key+"\x00"+b.ID) })
	var got []entity.Entry
	from := entity.Entry{}
	for {
		n := len(got)
		for e, err := range h.Find(t.Context(), onA, from) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
			if len(got) == n+7 {
				break
			}
		}
		if len(got) == n {
			break
		}
		from = got[len(got)-1]
		from.ID += "\x00"
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// A key that an index can't have is the fault of the kind: the event that led to
// it did not happen.
func TestBadKey(t *testing.T) {
	h := openHost(t, newStore(t), shelf)
	defer closeHost(t, h)
	if _, err := put.Ask(t.Context(), h, "x", wrapperspb.String("a/b")); !errors.Is(err, entity.ErrCrashed) {
		t.Errorf("a key with a slash: %v", err)
	}
}

// The twin knows deletions too.
func TestTwinDeletes(t *testing.T) {
	twin := entity.NewTwin(shelf)
	for _, e := range []any{wrapperspb.String("a1"), wrapperspb.String("b1"), entity.Delete(), wrapperspb.String("b2")} {
		if err := twin.Evolve(e); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"a": "", "b": "b2"} {
		if _, got, err := twin.Decide(name); err != nil || got != want {
			t.Errorf("board %s is %v, %v; want %q", name, got, err, want)
		}
	}
}

// A deletion ends all pages, also one that was just stored for the first time and
// would leave memory while the others are looked up. Mutation seen to fail: flushed
// evicting while something is being read.
func TestDeletionWhileAPageLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, brittle)
		defer closeHost(t, h)
		scribbleOn(t, h, 8+1)
		h.Evict(t.Context(), 0)
		scribbleOn(t, h, 16+4)
		var looked atomic.Bool // for the pages, and the new one was not there
		write, read := make(chan struct{}), make(chan struct{})
		store.Hook(persistencetest.Hooks{
			WritePages: func(_ context.Context, pages []persistence.Page) error {
				if pages[0].Key.Kind != "" {
					<-write
				}
				return nil
			},
			ReadPage: func(context.Context, persistence.PageKey) error {
				if looked.Swap(true) { // the first time it is read for the decision
					<-read
				}
				return nil
			},
		})
		var evicting sync.WaitGroup
		evicting.Go(func() { h.Evict(t.Context(), 0) })
		synctest.Wait()
		outcome := errors.New("none")
		jot.Send(t.Context(), h, "b0", note{0, 0}, func(_ int, _ entity.Token, err error) { outcome = err })
		synctest.Wait()
		close(write)
		evicting.Wait()
		close(read)
		synctest.Wait()
		store.Hook(persistencetest.Hooks{})
		if got, err := leafThrough.Ask(t.Context(), h, "b0", 0); outcome != nil || err != nil || !new(jottings).equal(got) {
			t.Errorf("deleted, %v, it has %d, %v", outcome, got, err)
		}
	})
}

// What an entity was found under between two writes was in no store, and is not
// removed from it: a write costs as much after a thousand changes as after one.
// Mutation seen to fail: indexed adding all entries before an event to those that may
// be in the store.
func TestRemovesOnlyEntriesThatMayBeStored(t *testing.T) {
	store := &persistencetest.Faulty{Store: newStore(t)}
	removed := 0
	store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, pages []persistence.Page) error {
		for _, p := range pages {
			if p.Deleted {
				removed++
			}
		}
		return nil
	}})
	h := openHost(t, store, shelf)
	defer closeHost(t, h)
	const rounds = 3
	for round := range rounds {
		for n := range 50 {
			if _, err := put.Ask(t.Context(), h, "x", wrapperspb.String(fmt.Sprintf("a%d-%02d", round, n))); err != nil {
				t.Fatal(err)
			}
		}
		h.Checkpoint(t.Context())
	}
	// The one before it, and to be sure the first that came after a write.
	if removed < rounds-1 || removed > 2*rounds {
		t.Errorf("%d entries were removed in %d writes, at most 2 in each have to be", removed, rounds)
	}
	for e, err := range h.Find(t.Context(), onA, entity.Entry{}) {
		if want := (entity.Entry{Key: "a2-49", ID: "x"}); err != nil || e != want {
			t.Errorf("found %v, %v, want %v", e, err, want)
		}
	}
}
