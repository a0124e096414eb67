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

// flagsOf describes a column: 0 when all of it is Missing.
func flagsOf(values []Value) byte {
	var missing, traces, wide int
	for _, v := range values {
		switch {
		case v == Missing:
			missing++
		case v == Trace:
			traces++
		case v <= narrowTrace || v > math.MaxInt16:
			wide++
		}
	}
	if missing == len(values) {
		return 0
	}
	flags := byte(columnPresent)
	if missing > 0 {
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

// appendColumn writes the bitmaps that the flags announce, and the numbers
// packed, marks and all.
func appendColumn(dst []byte, flags byte, values []Value) []byte {
	if flags&(columnGaps|columnTraces) == 0 {
		return appendPacked(dst, values)
	}
	if flags&columnGaps != 0 {
		dst = appendBitmap(dst, values, Missing)
	}
	if flags&columnTraces != 0 {
		dst = appendBitmap(dst, values, Trace)
	}
	var block [blockSize]Value
	n := 0
	for _, v := range values {
		if !v.number() {
			continue
		}
		block[n] = v
		if n++; n == blockSize {
			dst = appendBlock(dst, block[:])
			n = 0
		}
	}
	return appendPacked(dst, block[:n])
}

// appendPacked writes numbers, block by block.
func appendPacked[T ~int32](dst []byte, numbers []T) []byte {
	for len(numbers) > blockSize {
		dst = appendBlock(dst, numbers[:blockSize])
		numbers = numbers[blockSize:]
	}
	return appendBlock(dst, numbers)
}

// appendBitmap writes a bit for each value, 1 where it equals state.
func appendBitmap(dst []byte, values []Value, state Value) []byte {
	for len(values) > 0 {
		var b byte
		n := min(8, len(values))
		for i, v := range values[:n] {
			if v == state {
				b |= 1 << i
			}
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
