package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Reader reads the readings of one stream of text.
type Reader struct {
	name   string
	lines  *lines
	format Format
}

// NewReader returns a reader of r, which errors call name.
func NewReader(name string, r io.Reader, f Format) *Reader {
	return &Reader{name: name, lines: newLines(r), format: f}
}

// Read reads the next line that is not blank into r. It returns io.EOF after the
// last and a *LineError for a line that is not a reading, after which the next
// call goes on with the next line. Any other error is final: the stream itself
// failed.
func (r *Reader) Read(into *Reading) error {
	for {
		line, err := r.lines.next()
		switch {
		case errors.Is(err, errLong):
			return r.lineError(line, err)
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return fmt.Errorf("ingest: reading %s failed after line %d: %w", r.name, r.lines.number, err)
		case isBlank(line):
			continue
		}
		if err := r.format.Parse(line, into); err != nil {
			return r.lineError(line, err)
		}
		return nil
	}
}

// Lines returns the number of lines read so far, blank ones included.
func (r *Reader) Lines() int64 { return r.lines.number }

// Bytes returns the number of bytes read so far, which runs ahead of the lines.
func (r *Reader) Bytes() int64 { return r.lines.read }

func (r *Reader) lineError(line []byte, err error) *LineError {
	return newLineError(r.name, r.lines.number, line, err)
}

func newLineError(file string, number int64, line []byte, err error) *LineError {
	e := &LineError{File: file, Line: number, Reason: err.Error(), Text: shorten(line)}
	if column, ok := errors.AsType[*ColumnError](err); ok {
		e.Column = column.Column
	}
	return e
}

// isBlank looks at most lines for one byte.
func isBlank(line []byte) bool {
	return len(line) == 0 || line[0] <= ' ' && len(bytes.TrimSpace(line)) == 0
}
