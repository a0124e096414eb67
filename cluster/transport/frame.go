package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

// A frame is a message or a piece of one. A batch is frames one behind the other:
//
//	type      1 byte   what it is; the highest bit is set for the bulk lane
//	number    8 bytes  little endian: which request this is, or is the reply to
//	kind      1 byte   a request's, for the handler
//	left      varint   µs until a request's deadline, 0 for none
//	total     varint   bytes of the whole body
//	length    varint   bytes of it in this frame
//	body      length
//
// number stands in requests, replies and failures alone, kind and left in requests;
// total is in all three. A piece has its length and body, and goes on with what its
// lane has begun; a drop has neither, and ends that unfinished. So the lanes don't
// wait for each other's long messages, and within one nothing comes between.
type frame struct {
	what   what
	lane   lane
	number uint64
	kind   uint8
	left   time.Duration
	total  int
	body   []byte // of the batch that it was read from
}

// what a frame is.
type what uint8

const (
	request what = iota + 1
	reply
	failure // the reply is the text of why there is none
	piece
	drop
)

const bulkBit = 0x80

// lane of a message: what is urgent goes before what is bulk.
type lane uint8

const (
	urgent lane = iota
	bulk
	lanes int = iota
)

func laneOf(r cluster.Request) lane {
	if r.Bulk {
		return bulk
	}
	return urgent
}

const (
	// maxHeader is the longest that a frame is without its body.
	maxHeader = 1 + 8 + 1 + 3*binary.MaxVarintLen64
	// maxBatch is the longest batch that a node takes, whatever its settings: it is
	// part of the protocol, so that nobody's batches are too long for another.
	maxBatch = 1 << 20
)

var errMalformed = errors.New("malformed")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
}

// appendFrame appends a frame with a body of its own.
func appendFrame(b []byte, f *frame) []byte {
	first := byte(f.what)
	if f.lane == bulk {
		first |= bulkBit
	}
	b = append(b, first)
	switch f.what {
	case request:
		b = binary.LittleEndian.AppendUint64(b, f.number)
		b = append(b, f.kind)
		b = binary.AppendUvarint(b, microseconds(f.left))
		b = binary.AppendUvarint(b, uint64(f.total))
	case reply, failure:
		b = binary.LittleEndian.AppendUint64(b, f.number)
		b = binary.AppendUvarint(b, uint64(f.total))
	case drop:
		return b
	case piece:
	}
	b = binary.AppendUvarint(b, uint64(len(f.body)))
	return append(b, f.body...)
}

// microseconds rounds up: what has a deadline never loses it.
func microseconds(d time.Duration) uint64 {
	return uint64((max(d, 0) + time.Microsecond - 1) / time.Microsecond)
}

// readFrame reads the first frame of b and returns what follows it. A message may be
// as long as limit. No error but errMalformed.
func readFrame(b []byte, limit int) (f frame, rest []byte, _ error) {
	if len(b) == 0 {
		return f, nil, malformed("no frame")
	}
	f.what = what(b[0] &^ bulkBit)
	if b[0]&bulkBit != 0 {
		f.lane = bulk
	}
	b = b[1:]
	switch f.what {
	case request, reply, failure:
		if len(b) < 9 { // the number, and at least a byte
			return f, nil, malformed("a frame of type %d ends after %d bytes", f.what, len(b)+1)
		}
		f.number = binary.LittleEndian.Uint64(b)
		b = b[8:]
		if f.what == request {
			f.kind, b = b[0], b[1:]
			left, n := binary.Uvarint(b)
			if n <= 0 || left > uint64(maxLeft/time.Microsecond) {
				return f, nil, malformed("a request's deadline")
			}
			f.left, b = time.Duration(left)*time.Microsecond, b[n:]
		}
		total, n := binary.Uvarint(b)
		if n <= 0 || total > uint64(limit) {
			return f, nil, malformed("a message of %d bytes, where %d are the most", total, limit)
		}
		f.total, b = int(total), b[n:]
	case piece:
	case drop:
		return f, b, nil
	default:
		return f, nil, malformed("a frame of type %d", f.what)
	}
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return f, nil, malformed("a frame of %d bytes, of which %d are there", length, max(0, len(b)-n))
	}
	b = b[n:]
	f.body, b = b[:length:length], b[length:]
	if f.what != piece && len(f.body) > f.total {
		return f, nil, malformed("%d bytes of a message of %d", len(f.body), f.total)
	}
	return f, b, nil
}

// maxLeft is the longest deadline that is told: longer ones are none.
const maxLeft = 365 * 24 * time.Hour

// An assembly puts messages together from the frames of a stream.
type assembly struct {
	limit   int // bytes of a message
	partial [lanes]struct {
		begun bool
		head  frame
		body  []byte
	}
}

// add takes a frame and reports whether a message is complete. The body of one that
// came in a single frame is the frame's, that of another is nobody else's.
func (a *assembly) add(f frame) (message frame, complete bool, _ error) {
	p := &a.partial[f.lane]
	switch {
	case f.what == drop && p.begun:
		p.begun, p.body = false, nil
		return f, false, nil
	case f.what == piece && p.begun:
		if len(f.body) == 0 || len(f.body) > p.head.total-len(p.body) {
			return f, false, malformed("a piece of %d bytes where %d of %d are missing", len(f.body), p.head.total-len(p.body), p.head.total)
		}
		if n := len(p.body) + len(f.body); n > cap(p.body) {
			// It grows with what has come: what was announced may never come.
			p.body = slices.Grow(p.body, min(p.head.total, 2*n)-len(p.body))
		}
		p.body = append(p.body, f.body...)
		if len(p.body) < p.head.total {
			return f, false, nil
		}
		message = p.head
		message.body = p.body
		p.begun, p.body = false, nil
		return message, true, nil
	case f.what == drop, f.what == piece:
		return f, false, malformed("a frame goes on with a message that has not begun")
	case p.begun:
		return f, false, malformed("a message begins before the one before it has ended")
	case len(f.body) == f.total:
		return f, true, nil
	}
	p.begun, p.head = true, f
	p.head.body = nil
	p.body = append([]byte(nil), f.body...)
	return f, false, nil
}

// read appends to messages those that are complete with a batch. Of frames that begin
// one only the types that are named are taken.
func (a *assembly) read(b []byte, messages []frame, types ...what) ([]frame, error) {
	for len(b) > 0 {
		f, rest, err := readFrame(b, a.limit)
		if err != nil {
			return messages, err
		}
		b = rest
		if f.what != piece && f.what != drop && !slices.Contains(types, f.what) {
			return messages, malformed("a frame of type %d has come the wrong way", f.what)
		}
		message, complete, err := a.add(f)
		if err != nil {
			return messages, err
		}
		if complete {
			messages = append(messages, message)
		}
	}
	return messages, nil
}
