package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// csvFormat is CSV as in RFC 4180, read by a mapping.
type csvFormat struct {
	plan   *plan
	comma  byte
	header bool
}

func (f *csvFormat) mark() string { return f.plan.mark() }

// Name implements Format.
func (f *csvFormat) Name() string { return f.plan.name }

// Read implements Format. It reads the header.
func (f *csvFormat) Read(name string, r io.Reader) (Decoder, error) {
	d := &csvDecoder{name: name, records: records{lines: newLines(r), comma: f.comma}}
	var columns []string
	var err error
	if f.header {
		columns, err = d.header(f.plan.name)
	} else {
		columns = numbers(f.plan)
	}
	if err != nil {
		return nil, err
	}
	if d.bound, err = f.plan.bind(name, columns); err != nil {
		return nil, err
	}
	d.width, d.exact = len(columns), f.header
	for _, wanted := range d.bound.columns {
		for i, column := range columns {
			if column == wanted {
				d.places = append(d.places, i)
				break
			}
		}
	}
	d.texts = make([][]byte, len(d.places))
	return d, nil
}

// numbers are the names of columns without a header, up to the last that the
// mapping knows.
func numbers(p *plan) []string {
	last := 0
	for _, name := range p.needed() {
		n, _ := columnNumber(name)
		last = max(last, n)
	}
	columns := make([]string, last)
	for i := range columns {
		columns[i] = strconv.Itoa(i + 1)
	}
	return columns
}

// csvDecoder reads the readings of one stream.
type csvDecoder struct {
	name    string
	records records
	bound   *bound
	width   int      // columns of a record
	exact   bool     // no more than those
	places  []int    // the columns of bound
	texts   [][]byte // of them
	start   int64    // line of the record
	head    []byte   // the header as it stands, up to MaxQuarantined bytes
	headAt  int64    // its line
}

// Header returns the line that names the columns, nil if there is none.
func (d *csvDecoder) Header() (text []byte, line int64) { return d.head, d.headAt }

// header reads the names of the columns.
func (d *csvDecoder) header(format string) ([]string, error) {
	fields, err := d.records.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w %s: %s has no header: its first line must name the columns", ErrFormat, format, d.name)
	case isRecordError(err):
		return nil, fmt.Errorf("%w %s: the header of %s, line %d: %w", ErrFormat, format, d.name, d.records.start, err)
	case err != nil:
		return nil, d.records.lines.failed(d.name, err)
	}
	text := d.records.text()
	d.head, d.headAt = bytes.Clone(text[:min(len(text), MaxQuarantined)]), d.records.start
	var columns []string
	seen := map[string]bool{}
	for _, field := range fields {
		column := strings.TrimSpace(string(field))
		if seen[column] && column != "" {
			return nil, fmt.Errorf("%w %s: the header of %s has the column %.40q twice", ErrFormat, format, d.name, column)
		}
		seen[column] = true
		columns = append(columns, column)
	}
	return columns, nil
}

// Read implements Decoder.
func (d *csvDecoder) Read(r *Reading) error {
	fields, err := d.records.next()
	d.start = d.records.start
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case isRecordError(err):
		return newLineError(d.name, d.start, d.records.text(), err)
	case err != nil:
		return d.records.lines.failed(d.name, err)
	case len(fields) < d.width || d.exact && len(fields) > d.width:
		return newLineError(d.name, d.start, d.records.text(), d.columns(len(fields)))
	}
	for i, place := range d.places {
		d.texts[i] = fields[place]
	}
	if err := d.bound.read(d.texts, r); err != nil {
		slot, ok := errors.AsType[*slotError](err)
		if ok {
			err = &ColumnError{Column: d.places[slot.slot] + 1, Name: d.bound.columns[slot.slot], Err: slot.err}
		}
		return newLineError(d.name, d.start, d.records.text(), err)
	}
	return nil
}

func (d *csvDecoder) columns(n int) error {
	if d.exact {
		return fmt.Errorf("%d columns, where the header has %d: is a delimiter in a text without quotes?", n, d.width)
	}
	return fmt.Errorf("%d columns, where the mapping needs %d", n, d.width)
}

// Skip implements Decoder.
func (d *csvDecoder) Skip(line int64) error {
	if err := d.records.skip(line); err != nil {
		return d.records.lines.failed(d.name, err)
	}
	return nil
}

// Line implements Decoder.
func (d *csvDecoder) Line() int64 { return d.start }

// Lines implements Decoder.
func (d *csvDecoder) Lines() int64 { return d.records.number }

// Bytes implements Decoder.
func (d *csvDecoder) Bytes() int64 { return d.records.lines.read }

// Errors of records, as encoding/csv has them.
var (
	errBareQuote   = errors.New("a quote within a text that does not begin with one")
	errAfterQuote  = errors.New("text follows a closing quote")
	errUnclosed    = errors.New("a quote is not closed")
	errLongRecord  = fmt.Errorf("a quote is not closed within %d bytes", MaxLine)
	recordFailures = []error{errBareQuote, errAfterQuote, errUnclosed, errLongRecord, errLong}
)

func isRecordError(err error) bool {
	for _, failure := range recordFailures {
		if errors.Is(err, failure) {
			return true
		}
	}
	return false
}

// records cuts a stream into records and those into fields. Most are a line
// without quotes, whose fields are found where they lie. A quoted field may go on
// over several lines; when its quote turns out never to be closed, its first line
// is an error and those that follow are read again, each for itself, so that one
// stray quote does not take the rest of a file with it.
type records struct {
	lines  *lines
	comma  byte
	fields [][]byte
	start  int64 // line on which the record begins
	number int64 // line on which it ends
	line   []byte

	again [][]byte // lines to be read again, each for itself
	long  bool     // the last of them is longer than MaxLine, and cut
	held  []byte   // the lines of a record of several, as they are
	buf   []byte   // its fields, without quotes
	ends  []int    // of the fields in buf
	open  bool     // within quotes
}

// nextLine returns the next line, and whether its record may go on in others.
func (r *records) nextLine() (line []byte, alone bool, err error) {
	if len(r.again) > 0 {
		line, r.again = r.again[0], r.again[1:]
		r.number++
		if r.long && len(r.again) == 0 {
			r.long = false
			return line, true, errLong
		}
		return line, true, nil
	}
	line, err = r.lines.next()
	r.number = r.lines.number
	return line, false, err
}

// next returns the fields of the next record, valid until the next call. What is
// wrong with a record, see isRecordError, does not end the stream.
func (r *records) next() ([][]byte, error) {
	for {
		line, alone, err := r.nextLine()
		if err != nil && !errors.Is(err, errLong) {
			return nil, err
		}
		r.start, r.line, r.held = r.number, line, r.held[:0]
		switch {
		case err != nil:
			return nil, err
		case isBlank(line) && r.comma != '\t' || len(line) == 0:
			continue
		}
		return r.split(line, alone)
	}
}

// text returns the record as it is, or its beginning.
func (r *records) text() []byte {
	if len(r.held) > 0 {
		return r.held
	}
	return r.line
}

// skip passes over the records that begin at or before a line.
func (r *records) skip(last int64) error {
	for r.number < last {
		line, alone, err := r.nextLine()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errLong):
			continue
		case err != nil:
			return err
		}
		r.start, r.line, r.held = r.number, line, r.held[:0]
		if _, err := r.split(line, alone); err != nil && !isRecordError(err) {
			return err
		}
	}
	return nil
}

// split cuts a record that begins with that line.
func (r *records) split(line []byte, alone bool) ([][]byte, error) {
	r.fields = r.fields[:0]
	if bytes.IndexByte(line, '"') < 0 {
		from := 0
		for i, c := range line {
			if c == r.comma {
				r.fields = append(r.fields, line[from:i])
				from = i + 1
			}
		}
		r.fields = append(r.fields, line[from:])
		return r.fields, nil
	}
	r.buf, r.ends, r.open = r.buf[:0], r.ends[:0], false
	if err := r.add(line); err != nil {
		return nil, err
	}
	if r.open {
		if err := r.more(line, alone); err != nil {
			return nil, err
		}
	}
	from := 0
	for _, end := range r.ends {
		r.fields = append(r.fields, r.buf[from:end])
		from = end
	}
	return r.fields, nil
}

// more reads the lines that belong to an open quote.
func (r *records) more(line []byte, alone bool) error {
	if alone {
		return errUnclosed
	}
	r.held = append(r.held, line...)
	var starts []int // of the lines but the first, in held
	for r.open {
		line, err := r.lines.next()
		switch {
		case errors.Is(err, io.EOF):
			r.replay(starts)
			return errUnclosed
		case errors.Is(err, errLong), err == nil && len(r.held)+len(line) >= MaxLine:
			// The line is not part of what can be a record; it follows.
			starts = append(starts, len(r.held))
			r.held = append(r.held, line...)
			r.long = errors.Is(err, errLong)
			r.replay(starts)
			return errLongRecord
		case err != nil:
			return err
		}
		r.held = append(r.held, '\n')
		starts = append(starts, len(r.held))
		r.held = append(r.held, line...)
		r.buf = append(r.buf, '\n')
		if err := r.add(line); err != nil {
			r.number = r.lines.number
			return err
		}
	}
	r.number = r.lines.number
	return nil
}

// replay puts the lines after the first back.
func (r *records) replay(starts []int) {
	held := bytes.Clone(r.held)
	for i, start := range starts {
		end := len(held)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		r.again = append(r.again, bytes.TrimSuffix(held[start:end], []byte("\n")))
	}
	if len(starts) > 0 {
		r.held = bytes.TrimSuffix(r.held[:starts[0]], []byte("\n"))
	}
}

// add takes one line of a record apart.
func (r *records) add(line []byte) error {
	for i := 0; ; {
		if !r.open && (i == len(line) || line[i] != '"') {
			field, _, more := bytes.Cut(line[i:], []byte{r.comma})
			if bytes.IndexByte(field, '"') >= 0 {
				return errBareQuote
			}
			r.buf = append(r.buf, field...)
			r.ends = append(r.ends, len(r.buf))
			if !more {
				return nil
			}
			i += len(field) + 1
			continue
		}
		if !r.open {
			r.open = true
			i++
		}
		n := bytes.IndexByte(line[i:], '"')
		if n < 0 {
			r.buf = append(r.buf, line[i:]...)
			return nil
		}
		r.buf = append(r.buf, line[i:i+n]...)
		if i += n + 1; i < len(line) && line[i] == '"' { // two stand for one
			r.buf = append(r.buf, '"')
			i++
			continue
		}
		r.open = false
		r.ends = append(r.ends, len(r.buf))
		switch {
		case i == len(line):
			return nil
		case line[i] != r.comma:
			return errAfterQuote
		}
		i++
	}
}
