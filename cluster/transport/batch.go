package transport

import (
	"encoding/binary"
	"fmt"
	"sync"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/mesonet/mesonet/proto/mesonet/cluster/v1"
)

// An envelope is an ExchangeRequest or an ExchangeResponse, which have the same
// fields where both have them.
type envelope struct {
	hello   *clusterv1.Hello
	refused string
	// frames to send are in out, behind framesPrefix; received ones are in frames,
	// which are a part of from.
	out    *[]byte
	frames []byte
	from   mem.Buffer
}

// free gives back the memory of received frames.
func (e *envelope) free() {
	if e.from != nil {
		e.from.Free()
	}
	*e = envelope{}
}

const (
	helloField   = 1
	framesField  = 2
	refusedField = 3
)

// framesPrefix is the tag of frames and room for their length: a varint that is
// filled up to three bytes, which is enough for maxBatch, so that frames can be
// written behind it before their length is known.
const framesPrefix = 4

// newBatch returns a buffer to append frames to.
func newBatch(pool *batchPool) *[]byte {
	b := pool.Get(0)
	*b = append(*b, framesField<<3|byte(protowire.BytesType), 0, 0, 0)
	return b
}

// setLength writes the length of the frames into their prefix.
func setLength(b []byte) {
	n := len(b) - framesPrefix
	b[1], b[2], b[3] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)
}

// codec is how grpc-go sees envelopes: as protobuf, but that frames are neither
// copied nor looked at, and come in memory that is used again.
type codec struct{ pool *batchPool }

// Name is the content-subtype. What is sent is protobuf.
func (codec) Name() string { return "proto" }

// Marshal gives away the memory of frames.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	e, ok := v.(*envelope)
	if !ok {
		return nil, fmt.Errorf("transport: %T is no envelope", v)
	}
	if e.out != nil {
		setLength(*e.out)
		b := mem.NewBuffer(e.out, c.pool)
		e.out = nil
		return mem.BufferSlice{b}, nil
	}
	var b []byte
	if e.hello != nil {
		hello, err := proto.Marshal(e.hello)
		if err != nil {
			return nil, err
		}
		b = protowire.AppendTag(b, helloField, protowire.BytesType)
		b = protowire.AppendBytes(b, hello)
	}
	if e.refused != "" {
		b = protowire.AppendTag(b, refusedField, protowire.BytesType)
		b = protowire.AppendString(b, e.refused)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal keeps the memory until the envelope is freed. It is looked at later, in
// parse: grpc-go would make text of an error.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	e, ok := v.(*envelope)
	if !ok {
		return fmt.Errorf("transport: %T is no envelope", v)
	}
	e.free()
	e.from = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}

// open reads what was received.
func (e *envelope) open() error { return e.parse(e.from.ReadOnlyData()) }

// parse reads an envelope whose frames are a part of b. Fields that it does not know
// are of a later release.
func (e *envelope) parse(b []byte) error {
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed("a message of the stream: %v", protowire.ParseError(n))
		}
		b = b[n:]
		if number > refusedField || wire != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, wire, b); n < 0 {
				return malformed("a message of the stream: %v", protowire.ParseError(n))
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return malformed("a message of the stream: %v", protowire.ParseError(n))
		}
		b = b[n:]
		switch number {
		case helloField:
			e.hello = &clusterv1.Hello{}
			if err := proto.Unmarshal(value, e.hello); err != nil {
				return malformed("a hello: %v", err)
			}
		case framesField:
			e.frames = value
		default: // refusedField, of those that are known
			e.refused = string(value)
		}
	}
	return nil
}

// batchPool keeps buffers for batches of one size. grpc-go gives them back when they
// have been written.
type batchPool struct {
	size int
	free sync.Pool
}

func newBatchPool(batch int) *batchPool {
	p := &batchPool{size: framesPrefix + batch + maxHeader + binary.MaxVarintLen64}
	p.free.New = func() any {
		b := make([]byte, 0, p.size)
		return &b
	}
	return p
}

// Get returns an empty buffer.
func (p *batchPool) Get(int) *[]byte { return p.free.Get().(*[]byte) }

// Put takes it back.
func (p *batchPool) Put(b *[]byte) {
	*b = (*b)[:0]
	p.free.Put(b)
}
