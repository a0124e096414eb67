package entity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// verify returns what is found in a store, one a line without the advice.
func verify(t testing.TB, store persistence.Store, memory int64, kinds ...*entity.Kind) (entity.Verified, []string) {
	t.Helper()
	cfg := entity.DefaultVerifyConfig()
	if memory > 0 {
		cfg.Memory = memory
	}
	var found []string
	done, err := entity.Verify(t.Context(), store, kinds, cfg, func(f inspect.Finding) {
		if f.Advice == "" {
			t.Errorf("%s: without advice", f)
		}
		found = append(found, strings.TrimSuffix(f.String(), "; "+f.Advice))
	})
	if err != nil {
		t.Fatal(err)
	}
	if done.Findings != len(found) {
		t.Errorf("%d findings were counted, and %d told", done.Findings, len(found))
	}
	return done, found
}

// Whatever the runtime leaves, in an orderly stop, a crash, or a flush that was cut
// off anywhere, is found to be right, with all pages in one pass and with a few at a
// time. Mutations seen to fail: entries having to be those of the stored pages, or
// those before a tail having to stay; a page that a deletion in the tail has taken
// counted as lost; an entity being in more than one part.
func TestVerifyTakesWhatTheRuntimeLeaves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t)
		kinds := []*entity.Kind{shelf, diary}
		h := openHost(t, store, kinds...)
		defer func() {
			if h != nil {
				closeHost(t, h)
			}
		}()
		memory := rapid.SampledFrom([]int64{0, 1, 1000}).Draw(rt, "memory")
		cut := func(ctx context.Context, all []persistence.Page, keep int) error {
			var some []persistence.Page
			for i, p := range all {
				if keep>>(i%16)&1 != 0 {
					some = append(some, p)
				}
			}
			return errors.Join(store.Store.Pages().Write(ctx, some), errors.New("cut"))
		}
		check := func() {
			h = nil
			done, found := verify(t, store, memory, kinds...)
			if len(found)+len(done.Unchecked) > 0 || done.Compared != done.Pages {
				rt.Fatalf("%d of %d pages were compared, %v were not, and found:\n%s", done.Compared, done.Pages, done.Unchecked, strings.Join(found, "\n"))
			}
		}
		n := int64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				n++
				text := fmt.Sprint(rapid.SampledFrom([]string{"a", "b", "c", "a", "b", "-a", "-c"}).Draw(rt, "page"), n)
				if rapid.IntRange(0, 5).Draw(rt, "only delete") == 0 {
					text = "-"
				}
				if _, err := put.Ask(t.Context(), h, rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "id"), wrapperspb.String(text)); err != nil {
					rt.Fatal(err)
				}
			},
			"write": func(rt *rapid.T) {
				n++
				v := 8*n + int64(rapid.IntRange(1, 7).Draw(rt, "leaves"))
				if _, err := write.Ask(t.Context(), h, rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "id"), wrapperspb.Int64(v)); err != nil {
					rt.Fatal(err)
				}
			},
			"checkpoint": func(*rapid.T) { h.Checkpoint(t.Context()) },
			"cut checkpoint": func(rt *rapid.T) {
				keep := rapid.IntRange(0, 1<<16-1).Draw(rt, "keep")
				writes := rapid.IntRange(0, 2).Draw(rt, "writes that succeed")
				store.Hook(persistencetest.Hooks{WritePages: func(ctx context.Context, all []persistence.Page) error {
					if writes--; writes >= 0 {
						return nil
					}
					return cut(ctx, all, keep)
				}})
				h.Checkpoint(t.Context())
				store.Hook(persistencetest.Hooks{})
			},
			"evict": func(*rapid.T) { h.Evict(t.Context(), 0) },
			"crash": func(*rapid.T) {
				crashHost(t, h, store)
				check()
				h = openHost(t, store, kinds...)
			},
			"restart": func(*rapid.T) {
				closeHost(t, h)
				check()
				h = openHost(t, store, kinds...)
			},
		})
		crashHost(t, h, store)
		check()
		h = openHost(t, store, kinds...)
	})
}

// forgetful is a store that says of some writes of pages that they were done, and
// drops them.
type forgetful struct {
	persistence.Store
	drop func(persistence.Page) bool
}

func (f *forgetful) Pages() persistence.Pages { return forgetfulPages{f.Store.Pages(), f} }

type forgetfulPages struct {
	persistence.Pages
	f *forgetful
}

func (p forgetfulPages) Write(ctx context.Context, all []persistence.Page) error {
	var some []persistence.Page
	for _, page := range all {
		if p.f.drop == nil || !p.f.drop(page) {
			some = append(some, page)
		}
	}
	return p.Pages.Write(ctx, some)
}

// A write of a page or of an entry that the store has lost is found, whatever came
// before it and whichever it is, a removal too. Mutations seen to fail: due, or
// deleted, taking no note of what is lost; entries not compared.
func TestVerifyFindsLostWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := &forgetful{Store: newStore(t)}
		h := openHost(t, store, shelf, diary)
		n := int64(0)
		act := func(step int) {
			n++
			id := rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "id")
			if rapid.Bool().Draw(rt, "diary") {
				if _, err := write.Ask(t.Context(), h, id, wrapperspb.Int64(8*n+int64(1+step%7))); err != nil {
					rt.Fatal(err)
				}
				return
			}
			text := fmt.Sprint(rapid.SampledFrom([]string{"a", "b", "-a", "-"}).Draw(rt, "text"), n)
			if text[0] == '-' && text[1] != 'a' {
				text = "-"
			}
			if _, err := put.Ask(t.Context(), h, id, wrapperspb.String(text)); err != nil {
				rt.Fatal(err)
			}
		}
		for step := range rapid.IntRange(0, 12).Draw(rt, "before") {
			act(step)
			if step%4 == 3 {
				h.Checkpoint(t.Context())
			}
		}
		h.Checkpoint(t.Context())
		for step := range rapid.IntRange(1, 6).Draw(rt, "after") {
			act(step)
		}
		which := rapid.IntRange(0, 9).Draw(rt, "which")
		var lost *persistence.Page
		store.drop = func(p persistence.Page) bool {
			old, err := store.Store.Pages().Read(t.Context(), p.Key)
			changes := errors.Is(err, persistence.ErrNotFound) != p.Deleted || err == nil && !bytes.Equal(old.Data, p.Data)
			if !changes || p.Key.Page == "checkpoint" || strings.HasPrefix(p.Key.Page, "indexed/") || lost != nil {
				return false
			}
			if which--; which < 0 {
				lost = &p
			}
			return lost != nil
		}
		h.Checkpoint(t.Context())
		store.drop = func(persistence.Page) bool { return true } // nothing is made up for at the end
		closeHost(t, h)
		_, found := verify(t, store, 0, shelf, diary)
		if (lost != nil) != (len(found) > 0) {
			rt.Fatalf("lost was %+v, and found:\n%s", lost, strings.Join(found, "\n"))
		}
	})
}

// A page that a deletion should have taken, and that is there still, is found.
// Mutation seen to fail: deleted taking no note of it.
func TestVerifyFindsWhatShouldBeGone(t *testing.T) {
	store := &forgetful{Store: newStore(t)}
	h := openHost(t, store, shelf)
	for _, text := range []string{"a1", "b1", "-a2"} {
		if _, err := put.Ask(t.Context(), h, "x", wrapperspb.String(text)); err != nil {
			t.Fatal(err)
		}
		h.Checkpoint(t.Context())
		store.drop = func(p persistence.Page) bool { return p.Deleted && p.Key.Page == "board/b" }
	}
	closeHost(t, h)
	_, found := verify(t, store, 0, shelf)
	if len(found) != 1 || !strings.HasPrefix(found[0], "page-lost: shelf/x board/b: it has come to 4096:2, and the checkpoint is at 4096:4") {
		t.Errorf("found %q", found)
	}
}

// strict is a kind whose event takes a page that there is: begin makes it.
var (
	strict = entity.New("strict", func(s *wrapperspb.Int64Value, e proto.Message) {
		if e.(*wrapperspb.Int64Value).Value == 0 {
			s.Value = 1
		} else if s.Value++; s.Value == 1 {
			panic("nothing has begun")
		}
	})
	step = entity.Command(strict, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		if c.Value < 0 {
			return entity.Persist(entity.Delete()), nil
		}
		return entity.Persist(c), nil
	}, total)
)

// Events of the tail are not evolved on a page that a deletion after them has
// already taken. Mutation seen to fail: load not taking the position of a page that
// is deleted.
func TestVerifyDeletedInTail(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, strict.Kind)
	for _, n := range []int64{0, 1, -1} {
		if n == 1 {
			h.Checkpoint(t.Context())
		}
		if _, err := step.Ask(t.Context(), h, "x", wrapperspb.Int64(n)); err != nil {
			t.Fatal(err)
		}
	}
	store.Hook(persistencetest.Hooks{WritePages: func(ctx context.Context, all []persistence.Page) error {
		if all[0].Key.Kind == "" {
			return nil // entries
		}
		return errors.Join(store.Store.Pages().Write(ctx, all), errors.New("the reply is lost"))
	}})
	h.Checkpoint(t.Context())
	crashHost(t, h, store)
	if done, found := verify(t, store, 0, strict.Kind); len(found) > 0 || done.Pages != 0 {
		t.Errorf("found %q, %+v", found, done)
	}
}

// A page of a later version says nothing of what the tail makes of it. Mutation
// seen to fail: bringing such an entity back.
func TestVerifyLaterVersion(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, strict.Kind)
	for n := range int64(2) {
		if _, err := step.Ask(t.Context(), h, "x", wrapperspb.Int64(n)); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			h.Checkpoint(t.Context())
		}
	}
	crashHost(t, h, store)
	spoiled := &persistencetest.Spoiled{Store: store, Page: func(p *persistence.Page) (bool, error) {
		if p.Key.Kind == "strict" {
			p.Version, p.Data = 2, nil
		}
		return true, nil
	}}
	if _, found := verify(t, spoiled, 0, strict.Kind); len(found) != 1 || !strings.HasPrefix(found[0], "page-unknown: strict/x state: ") {
		t.Errorf("found %q", found)
	}
}

// A deletion makes a history whole again that could not be replayed before it.
// Mutation seen to fail: deleted leaving it broken.
func TestVerifyDeletionMends(t *testing.T) {
	lenient := entity.New("strict", func(s *wrapperspb.Int64Value, _ proto.Message) { s.Value++ })
	lenientStep := entity.Command(lenient, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		if c.Value < 0 {
			return entity.Persist(entity.Delete()), nil
		}
		return entity.Persist(c), nil
	}, total)
	store := newStore(t)
	h := openHost(t, store, lenient.Kind)
	for _, n := range []int64{5, -1, 0, 1} {
		if _, err := lenientStep.Ask(t.Context(), h, "x", wrapperspb.Int64(n)); err != nil {
			t.Fatal(err)
		}
	}
	closeHost(t, h)
	done, found := verify(t, store, 0, strict.Kind)
	if len(found) != 1 || !strings.HasPrefix(found[0], "event: strict/x at 4096:0: ") || done.Compared != 1 || len(done.Unchecked) != 0 {
		t.Errorf("found %q, %+v", found, done)
	}
}

// An event in the log of another shard than its entity's is found. Mutation seen to
// fail: frame not looking.
func TestVerifyMisplacedEvent(t *testing.T) {
	store := newStore(t)
	test := entity.New("test", func(*wrapperspb.Int64Value, proto.Message) {})
	shard := (persistence.ShardOf("test", "one", 4) + 1) % 4
	inc, err := store.Ownership().Boot(t.Context(), "n", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Ownership().Claim(t.Context(), persistence.Claim{Shard: shard, Owner: "n", Incarnation: inc, Seen: persistence.ShardRow{Shard: shard}}); err != nil {
		t.Fatal(err)
	}
	if err := persistencetest.Append(t.Context(), store.Log(), persistencetest.Frame(t, shard, persistence.At(persistence.FirstEpoch, 0), 1, "x")); err != nil {
		t.Fatal(err)
	}
	_, found := verify(t, store, 0, test.Kind)
	if want := fmt.Sprintf("event: test/one at 4096:0: it is in the log of shard %d, and its entity in shard ", shard); len(found) != 1 || !strings.HasPrefix(found[0], want) {
		t.Errorf("found %q, want %q", found, want)
	}
}

// A kind of which there are only pages is missed too. Mutation seen to fail: pages
// of unknown kinds not told.
func TestVerifyUnknownKind(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, shelf, counter.Kind)
	for i := range 20 {
		ask(t, h, fmt.Sprint("c", i), 1)
	}
	closeHost(t, h)
	done, found := verify(t, store, 0, shelf)
	if want := `kind: kind "counter": the store has entities of it, and this program does not have the kind`; len(found) != 1 || found[0] != want {
		t.Errorf("found %q, want %q once", found, want)
	}
	if len(done.Unchecked) != 1 || done.Unchecked[0].Number != 20 {
		t.Errorf("not checked: %+v", done.Unchecked)
	}
}

// library returns a store that holds a shelf and a diary whose pages are stored,
// some events that are not, and where its checkpoint lies above.
func library(t *testing.T) (store *persistencetest.Faulty, tail persistence.Position) {
	t.Helper()
	store = newStore(t)
	h := openHost(t, store, shelf, diary)
	for i := range int64(6) {
		for _, id := range []string{"x", "y"} {
			if _, err := write.Ask(t.Context(), h, id, wrapperspb.Int64(8*i+7)); err != nil {
				t.Fatal(err)
			}
			board := "a"
			if i > 3 {
				board = "b" // or the entries of the tail would be right as well
			}
			if _, err := put.Ask(t.Context(), h, id, wrapperspb.String(fmt.Sprint(board, i))); err != nil {
				t.Fatal(err)
			}
		}
		if i == 3 {
			h.Checkpoint(t.Context())
			tail = h.Next(entity.ID{Kind: "diary", ID: "x"})
		}
	}
	crashHost(t, h, store)
	return store, tail
}

// Damage is found where it is, and nothing else. Mutations seen to fail, under the
// case of that name: comparing nothing; lost pages not told; entries not compared;
// events of the tail not replayed; versions and names of pages not looked at; a kind
// that is not there not told.
func TestVerifyFinds(t *testing.T) {
	page := func(kind, id, name string, change func(*persistence.Page) bool) func(*persistencetest.Spoiled) {
		return func(s *persistencetest.Spoiled) {
			s.Page = func(p *persistence.Page) (bool, error) {
				if p.Key.Kind == kind && p.Key.ID == id && p.Key.Page == name {
					return change(p), nil
				}
				return true, nil
			}
		}
	}
	for _, c := range []struct {
		name  string
		kinds []*entity.Kind
		spoil func(s *persistencetest.Spoiled)
		want  []string
		left  string // what can't be checked then
	}{
		{name: "nothing", spoil: func(*persistencetest.Spoiled) {}},
		{
			name: "a page without its last event",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				p.Data = p.Data[:len(p.Data)-1] // the number 31 takes one byte
				return true
			}),
			want: []string{"page-differs: diary/x leaf/b: at "},
		},
		{
			name: "a page with one bit changed",
			spoil: page("shelf", "y", "board/a", func(p *persistence.Page) bool {
				p.Data = bytes.Replace(p.Data, []byte("a2"), []byte("a3"), 1)
				return true
			}),
			want: []string{"page-differs: shelf/y board/a: at "},
		},
		{
			name:  "a page that is gone",
			spoil: page("diary", "x", "leaf/b", func(*persistence.Page) bool { return false }),
			want:  []string{"page-lost: diary/x leaf/b: it is not stored"},
		},
		{
			name: "a page that is an old one",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				p.Position, p.Data = persistence.At(persistence.FirstEpoch, 0), nil
				return true
			}),
			want: []string{"page-lost: diary/x leaf/b: it has come to 4096:0", "page-differs: diary/x leaf/b: it has come to 4096:0, and no event"},
		},
		{
			name: "a page of a later version",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				p.Version = 2
				return true
			}),
			want: []string{"page-unknown: diary/x leaf/b: it has version 2, and this program knows version 1"},
			left: "can't be read",
		},
		{
			name: "a page of an earlier version that comes out otherwise",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				p.Version, p.Data = 0, p.Data[:1]
				return true
			}),
			left: "earlier version",
		},
		{
			name: "a page of an earlier version that comes out the same",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				p.Version = 0
				return true
			}),
		},
		{
			name: "a page that can't be decoded",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				p.Data = bytes.Repeat([]byte{0xff}, 11) // the codec panics on it
				return true
			}),
			want: []string{"page: diary/x leaf/b: decoding it panicked"},
			left: "can't be read",
		},
		{
			name: "a page that nobody knows",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				p.Key.Page = "root/b"
				return true
			}),
			want: []string{"page-unknown: diary/x root/b: it is not a page of kind \"diary\"", "page-lost: diary/x leaf/b: it is not stored"},
			left: "can't be read",
		},
		{
			name:  "an entry of an index gone",
			spoil: page("", "", "index/shelf/on-a/a3/y", func(*persistence.Page) bool { return false }),
			want:  []string{"entry-missing: shelf/y index on-a a3: the index does not have it"},
		},
		{
			name:  "an entry of the list gone",
			spoil: page("", "", "index/diary/id//x", func(*persistence.Page) bool { return false }),
			want:  []string{"entry-missing: diary/x index id: the index does not have it"},
		},
		{
			name: "an entry that is another",
			spoil: page("", "", "index/shelf/on-a/a3/y", func(p *persistence.Page) bool {
				p.Key.Page = "index/shelf/on-a/a9/y"
				return true
			}),
			want: []string{"entry-missing: shelf/y index on-a a3", "entry-stray: shelf/y index on-a a9: the index has it"},
		},
		{
			name: "an entry of an index that nobody knows",
			spoil: page("", "", "index/shelf/on-a/a3/y", func(p *persistence.Page) bool {
				p.Key.Page = "index/shelf/old/a3/y"
				return true
			}),
			want: []string{"entry-missing: shelf/y index on-a a3"},
			left: "does not have their kind, or index",
		},
		{
			name: "an entry of what was never there",
			spoil: page("", "", "index/shelf/on-a/a3/y", func(p *persistence.Page) bool {
				p.Key.Page = "index/shelf/on-a/a3/" + neighbourOf("shelf", "y")
				return true
			}),
			want: []string{"entry-missing: shelf/y index on-a a3", "entry-stray: shelf/" + neighbourOf("shelf", "y") + " index on-a a3"},
		},
		{
			name: "a frame gone",
			spoil: func(s *persistencetest.Spoiled) {
				home := persistence.ShardOf("diary", "x", 4)
				s.Frame = func(f *persistence.Frame) (bool, error) {
					return f.Shard != home || f.Position != persistence.At(persistence.FirstEpoch, 2), nil
				}
			},
			want: []string{"frame-missing: shard " + fmt.Sprint(persistence.ShardOf("diary", "x", 4)) + " at 4096:2: "},
			left: "damaged",
		},
		{
			name:  "a kind that is not there",
			kinds: []*entity.Kind{shelf},
			spoil: func(*persistencetest.Spoiled) {},
			want:  []string{`kind: kind "diary": the store has entities of it`},
			left:  "does not have their kind",
		},
		{
			name: "an entity in the wrong shard",
			spoil: page("diary", "x", "leaf/b", func(p *persistence.Page) bool {
				for persistence.ShardOf("diary", p.Key.ID, 4) == p.Key.Shard {
					p.Key.ID += "x"
				}
				return true
			}),
			want: []string{"page-misplaced: diary/xx", "page-lost: diary/x leaf/b: it is not stored"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, _ := library(t)
			kinds := c.kinds
			if kinds == nil {
				kinds = []*entity.Kind{shelf, diary}
			}
			for _, memory := range []int64{0, 1} {
				spoiled := &persistencetest.Spoiled{Store: store}
				c.spoil(spoiled)
				done, found := verify(t, spoiled, memory, kinds...)
				if len(found) != len(c.want) || slices.ContainsFunc(c.want, func(want string) bool {
					return !slices.ContainsFunc(found, func(got string) bool { return strings.HasPrefix(got, want) })
				}) {
					t.Errorf("found\n\t%s\nwant\n\t%s", strings.Join(found, "\n\t"), strings.Join(c.want, "\n\t"))
				}
				if (c.left == "") != (len(done.Unchecked) == 0) || c.left != "" && !strings.Contains(done.Unchecked[0].Reason, c.left) {
					t.Errorf("not checked: %v, want something with %q", done.Unchecked, c.left)
				}
				if memory == 1 && c.left != "damaged" && done.Passes <= done.Shards {
					t.Errorf("with next to no memory there were %d passes over %d shards", done.Passes, done.Shards)
				}
			}
		})
	}
}

// neighbourOf returns another id of the same shard.
func neighbourOf(kind, id string) string {
	for i := 0; ; i++ {
		if other := fmt.Sprint("n", i); persistence.ShardOf(kind, other, 4) == persistence.ShardOf(kind, id, 4) {
			return other
		}
	}
}

// An event that the program can't take is found whether it is in the tail or kept
// aside, and no more once it is skipped. Mutations seen to fail: bringing back
// without what is kept; skips not looked at; kept events counted as lost.
func TestVerifyCorrupt(t *testing.T) {
	store, at := corrupted(t, 100)
	want := []string{fmt.Sprintf("event: counter/a at %s: evolving with google.protobuf.Int64Value panicked: the number of the beast", at)}
	check := func(when string, want ...string) {
		t.Helper()
		for _, memory := range []int64{0, 1} {
			if _, found := verify(t, store, memory, counter.Kind); !slices.Equal(found, want) {
				t.Errorf("%s: found\n\t%s\nwant\n\t%s", when, strings.Join(found, "\n\t"), strings.Join(want, "\n\t"))
			}
		}
		if _, found := verify(t, store, 0, harmless.Kind); when != "skipped" && len(found) > 0 {
			t.Errorf("%s: a program that understands it finds %q", when, found)
		}
	}
	check("in the tail", want...)
	h := openHost(t, store)
	if _, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}); corruptAt(err) != at {
		t.Fatal(err)
	}
	id := entity.ID{Kind: "counter", ID: "a"}
	ask(t, h, neighbour(h, "a"), 1)
	waitFor(t, func() bool { h.Checkpoint(t.Context()); return h.Clean(id) == h.Acked(id) })
	crashHost(t, h, store)
	check("kept", want...)
	h = openHost(t, store)
	if err := h.Skip(t.Context(), id, at); err != nil {
		t.Fatal(err)
	}
	ask(t, h, "a", 1)
	crashHost(t, h, store)
	check("skipped")
	h = openHost(t, store)
	ask(t, h, "a", 1)
	closeHost(t, h)
	check("skipped")
}

// The history of a page that holds an event which this program can't take can't be
// replayed, which is told; pages below it are compared, and those after a deletion.
// Mutation seen to fail: a broken history counting as one.
func TestVerifyBrokenHistory(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, harmless.Kind)
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
	closeHost(t, h)
	done, found := verify(t, store, 0, counter.Kind)
	if want := fmt.Sprintf("event: counter/a at %s: ", at); len(found) != 1 || !strings.HasPrefix(found[0], want) || done.Compared != 0 || len(done.Unchecked) != 1 {
		t.Errorf("found %q, want %q; %+v", found, want, done)
	}
}

// Where history was dropped, pages that began after that, or were made anew by a
// deletion since, can be compared; the others are said not to be. Mutations seen to
// fail: a dropped history counting as none; a deletion not making it whole.
func TestVerifyDroppedHistory(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, shelf)
	other := neighbourOf("shelf", "x")
	for _, text := range []string{"a1", "b1"} {
		for _, id := range []string{"x", other} {
			if _, err := put.Ask(t.Context(), h, id, wrapperspb.String(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.Checkpoint(t.Context())
	low := h.Acked(entity.ID{Kind: "shelf", ID: "x"})
	for _, text := range []string{"-a2", "b2"} {
		if _, err := put.Ask(t.Context(), h, "x", wrapperspb.String(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := put.Ask(t.Context(), h, other, wrapperspb.String("a3")); err != nil {
		t.Fatal(err)
	}
	closeHost(t, h)
	home := persistence.ShardOf("shelf", "x", 4)
	row, err := store.Ownership().Shard(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Ownership().RaiseLow(t.Context(), row, low); err != nil {
		t.Fatal(err)
	}
	if err := store.Log().Delete(t.Context(), home, low); err != nil {
		t.Fatal(err)
	}
	done, found := verify(t, store, 0, shelf)
	if len(found) > 0 || done.Pages != 4 || done.Compared != 2 || len(done.Unchecked) != 1 || done.Unchecked[0].Number != 2 {
		t.Errorf("found %q, %+v", found, done)
	}
}

// What can't be verified is refused, and an end of the context is one. Progress
// comes, and goes up.
func TestVerifyConfig(t *testing.T) {
	store, _ := library(t)
	kinds := []*entity.Kind{shelf, diary}
	none := func(f inspect.Finding) { t.Error(f) }
	if _, err := entity.Verify(t.Context(), store, kinds, entity.VerifyConfig{}, none); err == nil {
		t.Error("verified without memory")
	}
	if _, err := entity.Verify(t.Context(), store, nil, entity.DefaultVerifyConfig(), none); err == nil {
		t.Error("verified without kinds")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cfg := entity.DefaultVerifyConfig()
	var last entity.VerifyProgress
	cfg.Progress = func(p entity.VerifyProgress) {
		if p.Part < last.Part || p.Part > 1 || p.Events <= last.Events {
			t.Errorf("progress went from %+v to %+v", last, p)
		}
		last = p
		cancel()
	}
	if _, err := entity.Verify(ctx, store, kinds, cfg, none); !errors.Is(err, context.Canceled) || last.Events == 0 {
		t.Errorf("canceled after %+v: %v", last, err)
	}
}
