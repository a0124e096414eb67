package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the most bytes that a line may have. Longer ones are errors, so
// that a file without line ends can't fill the memory.
const MaxLine = 64 << 10

// errLong says that a line is longer than MaxLine.
var errLong = fmt.Errorf("the line is longer than %d bytes: is it text with line ends?", MaxLine)

// lines splits a stream into lines. Ends are \n or \r\n; the last line needs
// none. A byte order mark before the first is dropped.
type lines struct {
	r       io.Reader
	buf     []byte // made when something is read, and longer when a line needs it
	from    int    // start of what is not yet returned
	scanned int    // up to here there is no \n
	to      int    // end of what was read
	err     error  // of r, once it has ended
	number  int64  // of the line returned last, from 1
	read    int64  // bytes read from r
}

// A buffer is as long as can be read at once, and at most so long that the longest
// line has room in it.
const firstBuffer, mostBuffer = 64 << 10, 4 * MaxLine

func newLines(r io.Reader) *lines { return &lines{r: r} }

// next returns the next line without its end, valid until the next call. It
// fails with io.EOF after the last, with errLong and the beginning of a line that
// is too long, after which it goes on, or with the error of the stream.
func (l *lines) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.scanned:l.to], '\n'); i >= 0 {
			return l.cut(l.scanned+i, l.scanned+i+1)
		}
		l.scanned = l.to
		switch {
		case l.to-l.from > MaxLine+len("\xef\xbb\xbf\r"): // more than what does not count
			return l.skip()
		case l.err == nil:
			l.fill()
		case l.from < l.to && errors.Is(l.err, io.EOF):
			return l.cut(l.to, l.to)
		default:
			return nil, l.err
		}
	}
}

// failed says where the stream of that name has ended with an error.
func (l *lines) failed(name string, err error) error {
	return fmt.Errorf("ingest: reading %s failed after line %d: %w", name, l.number, err)
}

// cut returns the line that ends at end; the next begins at next.
func (l *lines) cut(end, next int) ([]byte, error) {
	line := l.buf[l.from:end]
	l.from, l.scanned = next, next
	l.number++
	if l.number == 1 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > MaxLine {
		return line[:MaxLine], errLong
	}
	return line, nil
}

// skip passes over the rest of a line that is too long.
func (l *lines) skip() ([]byte, error) {
	head := bytes.Clone(l.buf[l.from : l.from+MaxLine])
	l.number++
	for {
		l.from, l.scanned, l.to = 0, 0, 0
		if l.err != nil {
			return head, errLong
		}
		l.fill()
		if i := bytes.IndexByte(l.buf[:l.to], '\n'); i >= 0 {
			l.from, l.scanned = i+1, i+1
			return head, errLong
		}
	}
}

// fill reads more, after moving what is there to the front. It makes room where
// a line fills the buffer; next never holds more than a line.
func (l *lines) fill() {
	buf := l.buf
	if l.to-l.from == len(buf) {
		buf = make([]byte, min(max(firstBuffer, 2*len(buf)), mostBuffer))
	}
	copy(buf, l.buf[l.from:l.to])
	l.buf = buf
	l.to -= l.from
	l.scanned -= l.from
	l.from = 0
	for range 100 { // as bufio does with readers that read nothing
		n, err := l.r.Read(l.buf[l.to:])
		l.to += n
		l.read += int64(n)
		if l.err = err; n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}
