package entity_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// cabinet is a kind with things in drawers, which are its pages: a number says in
// which drawer (2 bits) and at which place (2 bits) is what (the rest, 0 for
// nothing any more). The number 3 deletes the cabinet. A drawer of which the
// renderer is told to be afraid makes it panic.
var (
	cabinet = entity.NewKind("cabinet")
	drawers = entity.Pages(cabinet, "drawer", entity.PageCodec[*drawer]{
		Version: 1,
		New:     func(string) (*drawer, error) { return &drawer{}, nil },
		Append: func(dst []byte, d *drawer) []byte {
			for _, thing := range d {
				dst = binary.AppendUvarint(dst, uint64(thing))
			}
			return dst
		},
		Decode: func(_ uint32, b []byte) (*drawer, error) {
			d := &drawer{}
			for i := range d {
				n, size := binary.Uvarint(b)
				d[i], b = int32(n), b[size:]
			}
			return d, nil
		},
	}, func(dst []string, event any) []string {
		return append(dst, drawerNames[event.(*wrapperspb.Int64Value).Value&3])
	}, func(d *drawer, event any) {
		n := event.(*wrapperspb.Int64Value).Value
		d[n>>2&3] = int32(n >> 4)
	})
	stow = entity.CommandOn(cabinet, func(dst []entity.PageRef, _ *wrapperspb.Int64Value) []entity.PageRef { return dst },
		func(_ *entity.View, n *wrapperspb.Int64Value) (entity.Events, struct{}, error) {
			if n.Value == 3 {
				return entity.Persist(entity.Delete()), struct{}{}, nil
			}
			return entity.Persist(n), struct{}{}, nil
		})
	things = &persistence.Table{
		Name: "things", Version: 1, Columns: []persistence.Column{
			{Name: "id", Type: persistence.TextColumn, Key: persistence.Ascending},
			{Name: "drawer", Type: persistence.TextColumn, Key: persistence.Descending},
			{Name: "place", Type: persistence.IntColumn, Key: persistence.Ascending},
			{Name: "thing", Type: persistence.IntColumn},
			{Name: "odd", Type: persistence.TextColumn}, // of odd things only
		},
	}
	afraid atomic.Int32 // of that thing
)

type drawer [4]int32

var drawerNames = []string{"a", "b", "c"}

// row appends what the table has of a thing.
func row(dst []persistence.Datum, id, name string, place int, thing int32) []persistence.Datum {
	odd := persistence.Datum{}
	if thing&1 != 0 {
		odd = persistence.Text("odd")
	}
	return append(dst, persistence.Text(id), persistence.Text(name), persistence.Int(int32(place)), persistence.Int(thing), odd)
}

// inventory is the view of the things in the drawers.
func inventory(tables persistence.Tables) *entity.TableView {
	return &entity.TableView{
		Name: "inventory", Version: 1, Tables: tables,
		Renderings: []*entity.Rendering{entity.Render(drawers, things,
			func(dst []persistence.Datum, name string) []persistence.Datum {
				return append(dst, persistence.Text(name))
			},
			func(dst, scope []persistence.Datum, d *drawer) []persistence.Datum {
				id, name := scope[0].Value().(string), scope[1].Value().(string)
				for place, thing := range d {
					if thing == 0 {
						continue
					}
					if thing == afraid.Load() {
						panic("that is frightening")
					}
					dst = row(dst, id, name, place, thing)
				}
				return dst
			})},
	}
}

func viewConfig(store persistence.Store, tables persistence.Tables) entity.HostConfig {
	cfg := hostConfig(store, cabinet)
	if tables != nil {
		cfg.Views = []*entity.TableView{inventory(tables)}
	}
	cfg.OpenBackoff = time.Nanosecond // nor are views given a pause
	cfg.OpenBackoffMax = time.Nanosecond
	cfg.CheckpointEvery = time.Hour
	return cfg
}

func openView(t testing.TB, store persistence.Store, tables persistence.Tables) *entity.Host {
	t.Helper()
	h, err := entity.Open(t.Context(), viewConfig(store, tables))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// complete waits until all that is stored is in the tables.
func complete(t testing.TB, h *entity.Host) {
	t.Helper()
	for {
		p := h.Views()[0]
		if p.Complete == p.Shards {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the view is never complete")
		}
		runtime.Gosched()
	}
}

// contents are what is in the drawers, by cabinet.
type contents map[string]map[string]*drawer

func (c contents) rows() (all []persistence.Datum) {
	for _, id := range slices.Sorted(maps.Keys(c)) {
		for _, name := range drawerNames {
			for place, thing := range c[id][name] {
				if thing != 0 {
					all = row(all, id, name, place, thing)
				}
			}
		}
	}
	return all
}

func newContents() contents {
	c := contents{}
	for _, id := range []string{"x", "y", "z"} {
		c[id] = map[string]*drawer{"a": {}, "b": {}, "c": {}}
	}
	return c
}

func (c contents) stow(t testing.TB, h *entity.Host, id string, n int64) {
	t.Helper()
	if _, err := stow.Ask(t.Context(), h, id, wrapperspb.Int64(n)); err != nil {
		t.Fatal(err)
	}
	if n == 3 {
		c[id] = map[string]*drawer{"a": {}, "b": {}, "c": {}}
		return
	}
	c[id][drawerNames[n&3]][n>>2&3] = int32(n >> 4)
}

// lossy takes some rows of a call, loses others, and has others come late. What it
// does to a row follows from the seed and the row, whatever the order of calls.
func lossy(seed uint64) persistencetest.TablesFault {
	return func(changes []persistence.RowChange) (taken, late []persistence.RowChange, err error) {
		fate := func(c persistence.RowChange, key []persistence.Datum) {
			h := fnv.New64a()
			_, _ = h.Write(fmt.Append(nil, seed, c.At, key)) // never fails
			switch h.Sum64() % 4 {
			case 0:
				late = append(late, c)
			case 1:
			default:
				taken = append(taken, c)
			}
		}
		for _, c := range changes {
			for _, scope := range c.Erase {
				fate(persistence.RowChange{Table: c.Table, At: c.At, Erase: [][]persistence.Datum{scope}}, scope)
			}
			width := len(c.Table.Columns)
			for put := c.Put; len(put) > 0; put = put[width:] {
				fate(persistence.RowChange{Table: c.Table, At: c.At, Put: put[:width]}, put[:3])
			}
		}
		return taken, late, errors.New("the tables are away")
	}
}

// The tables have what the pages have, after any sequence of writes that failed
// or came late, crashes, and times without the view.
//
// Mutations seen to fail: rows written after the pages; pages stored though their
// rows could not be written; the difference written though a write has failed before
// (noted always false); the difference to a page of an epoch before (before not
// comparing with begin); a whole page without erasing; the record of a view not
// removed while it is off; the end of a build not erasing what is older, or also what
// the build put (Since at begin); a build stamping rows with the page's position, or
// above the begin of the epoch.
func TestTablesHaveWhatPagesHave(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t)
		tables := &persistencetest.Tables{}
		h, on := openView(t, store, tables), true
		defer func() { closeHost(t, h) }()
		twin := newContents()
		reopen := func(crash, view bool) {
			if crash {
				crashHost(t, h, store)
			} else {
				closeHost(t, h)
			}
			if on = view; on {
				h = openView(t, store, tables)
			} else {
				h = openView(t, store, nil)
			}
		}
		whole := func() {
			h.Checkpoint(t.Context())
			if left := h.TailBytes(); left != 0 {
				rt.Fatalf("a tail of %d bytes is left", left)
			}
		}
		check := func() {
			complete(t, h)
			tables.Arrive()
			if got, want := tables.Rows(things), twin.rows(); !slices.Equal(got, want) {
				rt.Fatalf("the table has\n%v\nwant\n%v", got, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"stow": func(rt *rapid.T) {
				id := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "id")
				for range rapid.IntRange(1, 4).Draw(rt, "times") {
					where := rapid.IntRange(0, 11).Draw(rt, "where")
					n := int64(rapid.IntRange(0, 3).Draw(rt, "thing")<<4 | where%4<<2 | where/4)
					twin.stow(t, h, id, n)
				}
			},
			"delete": func(rt *rapid.T) {
				twin.stow(t, h, rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "id"), 3)
			},
			"store": func(*rapid.T) { whole() },
			"tables fail": func(rt *rapid.T) {
				tables.Fail(lossy(rapid.Uint64().Draw(rt, "seed")))
				h.Checkpoint(t.Context())
				tables.Fail(nil)
			},
			"pages fail": func(rt *rapid.T) {
				some := rapid.IntRange(0, 3).Draw(rt, "some")
				store.Hook(persistencetest.Hooks{WritePages: func(ctx context.Context, pages []persistence.Page) error {
					if pages[0].Key.Kind == "" {
						return nil
					}
					return errors.Join(store.Store.Pages().Write(ctx, pages[:min(some, len(pages))]), errors.New("the pages are away"))
				}})
				h.Checkpoint(t.Context())
				store.Hook(persistencetest.Hooks{})
			},
			// Something is put in and, after its row was written and its page was not,
			// taken out again: neither the stored page nor the next one has it.
			"taken back": func(rt *rapid.T) {
				id := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "id")
				where := int64(rapid.IntRange(0, 2).Draw(rt, "drawer"))
				whole()
				twin.stow(t, h, id, 3<<4|where)
				if rapid.Bool().Draw(rt, "tables fail") {
					tables.Fail(lossy(rapid.Uint64().Draw(rt, "seed")))
				}
				store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, pages []persistence.Page) error {
					return errors.New("the pages are away")
				}})
				h.Checkpoint(t.Context())
				tables.Fail(nil)
				store.Hook(persistencetest.Hooks{})
				if rapid.Bool().Draw(rt, "crash") {
					reopen(true, true)
				}
				twin.stow(t, h, id, where)
				whole()
			},
			"late": func(*rapid.T) { tables.Arrive() },
			"end": func(rt *rapid.T) {
				reopen(rapid.Bool().Draw(rt, "crash"), rapid.IntRange(0, 3).Draw(rt, "view") > 0)
			},
			"end while tables fail": func(rt *rapid.T) {
				tables.Fail(lossy(rapid.Uint64().Draw(rt, "seed")))
				closeHost(t, h)
				tables.Fail(nil)
				h, on = openView(t, store, tables), true
			},
			"check": func(rt *rapid.T) {
				if on {
					whole()
					check()
				}
			},
		})
		if !on {
			reopen(false, true)
		}
		whole()
		check()
	})
}

// What has not changed is not written again, unless it has to be: at the first
// time after an opening. Mutations seen to fail: a row that lost a value not erased;
// a page of an epoch before taken for the rows that are there.
func TestOnlyWhatChangedIsWritten(t *testing.T) {
	store := newStore(t)
	tables := &persistencetest.Tables{}
	h := openView(t, store, tables)
	defer func() { closeHost(t, h) }()
	complete(t, h)
	twin := newContents()
	written := func(n int64, wantPuts, wantErases int) {
		t.Helper()
		puts, erases := tables.Changes()
		twin.stow(t, h, "x", n)
		h.Checkpoint(t.Context())
		p, e := tables.Changes()
		if p-puts != wantPuts || e-erases != wantErases {
			t.Errorf("%d rows were put and %d ranges erased, want %d and %d", p-puts, e-erases, wantPuts, wantErases)
		}
		if got, want := tables.Rows(things), twin.rows(); !slices.Equal(got, want) {
			t.Errorf("the table has %v, want %v", got, want)
		}
	}
	written(1<<4|0<<2, 1, 1) // whole
	written(1<<4|1<<2, 1, 0)
	written(2<<4|1<<2, 1, 1) // a value is lost
	written(2<<4|1<<2, 0, 0)
	written(0<<4|0<<2, 0, 1)
	written(1<<4|2<<2, 1, 0)
	closeHost(t, h)
	h = openView(t, store, tables)
	written(1<<4|3<<2, 3, 1) // whole
	written(2<<4|2<<2, 1, 1)
	written(3, 0, 1) // the range
}

// While tables can't be written, pages wait, and the tables get a pause; commands
// go on. Mutation seen to fail: store going on when renderPages has failed.
func TestPagesWaitForTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		tables := &persistencetest.Tables{}
		cfg := viewConfig(store, tables)
		cfg.OpenBackoff, cfg.OpenBackoffMax = time.Second, 8*time.Second
		var tries atomic.Int64
		cfg.Listener.RowsWritten = func(f entity.ViewFlush) {
			if f.Err != nil {
				tries.Add(1)
			}
		}
		cfg.CheckpointBytes, cfg.CheckpointEvery = 1, 100*time.Millisecond
		tables.Fail(func([]persistence.RowChange) (taken, late []persistence.RowChange, err error) {
			return nil, nil, errors.New("away")
		})
		h, err := entity.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { closeHost(t, h) }()
		twin := newContents()
		twin.stow(t, h, "x", 1<<4)
		time.Sleep(time.Minute) //nolint:forbidigo // in a synctest bubble
		if n := tries.Load(); n < 8 || n > 11 {
			t.Errorf("tried %d times in a minute, want pauses of 1, 2, 4 and then 8 s", n)
		}
		id := entity.ID{Kind: "cabinet", ID: "x"}
		if h.Clean(id) >= h.Acked(id) {
			t.Error("the checkpoint could pass a page whose rows are not written")
		}
		twin.stow(t, h, "x", 1<<4|1)
		tables.Fail(nil)
		time.Sleep(9 * time.Second) //nolint:forbidigo // in a synctest bubble
		if h.Clean(id) < h.Acked(id) {
			t.Error("the page still waits")
		}
		complete(t, h)
		if got, want := tables.Rows(things), twin.rows(); !slices.Equal(got, want) {
			t.Errorf("the table has %v, want %v", got, want)
		}
	})
}

// A page that can't be rendered keeps nobody from anything, and the next start,
// perhaps of a program that can, builds the view anew. Mutations seen to fail: the
// record not saying that a page was left out; its key forgotten when it is stored.
func TestPageThatCannotBeRendered(t *testing.T) {
	store := newStore(t)
	tables := &persistencetest.Tables{}
	h := openView(t, store, tables)
	defer func() { closeHost(t, h) }()
	complete(t, h)
	twin := newContents()
	afraid.Store(13)
	defer afraid.Store(0)
	twin.stow(t, h, "x", 13<<4)
	twin.stow(t, h, "y", 5<<4)
	h.Checkpoint(t.Context())
	if h.TailBytes() > 0 {
		t.Error("the page was not stored")
	}
	if p := h.Views()[0]; p.Complete != p.Shards-1 {
		t.Errorf("%d of %d shards are said to be complete", p.Complete, p.Shards)
	}
	twin.stow(t, h, "x", 7<<4)
	twin.stow(t, h, "x", 0<<4|1<<2)
	h.Checkpoint(t.Context())
	if got, want := tables.Rows(things), twin.rows(); !slices.Equal(got, want) {
		t.Errorf("the table has %v, want %v", got, want)
	}
	twin.stow(t, h, "x", 13<<4)
	closeHost(t, h)
	afraid.Store(0)
	h = openView(t, store, tables)
	complete(t, h)
	if got, want := tables.Rows(things), twin.rows(); !slices.Equal(got, want) {
		t.Errorf("after a start of a better program the table has %v, want %v", got, want)
	}
}

// A build that was interrupted goes on where it was, in the next epoch.
func TestBuildGoesOn(t *testing.T) {
	store := newStore(t)
	h := openView(t, store, nil)
	twin := contents{}
	for i := range 2000 {
		id := fmt.Sprint("c", i)
		twin[id] = map[string]*drawer{"a": {}, "b": {}, "c": {}}
		twin.stow(t, h, id, int64(1+i)<<4)
	}
	closeHost(t, h)
	tables := &persistencetest.Tables{}
	n := 0
	tables.Fail(func(changes []persistence.RowChange) (taken, late []persistence.RowChange, err error) {
		if n++; n > 900 {
			return nil, nil, errors.New("away")
		}
		return changes, nil, nil
	})
	h = openView(t, store, tables)
	for h.Views()[0].Pages < 300 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	closeHost(t, h)
	puts, _ := tables.Changes()
	tables.Fail(nil)
	h = openView(t, store, tables)
	defer func() { closeHost(t, h) }()
	complete(t, h)
	if p, _ := tables.Changes(); p-puts > 2000-300+4*64 {
		t.Errorf("%d pages were rendered after the restart", p-puts)
	}
	if got := h.Views()[0].Pages; got != 2000 {
		t.Errorf("%d pages were rendered in all, want 2000", got)
	}
	if got, want := tables.Rows(things), twin.rows(); !slices.Equal(got, want) {
		t.Error("the tables have not what the pages have")
	}
}
