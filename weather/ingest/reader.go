package ingest

import (
	"bytes"
	"errors"
	"io"
)

// Reader is the Decoder of a stream of text with a reading a line.
type Reader struct {
	name   string
	lines  *lines
	parser Parser
}

// NewReader returns a reader of r, which errors call name.
func NewReader(name string, r io.Reader, p Parser) *Reader {
	return &Reader{name: name, lines: newLines(r), parser: p}
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
			return r.lines.failed(r.name, err)
		case isBlank(line):
			continue
		}
		if err := r.parser.Parse(line, into); err != nil {
			return r.lineError(line, err)
		}
		return nil
	}
}

// Skip passes over the lines up to that one.
func (r *Reader) Skip(line int64) error {
	for r.lines.number < line {
		switch _, err := r.lines.next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, errLong):
			return r.lines.failed(r.name, err)
		}
	}
	return nil
}

// Line returns the number of the line read last.
func (r *Reader) Line() int64 { return r.lines.number }

// Lines returns the number of lines read so far, blank ones included.
func (r *Reader) Lines() int64 { return r.lines.number }

// Bytes returns the number of bytes read so far, which runs ahead of the lines.
func (r *Reader) Bytes() int64 { return r.lines.read }

func (r *Reader) lineError(line []byte, err error) *LineError {
	return newLineError(r.name, r.lines.number, line, err)
}

func newLineError(file string, number int64, line []byte, err error) *LineError {
	e := &LineError{File: file, Line: number, Reason: err.Error(), Text: shorten(line), whole: bytes.Clone(line[:min(len(line), MaxQuarantined)])}
	if column, ok := errors.AsType[*ColumnError](err); ok {
		e.Column = column.Column
	}
	return e
}

// isBlank looks at most lines for one byte.
func isBlank(line []byte) bool {
	return len(line) == 0 || line[0] <= ' ' && len(bytes.TrimSpace(line)) == 0
}
