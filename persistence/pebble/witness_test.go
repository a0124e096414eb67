package pebble

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// What was durable and is gone is noticed, also where Pebble takes the damage for
// the torn end of its log. Mutation seen to fail: hear returning nil at once.
func TestWitness(t *testing.T) {
	cfg := func(dir string) Config {
		c := DefaultConfig(dir)
		c.MemTable, c.Logger = 1<<20, slog.New(slog.DiscardHandler)
		return c
	}
	dir := t.TempDir()
	s, err := Open(t.Context(), cfg(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ownership().Boot(t.Context(), "n", ""); err != nil {
		t.Fatal(err)
	}
	const frames = 20
	for i := range uint64(frames) {
		if err := persistencetest.Append(t.Context(), s.Log(), persistencetest.Frame(t, 1, persistence.At(persistence.FirstEpoch, i), 1, "x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.testify(false); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir() // as a kill would leave it
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wals := func(dir string) []string {
		names, err := filepath.Glob(filepath.Join(dir, dataFolder, "*.log"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no write-ahead log: %v", err)
		}
		return names
	}
	for _, v := range []struct {
		name  string
		spoil func(dir string) error
		want  error
	}{
		{"whole", func(string) error { return nil }, nil},
		{"log gone", func(dir string) error {
			var errs []error
			for _, name := range wals(dir) {
				errs = append(errs, os.Remove(name))
			}
			return errors.Join(errs...)
		}, persistence.ErrCorrupt},
		{"log damaged", func(dir string) error { return flip(wals(dir)[0], 0.7) }, persistence.ErrCorrupt},
		{"log damaged at its beginning", func(dir string) error { return flip(wals(dir)[0], 0.02) }, persistence.ErrCorrupt},
		{"log cut short", func(dir string) error { return os.Truncate(wals(dir)[0], 1000) }, persistence.ErrCorrupt},
		{"witness cut short", func(dir string) error { return os.Truncate(filepath.Join(dir, witnessFile), 5) }, nil},
		{"no witness", func(dir string) error { return os.Remove(filepath.Join(dir, witnessFile)) }, nil},
	} {
		t.Run(v.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.CopyFS(dir, os.DirFS(killed)), v.spoil(dir)); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), cfg(dir))
			if !errors.Is(err, v.want) {
				t.Fatalf("opened: %v, want %v", err, v.want)
			}
			if v.want != nil {
				return
			}
			got, err := persistencetest.ReadAll(t.Context(), s.Log(), 1, persistence.At(persistence.FirstEpoch, 0))
			if err != nil || len(got) != frames {
				t.Errorf("%d frames, %v; want %d", len(got), err, frames)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// flip spoils a byte at a part of a file.
func flip(name string, part float64) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	content[int(part*float64(len(content)))] ^= 0xff
	return os.WriteFile(name, content, 0o600)
}
