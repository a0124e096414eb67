package pebble

import (
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mesonet/mesonet/persistence"
)

// leavesOf returns the numbers of the leaves that are there.
func leavesOf(t *testing.T, s *Store) (all []uint64) {
	t.Helper()
	err := s.scan(t.Context(), leafKey(0), []byte{prefixLeaf + 1}, func(key, _ []byte) (bool, error) {
		leaf, err := parseLeafKey(key)
		all = append(all, leaf)
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// One missing leaf is noticed, wherever it is; so many are kept and no more; a
// folder that has none, of a release before, gets its first. Mutations seen to
// fail: count not comparing leaves; count not asking for the oldest; add not
// deleting.
func TestTally(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s, err := Open(t.Context(), memConfig(mem))
	if err != nil {
		t.Fatal(err)
	}
	write := func(s *Store) {
		s.tally.turned.Store(true) // as if Pebble had begun a log file
		if _, err := s.Ownership().Boot(context.Background(), "n", ""); err != nil {
			t.Fatal(err)
		}
	}
	for range leaves + 10 {
		write(s)
	}
	all := leavesOf(t, s)
	if len(all) != leaves || all[0] != 11 {
		t.Errorf("%d leaves from %d on, want %d from 11 on", len(all), all[0], leaves)
	}
	for _, c := range []struct {
		name string
		gone []uint64
		want error
	}{
		{"none is missing", nil, nil},
		{"the first", all[:1], persistence.ErrCorrupt},
		{"one in the middle", all[1000:1001], persistence.ErrCorrupt},
		{"the last, which the witness knows", all[leaves-1:], persistence.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := whole(mem)
			again, err := Open(t.Context(), memConfig(fs))
			if err != nil {
				t.Fatal(err)
			}
			for _, leaf := range c.gone {
				if err := again.db.Delete(leafKey(leaf), pebble.Sync); err != nil {
					t.Fatal(err)
				}
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
			again, err = Open(t.Context(), memConfig(fs))
			if !errors.Is(err, c.want) {
				t.Fatalf("opened: %v, want %v", err, c.want)
			}
			if err == nil {
				write(again)
				if err := again.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("a folder without a tally", func(t *testing.T) {
		if err := s.db.DeleteRange(leafKey(0), []byte{prefixLeaf + 1}, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), mem.Remove("store/"+witnessFile)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s, err := Open(t.Context(), memConfig(mem))
			if err != nil {
				t.Fatal(err)
			}
			write(s)
			if all := leavesOf(t, s); all[0] != 1 {
				t.Errorf("leaves %v", all)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
