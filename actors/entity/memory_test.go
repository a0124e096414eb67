package entity_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/race"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// What nobody needs leaves memory, to the last entry, and is there when it is
// asked for; one that only answered questions, about nothing, leaves too.
func TestEntitiesLeave(t *testing.T) {
	h := openHost(t, newStore(t))
	defer closeHost(t, h)
	for i := range 300 {
		ask(t, h, fmt.Sprint("c", i), int64(i+1))
	}
	if _, err := get.Ask(t.Context(), h, "nobody", &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	before := h.Stats()
	if before.Entities["counter"] != 301 || before.MemoryBytes < 301*1000 {
		t.Errorf("before: %+v", before)
	}
	h.Evict(t.Context(), 0)
	waitFor(t, func() bool { return h.Entries() == 0 })
	if after := h.Stats(); after.Entities["counter"] != 0 || after.MemoryBytes != 0 {
		t.Errorf("after: %+v", after)
	}
	for i := range 300 {
		if got := ask(t, h, fmt.Sprint("c", i), 0); got != int64(i+1) {
			t.Fatalf("c%d is %d", i, got)
		}
	}
}

// waitFor waits for what another goroutine is about to do.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for !done() {
		if t.Context().Err() != nil {
			t.Fatal("the test ended before")
		}
		runtime.Gosched()
	}
}

// What an entity has in its mailbox when it leaves, and what comes while it does,
// is handled by the next one, in order. Mutations seen to fail: giveBack not
// keeping the message; stopped putting what came back behind what waits; stopped
// not waking.
func TestLeavingGivesBack(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{})
	slow := entity.New("slow", func(s *wrapperspb.Int64Value, e proto.Message) {
		s.Value = 10*s.Value + e.(*wrapperspb.Int64Value).Value
	})
	push := entity.Command(slow, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		return entity.Persist(c), nil
	}, total)
	wait := entity.Query(slow, func(*wrapperspb.Int64Value, *emptypb.Empty) (*emptypb.Empty, error) {
		close(held)
		<-hold
		return nil, nil
	})
	var got []int64
	var mu sync.Mutex
	var all sync.WaitGroup
	var h *entity.Host
	send := func(n int64) {
		all.Add(1)
		push.Send(t.Context(), h, "x", wrapperspb.Int64(n), func(r *wrapperspb.Int64Value, _ entity.Token, err error) {
			defer all.Done()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r.Value)
		})
	}
	cfg := hostConfig(newStore(t), slow.Kind)
	cfg.Listener.EntityPassivated = func(string) { send(4) } // it is leaving, and has not left
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, h)
	send(1)
	all.Wait()
	h.Checkpoint(t.Context())
	wait.Send(t.Context(), h, "x", &emptypb.Empty{}, func(*emptypb.Empty, entity.Token, error) {})
	<-held
	var evictor sync.WaitGroup
	waiting := h.MailboxOf(entity.ID{Kind: "slow", ID: "x"})
	evictor.Go(func() { h.Evict(t.Context(), 0) })
	waitFor(t, func() bool { return h.MailboxOf(entity.ID{Kind: "slow", ID: "x"}) > waiting })
	send(2)
	send(3)
	close(hold)
	evictor.Wait()
	all.Wait()
	if want := []int64{1, 12, 123, 1234}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

// Calls keep their order, and none is lost, doubled or refused, while their
// entities leave memory all the time. Mutation seen to fail: a sender that loaded
// the actor before it left refusing the call.
func TestOrderWhileLeaving(t *testing.T) {
	h := openHost(t, newStore(t))
	defer closeHost(t, h)
	var stop atomic.Bool
	var evictor sync.WaitGroup
	evictor.Go(func() {
		for !stop.Load() {
			h.Evict(t.Context(), 0)
		}
	})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id := fmt.Sprint("o", i)
			all := make(chan struct{})
			sum := int64(0)
			for n := range int64(400) {
				sum += n + 1
				want := sum
				if n%20 == 0 { // let it rest, so that it may leave
					if _, err := get.Ask(t.Context(), h, id, &emptypb.Empty{}); err != nil {
						t.Error(err)
					}
				}
				add.Send(t.Context(), h, id, wrapperspb.Int64(n+1), func(r *wrapperspb.Int64Value, _ entity.Token, err error) {
					if err != nil || r.Value != want {
						t.Errorf("%s: call %d got %v, %v; want %d", id, n, r, err, want)
					}
					if n == 399 {
						close(all)
					}
				})
				if n%5 == 0 {
					runtime.Gosched()
				}
			}
			<-all
		})
	}
	for range 4 { // one that leaves as often as it can
		wg.Go(func() {
			for range 5000 {
				if _, err := get.Ask(t.Context(), h, "idle", &emptypb.Empty{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	evictor.Wait()
}

// An entity stays while something of it is only in memory. Mutations seen to
// fail: evict dropping dirty pages, or pages of which a copy is under way; leave
// not looking at what is acknowledged.
func TestUnstoredStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, diary)
		defer closeHost(t, h)
		if _, err := write.Ask(t.Context(), h, "x", wrapperspb.Int64(8+7)); err != nil {
			t.Fatal(err)
		}
		read := func(want ...int64) {
			t.Helper()
			got, err := read.Ask(t.Context(), h, "x", "a")
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("leaf a is %d, %v; want %d", got, err, want)
			}
		}
		var wg sync.WaitGroup
		evict := func() {
			wg.Go(func() { h.Evict(t.Context(), 0) })
			synctest.Wait()
		}

		// A copy of its pages is being stored, and there is a new event.
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { <-release; return nil }})
		evict()
		write.Send(t.Context(), h, "x", wrapperspb.Int64(16+7), func(struct{}, entity.Token, error) {})
		evict()
		read(15, 23)
		close(release)
		synctest.Wait()
		wg.Wait()
		read(15, 23)

		// Its pages can't be stored.
		store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { return errors.New("no") }})
		write.Send(t.Context(), h, "x", wrapperspb.Int64(24+7), func(struct{}, entity.Token, error) {})
		evict()
		read(15, 23, 31)
		store.Hook(persistencetest.Hooks{})
		evict()
		read(15, 23, 31)

		// An event is under way, which is in no page.
		hold := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error { <-hold; return nil }})
		var got []int64
		write.Send(t.Context(), h, "x", wrapperspb.Int64(32), func(struct{}, entity.Token, error) {})
		synctest.Wait()
		evict()
		wg.Go(func() { got, _ = readAll(t, h) })
		synctest.Wait()
		if got != nil {
			t.Errorf("answered %d before the event is acknowledged", got)
		}
		close(hold)
		wg.Wait()
		if !slices.Equal(got, []int64{15, 23, 31}) {
			t.Errorf("leaf a is %d", got)
		}
	})
}

func readAll(t *testing.T, h *entity.Host) ([]int64, error) {
	return read.Ask(t.Context(), h, "x", "a")
}

// A page does not leave while older ones are read, which would take its place.
// Mutation seen to fail: flushed evicting also then.
func TestNothingLeavesWhilePagesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, chronicle)
		defer closeHost(t, h)
		do := func(o order) {
			t.Helper()
			if _, err := post.Ask(t.Context(), h, "x", o); err != nil {
				t.Fatal(err)
			}
		}
		for n := range uint32(3) { // one on each folio
			do(order{number: 3 + n, parts: 1})
		}
		h.Evict(t.Context(), 0)
		do(order{number: 7, parts: 1}) // on the second, which is in memory alone

		// All of them are read, the second before it is stored.
		write, read := make(chan struct{}), make(chan struct{})
		store.Hook(persistencetest.Hooks{
			WritePages: func(context.Context, []persistence.Page) error { <-write; return nil },
			ReadPage: func(_ context.Context, key persistence.PageKey) error {
				if key.Page == "folio/c" {
					<-read
				}
				return nil
			},
		})
		var evictor sync.WaitGroup
		evictor.Go(func() { h.Evict(t.Context(), 0) })
		synctest.Wait()
		var seen sight
		post.Send(t.Context(), h, "x", order{number: 9, parts: 2, erase: 1, look: 2}, func(s sight, _ entity.Token, err error) {
			if seen = s; err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(write)
		synctest.Wait()
		close(read)
		evictor.Wait()
		synctest.Wait()
		if seen[1].events != 2 {
			t.Errorf("the deletion saw %d events on the second folio, want 2", seen[1].events)
		}
	})
}

// A page that nobody needs leaves, and the entity stays with the others. Mutation
// seen to fail: evict not looking at when a page was used.
func TestPageByPage(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, diary)
	defer closeHost(t, h)
	if _, err := write.Ask(t.Context(), h, "x", wrapperspb.Int64(8+7)); err != nil {
		t.Fatal(err)
	}
	h.Checkpoint(t.Context())
	h.Tick()
	var reads atomic.Int64
	store.Hook(persistencetest.Hooks{ReadPage: func(_ context.Context, key persistence.PageKey) error {
		reads.Add(1)
		return nil
	}})
	look := func(name string, want int64) {
		t.Helper()
		if got, err := read.Ask(t.Context(), h, "x", name); err != nil || len(got) != 1 {
			t.Errorf("leaf %s is %d, %v", name, got, err)
		}
		if n := reads.Load(); n != want {
			t.Errorf("%d pages were read when leaf %s was asked for, want %d", n, name, want)
		}
	}
	look("a", 0)
	h.Evict(t.Context(), 1)
	look("a", 0)
	look("b", 1)
	look("b", 1)
	look("c", 2)
}

// Entities that are idle leave by themselves.
func TestPassivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hostConfig(newStore(t))
		cfg.PassivateAfter = time.Minute
		var left atomic.Int64
		cfg.Listener.EntityPassivated = func(string) { left.Add(1) }
		h, err := entity.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer closeHost(t, h)
		ask(t, h, "a", 1)
		ask(t, h, "b", 2)
		for range 8 {
			time.Sleep(20 * time.Second) //nolint:forbidigo // in a synctest bubble
			ask(t, h, "a", 1)
		}
		if n := h.Stats().Entities["counter"]; n != 1 || left.Load() != 1 {
			t.Errorf("%d entities are awake, %d have left", n, left.Load())
		}
		if got := ask(t, h, "b", 0); got != 2 {
			t.Errorf("b is %d", got)
		}
	})
}

// More entities than the memory holds are served, by bulk and one by one, and
// what is counted stays below the limit; nothing is lost by it. Mutation seen to
// fail: sweep doing nothing.
func TestBudget(t *testing.T) {
	const entities, limit = 2000, 1 << 20 // some 600 fit
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	store := newStore(t)
	cfg := hostConfig(store)
	cfg.Memory, cfg.MemoryEvery = limit, time.Millisecond
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var most int64
	want := make([]int64, entities)
	var all sync.WaitGroup
	for n := range 5 * entities {
		i := rng.IntN(entities)
		if n%10 == 0 {
			if got, err := add.Ask(t.Context(), h, fmt.Sprint("c", i), wrapperspb.Int64(1)); err == nil {
				want[i]++
				if got.Value > want[i] {
					t.Fatalf("c%d is %d, want at most %d", i, got.Value, want[i])
				}
			} else if !errors.Is(err, entity.ErrOverloaded) {
				t.Fatal(err)
			}
			most = max(most, h.Stats().MemoryBytes)
			continue
		}
		if err := h.Bulk().Acquire(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		want[i]++
		all.Add(1)
		add.Send(t.Context(), h, fmt.Sprint("c", i), wrapperspb.Int64(1), func(_ *wrapperspb.Int64Value, _ entity.Token, err error) {
			if err != nil {
				t.Errorf("c%d: %v", i, err)
			}
			h.Bulk().Release(1)
			all.Done()
		}, entity.Bulk())
	}
	all.Wait()
	if most > limit+limit/4 {
		t.Errorf("%d bytes were in use at most, the limit is %d", most, limit)
	}
	for i, n := range want {
		got, err := get.Ask(t.Context(), h, fmt.Sprint("c", i), &emptypb.Empty{})
		for errors.Is(err, entity.ErrOverloaded) {
			got, err = get.Ask(t.Context(), h, fmt.Sprint("c", i), &emptypb.Empty{})
		}
		if err != nil || got.Value != n {
			t.Fatalf("c%d is %v, %v; want %d", i, got, err, n)
		}
	}
	closeHost(t, h)
}

// What is counted for an entity is what it takes, within a third.
func TestMemoryOfAnEntity(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes memory of its own")
	}
	h := openHost(t, newStore(t))
	defer closeHost(t, h)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	ask(t, h, "first", 1)
	h.Checkpoint(t.Context())
	before, counted := heap(), h.Stats().MemoryBytes
	const n = 20_000
	for i := range n {
		if _, err := get.Ask(context.Background(), h, fmt.Sprint("c", i), &emptypb.Empty{}); err != nil {
			t.Fatal(err)
		}
	}
	took, counted := (heap()-before)/n, (h.Stats().MemoryBytes-counted)/n
	t.Logf("an entity takes %d bytes, %d are counted", took, counted)
	if counted < took*2/3 || counted > took*4/3 {
		t.Errorf("an entity takes %d bytes, and %d are counted: set entityBytes or pageBytes right", took, counted)
	}
}

func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hostConfig(newStore(t))
		cfg.Bulk = 10
		h, err := entity.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer closeHost(t, h)
		c := h.Bulk()
		var got []string
		var mu sync.Mutex
		take := func(ctx context.Context, name string, n int64) {
			go func() {
				err := c.Acquire(ctx, n)
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprintf("%s %t", name, err == nil))
			}()
			synctest.Wait()
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			got = nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		take(t.Context(), "first", 8)
		take(t.Context(), "second", 2)
		expect("first true", "second true")
		take(ctx, "gives up", 5)
		take(t.Context(), "more than there is", 100)
		take(t.Context(), "small", 1)
		expect()
		c.Release(2)
		expect() // those before need more
		cancel()
		expect("gives up false")
		c.Release(8)
		expect("more than there is true")
		c.Release(100)
		expect("small true")
		c.Release(1)
	})
}
