package entity_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// diary is a kind of three pages. An event is a number that is written down, in
// order, on each page whose bit it has: what is lost, doubled or out of order
// shows. A command of 0 deletes the diary.
var (
	diary  = entity.NewKind("diary")
	leaves = entity.Pages(diary, "leaf", entity.PageCodec[*leaf]{
		Version: 1,
		New:     func(string) (*leaf, error) { return &leaf{}, nil },
		Append: func(dst []byte, l *leaf) []byte {
			for _, n := range l.written {
				dst = binary.AppendVarint(dst, n)
			}
			return dst
		},
		Decode: func(_ uint32, b []byte) (*leaf, error) {
			l := &leaf{}
			for len(b) > 0 {
				n, size := binary.Varint(b)
				l.written, b = append(l.written, n), b[size:]
			}
			return l, nil
		},
	}, func(dst []string, event any) []string {
		for i, name := range leafNames {
			if event.(*wrapperspb.Int64Value).Value&(1<<i) != 0 {
				dst = append(dst, name)
			}
		}
		return dst
	}, func(l *leaf, event any) { l.written = append(l.written, event.(*wrapperspb.Int64Value).Value) })
	// write needs nothing: the pages that its event touches are fetched anyway.
	write = entity.CommandOn(diary, func(dst []entity.PageRef, _ *wrapperspb.Int64Value) []entity.PageRef { return dst },
		func(_ *entity.View, n *wrapperspb.Int64Value) (entity.Events, struct{}, error) {
			if n.Value == 0 {
				return entity.Persist(entity.Delete()), struct{}{}, nil
			}
			return entity.Persist(n), struct{}{}, nil
		})
	read = entity.QueryOn(diary, func(dst []entity.PageRef, name string) []entity.PageRef { return append(dst, leaves.At(name)) },
		func(v *entity.View, name string) ([]int64, error) {
			l, ok := leaves.In(v, name)
			if !ok {
				return nil, nil
			}
			return slices.Clone(l.written), nil
		})
	readDiary = entity.QueryOn(diary, func(dst []entity.PageRef, _ wholeDiary) []entity.PageRef {
		for _, name := range leafNames {
			dst = append(dst, leaves.At(name))
		}
		return dst
	}, func(v *entity.View, _ wholeDiary) (all [3][]int64, _ error) {
		for i, name := range leafNames {
			if l, ok := leaves.In(v, name); ok {
				all[i] = slices.Clone(l.written)
			}
		}
		return all, nil
	})
)

var leafNames = []string{"a", "b", "c"}

type leaf struct{ written []int64 }

// wholeDiary asks for all leaves.
type wholeDiary struct{}

// Whatever of the pages was stored when the process ended, in whatever
// combination and however old, pages and tail come to the same state as all
// events. Mutations seen to fail: evolve without comparing positions, or with
// <=; a page stamped with the position of the next event; flushed taking note of
// pages that were not stored; an entity dirty only after its append; pages that
// the tail or an event touches not fetched first.
func TestAnyPagesRecover(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t)
		h := openHost(t, store, diary)
		defer func() { closeHost(t, h) }()
		twin := map[string]map[string][]int64{"x": {}, "y": {}, "z": {}}
		n := int64(0)
		check := func(id string) {
			for _, name := range leafNames {
				got, err := read.Ask(t.Context(), h, id, name)
				if err != nil || !slices.Equal(got, twin[id][name]) {
					rt.Fatalf("%s has %d on leaf %s, %v; want %d", id, got, name, err, twin[id][name])
				}
			}
		}
		ids := []string{"x", "y", "z"}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				id := rapid.SampledFrom(ids).Draw(rt, "id")
				n += 8
				v := n + int64(rapid.IntRange(0, 7).Draw(rt, "leaves"))
				if v == n {
					v = 0
					clear(twin[id])
				}
				if _, err := write.Ask(t.Context(), h, id, wrapperspb.Int64(v)); err != nil {
					rt.Fatal(err)
				}
				for i, name := range leafNames {
					if v&(1<<i) != 0 {
						twin[id][name] = append(twin[id][name], v)
					}
				}
			},
			"checkpoint": func(rt *rapid.T) {
				h.Checkpoint(t.Context())
				if left := h.TailBytes(); left != 0 {
					rt.Fatalf("a tail of %d bytes is left after a checkpoint at rest", left)
				}
			},
			"cut checkpoint": func(rt *rapid.T) { // some pages are stored, then it fails
				keep := rapid.IntRange(0, 7).Draw(rt, "keep")
				store.Hook(persistencetest.Hooks{WritePages: func(ctx context.Context, all []persistence.Page) error {
					var some []persistence.Page
					for _, p := range all {
						for i, name := range leafNames {
							if keep&(1<<i) != 0 && strings.HasSuffix(p.Key.Page, "/"+name) {
								some = append(some, p)
							}
						}
					}
					return errors.Join(store.Store.Pages().Write(ctx, some), errors.New("cut"))
				}})
				h.Checkpoint(t.Context())
				store.Hook(persistencetest.Hooks{})
			},
			"evict": func(rt *rapid.T) { // some pages leave memory, or all and their entities with them
				h.Evict(t.Context(), 0)
			},
			"evict old": func(rt *rapid.T) {
				h.Tick()
				check(rapid.SampledFrom(ids).Draw(rt, "id"))
				h.Evict(t.Context(), 1)
			},
			"read": func(rt *rapid.T) { check(rapid.SampledFrom(ids).Draw(rt, "id")) },
			"end": func(rt *rapid.T) {
				endHost(rt, t, h, store)
				h = openHost(t, store, diary)
			},
		})
		crashHost(t, h, store)
		h = openHost(t, store, diary)
		for _, id := range ids {
			check(id)
		}
	})
}

// The same for every combination of the pages of one history: of four passes, any
// pages are stored before the process ends, and none or one of the passes as a
// whole, with the checkpoint. A page is written by one event, two are by another,
// all are deleted, and two of them begin anew. There is a diary for each
// combination, named by its bits.
func TestEveryCombinationOfPagesRecovers(t *testing.T) {
	const a, b, c = 1, 2, 4
	history := []struct {
		writes []int64 // 0 deletes
		pages  string  // that are dirty then
	}{
		{[]int64{8 + a, 16 + b, 24 + a + b}, "ab"},
		{[]int64{32 + c, 40 + a}, "abc"},
		{[]int64{0}, "abc"},
		{[]int64{48 + b + c}, "abc"},
	}
	for whole := range len(history) + 1 { // the last: none
		t.Run(fmt.Sprint(whole), func(t *testing.T) {
			bits := 0
			for i, pass := range history {
				if i != whole {
					bits += len(pass.pages)
				}
			}
			m, err := memory.New(32) // a pass ends at the first chunk that fails: no shard should have two
			if err != nil {
				t.Fatal(err)
			}
			store := &persistencetest.Faulty{Store: m}
			h := openHost(t, store, diary)
			ids := make([]string, 1<<bits)
			for i := range ids {
				ids[i] = fmt.Sprintf("%x", i)
			}
			var twin [3][]int64
			all := func(n int64) {
				t.Helper()
				toAll(t, h, write, ids, wrapperspb.Int64(n), func(string, struct{}) {})
				for i := range twin {
					if n == 0 {
						twin[i] = nil
					} else if n&(1<<i) != 0 {
						twin[i] = append(twin[i], n)
					}
				}
			}
			first := 0
			for i, pass := range history {
				for _, n := range pass.writes {
					all(n)
				}
				if i == whole {
					store.Hook(persistencetest.Hooks{})
					h.Checkpoint(t.Context())
					if left := h.TailBytes(); left != 0 {
						t.Fatalf("a tail of %d bytes is left", left)
					}
					continue
				}
				var asked atomic.Int64
				store.Hook(persistencetest.Hooks{WritePages: func(ctx context.Context, written []persistence.Page) error {
					var some []persistence.Page
					for _, p := range written {
						if p.Key.Kind == "" { // an entry of an index
							some = append(some, p)
							continue
						}
						asked.Add(1)
						bit := strings.Index(pass.pages, p.Key.Page[len("leaf/"):])
						if mask, err := strconv.ParseUint(p.Key.ID, 16, 64); err != nil || bit < 0 || mask>>(first+bit)&1 != 0 {
							some = append(some, p)
						}
					}
					err := store.Store.Pages().Write(ctx, some)
					if written[0].Key.Kind != "" {
						err = errors.Join(err, errors.New("cut"))
					}
					return err
				}})
				h.Checkpoint(t.Context())
				if n, least := asked.Load(), int64(len(ids)); n < least {
					t.Fatalf("pass %d: %d pages were to be stored, want %d at least", i, n, least)
				}
				first += len(pass.pages)
			}
			for range 2 {
				crashHost(t, h, store)
				h = openHost(t, store, diary)
				toAll(t, h, readDiary, ids, wholeDiary{}, func(id string, got [3][]int64) {
					if !slices.EqualFunc(got[:], twin[:], slices.Equal) {
						t.Errorf("%s has %d, want %d", id, got, twin)
					}
				})
				all(56 + a + b + c)
				h.Checkpoint(t.Context())
			}
			closeHost(t, h)
		})
	}
}

// toAll asks all entities the same and checks the replies, one at a time.
func toAll[C, R any](t *testing.T, h *entity.Host, handle *entity.Handle[C, R], ids []string, command C, check func(id string, reply R)) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	wg.Add(len(ids))
	handle.SendAll(t.Context(), h, ids, slices.Repeat([]C{command}, len(ids)), func(i int, reply R, _ entity.Token, err error) {
		defer wg.Done()
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("%s: %v", ids[i], err)
			return
		}
		check(ids[i], reply)
	})
	wg.Wait()
}

// Pages are stored while commands go on, and a crash in the middle of both loses
// nothing that was acknowledged. Mutations seen to fail: clean not looking at
// dirty entities; flushed clearing dirty to 0 instead of again; a checkpoint in
// the middle of a frame.
func TestCheckpointUnderLoad(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, diary)
	want := map[string][]int64{}
	for range 3 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for w := range 8 {
			id := fmt.Sprint("w", w)
			written := int64(len(want[id]))
			wg.Go(func() {
				for i := range int64(200) {
					v := (written+i+1)*8 + 7
					if _, err := write.Ask(t.Context(), h, id, wrapperspb.Int64(v)); err != nil {
						t.Error(err)
						return
					}
				}
				got, err := read.Ask(t.Context(), h, id, "b")
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				want[id] = got
			})
		}
		var passes sync.WaitGroup
		passes.Go(func() {
			for range 20 {
				h.Checkpoint(t.Context())
			}
		})
		wg.Wait()
		passes.Wait()
		crashHost(t, h, store)
		h = openHost(t, store, diary)
		for id, all := range want {
			for _, name := range leafNames {
				got, err := read.Ask(t.Context(), h, id, name)
				if err != nil || !slices.Equal(got, all) {
					t.Fatalf("%s has %d entries on leaf %s, %v; want %d", id, len(got), name, err, len(all))
				}
			}
		}
	}
	closeHost(t, h)
}

// What was stored is listed after a restart, beside what is in the tail and what
// is awake.
func TestListStored(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store)
	for i := range 10 {
		ask(t, h, fmt.Sprintf("c%d", i), 1)
	}
	closeHost(t, h)
	h = openHost(t, store)
	ask(t, h, "c3x", 1)
	crashHost(t, h, store)
	h = openHost(t, store)
	defer closeHost(t, h)
	ask(t, h, "d", 1)
	var all []string
	for after := ""; ; {
		ids, err := h.List(t.Context(), "counter", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			break
		}
		all = append(all, ids...)
		after = ids[len(ids)-1]
	}
	if want := "[c0 c1 c2 c3 c3x c4 c5 c6 c7 c8 c9 d]"; fmt.Sprint(all) != want {
		t.Errorf("listed %v, want %s", all, want)
	}
}

// A tail that grows long is cut by itself.
func TestCheckpointsByThemselves(t *testing.T) {
	store := newStore(t)
	cfg := hostConfig(store)
	cfg.CheckpointBytes, cfg.CheckpointEvery = 1000, 1
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, h)
	for i := 0; ; i++ {
		ask(t, h, fmt.Sprint("c", i%5), 1)
		if page, err := store.Pages().Read(t.Context(), persistence.CheckpointKey(h.ShardOf(entity.ID{Kind: "counter", ID: "c0"}))); err == nil && page.Position > 0 {
			return
		}
	}
}

// A page that was changed on the disk stops its entity, loudly, and nobody else.
func TestCorruptPage(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store)
	ask(t, h, "a", 1)
	ask(t, h, "b", 2)
	closeHost(t, h)
	id := entity.ID{Kind: "counter", ID: "a"}
	bad := persistence.Page{
		Key:      persistence.PageKey{Shard: h.ShardOf(id), Kind: id.Kind, ID: id.ID, Page: "state"},
		Position: persistence.At(persistence.LastEpoch, 0), Version: 1, Data: []byte("\xff\xff"),
	}
	if err := store.Pages().Write(t.Context(), []persistence.Page{bad}); err != nil {
		t.Fatal(err)
	}
	h = openHost(t, store)
	defer closeHost(t, h)
	for range 2 {
		if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrCorrupt) {
			t.Errorf("the corrupt entity: %v", err)
		}
	}
	if got := ask(t, h, "b", 1); got != 3 {
		t.Errorf("the other entity is %d, want 3", got)
	}
}

// I9: pages hold only what is acknowledged: copies are held until their events
// are. Mutation seen to fail: flush handing its copies over at once.
func TestPagesHoldOnlyAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, diary)
		if _, err := write.Ask(t.Context(), h, "x", wrapperspb.Int64(8+7)); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error {
			<-release
			return errors.New("never arrived")
		}})
		var outcome error
		write.Send(t.Context(), h, "x", wrapperspb.Int64(16+7), func(_ struct{}, _ entity.Token, err error) { outcome = err })
		synctest.Wait()
		var pass sync.WaitGroup
		pass.Go(func() { h.Checkpoint(t.Context()) })
		synctest.Wait()
		close(release)
		pass.Wait()
		crashHost(t, h, store)
		if !errors.Is(outcome, entity.ErrUnknown) {
			t.Errorf("the command that never arrived: %v", outcome)
		}
		h = openHost(t, store, diary)
		defer closeHost(t, h)
		for _, name := range leafNames {
			if got, err := read.Ask(t.Context(), h, "x", name); err != nil || !slices.Equal(got, []int64{8 + 7}) {
				t.Errorf("leaf %s is %d, %v", name, got, err)
			}
		}
	})
}

// I9: an entity of a shard that is lost has events that no log has; they get into
// no page. Mutation seen to fail: flush not looking whether the shard is lost.
func TestNoPagesOfALostShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		slow := entity.New("slow", func(s *wrapperspb.Int64Value, e proto.Message) { s.Value += e.(*wrapperspb.Int64Value).Value })
		push := entity.Command(slow, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
			return entity.Persist(c), nil
		}, total)
		look := entity.Query(slow, func(s *wrapperspb.Int64Value, wait *wrapperspb.BoolValue) (*wrapperspb.Int64Value, error) {
			if wait.Value {
				<-hold
			}
			return total(s), nil
		})
		store := newStore(t)
		h := openHost(t, store, slow.Kind)
		defer closeHost(t, h)
		if _, err := push.Ask(t.Context(), h, "x", wrapperspb.Int64(1)); err != nil {
			t.Fatal(err)
		}
		other := "0"
		for n := 1; h.ShardOf(entity.ID{Kind: "slow", ID: other}) != h.ShardOf(entity.ID{Kind: "slow", ID: "x"}); n++ {
			other = fmt.Sprint(n)
		}

		// Behind one that holds it up, the entity has a command to handle, and is
		// asked for its pages, when the shard is lost.
		var late error
		look.Send(t.Context(), h, "x", wrapperspb.Bool(true), func(*wrapperspb.Int64Value, entity.Token, error) {})
		push.Send(t.Context(), h, "x", wrapperspb.Int64(2), func(_ *wrapperspb.Int64Value, _ entity.Token, err error) { late = err })
		var pass sync.WaitGroup
		pass.Go(func() { h.Checkpoint(t.Context()) })
		synctest.Wait()
		store.Inject(persistencetest.Fail(persistencetest.OpAppend).Times(1))
		if _, err := push.Ask(t.Context(), h, other, wrapperspb.Int64(1)); !errors.Is(err, entity.ErrUnknown) {
			t.Errorf("the command that lost the shard: %v", err)
		}
		close(hold)
		pass.Wait()
		if !errors.Is(late, entity.ErrUnavailable) {
			t.Errorf("the command of a lost shard: %v", late)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // in a synctest bubble: the shard restarts after a pause
		if got, err := look.Ask(t.Context(), h, "x", wrapperspb.Bool(false)); err != nil || got.Value != 1 {
			t.Errorf("the state is %v, %v; want 1", got, err)
		}
	})
}

// A checkpoint stays below the events of an entity that has not been awake since
// they were read, and of one that is waking. Mutations seen to fail: clean not
// looking at the tail; takeTail not making the entity dirty.
func TestCheckpointWaitsForTheTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, diary)
		id := entity.ID{Kind: "diary", ID: "x"}
		if _, err := write.Ask(t.Context(), h, "x", wrapperspb.Int64(8+7)); err != nil {
			t.Fatal(err)
		}
		end := h.Acked(id)
		crashHost(t, h, store)
		h = openHost(t, store, diary)
		defer closeHost(t, h)
		if p := h.Clean(id); p >= end {
			t.Errorf("asleep: a checkpoint could be at %s, its event ends at %s", p, end)
		}
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{ReadPage: func(context.Context, persistence.PageKey) error { <-release; return nil }})
		read.Send(t.Context(), h, "x", "a", func([]int64, entity.Token, error) {})
		synctest.Wait()
		if p := h.Clean(id); p >= end {
			t.Errorf("waking: a checkpoint could be at %s, its event ends at %s", p, end)
		}
		close(release)
		synctest.Wait()
		if p := h.Clean(id); p >= end {
			t.Errorf("awake, not stored: a checkpoint could be at %s, its event ends at %s", p, end)
		}
		h.Checkpoint(t.Context())
		if p := h.Clean(id); p < end {
			t.Errorf("stored: a checkpoint could only be at %s", p)
		}
	})
}

// An entity that always has an event under way is stored all the same. Mutation
// seen to fail: flush waiting until nothing is under way before it copies.
func TestHotEntityIsStored(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, diary)
	defer closeHost(t, h)
	const most = 100_000
	id := entity.ID{Kind: "diary", ID: "x"}
	var n atomic.Uint64
	var stop atomic.Bool
	send := func() {
		write.Send(context.Background(), h, "x", wrapperspb.Int64(int64(8*n.Add(1)+7)), func(struct{}, entity.Token, error) {})
	}
	// No frame is acknowledged before the entity has appended another event.
	store.Hook(persistencetest.Hooks{AfterAppend: func(context.Context, persistence.Frame) error {
		if !stop.Load() && n.Load() < most {
			send()
			for !stop.Load() && h.Next(id).Seq() < n.Load() { // once it stops, the host closes
				runtime.Gosched()
			}
		}
		return nil
	}})
	send()
	for h.Acked(id).Seq() == 0 {
		runtime.Gosched()
	}
	h.Checkpoint(t.Context())
	if _, err := store.Pages().Read(t.Context(), persistence.PageKey{Shard: h.ShardOf(id), Kind: "diary", ID: "x", Page: "leaf/a"}); err != nil || n.Load() >= most {
		t.Errorf("after %d events, one always under way: %v", n.Load(), err)
	}
	stop.Store(true)
}

// A copy that was taken with an event under way says that it has it. Mutation
// seen to fail: a copy stamped with what is acknowledged alone (the event is
// evolved twice).
func TestCopyWithAnEventUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, diary)
		if _, err := write.Ask(t.Context(), h, "x", wrapperspb.Int64(8+7)); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{
			Append: func(context.Context, persistence.Frame) error { <-release; return nil },
			WritePages: func(_ context.Context, pages []persistence.Page) error {
				if pages[0].Key.Kind == "" {
					return errors.New("the pages are stored, the checkpoint is not")
				}
				return nil
			},
		})
		write.Send(t.Context(), h, "x", wrapperspb.Int64(16+7), func(struct{}, entity.Token, error) {})
		synctest.Wait()
		var pass sync.WaitGroup
		pass.Go(func() { h.Checkpoint(t.Context()) })
		synctest.Wait() // the copy is taken, and held
		close(release)
		pass.Wait()
		crashHost(t, h, store)
		h = openHost(t, store, diary)
		defer closeHost(t, h)
		for _, name := range leafNames {
			if got, err := read.Ask(t.Context(), h, "x", name); err != nil || !slices.Equal(got, []int64{8 + 7, 16 + 7}) {
				t.Errorf("leaf %s is %d, %v", name, got, err)
			}
		}
	})
}
