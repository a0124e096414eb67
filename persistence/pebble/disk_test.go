package pebble

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is a file system in memory that fails on demand; CrashClone gives what
// is left of it when the power goes.
type disk struct {
	*vfs.MemFS
	mu sync.Mutex
	// fails says which operations end in an error and do nothing, tears which
	// writes are done by half and then end in one, lies which syncs report
	// success and do nothing. Each may be nil.
	fails, tears, lies func(errorfs.Op) bool
	// room is how many bytes can still be written, when that is limited.
	limited bool
	room    int
	// gone are the files of which a sync has failed. As Linux does, the disk has
	// dropped what was not synced, and says of every later sync that all is well.
	gone map[string]bool
}

func newDisk(fs *vfs.MemFS) *disk { return &disk{MemFS: fs, gone: make(map[string]bool)} }

// fs returns the file system with its faults. errorfs lets operations fail as a
// whole, the disk what is left.
func (d *disk) fs() vfs.FS { return reused{errorfs.Wrap(d, errorfs.InjectorFunc(d.inject))} }

// reused puts the faults into files that are used again, which errorfs leaves
// without.
type reused struct{ *errorfs.FS }

func (r reused) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := r.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return r.OpenReadWrite(newname, category)
}

func (d *disk) inject(op errorfs.Op) error {
	if !d.does(&d.fails, op) {
		return nil
	}
	if isSync(op) {
		d.mu.Lock()
		d.gone[op.Path] = true
		d.mu.Unlock()
	}
	return fmt.Errorf("%s: %w", op.Path, syscall.EIO)
}

func (d *disk) does(fault *func(errorfs.Op) bool, op errorfs.Op) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return *fault != nil && (*fault)(op)
}

func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.wrap(name)(d.MemFS.Create(name, category))
}

func (d *disk) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.wrap(name)(d.MemFS.OpenReadWrite(name, category, opts...))
}

func (d *disk) OpenDir(name string) (vfs.File, error) { return d.wrap(name)(d.MemFS.OpenDir(name)) }

func (d *disk) wrap(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, err
		}
		return &diskFile{File: f, d: d, name: name}, nil
	}
}

type diskFile struct {
	vfs.File
	d    *disk
	name string
}

func (f *diskFile) Write(p []byte) (int, error) {
	n, cause := len(p), error(nil)
	if f.d.does(&f.d.tears, errorfs.Op{Kind: errorfs.OpFileWrite, Path: f.name}) {
		n, cause = n/2, syscall.EIO
	}
	f.d.mu.Lock()
	if f.d.limited && n > f.d.room {
		n, cause = f.d.room, syscall.ENOSPC
	}
	f.d.room -= n
	f.d.mu.Unlock()
	written, err := f.File.Write(p[:n])
	if err == nil && cause != nil {
		err = fmt.Errorf("%s: %w", f.name, cause)
	}
	return written, err
}

func (f *diskFile) Sync() error { return f.sync(errorfs.OpFileSync, f.File.Sync) }

func (f *diskFile) SyncData() error { return f.sync(errorfs.OpFileSyncData, f.File.SyncData) }

func (f *diskFile) sync(kind errorfs.OpKind, sync func() error) error {
	lies := f.d.does(&f.d.lies, errorfs.Op{Kind: kind, Path: f.name})
	f.d.mu.Lock()
	lies = lies || f.d.gone[f.name]
	f.d.mu.Unlock()
	if lies {
		return nil
	}
	return sync()
}

// nth is a fault at the n-th operation that is meant, counted from 1, or from
// it on.
type nth struct {
	meant func(errorfs.Op) bool
	n     int
	on    bool
	seen  int
	first func() // called before the first fault, if set
}

func (f *nth) at(op errorfs.Op) bool {
	if !f.meant(op) {
		return false
	}
	f.seen++
	if f.seen == f.n && f.first != nil {
		f.first()
	}
	return f.seen == f.n || f.on && f.seen > f.n
}

func ofKind(kinds ...errorfs.OpKind) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool { return slices.Contains(kinds, op.Kind) }
}

func inFile(part string, meant func(errorfs.Op) bool) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool { return strings.Contains(op.Path, part) && meant(op) }
}

func isSync(op errorfs.Op) bool { return ofKind(errorfs.OpFileSync, errorfs.OpFileSyncData)(op) }
