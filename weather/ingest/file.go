package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// ErrFile says that a file can't be loaded as it is. Its text says why and what
// to do.
var ErrFile = errors.New("ingest: unusable file")

// File is a file on disk that has been looked at: it is there, it is text or
// Parquet, and if it is compressed all of it can be read. It holds nothing open.
type File struct {
	path    string
	info    os.FileInfo
	packing packing
	size    int64
}

// Name returns the path.
func (f *File) Name() string { return f.path }

// Size returns the number of bytes, uncompressed.
func (f *File) Size() int64 { return f.size }

// Modified returns when the file was last written to.
func (f *File) Modified() time.Time { return f.info.ModTime() }

// Compressed reports whether the file is.
func (f *File) Compressed() bool { return f.packing != plain }

// Open returns the content. It fails with ErrFile if the file is not what it was
// when it was looked at.
func (f *File) Open() (io.ReadCloser, error) {
	file, err := reopen(f.path, f.info)
	if err != nil || f.packing == plain {
		return file, err
	}
	z, err := f.packing.unpacked(bufio.NewReaderSize(file, sniffed))
	if err != nil {
		_ = file.Close()
		return nil, damaged(f.path, 0, err)
	}
	return &unpacking{z, file}, nil
}

// unpacking is the content of an open compressed file.
type unpacking struct {
	io.ReadCloser
	file *os.File
}

// Close closes both.
func (u *unpacking) Close() error { return errors.Join(u.ReadCloser.Close(), u.file.Close()) }

// reopen opens a file that was looked at before, if it is the same.
func reopen(path string, seen os.FileInfo) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	info, err := file.Stat()
	if err == nil && (!os.SameFile(info, seen) || info.Size() != seen.Size() || !info.ModTime().Equal(seen.ModTime())) {
		err = fmt.Errorf("%s has changed since it was checked: start again", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return file, nil
}

// look opens a file on disk and finds out what it is. An archive of many is
// returned as its members.
func look(ctx context.Context, path string, info os.FileInfo, limits *Limits) ([]Source, []Skipped, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer func() { _ = file.Close() }()
	r := bufio.NewReaderSize(file, sniffed)
	head, err := r.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrFile, path, err)
	}
	f := &File{path: path, info: info, packing: packingOf(head), size: info.Size()}
	switch f.packing {
	case zipped:
		return lookInZip(ctx, file, info, limits)
	case plain:
		if why := notData(head); why != "" {
			return nil, []Skipped{{path, why}}, nil
		}
		if f.size > limits.MaxPlain {
			return nil, nil, fmt.Errorf("%w: %s has more than %d bytes: split it, or raise max-plain", ErrFile, path, limits.MaxPlain)
		}
	default:
		if f.size, err = f.packing.measure(ctx, path, r, limits); err != nil {
			return nil, nil, err
		}
	}
	return []Source{f}, nil, nil
}
