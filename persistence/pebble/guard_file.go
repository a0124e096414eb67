package pebble

import "github.com/cockroachdb/pebble/v2/vfs"

// guardFile is a file of a guard.
type guardFile struct {
	vfs.File
	g    *guard
	name string
	made bool // to be written to
}

func (f *guardFile) Write(p []byte) (int, error) {
	f.g.change(f.name, func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

func (f *guardFile) WriteAt(p []byte, off int64) (int, error) {
	f.g.change(f.name, func() error { _, err := f.File.WriteAt(p, off); return err })
	return len(p), nil
}

// Preallocate only makes writing faster.
func (f *guardFile) Preallocate(offset, length int64) error {
	if f.g.s.failed() == nil {
		return f.File.Preallocate(offset, length)
	}
	return nil
}

func (f *guardFile) Sync() error {
	f.g.change(f.name, f.File.Sync)
	return nil
}

func (f *guardFile) SyncData() error {
	f.g.change(f.name, f.File.SyncData)
	return nil
}

func (f *guardFile) SyncTo(length int64) (full bool, _ error) {
	f.g.change(f.name, func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

func (f *guardFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, f.g.read(f.name, err)
}

func (f *guardFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.g.read(f.name, err)
}

// Stat of a file that is being made is asked for where an error would be a panic.
func (f *guardFile) Stat() (info vfs.FileInfo, err error) {
	if !f.made {
		info, err = f.File.Stat()
		return info, f.g.read(f.name, err)
	}
	f.g.change(f.name, func() error { info, err = f.File.Stat(); return err })
	if info == nil {
		return vfs.NewMemFile(nil).Stat()
	}
	return info, nil
}

// Close of what was written has synced it before where that matters.
func (f *guardFile) Close() error {
	f.g.mu.Lock()
	delete(f.g.open, f)
	f.g.mu.Unlock()
	if err := f.File.Close(); err != nil {
		f.g.s.fail(named(f.name, err))
	}
	return nil
}
