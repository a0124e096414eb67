package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Found is what Open has found under a path.
type Found struct {
	// Sources to load, sorted by name.
	Sources []Source
	// Skipped is what lies beside them and is not loaded.
	Skipped []Skipped
}

// Skipped is a file that is not loaded, and why.
type Skipped struct{ Name, Reason string }

// String returns both.
func (s Skipped) String() string { return s.Name + " " + s.Reason }

// Open looks at a file, at the members of a zip archive, or at all files in a
// folder and the folders in it. What a file is, plain or compressed by gzip or
// zstd, is told by its first bytes, not by its name. What is compressed is read
// through to its end, which takes about three seconds a gigabyte of text, so
// that a truncated, corrupt or hostile file is refused before anything of it is
// loaded. Nothing is written to disk.
//
// In folders and zip archives, hidden files, symbolic links and what can't be
// readings, such as pictures, is skipped and named in what is returned. It
// returns ErrFile, with what to do, for what can't be loaded, and ctx's error
// when it is done first.
func Open(ctx context.Context, path string, limits Limits) (*Found, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path) // before it is opened: opening a pipe waits for its other end
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	found := &Found{}
	switch mode := info.Mode(); {
	case mode.IsDir():
		err = found.walk(ctx, path, &limits)
	case !mode.IsRegular():
		err = fmt.Errorf("%w: %s is a %s, not a file on disk: copy it to one", ErrFile, path, mode.Type())
	case info.Size() == 0:
		err = fmt.Errorf("%w: %s is empty", ErrFile, path)
	default:
		err = found.add(ctx, path, info, &limits)
	}
	if err != nil {
		return nil, err
	}
	if len(found.Sources) == 0 {
		return nil, found.nothing(path, info.IsDir())
	}
	return found, nil
}

// add looks at one file.
func (f *Found) add(ctx context.Context, path string, info os.FileInfo, limits *Limits) error {
	sources, skipped, err := look(ctx, path, info, limits)
	f.Sources = append(f.Sources, sources...)
	f.Skipped = append(f.Skipped, skipped...)
	return err
}

// nothing says what was found instead of data.
func (f *Found) nothing(path string, folder bool) error {
	switch {
	case len(f.Skipped) == 0:
		return fmt.Errorf("%w: there is no file in %s", ErrFile, path)
	case len(f.Skipped) == 1 && !folder:
		return fmt.Errorf("%w: %s", ErrFile, f.Skipped[0])
	}
	return fmt.Errorf("%w: there is nothing to load in %s: skipped were %d, such as: %s", ErrFile, path, len(f.Skipped), f.Skipped[0])
}

// walk looks at all files in a folder, in the order of their names.
func (f *Found) walk(ctx context.Context, folder string, limits *Limits) error {
	files := 0
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrFile, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case path == folder:
			return nil
		}
		if files++; files > limits.MaxFiles {
			return fmt.Errorf("%w: %s has more than %d files: load its parts one by one, or raise max-files", ErrFile, folder, limits.MaxFiles)
		}
		if why := unloved(entry.Name(), entry.Type()); why != "" {
			f.Skipped = append(f.Skipped, Skipped{path, why})
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			f.Skipped = append(f.Skipped, Skipped{path, "went away"})
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFile, err)
		}
		return f.add(ctx, path, info, limits)
	})
}

// unloved says why something in a folder or an archive is not even looked at.
func unloved(name string, mode fs.FileMode) string {
	switch {
	case strings.HasPrefix(name, ".") && mode.IsDir():
		return "is a hidden folder"
	case strings.HasPrefix(name, "."):
		return "is hidden"
	case name == "__MACOSX" && mode.IsDir():
		return "holds what macOS adds to archives"
	case mode&fs.ModeSymlink != 0:
		return "is a symbolic link: name what it points to"
	case !mode.IsDir() && !mode.IsRegular():
		return fmt.Sprintf("is a %s, not a file on disk", mode.Type())
	}
	return ""
}
