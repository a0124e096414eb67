package journal_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// appended appends a text, waits until it is acknowledged, and returns its end.
func appended(t *testing.T, s *journal.Shard, text string) persistence.Position {
	t.Helper()
	w := newWait()
	end := appendText(t, s, journal.NewWriter("test", "a"), text)
	s.Wait(end, w)
	if err := w.outcome(t); err != nil {
		t.Fatal(err)
	}
	return end
}

// withoutSeal is a store that has lost the seal of an epoch.
type withoutSeal struct {
	*persistencetest.Faulty
	epoch persistence.Epoch
}

func (s withoutSeal) Ownership() persistence.Ownership {
	return sealLost{s.Faulty.Ownership(), s.epoch}
}

type sealLost struct {
	persistence.Ownership
	epoch persistence.Epoch
}

func (o sealLost) Shard(ctx context.Context, shard persistence.Shard) (persistence.ShardRow, error) {
	row, err := o.Ownership.Shard(ctx, shard)
	var kept []persistence.Position
	for _, seal := range row.Seals {
		if seal.Epoch() != o.epoch {
			kept = append(kept, seal)
		}
	}
	row.Seals = kept
	return row, err
}

// An epoch above the checkpoint without a seal has no end that anyone could know.
// It is not passed over, wherever among the others it is.
//
// Mutation seen to fail: replay not counting the seals.
func TestSealMissing(t *testing.T) {
	for lost := range persistence.Epoch(3) {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			store := newStore(t, true)
			j := openJournal(t, store, "n")
			defer closeJournal(t, j)
			var ends []persistence.Position
			for i := range 3 {
				s, _ := openShard(t, j, 0)
				ends = append(ends, appended(t, s, fmt.Sprint(i)))
			}
			openShard(t, j, 0)
			damaged := withoutSeal{store, persistence.FirstEpoch + lost}
			j2 := openJournal(t, damaged, "n")
			defer closeJournal(t, j2)
			if _, _, err := j2.OpenShard(t.Context(), 0); !errors.Is(err, persistence.ErrCorrupt) {
				t.Errorf("it opens: %v", err)
			}
			checkpoint := persistence.Page{Key: persistence.CheckpointKey(0), Position: ends[lost] + 1<<40 - 1} // in the epoch after
			if err := store.Pages().Write(t.Context(), []persistence.Page{checkpoint}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := j2.OpenShard(t.Context(), 0); err != nil {
				t.Errorf("below the checkpoint the seal is missed: %v", err)
			}
		})
	}
}

// damagedAbove is a log in which what lies at or above a position can't be read.
type damagedAbove struct {
	*persistencetest.Faulty
	from persistence.Position
}

func (s damagedAbove) Log() persistence.Log { return halfLog{s.Faulty.Log(), s.from} }

type halfLog struct {
	persistence.Log
	from persistence.Position
}

func (l halfLog) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	return func(yield func(persistence.Frame, error) bool) {
		for f, err := range l.Log.Read(ctx, shard, from) {
			if err == nil && f.Position >= l.from {
				f, err = persistence.Frame{Shard: shard, Position: f.Position}, &persistence.CorruptError{Record: "frame", Key: f.Position.String(), Reason: "a test"}
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// I7: what lies at or above a seal, or behind a gap, is not looked at, whatever it
// is. Below it damage is damage.
//
// Mutation seen to fail: the error asked about before the place.
func TestDamagedLateFrame(t *testing.T) {
	store := newStore(t, true)
	j := openJournal(t, store, "n")
	defer closeJournal(t, j)
	s, _ := openShard(t, j, 0)
	seal := appended(t, s, "1")
	openShard(t, j, 0)
	late := persistencetest.Frame(t, 0, seal, 1, "late")
	if err := persistencetest.Append(t.Context(), store.Log(), late); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[persistence.Position]error{seal: nil, seal - 1: persistence.ErrCorrupt} {
		j := openJournal(t, damagedAbove{store, from}, "n")
		if _, _, err := j.OpenShard(t.Context(), 0); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("damaged from %s on, sealed at %s: %v, want %v", from, seal, err, want)
		}
		closeJournal(t, j)
	}
}

// Who finds a later epoch in the row has been replaced, and gives the shard up.
//
// Mutations seen to fail: DropHistory or ReadEntity returning an error alone.
func TestReplacedIsNoticed(t *testing.T) {
	for name, meet := range map[string]func(*journal.Shard, persistence.Position) error{
		"while history is dropped": func(s *journal.Shard, _ persistence.Position) error { return s.DropHistory(t.Context()) },
		"while events are read back": func(s *journal.Shard, end persistence.Position) error {
			_, err := s.ReadEntity(t.Context(), "test", "a", end)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t, true)
			old := openJournal(t, store, "n")
			defer closeJournal(t, old)
			s, _ := openShard(t, old, 0)
			end := appended(t, s, "1")
			if _, err := s.Checkpoint(t.Context(), end); err != nil {
				t.Fatal(err)
			}
			heir := openJournal(t, store, "n")
			defer closeJournal(t, heir)
			openShard(t, heir, 0)
			if err := meet(s, end); !errors.Is(err, journal.ErrShardLost) || s.Err() == nil {
				t.Errorf("%v, and the shard: %v; want both lost", err, s.Err())
			}
		})
	}
}

// A low mark that was raised without an answer is no reason to keep what lies
// below.
//
// Mutation seen to fail: DropHistory being done when low is where it should be.
func TestLowRaisedUnheard(t *testing.T) {
	store := newStore(t, true)
	j := openJournal(t, store, "n")
	defer closeJournal(t, j)
	s, _ := openShard(t, j, 0)
	appended(t, s, "1")
	end := appended(t, s, "2")
	if _, err := s.Checkpoint(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	store.Inject(persistencetest.LoseReply(persistencetest.OpRaiseLow).Nth(1))
	if err := s.DropHistory(t.Context()); err == nil {
		t.Fatal("the reply was not lost")
	}
	if err := s.DropHistory(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := stored(t, store, s); len(left) != 0 {
		t.Errorf("frames at %v are left", left)
	}
}
