package pebble

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard is the file system that Pebble is given. At the first error of an
// operation that changes something it marks the store failed, before it
// returns, and from then on it changes nothing more, whatever Pebble still
// does: the folder stays as a crash at that moment would have left it, and to
// come back from a crash is what Pebble does best.
//
// Pebble is told that all of it succeeded, the operation that failed too. That
// says nothing false to anybody, as every operation of the store looks at the
// mark before it answers, and Pebble has no good way on from an error:
//
//   - When its log can't be synced, closed or begun, it panics in the middle of
//     its locks, which ends the process whoever recovers. Or it calls Fatalf
//     and, should that return, acknowledges what it did not write.
//   - When a table can't be written, it tries again at once and for ever;
//     writes wait for it inside of its locks, and so does Close.
//   - A second sync of a file may well succeed when the first one has lost the
//     data: after it Pebble would remove the log that still had them.
//
// Errors of reading are handed on: they become the error of who reads. The
// first one is kept, to tell a folder that can't be read from one that is
// damaged. Files that Pebble leaves open after an error are closed at the end.
type guard struct {
	vfs.FS
	s      *Store
	unread atomic.Pointer[error]
	listed atomic.Bool

	mu   sync.Mutex
	open map[*guardFile]struct{}
}

func newGuard(fs vfs.FS, s *Store) *guard {
	return &guard{FS: fs, s: s, open: make(map[*guardFile]struct{})}
}

// file wraps a file and keeps it in mind until it is closed.
func (g *guard) file(name string, f vfs.File, made bool) vfs.File {
	file := &guardFile{File: f, g: g, name: name, made: made}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[file] = struct{}{}
	return file
}

// release closes what Pebble, which has ended, left open.
func (g *guard) release() {
	g.listed.Store(false)
	g.mu.Lock()
	open := slices.Collect(maps.Keys(g.open))
	g.mu.Unlock()
	for _, f := range open {
		_ = f.Close() // never fails
	}
}

// change does what changes the folder, unless the store has failed.
func (g *guard) change(name string, do func() error) {
	if g.s.failed() != nil {
		return
	}
	if err := do(); err != nil {
		g.s.fail(named(name, err))
	}
}

// read notes an error of reading.
func (g *guard) read(name string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, iofs.ErrNotExist) || errors.Is(err, iofs.ErrExist) {
		return err
	}
	err = named(name, err)
	g.unread.CompareAndSwap(nil, &err)
	return err
}

// named puts the file's name to an error that doesn't say it.
func named(name string, err error) error {
	var path *iofs.PathError
	if errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// make returns a file that begin begins. Where nothing is begun any more it is
// an empty one in memory.
func (g *guard) make(name string, begin func() (vfs.File, error)) (vfs.File, error) {
	f := vfs.NewMemFile(nil)
	g.change(name, func() error {
		made, err := begin()
		if err == nil {
			f = made
		}
		return err
	})
	return g.file(name, f, true), nil
}

// Create syncs the folder before a marker is begun, the file whose name says
// which MANIFEST counts. Pebble syncs it once, after both: a file system that
// keeps no order among the changes of a folder could lose the MANIFEST alone.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(path.Base(name), "marker.") {
		g.change(name, func() error { return syncFolder(g.FS, path.Dir(name)) })
	}
	return g.make(name, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

func (g *guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.make(newname, func() (vfs.File, error) { return g.FS.ReuseForWrite(oldname, newname, category) })
}

func (g *guard) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.make(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, category, opts...) })
}

func (g *guard) Link(oldname, newname string) error {
	g.change(oldname, func() error { return g.FS.Link(oldname, newname) })
	return nil
}

// Remove of what is not there is a question of Pebble's.
func (g *guard) Remove(name string) (err error) {
	g.change(name, func() error {
		if err = g.FS.Remove(name); errors.Is(err, iofs.ErrNotExist) {
			return nil
		}
		return err
	})
	if errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	return nil
}

func (g *guard) RemoveAll(name string) error {
	g.change(name, func() error { return g.FS.RemoveAll(name) })
	return nil
}

func (g *guard) Rename(oldname, newname string) error {
	g.change(oldname, func() error { return g.FS.Rename(oldname, newname) })
	return nil
}

func (g *guard) MkdirAll(dir string, perm os.FileMode) error {
	g.change(dir, func() error { return g.FS.MkdirAll(dir, perm) })
	return nil
}

func (g *guard) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.opened(name)(g.FS.Open(name, opts...))
}

func (g *guard) OpenDir(name string) (vfs.File, error) {
	return g.opened(name)(g.FS.OpenDir(name))
}

func (g *guard) opened(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, g.read(name, err)
		}
		return g.file(name, f, false), nil
	}
}

func (g *guard) Lock(name string) (io.Closer, error) {
	c, err := g.FS.Lock(name)
	return c, g.read(name, err)
}

// List returns an error the first time only. The next one is at the end of
// Pebble's Open, which would leave a goroutine behind; there it looks for what
// can be removed, and finds nothing.
func (g *guard) List(dir string) ([]string, error) {
	names, err := g.FS.List(dir)
	if err != nil && g.listed.Load() {
		g.s.fail(named(dir, err))
		return nil, nil
	}
	g.listed.Store(err == nil)
	return names, g.read(dir, err)
}

func (g *guard) Stat(name string) (vfs.FileInfo, error) {
	info, err := g.FS.Stat(name)
	return info, g.read(name, err)
}

// GetDiskUsage is for how large Pebble makes its tables; not to know is no
// error.
func (g *guard) GetDiskUsage(name string) (vfs.DiskUsage, error) {
	usage, err := g.FS.GetDiskUsage(name)
	if err != nil {
		return usage, vfs.ErrUnsupported
	}
	return usage, nil
}

func (g *guard) Unwrap() vfs.FS { return g.FS }
