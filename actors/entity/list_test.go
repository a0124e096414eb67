package entity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// What is in no log is not listed: a command that is between its events and the
// log may come to nothing. Mutation seen to fail: indexed publishing what it finds.
func TestListsNothingAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		late := entity.New("late", func(s *wrapperspb.Int64Value, e proto.Message) { s.Value = e.(*wrapperspb.Int64Value).Value })
		set := entity.Command(late, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
			return entity.Persist(c), nil
		}, func(s *wrapperspb.Int64Value) *wrapperspb.Int64Value {
			if s.Value == 1 {
				<-hold
				panic("too late")
			}
			return total(s)
		})
		h := openHost(t, newStore(t), late.Kind)
		defer closeHost(t, h)
		list := func(when string, want ...string) {
			t.Helper()
			if got, err := h.List(t.Context(), "late", "", 10); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: listed %q, %v; want %q", when, got, err, want)
			}
		}
		var outcome error
		set.Send(t.Context(), h, "a", wrapperspb.Int64(1), func(_ *wrapperspb.Int64Value, _ entity.Token, err error) { outcome = err })
		synctest.Wait()
		list("before the append")
		close(hold)
		synctest.Wait()
		if !errors.Is(outcome, entity.ErrCrashed) {
			t.Errorf("the command: %v", outcome)
		}
		list("after the crash")
		if _, err := set.Ask(t.Context(), h, "a", wrapperspb.Int64(2)); err != nil {
			t.Fatal(err)
		}
		list("after one that went well", "a")
	})
}

// An entity that crashed is listed as before while it comes back, whatever its
// events said one after the other. Mutation seen to fail: indexed publishing what
// it finds.
func TestListsWhileReplaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer setTrap(nil)
		h := openHost(t, newStore(t), brittle)
		defer closeHost(t, h)
		want := jottings{}
		for _, n := range []int{8 + 1, 16 + 1, 0, 24 + 1, 32 + 1} {
			if _, err := jot.Ask(t.Context(), h, "b0", note{0, n}); err != nil {
				t.Fatal(err)
			}
			want.jot(n)
		}
		setTrap(func(point string, _ note) {
			if point == "decide" {
				panic("once")
			}
		})
		if _, err := jot.Ask(t.Context(), h, "b0", note{0, 40 + 1}); !errors.Is(err, entity.ErrCrashed) {
			t.Errorf("a command that panics: %v", err)
		}
		step := make(chan struct{})
		setTrap(func(point string, _ note) {
			if point == "evolve" {
				<-step
			}
		})
		time.Sleep(time.Second) //nolint:forbidigo // in a synctest bubble: the entity restarts after a pause
		for range 5 {           // the events that are evolved, and one look more
			synctest.Wait()
			for e, err := range h.Find(t.Context(), byLast, entity.Entry{}) {
				if err != nil || e.Key != want.entry() {
					t.Errorf("found %v, %v; want %q", e, err, want.entry())
				}
			}
			if ids, err := h.List(t.Context(), "brittle", "", 10); err != nil || !slices.Equal(ids, []string{"b0"}) {
				t.Errorf("listed %q, %v", ids, err)
			}
			select {
			case step <- struct{}{}:
			default:
			}
		}
		close(step)
	})
}

// An entry that became known while others were stored, with a page that was read,
// is removed when it changes. Mutation seen to fail: storedEntries forgetting what is
// not of the write.
func TestEntryKnownWhileOthersAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, chronicle)
		defer closeHost(t, h)
		do := func(number uint32) {
			t.Helper()
			if _, err := post.Ask(t.Context(), h, "x", order{number: number, parts: 1}); err != nil {
				t.Fatal(err)
			}
		}
		do(3) // on the first folio, which the index is of
		h.Evict(t.Context(), 0)
		do(5) // on the third
		write := make(chan struct{})
		store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { <-write; return nil }})
		var evictor sync.WaitGroup
		evictor.Go(func() { h.Evict(t.Context(), 0) })
		synctest.Wait()
		do(6)
		close(write)
		evictor.Wait()
		h.Checkpoint(t.Context())
		var found []entity.Entry
		for e, err := range h.Find(t.Context(), byNumber, entity.Entry{}) {
			if err != nil {
				t.Error(err)
			}
			found = append(found, e)
		}
		if want := []entity.Entry{{Key: numberKey(6), ID: "x"}}; !slices.Equal(found, want) {
			t.Errorf("found %v, want %v", found, want)
		}
	})
}

// A listing waits for the entities that are about to learn what they are, woken by
// whomever, and ends with its context. Mutations seen to fail: wakeTail not
// looking at those on their way; takeTail not saying that they are.
func TestListWaitsForTheWaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store, diary)
		for _, id := range []string{"x", "y", "z"} {
			if _, err := write.Ask(t.Context(), h, id, wrapperspb.Int64(8+7)); err != nil {
				t.Fatal(err)
			}
		}
		crashHost(t, h, store)
		h = openHost(t, store, diary)
		defer closeHost(t, h)
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{ReadPage: func(context.Context, persistence.PageKey) error { <-release; return nil }})
		for _, id := range []string{"x", "y", "z"} {
			read.Send(t.Context(), h, id, "a", func([]int64, entity.Token, error) {})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if ids, err := h.List(ctx, "diary", "", 10); !errors.Is(err, entity.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("listed %q, %v while they woke; want a listing that waited", ids, err)
		}
		var ids []string
		var wg sync.WaitGroup
		wg.Go(func() {
			var err error
			if ids, err = h.List(t.Context(), "diary", "", 10); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(release)
		wg.Wait()
		if !slices.Equal(ids, []string{"x", "y", "z"}) {
			t.Errorf("listed %q", ids)
		}
	})
}

// Entries of a page that is read while others are being stored are not forgotten.
// Mutations seen to fail: storedEntries taking what is stored now for all that may be
// stored; it being done while there are others.
func TestEntriesReadWhileStoring(t *testing.T) {
	for _, again := range []bool{true, false} { // there is another entry, or none
		t.Run(fmt.Sprintf("again=%t", again), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				h := openHost(t, store, brittle)
				defer closeHost(t, h)
				scribbleOn(t, h, 8+1)
				h.Evict(t.Context(), 0)
				scribbleOn(t, h, 16+2)
				release := make(chan struct{})
				store.Hook(persistencetest.Hooks{WritePages: func(_ context.Context, pages []persistence.Page) error {
					if pages[0].Key.Kind != "" {
						<-release
					}
					return nil
				}})
				var pass sync.WaitGroup
				pass.Go(func() { h.Checkpoint(t.Context()) })
				synctest.Wait()
				want := []entity.Entry{{Key: "00000025", ID: "b0"}}
				if again {
					scribbleOn(t, h, 24+1)
				} else {
					if _, err := jot.Ask(t.Context(), h, "b0", note{0, 0}); err != nil { // a deletion ends the one on the page
						t.Fatal(err)
					}
					scribbleOn(t, h, 32+2)
					want = nil
				}
				close(release)
				pass.Wait()
				for range 2 {
					h.Checkpoint(t.Context())
					if last, ids, err := indexed(t.Context(), h); err != nil || !slices.Equal(last, want) || !slices.Equal(ids, []string{"b0"}) {
						t.Errorf("found %v and listed %q, %v; want %v", last, ids, err, want)
					}
				}
			})
		})
	}
}
