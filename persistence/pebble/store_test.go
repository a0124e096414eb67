package pebble_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *pebble.Store {
	t.Helper()
	s, err := pebble.Open(t.Context(), config(dir))
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

func config(dir string) pebble.Config {
	cfg := pebble.DefaultConfig(dir)
	cfg.MemTable = 1 << 20
	return cfg
}

func TestStore(t *testing.T) {
	persistencetest.Run(t, func(t *testing.T) persistencetest.Subject {
		dir := t.TempDir()
		return pebble.Subject(t, func() pebble.Config { return config(dir) })
	})
}

// A folder that is not whole is refused with an error that says what to do,
// and nothing in it is changed. Mutations seen to fail: recognize returning nil
// at once (a store without its records is then created anew); create not looking
// for the witness.
func TestRefusedFolders(t *testing.T) {
	made := func(t *testing.T) string {
		dir := t.TempDir()
		if err := open(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	write := func(t *testing.T, content string, name ...string) {
		if err := os.WriteFile(filepath.Join(name...), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, name ...string) {
		if err := os.RemoveAll(filepath.Join(name...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		folder func(t *testing.T) string
		want   error
		says   string
	}{
		{"something else", func(t *testing.T) string {
			dir := t.TempDir()
			write(t, "dear diary", dir, "diary.txt")
			return dir
		}, persistence.ErrFormat, "diary.txt"},
		{"another version", func(t *testing.T) string {
			dir := made(t)
			write(t, `{"format": 99, "id": "00", "shards": 32, "hash": "x"}`, dir, "STORE")
			return dir
		}, persistence.ErrFormat, "format 99"},
		{"another hash", func(t *testing.T) string {
			dir := made(t)
			write(t, fmt.Sprintf(`{"format": %d, "id": "00", "shards": 32, "hash": "md5"}`, pebble.Format), dir, "STORE")
			return dir
		}, persistence.ErrFormat, "md5"},
		{"description cut off", func(t *testing.T) string {
			dir := made(t)
			write(t, `{"format": 1,`, dir, "STORE")
			return dir
		}, persistence.ErrCorrupt, "STORE"},
		{"records gone", func(t *testing.T) string {
			dir := made(t)
			remove(t, dir, "pebble")
			return dir
		}, persistence.ErrCorrupt, "gone"},
		{"records emptied", func(t *testing.T) string {
			dir := made(t)
			remove(t, dir, "pebble")
			if err := os.Mkdir(filepath.Join(dir, "pebble"), 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}, persistence.ErrCorrupt, "can't be opened"},
		{"description gone", func(t *testing.T) string {
			dir := made(t)
			remove(t, dir, "STORE")
			return dir
		}, persistence.ErrCorrupt, "no STORE file"},
		{"marked as new, and used", func(t *testing.T) string {
			dir := made(t)
			if err := os.Rename(filepath.Join(dir, "STORE"), filepath.Join(dir, "STORE.creating")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, persistence.ErrCorrupt, "has been in use"},
		{"records of another store", func(t *testing.T) string {
			dir, other := made(t), made(t)
			remove(t, dir, "pebble")
			if err := os.Rename(filepath.Join(other, "pebble"), filepath.Join(dir, "pebble")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, persistence.ErrCorrupt, "two different stores"},
		{"something in the way of the lock", func(t *testing.T) string {
			dir := made(t)
			remove(t, dir, "LOCK")
			if err := os.Mkdir(filepath.Join(dir, "LOCK"), 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}, syscall.EISDIR, "can't be locked"},
		{"in use", func(t *testing.T) string {
			dir := t.TempDir()
			open(t, dir)
			return dir
		}, persistence.ErrLocked, "locked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.folder(t)
			before := listing(t, dir)
			_, err := pebble.Open(t.Context(), config(dir))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error is %v; want %v that says %q", err, c.want, c.says)
			}
			if after := listing(t, dir); after != before {
				t.Errorf("the folder has changed:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"STORE", "diary.txt"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			b.WriteString(name + ": " + string(content) + "\n")
		}
	}
	return b.String()
}

// A creation that was interrupted held nothing that anybody was promised and
// is done again.
func TestInterruptedCreation(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(os.Rename(filepath.Join(dir, "STORE"), filepath.Join(dir, "STORE.creating")), os.Remove(filepath.Join(dir, "WITNESS")))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	row, err := s.Ownership().Shard(t.Context(), 0)
	if err != nil || row.Epoch != 0 {
		t.Errorf("shard 0 is %+v, %v; want a new one", row, err)
	}
}
