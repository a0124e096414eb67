package pebble

import (
	"errors"
	"path"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// A store that is opened for reading shows all that it was asked to keep, refuses
// what would change it, and leaves the folder as it was. Mutations seen to fail:
// open going on to use; apply without its refusal; Close flushing,
// or writing the witness.
func TestReadOnly(t *testing.T) {
	for name, filled := range map[string]func(*testing.T) (*vfs.MemFS, *promises){"killed": killed, "stopped": stopped} {
		t.Run(name, func(t *testing.T) {
			fs, p := filled(t)
			before := fs.String()
			cfg := memConfig(fs)
			cfg.ReadOnly = true
			cfg.fs = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && path.Base(op.Path) != lockFile {
					t.Errorf("it writes to %s", op.Path)
				}
				return nil
			}))
			s, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			v := p.check(t.Context(), s)
			if wrong := v.wrong(); v.said != nil || len(wrong) > 0 {
				t.Errorf("%v, %v", wrong, v.said)
			}
			appended := outcome(func(done func(error)) {
				s.Log().Append(t.Context(), persistencetest.Frame(t, 1, persistence.At(9999, 0), 1, "x"), done)
			})
			_, booted := s.Ownership().Boot(t.Context(), "n", "addr")
			for what, err := range map[string]error{
				"appending": appended,
				"a page":    s.Pages().Write(t.Context(), []persistence.Page{{Key: persistence.CheckpointKey(1), Position: 1 << 62}}),
				"booting":   booted,
			} {
				if !errors.Is(err, persistence.ErrReadOnly) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if after := fs.String(); after != before {
				t.Errorf("the folder has changed to\n%s\nfrom\n%s", after, before)
			}
		})
	}
	fs := vfs.NewMem()
	cfg := memConfig(fs)
	cfg.ReadOnly = true
	before := fs.String()
	if _, err := Open(t.Context(), cfg); !errors.Is(err, persistence.ErrFormat) || fs.String() != before {
		t.Errorf("a folder that is not there: %v, and then\n%s", err, fs.String())
	}
}

// outcome waits for what do reports.
func outcome(do func(done func(error))) error {
	c := make(chan error, 1)
	do(func(err error) { c <- err })
	return <-c
}
