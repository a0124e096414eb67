package cqlproxy

import (
	"encoding/binary"
	"fmt"
)

// A body is read from front to back in the protocol's notations (section 3 of
// its specification). After the first field that does not fit, every other is
// zero, and err says so.
type body struct {
	rest []byte
	err  error
}

func (b *body) take(n int) []byte {
	if b.err == nil && (n < 0 || n > len(b.rest)) {
		b.err = fmt.Errorf("%w body: a field of %d bytes where %d are left", ErrMalformed, n, len(b.rest))
	}
	if b.err != nil {
		return nil
	}
	field := b.rest[:n:n]
	b.rest = b.rest[n:]
	return field
}

func (b *body) byte() byte {
	if field := b.take(1); field != nil {
		return field[0]
	}
	return 0
}

func (b *body) short() int {
	if field := b.take(2); field != nil {
		return int(binary.BigEndian.Uint16(field))
	}
	return 0
}

func (b *body) int() int {
	if field := b.take(4); field != nil {
		return int(int32(binary.BigEndian.Uint32(field)))
	}
	return 0
}

func (b *body) long() int64 {
	if field := b.take(8); field != nil {
		return int64(binary.BigEndian.Uint64(field))
	}
	return 0
}

func (b *body) string() string     { return string(b.take(b.short())) }
func (b *body) longString() string { return string(b.take(b.int())) }
func (b *body) shortBytes() []byte { return b.take(b.short()) }

// value is nil for null, and for what was left unset.
func (b *body) value() []byte {
	n := b.int()
	if n < 0 {
		return nil
	}
	return b.take(n)
}

// each calls the function as often as the next short says, while there is
// something to read.
func (b *body) each(read func()) {
	for n := b.short(); n > 0 && b.err == nil; n-- {
		read()
	}
}

func (b *body) stringList() []string {
	var list []string
	b.each(func() { list = append(list, b.string()) })
	return list
}

// bodyOf is the body of a frame behind what its flags put in front of it.
func bodyOf(f frame) *body {
	b := &body{rest: f.body}
	response := f.first&fromServer != 0
	if response && f.flags&flagTracing != 0 {
		b.take(16)
	}
	if response && f.flags&flagWarning != 0 {
		b.stringList()
	}
	if f.flags&flagPayload != 0 {
		b.each(func() {
			b.string()
			b.value()
		})
	}
	return b
}

func appendShort(to []byte, n int) []byte { return binary.BigEndian.AppendUint16(to, uint16(n)) }
func appendInt(to []byte, n int) []byte   { return binary.BigEndian.AppendUint32(to, uint32(n)) }

func appendString(to []byte, s string) []byte {
	return append(appendShort(to, len(s)), s...)
}

func appendStringList(to []byte, list []string) []byte {
	to = appendShort(to, len(list))
	for _, s := range list {
		to = appendString(to, s)
	}
	return to
}
