package weather

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrCorrupt says that bytes are not what an encoder here has written.
var ErrCorrupt = errors.New("weather: corrupt encoding")

// formatVersion is the first byte of every encoding. A change of format takes
// the next number, and decoders go on reading the former.
const formatVersion = 1

// decoder reads one encoding. The first failure stays in err, after which all
// reads return zero, so that callers check where a loop or an allocation
// depends on it and once at the end.
type decoder struct {
	what string // what is being read, for the error
	b    []byte
	at   int
	err  error
}

// open starts to read an encoding of what.
func open(what string, b []byte) decoder {
	d := decoder{what: what, b: b}
	if v := d.byte(); d.err == nil && v != formatVersion {
		d.fail("version %d, but this program knows 1 to %d", v, formatVersion)
	}
	return d
}

// close returns the error, if any; bytes that are left over are one.
func (d *decoder) close() error {
	if d.err == nil && d.at != len(d.b) {
		d.fail("%d bytes left over", len(d.b)-d.at)
	}
	return d.err
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w of a %s at byte %d of %d: %s", ErrCorrupt, d.what, d.at, len(d.b), fmt.Sprintf(format, args...))
	}
}

// bytes returns the next n bytes, which alias the input.
func (d *decoder) bytes(n int) []byte {
	if d.err != nil || n > len(d.b)-d.at {
		d.fail("it ends too early")
		return nil
	}
	b := d.b[d.at : d.at+n]
	d.at += n
	return b
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// count reads a number from 0 to most.
func (d *decoder) count(most int) int { return int(d.number(int64(most))) }

// number reads an unsigned varint from 0 to most.
func (d *decoder) number(most int64) int64 {
	if d.err != nil {
		return 0
	}
	u, n := binary.Uvarint(d.b[d.at:])
	if n <= 0 || u > uint64(most) {
		d.fail("a number that is not in 0 to %d", most)
		return 0
	}
	d.at += n
	return int64(u)
}

// int64 reads a zigzag varint.
func (d *decoder) int64() int64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Varint(d.b[d.at:])
	if n <= 0 {
		d.fail("a number that does not end")
		return 0
	}
	d.at += n
	return v
}

// int32 reads a zigzag varint of 32 bits.
func (d *decoder) int32() int32 {
	v := d.int64()
	if v != int64(int32(v)) {
		d.fail("a number of more than 32 bits")
		return 0
	}
	return int32(v)
}
