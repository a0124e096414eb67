package pebble

import (
	"errors"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// A slow disk, on which others get their turn before each operation: the store
// keeps every promise.
func TestSlowDisk(t *testing.T) {
	persistencetest.Run(t, func(t *testing.T) persistencetest.Subject {
		d := newDisk(vfs.NewCrashableMem())
		ops := 0
		d.fails = func(errorfs.Op) bool {
			for range ops % 17 {
				runtime.Gosched()
			}
			ops++
			return false
		}
		return onDisk(t, d)
	})
}

// After a fault, and with a disk that is well again, a folder is as good as one
// that never met any.
func TestHealedDisk(t *testing.T) {
	for name, set := range map[string]func(*disk){
		"write": func(d *disk) { d.fails = ofKind(errorfs.OpFileWrite) },
		"sync":  func(d *disk) { d.fails = isSync },
		"full":  func(d *disk) { d.limited = true },
	} {
		t.Run(name, func(t *testing.T) {
			persistencetest.Run(t, func(t *testing.T) persistencetest.Subject {
				d := newDisk(vfs.NewCrashableMem())
				s, err := Open(t.Context(), memConfig(d.fs()))
				if err != nil {
					t.Fatal(err)
				}
				d.mu.Lock()
				set(d)
				d.mu.Unlock()
				if err := s.Pages().Write(t.Context(), []persistence.Page{{Key: persistence.CheckpointKey(31), Position: 1}}); !errors.Is(err, persistence.ErrFailed) {
					t.Fatalf("writing to a disk with a fault: %v", err)
				}
				if err := s.Close(); !errors.Is(err, persistence.ErrFailed) {
					t.Fatalf("closing says %v, not why the store has failed", err)
				}
				return onDisk(t, newDisk(d.CrashClone(vfs.CrashCloneCfg{})))
			})
		})
	}
}

func onDisk(t *testing.T, d *disk) persistencetest.Subject {
	return Subject(t, func() Config { return memConfig(d.fs()) })
}

// Subject is a store under test, of which one process at a time has the folder.
func Subject(t *testing.T, config func() Config) persistencetest.Subject {
	var last *Store
	as := func(t *testing.T, known persistence.Levels) (persistence.Store, error) {
		if last != nil {
			if err := last.Close(); err != nil && !errors.Is(err, persistence.ErrClosed) {
				t.Fatal(err)
			}
		}
		cfg := config()
		cfg.Levels = known
		s, err := Open(t.Context(), cfg)
		if err == nil {
			last = s
		}
		return s, err
	}
	reopen := func(t *testing.T) persistence.Store {
		s, err := as(t, persistence.KnownLevels())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Cleanup(func() {
		if err := last.Close(); err != nil && !errors.Is(err, persistence.ErrClosed) {
			t.Error(err)
		}
	})
	return persistencetest.Subject{Store: reopen(t), Reopen: reopen, As: as}
}

// A folder that was made before there was a record of its level is at the first one,
// and a new one at the highest that its release knows.
//
// Mutations seen to fail: readLevel refusing a folder without a record; createLevel
// writing the first level.
func TestLevelOfFolders(t *testing.T) {
	cfg := memConfig(newDisk(vfs.NewCrashableMem()).fs())
	cfg.Levels = persistence.Levels{Least: 1, Most: 3}
	for _, level := range []persistence.Level{3, 1} {
		s, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if seen := s.Level().Seen(); seen != level {
			t.Errorf("the folder is at level %d, want %d", seen, level)
		}
		if err := errors.Join(s.db.Delete(levelKey, nil), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
