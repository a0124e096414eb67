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
	open := func(t *testing.T) *Store {
		s, err := Open(t.Context(), memConfig(d.fs()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil && !errors.Is(err, persistence.ErrClosed) {
				t.Error(err)
			}
		})
		return s
	}
	s := open(t)
	return persistencetest.Subject{Store: s, Reopen: func(t *testing.T) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return open(t)
	}}
}
