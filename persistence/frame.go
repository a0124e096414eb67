package persistence

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/golang/snappy"
)

// A frame is laid out as a fixed header and a body (docs/design/log.md is the
// contract, this is its only implementation):
//
//	offset size
//	     0    1  version (1)
//	     1    1  flags: bit 0 = body compressed with snappy
//	     2    2  zero
//	     4    4  CRC-32C of everything else: bytes 0 to 3, then 8 to the end
//	     8    4  shard
//	    12    4  number of events
//	    16    8  position of the first event
//	    24    4  length of the body before compression
//	    28       body
//
// Integers of the header are little-endian, those of the body unsigned varints.
// The body begins with the frame's dictionaries, so that a name is written once
// a frame and not once an event:
//
//	count, then kind names          (length, bytes)
//	count, then event types         (kind index, version, length, bytes of the name)
//	count, then entities            (kind index, length, bytes of the id)
//	events                          (entity index, type index, length, payload)
const (
	frameVersion    = 1
	frameHeaderSize = 28
	flagSnappy      = 1

	// MaxFrameSize bounds a frame's body before compression. It is half of
	// what Cassandra takes in one mutation by default.
	MaxFrameSize = 8 << 20
	// MaxFrameEvents bounds the events of a frame.
	MaxFrameEvents = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EventType names what an event is: its kind's own name for it and the version
// of its encoding.
type EventType struct {
	Kind    string
	Name    string
	Version uint32
}

// Record is one event as a frame holds it.
type Record struct {
	Position Position
	// Type is shared by the records of a frame.
	Type *EventType
	// ID is the entity's, of the kind Type.Kind.
	ID string
	// Payload is the encoded event.
	Payload []byte
}

// FrameBuilder collects the events of the next frame. Names are entered into
// the frame's dictionaries with Kind, Type and Entity, which return the index
// to use with Add. The zero value is ready; Reset empties it for the next frame
// and keeps its memory. It is not safe for concurrent use.
type FrameBuilder struct {
	kinds, types, entities    []byte
	events                    []byte
	nKinds, nTypes, nEntities uint32
	count                     uint32
}

// Kind enters the name of a kind.
func (b *FrameBuilder) Kind(name string) uint32 {
	b.kinds = appendString(b.kinds, name)
	b.nKinds++
	return b.nKinds - 1
}

// Type enters a type of event of a kind entered before.
func (b *FrameBuilder) Type(kind uint32, name string, version uint32) uint32 {
	b.types = binary.AppendUvarint(b.types, uint64(kind))
	b.types = binary.AppendUvarint(b.types, uint64(version))
	b.types = appendString(b.types, name)
	b.nTypes++
	return b.nTypes - 1
}

// Entity enters an entity of a kind entered before.
func (b *FrameBuilder) Entity(kind uint32, id string) uint32 {
	b.entities = binary.AppendUvarint(b.entities, uint64(kind))
	b.entities = appendString(b.entities, id)
	b.nEntities++
	return b.nEntities - 1
}

// Add appends an event; payload is copied.
func (b *FrameBuilder) Add(entity, typ uint32, payload []byte) {
	b.events = binary.AppendUvarint(b.events, uint64(entity))
	b.events = binary.AppendUvarint(b.events, uint64(typ))
	b.events = binary.AppendUvarint(b.events, uint64(len(payload)))
	b.events = append(b.events, payload...)
	b.count++
}

// Count returns the number of events added since the last Reset.
func (b *FrameBuilder) Count() uint32 { return b.count }

// Size returns about how many bytes the body has now.
func (b *FrameBuilder) Size() int {
	return len(b.kinds) + len(b.types) + len(b.entities) + len(b.events) + 3*binary.MaxVarintLen32
}

// Reset empties the builder.
func (b *FrameBuilder) Reset() {
	*b = FrameBuilder{
		kinds: b.kinds[:0], types: b.types[:0], entities: b.entities[:0], events: b.events[:0],
	}
}

// Build returns the frame of the events added so far, to be written at p. The
// frame's Data is newly allocated.
func (b *FrameBuilder) Build(shard Shard, p Position) (Frame, error) {
	size := b.Size()
	if size > MaxFrameSize {
		return Frame{}, fmt.Errorf("persistence: a frame of %d bytes is over the limit of %d", size, MaxFrameSize)
	}
	body := make([]byte, 0, size)
	body = binary.AppendUvarint(body, uint64(b.nKinds))
	body = append(body, b.kinds...)
	body = binary.AppendUvarint(body, uint64(b.nTypes))
	body = append(body, b.types...)
	body = binary.AppendUvarint(body, uint64(b.nEntities))
	body = append(body, b.entities...)
	body = append(body, b.events...)

	data := make([]byte, frameHeaderSize+snappy.MaxEncodedLen(len(body)))
	packed := snappy.Encode(data[frameHeaderSize:], body)
	flags := byte(flagSnappy)
	if len(packed) >= len(body) {
		flags = 0
		packed = data[frameHeaderSize : frameHeaderSize+copy(data[frameHeaderSize:], body)]
	}
	data = data[:frameHeaderSize+len(packed)]
	data[0], data[1] = frameVersion, flags
	binary.LittleEndian.PutUint32(data[8:], uint32(shard))
	binary.LittleEndian.PutUint32(data[12:], b.count)
	binary.LittleEndian.PutUint64(data[16:], uint64(p))
	binary.LittleEndian.PutUint32(data[24:], uint32(len(body)))
	binary.LittleEndian.PutUint32(data[4:], checksum(data))
	return Frame{Shard: shard, Position: p, Count: b.count, Data: data}, nil
}

// checksum covers all of a frame or cell but the checksum itself.
func checksum(data []byte) uint32 {
	return crc32.Update(crc32.Checksum(data[:4], castagnoli), castagnoli, data[8:])
}

// ReadFrameHeader returns the place of an encoded frame and how many events it
// has, after checking its checksum. The Frame shares data.
func ReadFrameHeader(data []byte) (Frame, error) {
	if len(data) < frameHeaderSize {
		return Frame{}, fmt.Errorf("%d bytes are too few for a frame", len(data))
	}
	if data[0] != frameVersion {
		return Frame{}, fmt.Errorf("frame version %d is not known to this program, which reads version %d", data[0], frameVersion)
	}
	if want, got := binary.LittleEndian.Uint32(data[4:]), checksum(data); want != got {
		return Frame{}, fmt.Errorf("checksum is %08x and should be %08x", got, want)
	}
	if data[1]&^flagSnappy != 0 || data[2]|data[3] != 0 {
		return Frame{}, fmt.Errorf("flags %x are not known to this program", data[1:4])
	}
	return Frame{
		Shard:    Shard(binary.LittleEndian.Uint32(data[8:])),
		Position: Position(binary.LittleEndian.Uint64(data[16:])),
		Count:    binary.LittleEndian.Uint32(data[12:]),
		Data:     data,
	}, nil
}

// DecodeFrame returns the events of a frame that was stored at shard and
// position. Payloads share one newly allocated buffer, ids and names are
// strings of their own. What is wrong with it comes as a CorruptError.
func DecodeFrame(shard Shard, at Position, data []byte) ([]Record, error) {
	events, err := DecodeEvents(shard, at, data)
	if err != nil {
		return nil, err
	}
	return events.Records(), nil
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// reader takes varints and strings off b. After the first error it returns
// zeroes.
type reader struct {
	b   []byte
	err error
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		if r.err == nil {
			r.err = fmt.Errorf("a number is cut off")
		}
		r.b = nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) uint32() uint32 {
	n := r.uint()
	if n > math.MaxUint32 {
		if r.err == nil {
			r.err = fmt.Errorf("number %d is out of range", n)
		}
		return 0
	}
	return uint32(n)
}

// count reads a number of entries that take at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		if r.err == nil {
			r.err = fmt.Errorf("%d entries don't fit in the %d bytes left", n, len(r.b))
		}
		r.b = nil
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.count(1)
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) string() string { return string(r.bytes()) }

// index reads a number below n.
func (r *reader) index(n int) int {
	i := r.uint()
	if i >= uint64(n) {
		if r.err == nil {
			r.err = fmt.Errorf("entry %d of a dictionary of %d", i, n)
		}
		return 0
	}
	return int(i)
}

func pick(r *reader, from []string) string {
	if i := r.index(len(from)); r.err == nil {
		return from[i]
	}
	return ""
}
