package ingest

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"unsafe"
)

// value is one value of a column: a whole number, a fraction or bytes, as its
// physical type has it.
type value struct {
	whole    int64
	fraction float64
	bytes    []byte // part of a page
}

const valueSize = unsafe.Sizeof(value{})

// source yields the values of a page, one by one, so that what a page says of
// their number costs nothing.
type source interface{ next(*value) error }

// hybrid reads whole numbers of some bits, of which runs of one are written once
// (RLE) and others packed in groups of eight.
type hybrid struct {
	data   []byte
	width  int
	run    uint64 // left of a run
	same   uint32 // the value of it
	packed uint64 // values left of groups
	bits   int    // read of the first byte of data
}

func (h *hybrid) next() (uint32, error) {
	for h.run == 0 && h.packed == 0 {
		if err := h.header(); err != nil {
			return 0, err
		}
	}
	if h.run > 0 {
		h.run--
		return h.same, nil
	}
	h.packed--
	return uint32(h.unpack()), nil
}

// unpack takes the next packed number, of up to 64 bits, which is there.
func (h *hybrid) unpack() uint64 {
	v := uint64(0)
	for got := 0; got < h.width; {
		n := min(8-h.bits, h.width-got)
		v |= uint64(h.data[0]>>h.bits&(1<<n-1)) << got
		got += n
		if h.bits += n; h.bits == 8 {
			h.data, h.bits = h.data[1:], 0
		}
	}
	return v
}

// header reads what comes next. Groups end with a byte, as they have eight
// values.
func (h *hybrid) header() error {
	if len(h.data) == 0 && h.width == 0 {
		h.run, h.same = math.MaxInt64, 0 // values of no bits need nothing
		return nil
	}
	head, n := binary.Uvarint(h.data)
	if n <= 0 {
		return io.ErrUnexpectedEOF
	}
	h.data = h.data[n:]
	count := head >> 1
	if head&1 != 0 {
		if h.width > 0 && count > uint64(len(h.data)/h.width) {
			return io.ErrUnexpectedEOF
		}
		h.packed = min(count, 1<<60) * 8
		return nil
	}
	size := (h.width + 7) / 8
	if len(h.data) < size {
		return io.ErrUnexpectedEOF
	}
	h.run, h.same = count, 0
	for i := range size {
		h.same |= uint32(h.data[i]) << (8 * i)
	}
	h.data = h.data[size:]
	return nil
}

// plainSource reads values as they are.
type plainSource struct {
	data     []byte
	physical int64
	length   int
}

func (p *plainSource) next(v *value) error {
	var n int
	switch p.physical {
	case parquetInt32, parquetFloat:
		n = 4
	case parquetInt64, parquetDouble:
		n = 8
	case parquetInt96:
		n = 12
	case parquetFixed:
		n = p.length
	case parquetByteArray:
		if len(p.data) < 4 {
			return io.ErrUnexpectedEOF
		}
		if size := binary.LittleEndian.Uint32(p.data); uint64(size) <= uint64(len(p.data)-4) {
			n = int(size)
			p.data = p.data[4:]
			break
		}
		return io.ErrUnexpectedEOF
	default:
		return errors.New("neither numbers, texts nor times")
	}
	if len(p.data) < n {
		return io.ErrUnexpectedEOF
	}
	v.set(p.physical, p.data[:n:n])
	p.data = p.data[n:]
	return nil
}

// set takes a value from its bytes.
func (v *value) set(physical int64, data []byte) {
	switch physical {
	case parquetInt32:
		v.whole = int64(int32(binary.LittleEndian.Uint32(data)))
	case parquetInt64:
		v.whole = int64(binary.LittleEndian.Uint64(data))
	case parquetFloat:
		v.fraction = float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
	case parquetDouble:
		v.fraction = math.Float64frombits(binary.LittleEndian.Uint64(data))
	default:
		v.bytes = data
	}
}

// dictionarySource reads the places of values in the dictionary.
type dictionarySource struct {
	values []value
	keys   hybrid
}

func (d *dictionarySource) next(v *value) error {
	key, err := d.keys.next()
	if err != nil {
		return err
	}
	if uint64(key) >= uint64(len(d.values)) {
		return errors.New("a value that is not in the dictionary")
	}
	*v = d.values[key]
	return nil
}

// deltaSource reads DELTA_BINARY_PACKED: blocks of a least difference and of
// miniblocks of what the differences are above it, each with bits of its own.
type deltaSource struct {
	data   []byte
	narrow bool // 32 bits

	begun  bool
	left   uint64 // values
	last   int64
	per    uint64 // values of a miniblock
	minis  uint64 // of a block
	least  int64
	widths []byte // of the miniblocks to come in the block
	count  uint64 // values left in the miniblock
	reader hybrid
}

var errDelta = errors.New("its differences are damaged")

func (d *deltaSource) next(v *value) error {
	if !d.begun {
		if err := d.begin(); err != nil {
			return err
		}
		if d.left == 0 {
			return io.ErrUnexpectedEOF
		}
	} else if err := d.step(); err != nil {
		return err
	}
	d.left--
	v.whole = d.last
	return nil
}

func (d *deltaSource) uvarint() (uint64, error) {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	d.data = d.data[size:]
	return n, nil
}

func (d *deltaSource) zigzag() (int64, error) {
	n, err := d.uvarint()
	return int64(n>>1) ^ -int64(n&1), err
}

func (d *deltaSource) begin() error {
	block, err1 := d.uvarint()
	minis, err2 := d.uvarint()
	total, err3 := d.uvarint()
	first, err4 := d.zigzag()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	if block == 0 || block > 1<<20 || minis == 0 || minis > 1<<10 || block%minis != 0 || (block/minis)%8 != 0 {
		return errDelta
	}
	d.begun, d.left, d.last, d.per, d.minis = true, total, first, block/minis, minis
	return nil
}

// step adds the next difference.
func (d *deltaSource) step() error {
	if d.left == 0 {
		return io.ErrUnexpectedEOF
	}
	if d.count == 0 {
		if err := d.mini(); err != nil {
			return err
		}
	}
	d.count--
	d.last += d.least + int64(d.reader.unpack())
	if d.narrow {
		d.last = int64(int32(d.last))
	}
	return nil
}

// mini goes to the next miniblock.
func (d *deltaSource) mini() error {
	if len(d.widths) == 0 {
		least, err := d.zigzag()
		if err != nil || uint64(len(d.data)) < d.minis {
			return io.ErrUnexpectedEOF
		}
		d.least, d.widths, d.data = least, d.data[:d.minis], d.data[d.minis:]
	}
	width := int(d.widths[0])
	d.widths = d.widths[1:]
	size := d.per / 8 * uint64(width)
	if width > 64 || size > uint64(len(d.data)) {
		return errDelta
	}
	d.reader = hybrid{data: d.data[:size], width: width}
	d.data = d.data[size:]
	d.count = d.per
	return nil
}

// after runs through all numbers, of which there may be so many, and returns
// what follows them. The miniblocks that the last value leaves unused are not
// there.
func (d *deltaSource) after(most int64) ([]byte, error) {
	if err := d.begin(); err != nil {
		return nil, err
	}
	if d.left > uint64(most) {
		return nil, errDelta
	}
	for d.left > 1 {
		if err := d.mini(); err != nil {
			return nil, err
		}
		d.left -= min(d.left-1, d.per)
	}
	return d.data, nil
}

// deltaLengthSource reads texts whose lengths come first.
type deltaLengthSource struct {
	lengths *deltaSource
	text    []byte
}

func (d *deltaLengthSource) next(v *value) error {
	var length value
	if err := d.lengths.next(&length); err != nil {
		return err
	}
	if length.whole < 0 || length.whole > int64(len(d.text)) {
		return errDelta
	}
	v.bytes = d.text[:length.whole:length.whole]
	d.text = d.text[length.whole:]
	return nil
}

// deltaBytesSource reads texts that begin as the one before.
type deltaBytesSource struct {
	prefixes *deltaSource
	suffixes deltaLengthSource
	last     []byte
}

func (d *deltaBytesSource) next(v *value) error {
	var prefix value
	if err := d.prefixes.next(&prefix); err != nil {
		return err
	}
	if prefix.whole < 0 || prefix.whole > int64(len(d.last)) {
		return errDelta
	}
	if err := d.suffixes.next(v); err != nil {
		return err
	}
	if len(v.bytes)+int(prefix.whole) > MaxLine {
		return errors.New("a text is too long")
	}
	d.last = append(d.last[:prefix.whole], v.bytes...)
	v.bytes = d.last
	return nil
}

// splitSource reads BYTE_STREAM_SPLIT: all first bytes, all second ones, ….
type splitSource struct {
	data     []byte
	physical int64
	i        int
}

func (s *splitSource) next(v *value) error {
	width := 4
	if s.physical == parquetDouble {
		width = 8
	}
	n := len(s.data) / width
	if s.i >= n {
		return io.ErrUnexpectedEOF
	}
	var data [8]byte
	for k := range width {
		data[k] = s.data[k*n+s.i]
	}
	s.i++
	v.set(s.physical, data[:width])
	return nil
}
