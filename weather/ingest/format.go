package ingest

import (
	"errors"
	"io"
)

// ErrFormat says that a source is not of the format that it is to be read as, or
// that its format can't be told. Its text says why and what is possible.
var ErrFormat = errors.New("ingest: not the format")

// Format is a form that sources have. It may be used by many goroutines.
type Format interface {
	// Name is what configurations and errors call it.
	Name() string
	// Read begins to read a stream, which errors call name. It returns
	// ErrFormat for one that is not of the format as a whole, such as a table
	// without a column that is needed. The stream is closed by the caller.
	Read(name string, r io.Reader) (Decoder, error)
}

// Decoder reads the readings of one stream. It belongs to one goroutine.
type Decoder interface {
	// Read reads the next reading into r. It returns io.EOF after the last and
	// a *LineError for a line that is none, after which the next call goes on.
	// Any other error is final: the stream itself failed.
	Read(r *Reading) error
	// Skip passes over what begins at or before that line. It comes before
	// the first Read.
	Skip(line int64) error
	// Line returns the line on which what Read returned last, a reading or a
	// *LineError, begins. Lines count from 1; of a table without lines they
	// are its rows.
	Line() int64
	// Lines returns the number of lines read so far, which are at least those
	// of what Read has returned.
	Lines() int64
	// Bytes returns the number of bytes read so far, which runs ahead.
	Bytes() int64
}

// lineFormat is a format with a reading a line.
type lineFormat struct {
	name   string
	parser func(source string) (Parser, error)
}

// Name implements Format.
func (f *lineFormat) Name() string { return f.name }

// Read implements Format.
func (f *lineFormat) Read(name string, r io.Reader) (Decoder, error) {
	parser, err := f.parser(name)
	if err != nil {
		return nil, err
	}
	return NewReader(name, r, parser), nil
}
