package ingest

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
)

// Source is a named stream of text or of a Parquet file.
type Source interface {
	// Name is what errors and progress call it.
	Name() string
	// Size is the number of bytes that Open delivers, or -1 when it is not
	// known.
	Size() int64
	// Open returns the stream from its beginning. The caller closes it.
	Open() (io.ReadCloser, error)
}

// Memory returns a source of those bytes, which must not change.
func Memory(name string, data []byte) Source { return memory{name, data} }

type memory struct {
	name string
	data []byte
}

func (m memory) Name() string { return m.name }
func (m memory) Size() int64  { return int64(len(m.data)) }

func (m memory) Open() (io.ReadCloser, error) { return open{bytes.NewReader(m.data)}, nil }

// open is bytes that can be read from anywhere, as Parquet wants it.
type open struct{ *bytes.Reader }

func (open) Close() error { return nil }

// Stream returns a source of what can be read once, such as standard input. Its
// size is not known and a second Open fails.
func Stream(name string, r io.Reader) Source { return &stream{name: name, r: r} }

type stream struct {
	name   string
	r      io.Reader
	opened atomic.Bool
}

func (s *stream) Name() string { return s.name }
func (s *stream) Size() int64  { return -1 }

func (s *stream) Open() (io.ReadCloser, error) {
	if s.opened.Swap(true) {
		return nil, errors.New("ingest: " + s.name + " can be read only once")
	}
	return io.NopCloser(s.r), nil
}
