package entity_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// An archive has boxes, and a list of those that something is in. An item is packed into
// a box, or the box is emptied.
type (
	packed  struct{ box, item string } // no item: it is emptied
	box     struct{ items string }
	boxes   struct{ names []string }
	pack    packed
	unpack  string
	glimpse string
)

var (
	archives = newArchive("archive", func(l *boxes, name string) bool { return slices.Contains(l.names, name) })
	// In those the list is said to name nothing.
	careless = newArchive("careless", func(*boxes, string) bool { return false })
)

type archive struct {
	*entity.Kind
	boxes   entity.PageSet[*box]
	pack    *entity.Handle[pack, int]
	unpack  *entity.Handle[unpack, string]
	glimpse *entity.Handle[glimpse, string]
}

func newArchive(name string, has func(*boxes, string) bool) *archive {
	a := &archive{Kind: entity.NewKind(name)}
	entity.Event(a.Kind, "packed", entity.EventCodec[packed]{
		Version: 1,
		Append:  func(dst []byte, p packed) []byte { return append(dst, p.box+"="+p.item...) },
		Decode: func(_ uint32, b []byte) (packed, error) {
			box, item, _ := strings.Cut(string(b), "=")
			return packed{box, item}, nil
		},
	})
	lists := entity.Pages(a.Kind, "list", entity.PageCodec[*boxes]{
		Version: 1,
		New:     func(string) (*boxes, error) { return &boxes{}, nil },
		Append:  func(dst []byte, l *boxes) []byte { return append(dst, strings.Join(l.names, ",")...) },
		Decode: func(_ uint32, b []byte) (*boxes, error) {
			return &boxes{strings.FieldsFunc(string(b), func(r rune) bool { return r == ',' })}, nil
		},
	}, func(dst []string, _ any) []string { return append(dst, "") }, func(l *boxes, event any) {
		e := event.(packed)
		at := slices.Index(l.names, e.box)
		switch {
		case e.item == "" && at >= 0:
			l.names = slices.Delete(l.names, at, at+1)
		case e.item != "" && at < 0:
			l.names = append(l.names, e.box)
		}
	})
	a.boxes = entity.Pages(a.Kind, "box", entity.PageCodec[*box]{
		Version: 1,
		New:     func(string) (*box, error) { return &box{}, nil },
		Append:  func(dst []byte, b *box) []byte { return append(dst, b.items...) },
		Decode:  func(_ uint32, b []byte) (*box, error) { return &box{string(b)}, nil },
	}, func(dst []string, event any) []string { return append(dst, event.(packed).box) }, func(b *box, event any) {
		if e := event.(packed); e.item == "" {
			b.items = ""
		} else {
			b.items += e.item
		}
	})
	entity.KnownFrom(a.boxes, lists, has)
	a.pack = entity.CommandOn(a.Kind, func(dst []entity.PageRef, p pack) []entity.PageRef {
		return append(dst, lists.At(""), a.boxes.At(p.box))
	}, func(_ *entity.View, p pack) (entity.Events, int, error) { return entity.Persist(packed(p)), 0, nil })
	a.unpack = entity.QueryOn(a.Kind, func(dst []entity.PageRef, name unpack) []entity.PageRef {
		return append(dst, lists.At(""), a.boxes.At(string(name)))
	}, func(v *entity.View, name unpack) (string, error) {
		b, ok := a.boxes.In(v, string(name))
		if !ok {
			return "", nil
		}
		return b.items, nil
	})
	a.glimpse = entity.QueryOn(a.Kind, func(dst []entity.PageRef, _ glimpse) []entity.PageRef {
		return append(dst, lists.At(""))
	}, func(v *entity.View, name glimpse) (string, error) {
		b, ok, err := a.boxes.Look(v, string(name))
		if err != nil || !ok {
			return "", err
		}
		return b.items, nil
	})
	return a
}

// The store is asked only for pages that may be there, when another page says which are.
// Mutations seen to fail: absent false always, or where the other page has no state;
// Look not asking it.
func TestKnownFrom(t *testing.T) {
	store := newStore(t)
	var mu sync.Mutex
	var read []string
	store.Hook(persistencetest.Hooks{ReadPage: func(_ context.Context, key persistence.PageKey) error {
		if key.Kind == "archive" {
			mu.Lock()
			read = append(read, key.ID+" "+key.Page)
			mu.Unlock()
		}
		return nil
	}})
	h := openHost(t, store, archives.Kind)
	defer func() { closeHost(t, h) }()
	expect := func(what string, want ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(read, want) {
			t.Errorf("for %s %q were read, want %q", what, read, want)
		}
		read = nil
	}
	into := func(id, box, item string) {
		t.Helper()
		if _, err := archives.pack.Ask(t.Context(), h, id, pack{box, item}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(id, box, want string) {
		t.Helper()
		got, err := archives.unpack.Ask(t.Context(), h, id, unpack(box))
		if again, lookErr := archives.glimpse.Ask(t.Context(), h, id, glimpse(box)); err != nil || lookErr != nil || got != want || again != want {
			t.Errorf("box %s has %q, and looked at %q; %v, %v; want %q", box, got, again, err, lookErr, want)
		}
	}
	into("x", "a", "1")
	expect("an entity that nothing is known of", "x list", "x box/a")
	into("x", "b", "2")
	has("x", "c", "")
	expect("boxes that are new")
	has("x", "a", "1")
	expect("what is in memory")
	into("x", "b", "")
	h.Evict(t.Context(), 0)
	has("x", "a", "1")
	expect("all of it, after it has left memory", "x list", "x box/a")
	into("x", "b", "3") // stored as it is when it is empty
	has("x", "b", "3")
	expect("a box that is empty")
	h.Evict(t.Context(), 0)
	has("x", "b", "3")
	expect("it, when it has something", "x list", "x box/b")
	if got, err := archives.glimpse.Ask(t.Context(), h, "y", "a"); err != nil || got != "" {
		t.Errorf("nobody has %q, %v", got, err)
	}
	expect("an entity that there is not", "y list")
	into("y", "a", "1")
	expect("its first event")
}

// Whatever an archive is asked, and when ever its pages leave memory, it has what a map
// would have. Mutation seen to fail: has saying of all boxes that they are not there when
// there are two.
func TestKnownFromAgainstMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t)
		h := openHost(t, store, archives.Kind)
		defer func() { closeHost(t, h) }()
		want := map[string]string{}
		names := rapid.SampledFrom([]string{"a", "b", "c"})
		rt.Repeat(map[string]func(*rapid.T){
			"pack": func(rt *rapid.T) {
				name, item := names.Draw(rt, "box"), rapid.SampledFrom([]string{"1", "2", ""}).Draw(rt, "item")
				if _, err := archives.pack.Ask(t.Context(), h, "x", pack{name, item}); err != nil {
					rt.Fatal(err)
				}
				if want[name] += item; item == "" {
					want[name] = ""
				}
			},
			"unpack": func(rt *rapid.T) {
				name := names.Draw(rt, "box")
				if got, err := archives.unpack.Ask(t.Context(), h, "x", unpack(name)); err != nil || got != want[name] {
					rt.Fatalf("box %s has %q, %v; want %q", name, got, err, want[name])
				}
			},
			"glimpse": func(rt *rapid.T) {
				name := names.Draw(rt, "box")
				if got, err := archives.glimpse.Ask(t.Context(), h, "x", glimpse(name)); err != nil || got != want[name] {
					rt.Fatalf("box %s has %q, %v; want %q", name, got, err, want[name])
				}
			},
			"evict":      func(*rapid.T) { h.Evict(t.Context(), 0) },
			"checkpoint": func(*rapid.T) { h.Checkpoint(t.Context()) },
			"restart": func(*rapid.T) {
				closeHost(t, h)
				h = openHost(t, store, archives.Kind)
			},
			"crash": func(*rapid.T) {
				h.Fail(context.Canceled) // so that no pages are stored
				_ = h.Close(context.WithoutCancel(t.Context()))
				h = openHost(t, store, archives.Kind)
			},
		})
	})
}

// The twin finds kinds that say of a page that it is not there while it is; not of one
// that is as if it were new. Mutation seen to fail: known comparing nothing, and finding
// every page.
func TestTwinKnows(t *testing.T) {
	for kind, ok := range map[*archive]bool{archives: true, careless: false} {
		twin := entity.NewTwin(kind.Kind)
		err := twin.Evolve(packed{"a", "1"})
		if err == nil {
			err = twin.Evolve(packed{"a", ""})
		}
		if (err == nil) != ok {
			t.Errorf("the twin of kind %s: %v", kind.Name(), err)
		}
	}
}
