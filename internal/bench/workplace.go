package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// workplace is the folder below which the stores of a run are made.
type workplace struct {
	root string
	keep bool
	made int
}

// newWorkplace makes the folder: the one to keep, which must be new or empty,
// or a temporary one.
func newWorkplace(keep string) (*workplace, error) {
	if keep == "" {
		root, err := os.MkdirTemp("", "mesonet-bench-")
		if err != nil {
			return nil, fmt.Errorf("a folder for the stores can't be made: %w; name another place with TMPDIR", err)
		}
		return &workplace{root: root}, nil
	}
	if err := os.MkdirAll(keep, 0o750); err != nil {
		return nil, misuse{fmt.Errorf("-keep: %w", err)}
	}
	there, err := os.ReadDir(keep)
	if err != nil {
		return nil, misuse{fmt.Errorf("-keep: %w", err)}
	}
	if len(there) > 0 {
		return nil, misuse{fmt.Errorf("-keep: %s is not empty; name a folder that is new or empty", keep)}
	}
	return &workplace{root: keep, keep: true}, nil
}

// fresh returns the path of a folder that doesn't exist yet.
func (w *workplace) fresh(name string) string {
	w.made++
	return filepath.Join(w.root, fmt.Sprintf("%02d-%s", w.made, name))
}

// done removes a folder that is measured, unless folders are kept.
func (w *workplace) done(dir string) error {
	if w.keep {
		return nil
	}
	return os.RemoveAll(dir)
}

// close removes everything, unless it is kept.
func (w *workplace) close() error { return w.done(w.root) }

// copyFolder copies a folder to one that doesn't exist, down to the disk, so
// that nothing is written behind a measurement's back.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, inside), 0o750)
		}
		return copyFile(name, filepath.Join(to, inside))
	})
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
