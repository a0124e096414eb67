package inspect_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func at(e persistence.Epoch, seq uint64) persistence.Position {
	return persistence.At(persistence.FirstEpoch+e, seq)
}

// home is a shard of the stores here, and resident an entity that is in it.
const (
	home   = persistence.Shard(1)
	shards = 4
)

var resident = func() persistence.PageKey {
	for i := 0; ; i++ {
		if id := fmt.Sprint("e", i); persistence.ShardOf("test", id, shards) == home {
			return persistence.PageKey{Shard: home, Kind: "test", ID: id, Page: "state"}
		}
	}
}()

// fill puts three epochs into a shard, of 6, 0 and 5 events in frames of 2, 3 and
// 1, 2, 3, 2 events, with a page and a checkpoint at the third of the frames.
func fill(t *testing.T, store persistence.Store) {
	t.Helper()
	ctx, own := t.Context(), store.Ownership()
	inc, err := own.Boot(ctx, "n", "")
	must(t, err)
	row := persistence.ShardRow{Shard: home}
	claim := func(seal persistence.Position) {
		row, err = own.Claim(ctx, persistence.Claim{Shard: home, Owner: "n", Incarnation: inc, Seen: row, Seal: seal})
		must(t, err)
	}
	put := func(p persistence.Position, events int) {
		must(t, persistencetest.Append(ctx, store.Log(), persistencetest.Frame(t, home, p, events, "x")))
	}
	claim(0)
	put(at(0, 0), 2)
	put(at(0, 2), 3)
	put(at(0, 5), 1)
	claim(at(0, 6))
	claim(at(1, 0))
	put(at(2, 0), 3)
	put(at(2, 3), 2)
	must(t, store.Pages().Write(ctx, []persistence.Page{
		{Key: resident, Position: at(2, 3), Version: 1, Data: []byte("state")},
		{Key: persistence.PageKey{Shard: home, Page: "index/test/id//" + resident.ID}, Position: at(2, 3), Version: 1},
		{Key: persistence.CheckpointKey(home), Position: at(0, 5)},
	}))
}

// ofHome changes the row of home alone.
func ofHome(change func(*persistence.ShardRow) error) func(*persistence.ShardRow) error {
	return func(r *persistence.ShardRow) error {
		if r.Shard != home {
			return nil
		}
		return change(r)
	}
}

func bad(reason string) error {
	return &persistence.CorruptError{Record: "record", Key: "key", Reason: reason}
}

// read returns what is found in all shards, one a line without the advice.
func read(t *testing.T, store persistence.Store) (sum inspect.Summary, found []string) {
	t.Helper()
	for n := range persistence.Shard(shards) {
		s, err := inspect.Read(t.Context(), store, n, func(f inspect.Finding) {
			if f.Advice == "" || f.Shard != n {
				t.Errorf("a finding without advice, or of another shard: %+v", f)
			}
			found = append(found, strings.TrimSuffix(f.String(), "; "+f.Advice))
		})
		must(t, err)
		if n == home {
			sum = s
		}
	}
	return sum, found
}

// A store that is as it should be is described as it is, whatever the engine.
func TestSummary(t *testing.T) {
	mem, err := memory.New(shards)
	must(t, err)
	cfg := pebble.DefaultConfig(t.TempDir())
	cfg.Shards, cfg.MemTable = shards, 1<<20
	disk, err := pebble.Open(t.Context(), cfg)
	must(t, err)
	defer disk.Close()
	for _, store := range []persistence.Store{mem, disk} {
		fill(t, store)
		got, found := read(t, store)
		if len(found) > 0 {
			t.Errorf("found %q", found)
		}
		log := got.Log
		if log.From != at(0, 0) || log.To != at(2, 5) || log.Frames != 5 || log.Events != 11 || log.Late != 0 || !log.Whole {
			t.Errorf("the log: %+v", log)
		}
		if log.Tail.Frames != 3 || log.Tail.Events != 6 || log.Tail.Bytes <= 0 || log.Tail.Bytes >= log.Bytes {
			t.Errorf("the tail: %+v of %d bytes", log.Tail, log.Bytes)
		}
		if p := got.Pages; p.Pages != 1 || p.Bytes != 5 || p.Own["index"] != 1 || p.Own["checkpoint"] != 1 || !p.Whole {
			t.Errorf("the pages: %+v", p)
		}
		// "one" is in the tail alone, the resident has a page.
		if got.Checkpoint != at(0, 5) || got.Entities["test"] != 2 || got.Row.Owner != "n" || len(got.Row.Seals) != 2 {
			t.Errorf("the shard: %+v", got)
		}
	}
}

// Each damage is found, and nothing else. Mutations seen to fail, each under the
// case of its name: the gap, the end of a sealed epoch, the overlap, the seal, the
// checkpoint's place, the low mark, the position or the shard of a page not being
// looked at; a walk that ends at the first frame or page that it can't read.
func TestDamage(t *testing.T) {
	frameAt := func(p persistence.Position, change func(*persistence.Frame) (bool, error)) func(*persistencetest.Spoiled) {
		return func(s *persistencetest.Spoiled) {
			s.Frame = func(f *persistence.Frame) (bool, error) {
				if f.Position == p {
					return change(f)
				}
				return true, nil
			}
		}
	}
	gone := func(*persistence.Frame) (bool, error) { return false, nil }
	pageOf := func(key persistence.PageKey, change func(*persistence.Page) error) func(*persistencetest.Spoiled) {
		return func(s *persistencetest.Spoiled) {
			s.Page = func(p *persistence.Page) (bool, error) {
				if p.Key == key {
					return true, change(p)
				}
				return true, nil
			}
		}
	}
	checkpoint := func(p persistence.Position) func(*persistencetest.Spoiled) {
		return pageOf(persistence.CheckpointKey(home), func(page *persistence.Page) error { page.Position = p; return nil })
	}
	row := func(change func(*persistence.ShardRow)) func(*persistencetest.Spoiled) {
		return func(s *persistencetest.Spoiled) {
			s.Row = ofHome(func(r *persistence.ShardRow) error { change(r); return nil })
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(*persistencetest.Spoiled)
		want  []string
	}{
		{"whole", func(*persistencetest.Spoiled) {}, nil},
		{"frame gone", frameAt(at(0, 2), gone), []string{"frame-missing: shard 1 at 4096:2: the log goes on at 4096:5: 3 events are gone"}},
		{"last frame of an epoch gone", frameAt(at(0, 5), gone), []string{"frame-missing: shard 1 at 4096:5: the log ends there, and epoch 4096 was sealed at 4096:6"}},
		{"first frame of the current epoch gone", frameAt(at(2, 0), gone), []string{"frame-missing: shard 1 at 4098:0: the log goes on at 4098:3: 3 events are gone"}},
		{"last frame gone", frameAt(at(2, 3), gone), nil}, // as if it had never been; the page does not need it
		{"frame damaged", frameAt(at(0, 2), func(f *persistence.Frame) (bool, error) {
			f.Data[len(f.Data)-1] ^= 1
			return true, nil
		}), []string{"frame: shard 1 at 4096:2: checksum is "}},
		{"frame unreadable", frameAt(at(0, 2), func(f *persistence.Frame) (bool, error) {
			return true, bad("no good")
		}), []string{"frame: shard 1 at 4096:2: no good"}},
		{"last frame of an epoch unreadable", frameAt(at(0, 5), func(f *persistence.Frame) (bool, error) {
			return true, bad("no good")
		}), []string{"frame: shard 1 at 4096:5: no good"}},
		{"two frames unreadable", func(s *persistencetest.Spoiled) {
			s.Frame = func(f *persistence.Frame) (bool, error) {
				if f.Position == at(0, 0) || f.Position == at(0, 5) {
					return true, bad("no good")
				}
				return true, nil
			}
		}, []string{"frame: shard 1 at 4096:0: no good", "frame: shard 1 at 4096:5: no good"}},
		{"frames overlap", frameAt(at(2, 3), func(f *persistence.Frame) (bool, error) {
			*f = persistencetest.Frame(t, home, at(2, 2), 3, "x")
			return true, nil
		}), []string{"frame: shard 1 at 4098:2: it begins in the middle of the one before, which goes to 4098:3"}},
		{"seal in a frame", row(func(r *persistence.ShardRow) { r.Seals[0] = at(0, 4) }), []string{
			"seal: shard 1 at 4096:4: the epoch is sealed in the middle of the frame at 4096:2",
			"checkpoint: shard 1 at 4096:5: its epoch was sealed at 4096:4",
		}},
		{"seal too high", row(func(r *persistence.ShardRow) { r.Seals[0] = at(0, 9) }), []string{
			"frame-missing: shard 1 at 4096:6: the log ends there, and epoch 4096 was sealed at 4096:9",
		}},
		{"seal gone", row(func(r *persistence.ShardRow) { r.Seals = r.Seals[1:] }), []string{
			"seal: shard 1 at 4096:0: epoch 4096 has ended, and nothing says where",
		}},
		{"seal of the future", row(func(r *persistence.ShardRow) { r.Seals = append(r.Seals, at(2, 5)) }), []string{
			"seal: shard 1 at 4098:5: epoch 4098 is sealed there, and the shard is in epoch 4098",
		}},
		{"row gone", row(func(r *persistence.ShardRow) { *r = persistence.ShardRow{} }), []string{
			"shard-row: shard 1 at 4096:0: there is a frame, and the shard never had an owner",
		}},
		{"row unreadable", func(s *persistencetest.Spoiled) {
			s.Row = ofHome(func(*persistence.ShardRow) error { return bad("no good") })
		}, []string{
			"shard-row: shard 1: no good",
		}},
		{"low above the checkpoint", row(func(r *persistence.ShardRow) { r.Low = at(2, 0) }), []string{
			"checkpoint: shard 1 at 4096:5: the log below 4098:0 may be deleted, and the checkpoint lies below that",
		}},
		{"low in a frame", row(func(r *persistence.ShardRow) { r.Low = at(0, 3) }), []string{
			"frame-missing: shard 1 at 4096:3: the log goes on at 4096:5: 2 events are gone",
		}},
		{"checkpoint in a frame", checkpoint(at(0, 3)), []string{
			"checkpoint: shard 1 at 4096:3: it lies in the middle of the frame at 4096:2",
		}},
		{"checkpoint ahead", checkpoint(at(2, 6)), []string{"checkpoint: shard 1 at 4098:6: the log goes to 4098:5"}},
		{"checkpoint of no epoch", checkpoint(7), []string{"checkpoint: shard 1 at 0:7: no epoch has that number"}},
		{"page unreadable", pageOf(resident, func(p *persistence.Page) error { return bad("no good") }), []string{
			"page: " + resident.String() + ": no good",
		}},
		{"all pages unreadable, and low above 0", func(s *persistencetest.Spoiled) {
			s.Page = func(*persistence.Page) (bool, error) { return true, bad("no good") }
			s.Row = ofHome(func(r *persistence.ShardRow) error { r.Low = at(0, 2); return nil })
		}, []string{
			"page: shard/1 checkpoint: no good", "page: shard/1 index/test/id//" + resident.ID + ": no good",
			"page: " + resident.String() + ": no good",
		}},
		{"page unreadable, and nobody knows which", pageOf(resident, func(p *persistence.Page) error {
			p.Key = persistence.PageKey{}
			return bad("no good")
		}), []string{"page: shard 1, pages after shard/1 index/test/id//" + resident.ID + ": no good"}},
		{"checkpoint unreadable", pageOf(persistence.CheckpointKey(home), func(p *persistence.Page) error { return bad("no good") }), []string{
			"page: shard/1 checkpoint: no good",
		}},
		{"page ahead", pageOf(resident, func(p *persistence.Page) error { p.Position = at(2, 6); return nil }), []string{
			"page-ahead: " + resident.String() + ": it has come to 4098:6, and the log only to 4098:5",
		}},
		{"page above a seal", pageOf(resident, func(p *persistence.Page) error { p.Position = at(0, 7); return nil }), []string{
			"page-ahead: " + resident.String() + ": it has come to 4096:7, and the log only to 4096:6",
		}},
		{"page of the future", pageOf(resident, func(p *persistence.Page) error { p.Position = at(3, 0); return nil }), []string{
			"page-ahead: " + resident.String() + ": it has come to 4099:0, and the log only to 4098:5",
		}},
		{"page in the wrong shard", pageOf(resident, func(p *persistence.Page) error {
			for persistence.ShardOf(p.Key.Kind, p.Key.ID, shards) != 2 {
				p.Key.ID += "x"
			}
			return nil
		}), []string{"page-misplaced: test/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem, err := memory.New(shards)
			must(t, err)
			fill(t, mem)
			store := &persistencetest.Spoiled{Store: mem}
			c.spoil(store)
			sum, found := read(t, store)
			if len(found) != len(c.want) || slices.ContainsFunc(c.want, func(want string) bool {
				return !slices.ContainsFunc(found, func(got string) bool { return strings.HasPrefix(got, want) })
			}) {
				t.Errorf("found\n\t%s\nwant\n\t%s", strings.Join(found, "\n\t"), strings.Join(c.want, "\n\t"))
			}
			for _, f := range found {
				if strings.HasPrefix(f, "frame") && (sum.Log.Whole || sum.Log.To != at(2, 5)) {
					t.Errorf("after the damage the log goes to %s, whole %t", sum.Log.To, sum.Log.Whole)
				}
				if strings.HasPrefix(f, "page: ") && sum.Pages.Whole {
					t.Error("the pages are said to be whole")
				}
			}
		})
	}
}

// Frames above a seal, and those behind a gap where owners write to a store that
// is not their own, count for nothing. Mutation seen to fail: Log counting them.
func TestLateFrames(t *testing.T) {
	for _, remote := range []bool{false, true} {
		mem, err := memory.New(shards)
		must(t, err)
		fill(t, mem)
		must(t, persistencetest.Append(t.Context(), mem.Log(), persistencetest.Frame(t, home, at(0, 6), 2, "late")))
		must(t, persistencetest.Append(t.Context(), mem.Log(), persistencetest.Frame(t, home, at(2, 7), 2, "behind a gap")))
		must(t, persistencetest.Append(t.Context(), mem.Log(), persistencetest.Frame(t, home, at(2, 9), 2, "behind a gap")))
		sum, found := read(t, &persistencetest.Spoiled{Store: mem, Remote: remote})
		if remote {
			if len(found) != 0 || sum.Log.Events != 11 || sum.Log.Late != 3 || sum.Log.To != at(2, 5) {
				t.Errorf("remote: %+v, found %q", sum.Log, found)
			}
			continue
		}
		if len(found) != 1 || sum.Log.Events != 15 || sum.Log.Late != 1 {
			t.Errorf("local: %+v, found %q", sum.Log, found)
		}
	}
}

// Of an epoch of which a part is below low the rest is looked at; what is below
// need not be there, nor the seals of epochs that are gone.
func TestLow(t *testing.T) {
	for _, low := range []persistence.Position{at(0, 2), at(0, 5), at(0, 6), at(1, 0), at(2, 0), at(2, 3), at(2, 5)} {
		mem, err := memory.New(shards)
		must(t, err)
		fill(t, mem)
		must(t, mem.Pages().Write(t.Context(), []persistence.Page{{Key: persistence.CheckpointKey(home), Position: max(low, at(0, 5))}}))
		store := &persistencetest.Spoiled{Store: mem, Row: ofHome(func(r *persistence.ShardRow) error {
			r.Low = low
			r.Seals = slices.DeleteFunc(r.Seals, func(seal persistence.Position) bool { return seal <= low })
			return nil
		})}
		_, whole := read(t, store)
		must(t, mem.Log().Delete(t.Context(), home, low))
		sum, found := read(t, store)
		if len(whole)+len(found) > 0 || sum.Log.From != low || sum.Log.To != at(2, 5) {
			t.Errorf("low at %s: %q, and without what is below %q, from %s to %s", low, whole, found, sum.Log.From, sum.Log.To)
		}
	}
}

// What keeps the walk from going on is an error.
func TestErrors(t *testing.T) {
	mem, err := memory.New(shards)
	must(t, err)
	fill(t, mem)
	broken := errors.New("broken")
	for name, store := range map[string]*persistencetest.Spoiled{
		"row":   {Store: mem, Row: func(*persistence.ShardRow) error { return broken }},
		"frame": {Store: mem, Frame: func(*persistence.Frame) (bool, error) { return true, broken }},
		"page":  {Store: mem, Page: func(p *persistence.Page) (bool, error) { return true, broken }},
	} {
		if _, err := inspect.Read(t.Context(), store, home, func(f inspect.Finding) { t.Error(f) }); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
