package ingest

import (
	"encoding/binary"
	"errors"
)

// thrift reads Apache Thrift's compact protocol, in which Parquet keeps what it
// says of itself, from bytes that may be hostile: nothing is allocated by a count
// that is read, and lists may have so many elements all together. After an error
// everything reads as nothing.
type thrift struct {
	data  []byte
	err   error
	lists int // elements that may still come
	depth int
}

// The types of the protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

const (
	maxThriftElements = 1 << 20
	maxThriftDepth    = 32
)

var errThrift = errors.New("its metadata is damaged")

func newThrift(data []byte) *thrift { return &thrift{data: data, lists: maxThriftElements} }

func (t *thrift) fail() {
	t.err = errThrift
	t.data = nil
}

func (t *thrift) byte() byte {
	if len(t.data) == 0 {
		t.fail()
		return 0
	}
	b := t.data[0]
	t.data = t.data[1:]
	return b
}

func (t *thrift) uvarint() uint64 {
	n, size := binary.Uvarint(t.data)
	if size <= 0 {
		t.fail()
		return 0
	}
	t.data = t.data[size:]
	return n
}

// int reads a whole number, which are all alike.
func (t *thrift) int() int64 {
	n := t.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

// bytes reads a text, which stays part of the data.
func (t *thrift) bytes() []byte {
	n := t.uvarint()
	if n > uint64(len(t.data)) {
		t.fail()
		return nil
	}
	text := t.data[:n]
	t.data = t.data[n:]
	return text
}

// structure calls field for each field, which takes it or reports that it has
// not; then it is passed over. The value of a bool is its type.
func (t *thrift) structure(field func(id int64, kind byte) bool) {
	if t.depth++; t.depth > maxThriftDepth {
		t.fail()
	}
	for id := int64(0); t.err == nil; {
		head := t.byte()
		if head == 0 {
			break
		}
		kind := head & 15
		if delta := int64(head >> 4); delta != 0 {
			id += delta
		} else {
			id = t.int()
		}
		if !field(id, kind) {
			t.skip(kind)
		}
	}
	t.depth--
}

// list calls element as often as there are some.
func (t *thrift) list(element func(kind byte)) {
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.uvarint()
	}
	if n > uint64(t.lists) {
		t.fail()
		return
	}
	t.lists -= int(n)
	for ; n > 0 && t.err == nil; n-- {
		element(head & 15)
	}
}

// skip passes over a value.
func (t *thrift) skip(kind byte) {
	if t.depth++; t.depth > maxThriftDepth {
		t.fail()
	}
	switch kind {
	case thriftTrue, thriftFalse:
	case thriftByte:
		t.byte()
	case 4, 5, 6:
		t.uvarint()
	case thriftDouble:
		if len(t.data) < 8 {
			t.fail()
		} else {
			t.data = t.data[8:]
		}
	case thriftBinary:
		t.bytes()
	case thriftList, thriftSet:
		t.list(t.skipElement)
	case thriftMap:
		t.skipMap()
	case thriftStruct:
		t.structure(func(int64, byte) bool { return false })
	default:
		t.fail()
	}
	t.depth--
}

// skipElement passes over an element of a list, of which a bool has a byte.
func (t *thrift) skipElement(kind byte) {
	if kind == thriftTrue || kind == thriftFalse {
		kind = thriftByte
	}
	t.skip(kind)
}

func (t *thrift) skipMap() {
	n := t.uvarint()
	if n == 0 {
		return
	}
	kinds := t.byte()
	if n > uint64(t.lists) {
		t.fail()
		return
	}
	t.lists -= int(n)
	for ; n > 0 && t.err == nil; n-- {
		t.skipElement(kinds >> 4)
		t.skipElement(kinds & 15)
	}
}
