package entity_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// The ledger is a kind whose commands can be decided on together: each writes a
// number into the book of even or that of odd ones, and is told how many there were
// before. One below 0 is refused, one of 1313 panics, and 0 waits for the hold.
type (
	entryOf int
	written []int
	ledger  struct {
		book    string
		numbers []int
	}
)

const panics = 1313

var (
	ledgers   = entity.NewKind("ledger")
	books     = entity.Pages(ledgers, "book", bookCodec, touchedBooks, evolveBook)
	enter     = entity.CommandOn(ledgers, func(dst []entity.PageRef, n entryOf) []entity.PageRef { return append(dst, books.At(bookOf(int(n)))) }, decideEntry).Together(decideEntries)
	numbersOf = entity.QueryOn(ledgers, func(dst []entity.PageRef, book string) []entity.PageRef { return append(dst, books.At(book)) }, func(v *entity.View, book string) ([]int, error) { return slices.Clone(inBook(v, book)), nil })

	hold     atomic.Pointer[chan struct{}]
	together atomic.Int64 // entries that were decided on with others
	longest  atomic.Int64 // how many at once
)

func bookOf(n int) string { return []string{"even", "odd"}[n&1] }

func touchedBooks(dst []string, event any) []string {
	for _, n := range event.(written) {
		if book := bookOf(n); !slices.Contains(dst, book) {
			dst = append(dst, book)
		}
	}
	return dst
}

func evolveBook(l *ledger, event any) {
	for _, n := range event.(written) {
		if bookOf(n) == l.book {
			l.numbers = append(l.numbers, n)
		}
	}
}

var bookCodec = entity.PageCodec[*ledger]{
	Version: 1,
	New:     func(book string) (*ledger, error) { return &ledger{book: book}, nil },
	Append:  func(dst []byte, l *ledger) []byte { return appendNumbers(dst, l.numbers) },
	Decode: func(_ uint32, b []byte) (*ledger, error) {
		numbers := decodeNumbers(b)
		return &ledger{bookOf(numbers[0]), numbers}, nil
	},
}

func init() {
	entity.Event(ledgers, "written", entity.EventCodec[written]{
		Version: 1,
		Append:  func(dst []byte, w written) []byte { return appendNumbers(dst, w) },
		Decode:  func(_ uint32, b []byte) (written, error) { return decodeNumbers(b), nil },
	})
}

func inBook(v *entity.View, book string) []int {
	if l, ok := books.In(v, book); ok {
		return l.numbers
	}
	return nil
}

func decideEntry(v *entity.View, n entryOf) (entity.Events, int, error) {
	switch {
	case n == panics:
		panic("an entry that panics")
	case n < 0:
		return nil, 0, entity.Reject("%d is below 0", n)
	case n == 0:
		<-*hold.Load()
	}
	return entity.Persist(written{int(n)}), len(inBook(v, bookOf(int(n)))), nil
}

func decideEntries(v *entity.View, entries []entryOf, before []int) (entity.Events, bool) {
	var all written
	more := make(map[string]int)
	for i, n := range entries {
		switch {
		case n == panics:
			panic("entries one of which panics")
		case n <= 0:
			return nil, false
		}
		book := bookOf(int(n))
		before[i] = len(inBook(v, book)) + more[book]
		more[book]++
		all = append(all, int(n))
	}
	together.Add(int64(len(entries)))
	longest.Store(max(longest.Load(), int64(len(entries)))) // one at a time decides in these tests
	return entity.Persist(all), true
}

func appendNumbers(dst []byte, numbers []int) []byte {
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

func decodeNumbers(b []byte) (numbers []int) {
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		numbers, b = append(numbers, int(n)), b[size:]
	}
	return numbers
}

// entered is the outcome of an entry.
type entered struct {
	before int
	err    error
}

// enterAll sends entries one by one to an entity that is held, so that all of
// them wait when it goes on, and returns their outcomes. It writes a 0 first.
func enterAll(t *testing.T, h *entity.Host, id string, entries []int) []entered {
	t.Helper()
	if _, err := numbersOf.Ask(t.Context(), h, id, "even"); err != nil { // so that it is awake
		t.Fatal(err)
	}
	held := make(chan struct{})
	hold.Store(&held)
	outcomes := make([]entered, len(entries))
	var all sync.WaitGroup
	send := func(n int, into *entered) {
		all.Add(1)
		enter.SendAll(t.Context(), h, []string{id}, []entryOf{entryOf(n)}, func(_ int, before int, _ entity.Token, err error) {
			*into = entered{before, err}
			all.Done()
		}, entity.Bulk())
	}
	var first entered
	send(0, &first)
	synctest.Wait()
	for i, n := range entries {
		send(n, &outcomes[i])
	}
	close(held)
	all.Wait()
	if first.err != nil {
		t.Fatalf("the first entry: %v", first.err)
	}
	return outcomes
}

// Entries that are decided on together have the outcomes that they would have one
// by one, with some of them refused, some crashing, and their page out of memory.
// Mutations seen to fail: replies not handed out; some calls decided on, and others
// at the gate; handleTogether not asking for the page that is missing; Join putting
// a run in front, or making it longer than it may be.
func TestTogether(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		synctest.Test(t, func(t *testing.T) {
			h := openHost(t, newStore(t), ledgers)
			defer closeHost(t, h)
			want := map[string][]int{}
			for range 8 {
				entries := make([]int, rng.IntN(100))
				odd := rng.IntN(3) == 0
				for i := range entries {
					entries[i] = 1 + rng.IntN(1000)
					if odd && rng.IntN(20) == 0 {
						entries[i] = []int{-1, panics}[rng.IntN(2)]
					}
				}
				if rng.IntN(3) == 0 {
					h.Evict(t.Context(), 0)
				}
				want["even"] = append(want["even"], 0)
				crashed := slices.Contains(entries, panics)
				for i, o := range enterAll(t, h, "x", entries) {
					var r *entity.Rejection
					switch n := entries[i]; {
					case o.err == nil && n > 0 && n != panics:
						book := bookOf(n)
						if o.before != len(want[book]) {
							t.Fatalf("entry %d of %v: %d were there before, want %d", i, entries, o.before, len(want[book]))
						}
						want[book] = append(want[book], n)
					case n < 0 && errors.As(o.err, &r):
					case crashed && errors.Is(o.err, entity.ErrUnavailable):
					case n == panics && errors.Is(o.err, entity.ErrCrashed):
					default:
						t.Fatalf("entry %d of %v: %v", i, entries, o.err)
					}
				}
				for book, want := range want {
					if got, err := numbersOf.Ask(t.Context(), h, "x", book); err != nil || !slices.Equal(got, want) {
						t.Fatalf("the book of %s numbers has %d, %v; want %d", book, got, err, want)
					}
				}
			}
		})
	}
	if n, most := together.Load(), longest.Load(); n < 1000 || most > entity.RunCalls {
		t.Errorf("%d entries were decided on with others, up to %d at once", n, most)
	}
}

// A crash of some that are decided on together is blamed on none of them; when
// they come again they are decided on one by one, and the one that panics is
// blamed. Mutations seen to fail: joint never set; apart false after a crash.
func TestCrashTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHost(t, newStore(t), ledgers)
		defer closeHost(t, h)
		entries := []int{1, 2, panics, 3}
		for i, o := range enterAll(t, h, "x", entries) {
			if !errors.Is(o.err, entity.ErrUnavailable) || errors.Is(o.err, entity.ErrCrashed) {
				t.Errorf("entry %d together with the others: %v", i, o.err)
			}
		}
		again := enterAll(t, h, "x", entries)
		if again[0].err != nil || again[1].err != nil || !errors.Is(again[2].err, entity.ErrCrashed) || again[3].err == nil {
			t.Errorf("again: %v", again)
		}
	})
}

// When it is not known whether the events are stored, the outcome of all that
// were decided on together is unknown. Mutation seen to fail: appendTogether
// marking the first only.
func TestTogetherAtTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, ledgers)
		defer closeHost(t, h)
		enterAll(t, h, "x", nil)
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error { <-release; return errors.New("disk on fire") }})
		entries := slices.Repeat([]int{5}, 10)
		before := together.Load()
		held := make(chan struct{})
		hold.Store(&held)
		var all sync.WaitGroup
		for i, n := range append([]int{0}, entries...) {
			all.Add(1)
			enter.SendAll(t.Context(), h, []string{"x"}, []entryOf{entryOf(n)}, func(_ int, _ int, _ entity.Token, err error) {
				defer all.Done()
				if !errors.Is(err, entity.ErrUnknown) {
					t.Errorf("entry %d: %v", i, err)
				}
			}, entity.Bulk())
			synctest.Wait()
		}
		close(held)
		synctest.Wait() // all are decided, and none is stored
		close(release)
		all.Wait()
		store.Hook(persistencetest.Hooks{})
		if n := together.Load() - before; n != 10 {
			t.Errorf("%d entries were decided on together", n)
		}
	})
}

// What comes of a load while a frame is under way to the store gathers, and is decided
// on as one when that is durable, in time for the next; a question behind it is answered,
// and when the frame is lost all are told. On a store of this process alone nothing gathers. Mutations seen to
// fail: lull never called; BeforeFrame true for a local store.
func TestLoadGathers(t *testing.T) {
	for name, test := range map[string]struct {
		remote   bool
		fate     error // of the first frame
		together int64
	}{
		"remote": {remote: true, together: 38},
		"local":  {together: 0},
		"lost":   {remote: true, fate: errors.New("disk on fire")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				store.Remote = test.remote
				h := openHost(t, store, ledgers)
				defer closeHost(t, h)
				enterAll(t, h, "x", nil)
				release, before := make(chan struct{}), together.Load()
				var appends atomic.Int64
				store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error {
					if appends.Add(1) > 1 {
						return nil
					}
					<-release
					return test.fate
				}})
				var failed atomic.Int64
				var all sync.WaitGroup
				for i := range 40 {
					all.Add(1)
					enter.SendAll(t.Context(), h, []string{"x"}, []entryOf{entryOf(2 + 2*i)}, func(_ int, _ int, _ entity.Token, err error) {
						defer all.Done()
						if err != nil {
							failed.Add(1)
						}
					}, entity.Bulk())
					synctest.Wait()
				}
				answered := false // by who has handled what came before it, if that was not held
				go func() {
					_, _ = numbersOf.Ask(t.Context(), h, "x", "odd")
					answered = true
				}()
				synctest.Wait()
				if n := together.Load() - before; n != 0 {
					t.Errorf("%d were decided on with others while the frame was under way", n)
				}
				close(release)
				all.Wait()
				synctest.Wait()
				if !answered {
					t.Error("a question was not answered")
				}
				// The first finds its frame under way or not yet, so that the second is
				// decided on alone, or with the others.
				if n := together.Load() - before; (n < test.together || test.together == 0 && n > 0) && test.fate == nil {
					t.Errorf("%d were decided on with others, want %d or one more", n, test.together)
				}
				if n := failed.Load(); (n > 0) != (test.fate != nil) {
					t.Errorf("%d of 40 failed", n)
				}
			})
		})
	}
}

// At a store that has much to do, what comes of a load gathers for a while after a frame
// too; then all of the shard's entities decide, each once, and what they come to is one
// frame. A command of its own does not wait for that. Mutations seen to fail: drain done
// at once; what a command comes to appended as bulk; bulk appended as what is in a hurry.
func TestLoadDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind, err := memory.New(1)
		if err != nil {
			t.Fatal(err)
		}
		store := &persistencetest.Faulty{Store: behind, Remote: true}
		h := openHost(t, store, ledgers)
		defer closeHost(t, h)
		takes := time.Millisecond
		var mu sync.Mutex
		var frames []uint32
		store.Hook(persistencetest.Hooks{Append: func(_ context.Context, f persistence.Frame) error {
			mu.Lock()
			frames = append(frames, f.Count)
			mu.Unlock()
			time.Sleep(takes) //nolint:forbidigo // of a bubble
			return nil
		}})
		for i := range 100 { // until it has much to do
			if _, err := enter.Ask(t.Context(), h, "usual", entryOf(2+2*i)); err != nil {
				t.Fatal(err)
			}
			takes = 10 * time.Millisecond
		}
		time.Sleep(time.Second) //nolint:forbidigo // of a bubble
		var all sync.WaitGroup
		send := func(id string, n int) {
			all.Add(1)
			enter.SendAll(t.Context(), h, []string{id}, []entryOf{entryOf(2 * n)}, func(_ int, _ int, _ entity.Token, err error) {
				defer all.Done()
				if err != nil {
					t.Error(err)
				}
			}, entity.Bulk())
		}
		ids := []string{"a", "b", "c", "d", "e"}
		send("a", 1)
		all.Wait()
		frames = nil
		for _, id := range ids {
			send(id, 1)
			synctest.Wait()
		}
		time.Sleep(15 * time.Millisecond) //nolint:forbidigo // of a bubble
		for i := range 3 {
			for _, id := range ids {
				send(id, 2+i)
			}
		}
		begin := time.Now()
		if _, err := enter.Ask(t.Context(), h, "usual", 1002); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != takes {
			t.Errorf("a command takes %s while a load gathers, and a frame %s", took, takes)
		}
		all.Wait()
		// The first that came; the command, with the others' first that had come meanwhile;
		// and one event of what each had waiting. But a's first frame may not have been under
		// way when a looked for it, and one has its turn perhaps while the shard's actor has.
		if len(frames) < 3 || frames[0] != 1 || frames[1] < 5 || frames[2] < 3 {
			t.Errorf("frames of %d events, want 1, 5 and 5, or nearly so", frames)
		}
	})
}
