package weather

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The flags of a column of values.
const (
	columnPresent = 1 << iota // some value is not Missing
	columnGaps                // a bitmap of the Missing follows
	columnTraces              // a bitmap of the traces follows
	columnWide                // some value needs more than 16 bits
	columnFlags   = 1<<iota - 1
)

// A held value is one as memory has it: at full width, or narrowed. The least is the
// mark of Missing, the one above it that of a Trace.
type held interface{ int16 | Value }

// flagsOf describes a column, of which missing is the mark: 0 when all of it is
// Missing. Most columns have neither gaps nor traces, which their extremes tell; what
// others have is counted without a branch that the processor could only guess.
func flagsOf[T held](values []T, missing T) byte {
	if len(values) == 0 {
		return 0
	}
	least, most := values[0], values[0]
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	var gaps, traces, wide int
	if least > missing+1 {
		wide = one(isWide(least)) + one(isWide(most))
	} else {
		for _, v := range values {
			gaps += one(v == missing)
			traces += one(v == missing+1)
			wide += one(v > missing+1 && isWide(v))
		}
	}
	if gaps == len(values) {
		return 0
	}
	flags := byte(columnPresent)
	if gaps > 0 {
		flags |= columnGaps
	}
	if traces > 0 {
		flags |= columnTraces
	}
	if wide > 0 {
		flags |= columnWide
	}
	return flags
}

// isWide says that a number needs more than 16 bits.
func isWide[T held](v T) bool {
	const least, most = narrowTrace + 1, math.MaxInt16
	return uint32(int32(v)-least) > most-least
}

// one is 1 if so.
func one(so bool) int {
	if so {
		return 1
	}
	return 0
}

// appendColumn writes the bitmaps that the flags announce, and the numbers
// packed, marks and all.
func appendColumn[T held](dst []byte, flags byte, values []T, missing T) []byte {
	if flags&(columnGaps|columnTraces) == 0 {
		return appendPacked(dst, values)
	}
	if flags&columnGaps != 0 {
		dst = appendBitmap(dst, values, missing)
	}
	if flags&columnTraces != 0 {
		dst = appendBitmap(dst, values, missing+1)
	}
	var block [blockSize]T
	n := 0
	for _, v := range values {
		block[n] = v // and again, if this is no number
		if n += one(v > missing+1); n == blockSize {
			dst = appendBlock(dst, block[:])
			n = 0
		}
	}
	return appendPacked(dst, block[:n])
}

// appendPacked writes numbers, block by block.
func appendPacked[T packed](dst []byte, numbers []T) []byte {
	for len(numbers) > blockSize {
		dst = appendBlock(dst, numbers[:blockSize])
		numbers = numbers[blockSize:]
	}
	return appendBlock(dst, numbers)
}

// appendBitmap writes a bit for each value, 1 where it equals mark.
func appendBitmap[T held](dst []byte, values []T, mark T) []byte {
	for len(values) > 0 {
		var b byte
		n := min(8, len(values))
		for i, v := range values[:n] {
			b |= byte(one(v == mark)) << i
		}
		dst = append(dst, b)
		values = values[n:]
	}
	return dst
}

// column reads values, all of dst. Each costs a bit of input at least.
func (d *decoder) column(flags byte, dst []Value) {
	var gaps, traces bitmap
	plain := len(dst)
	if flags&columnGaps != 0 {
		gaps = d.bitmap(len(dst))
		plain -= gaps.count()
	}
	if flags&columnTraces != 0 {
		traces = d.bitmap(len(dst))
		plain -= traces.count()
	}
	if gaps.meets(traces) {
		d.fail("a value that is both missing and a trace")
	}
	if d.err != nil {
		return
	}
	if len(dst) == 1 && plain == 1 { // as most are in a log
		if dst[0] = Value(d.int32()); !dst[0].number() {
			d.fail("a number that stands for no value")
		}
		return
	}
	d.plain(dst[:plain])
	if plain < len(dst) && d.err == nil {
		spread(dst, plain, gaps, traces)
	}
}

// plain reads numbers, all of dst.
func (d *decoder) plain(dst []Value) {
	for rest := dst; len(rest) > 0 && d.err == nil; {
		n := min(len(rest), blockSize)
		unpack(d, rest[:n])
		rest = rest[n:]
	}
	for _, v := range dst {
		if !v.number() {
			d.fail("a number that stands for no value")
			return
		}
	}
}

// spread moves the first so many values, from the last to the first, to where
// no bitmap has a bit.
func spread(values []Value, plain int, gaps, traces bitmap) {
	for i := len(values) - 1; i >= 0; i-- {
		switch {
		case gaps.has(i):
			values[i] = Missing
		case traces.has(i):
			values[i] = Trace
		default:
			plain--
			values[i] = values[plain]
		}
	}
}

// bitmap is a bit for each value; nil is all 0.
type bitmap []byte

// bitmap reads n bits, which alias the input. Those beyond n must be 0, so that
// what is equal has equal bytes.
func (d *decoder) bitmap(n int) bitmap {
	b := d.bytes((n + 7) / 8)
	if n%8 != 0 && len(b) > 0 && b[len(b)-1]>>(n%8) != 0 {
		d.fail("bits beyond the end of a bitmap")
	}
	return b
}

func (b bitmap) has(i int) bool { return b != nil && b[i/8]>>(i%8)&1 != 0 }

func (b bitmap) count() (n int) {
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return n
}

func (b bitmap) meets(o bitmap) bool {
	for i := range min(len(b), len(o)) {
		if b[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// appendFlags writes the flags of columns, two to a byte.
func appendFlags(dst, flags []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(flags)))
	for ; len(flags) > 1; flags = flags[2:] {
		dst = append(dst, flags[0]|flags[1]<<4)
	}
	return append(dst, flags...)
}

// flags reads what appendFlags wrote, and returns how many there are.
func (d *decoder) flags(flags *[MaxMeasures + 1]byte) int {
	n := d.count(MaxMeasures)
	packed := d.bytes((n + 1) / 2)
	if d.err != nil {
		return 0
	}
	for i, b := range packed {
		flags[2*i], flags[2*i+1] = b&15, b>>4
	}
	for i, f := range flags[:n+n%2] {
		if f != 0 && (f&columnPresent == 0 || i == n) {
			d.fail("column flags %#x", f)
		}
	}
	return n
}
