package journal_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// History is dropped below the checkpoint, and what is left is what a recovery
// reads. Mutations seen to fail: deleting up to what is acknowledged; low not
// raised.
func TestDropHistory(t *testing.T) {
	store := newStore(t, false)
	j := openJournal(t, store, "n")
	s, _ := openShard(t, j, 1)
	w := journal.NewWriter("test", "e")
	var ends []persistence.Position
	for i := range 10 {
		end := appendText(t, s, w, fmt.Sprint("event ", i))
		done := newWait()
		s.Wait(end, done)
		if err := done.outcome(t); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	if err := s.DropHistory(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, store, s); len(got) != 10 {
		t.Errorf("without a checkpoint %d of 10 frames are left", len(got))
	}
	if _, err := s.Checkpoint(t.Context(), ends[5]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.DropHistory(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := stored(t, store, s); !slices.Equal(got, ends[5:9]) {
		t.Errorf("frames at %s are left, want %s", got, ends[5:9])
	}
	row, err := store.Ownership().Shard(t.Context(), 1)
	if err != nil || row.Low != ends[5] {
		t.Errorf("low is %s, %v; want %s", row.Low, err, ends[5])
	}
	closeJournal(t, j)
	j = openJournal(t, store, "n")
	defer closeJournal(t, j)
	s2, tail := openShard(t, j, 1)
	if got := texts(tail.Peek("test", "e")); fmt.Sprint(got) != "[event 6 event 7 event 8 event 9]" {
		t.Errorf("recovered %q", got)
	}
	if err := s.DropHistory(t.Context()); err == nil {
		t.Error("a shard that was given up drops history")
	}
	if err := s2.DropHistory(t.Context()); err != nil {
		t.Error(err)
	}
}

// stored returns where the frames of the shard's first epoch are.
func stored(t *testing.T, store persistence.Store, s *journal.Shard) (at []persistence.Position) {
	t.Helper()
	for f, err := range store.Log().Read(t.Context(), s.Number(), persistence.At(persistence.FirstEpoch, 0)) {
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, f.Position)
	}
	return at
}

// An entity's events are read back whole although the checkpoint moves and the
// log below it goes in the middle of it: those that it still needs lie above.
// Mutation seen to fail: ReadEntity not looking at the checkpoint again.
func TestReadBackWhileHistoryGoes(t *testing.T) {
	for _, remote := range []bool{false, true} {
		var s *journal.Shard
		var ends []persistence.Position
		armed := false
		store := &readHook{Faulty: newStore(t, remote), hook: func() {
			if !armed {
				return
			}
			armed = false
			if _, err := s.Checkpoint(t.Context(), ends[2]); err != nil {
				t.Error(err)
			}
			if err := s.DropHistory(t.Context()); err != nil {
				t.Error(err)
			}
		}}
		j := openJournal(t, store, "n")
		s, _ = openShard(t, j, 1)
		others, own := journal.NewWriter("test", "other"), journal.NewWriter("test", "e")
		for i := range 6 {
			w := others
			if i >= 3 {
				w = own
			}
			end := appendText(t, s, w, fmt.Sprint("event ", i))
			done := newWait()
			s.Wait(end, done)
			if err := done.outcome(t); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		armed = true
		records, err := s.ReadEntity(t.Context(), "test", "e", ends[5])
		if got := texts(records); err != nil || fmt.Sprint(got) != "[event 3 event 4 event 5]" {
			t.Errorf("remote %t: read back %q, %v", remote, got, err)
		}
		closeJournal(t, j)
	}
}
