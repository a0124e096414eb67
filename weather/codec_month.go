package weather

import (
	"encoding/binary"
	"slices"
)

// AppendMonth appends the encoding of m to dst: about 7 bytes an observation of
// hourly weather. The same observations have the same bytes, however they came.
//
//	month = version, year varint, month byte, rows uvarint, columns uvarint,
//	        flags of each column in 4 bits, first minute of the month uvarint,
//	        steps between times packed, columns that are present
func AppendMonth(dst []byte, m *Month) []byte {
	dst = append(dst, formatVersion)
	dst = binary.AppendVarint(dst, int64(m.id.Year))
	dst = append(dst, byte(m.id.Month))
	dst = binary.AppendUvarint(dst, uint64(len(m.times)))
	var some [32]byte // enough to stay off the heap, most often
	flags := some[:0]
	last, present := 0, 0 // columns up to the last that is present, and how many are
	for i := range m.columns {
		flags = append(flags, m.columns[i].flags())
		if flags[i] != 0 {
			last, present = i+1, present+1
		}
	}
	dst = slices.Grow(dst, 64+len(m.times)*(1+present)) // a byte each, about
	dst = appendFlags(dst, flags[:last])
	dst = appendMinutes(dst, m.times)
	for i, f := range flags[:last] {
		if f != 0 {
			dst = m.columns[i].encode(dst, f)
		}
	}
	return dst
}

// flags describes the column.
func (c *column) flags() byte {
	if c.wide != nil {
		return flagsOf(c.wide, Missing)
	}
	return flagsOf(c.narrow, narrowMissing)
}

// encode writes the column that those flags describe.
func (c *column) encode(dst []byte, flags byte) []byte {
	if c.wide != nil {
		return appendColumn(dst, flags, c.wide, Missing)
	}
	return appendColumn(dst, flags, c.narrow, narrowMissing)
}

// appendMinutes writes the first time and the steps to the others.
func appendMinutes(dst []byte, times []uint16) []byte {
	if len(times) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(times[0]))
	var steps [blockSize]int32
	for before, rest := times[0], times[1:]; len(rest) > 0; {
		n := min(len(rest), blockSize)
		for i, t := range rest[:n] {
			steps[i] = int32(t) - int32(before)
			before = t
		}
		dst = appendBlock(dst, steps[:n])
		rest = rest[n:]
	}
	return dst
}

// DecodeMonth reads what AppendMonth wrote; all of b. It returns ErrCorrupt for
// anything else.
func DecodeMonth(b []byte) (*Month, error) {
	d := open("month", b)
	id := YearMonth{Year: int(d.int32()), Month: int(d.byte())}
	if d.err == nil && !id.Valid() {
		d.fail("the month %d of %d", id.Month, id.Year)
	}
	if d.err != nil {
		return nil, d.err
	}
	m := NewMonth(id)
	rows := d.count(int(m.minutes))
	var all [MaxMeasures + 1]byte
	flags := all[:d.flags(&all)]
	if d.err == nil && rows > 8*(len(b)-d.at) { // each costs a bit
		d.fail("%d rows do not fit", rows)
	}
	m.times = d.monthTimes(rows, m.minutes)
	if d.err == nil && len(flags) > 0 {
		m.columns = make([]column, len(flags))
		values := make([]Value, rows)
		for i, f := range flags {
			if f != 0 {
				m.columns[i] = d.monthColumn(f, values)
			}
		}
	}
	if err := d.close(); err != nil {
		return nil, err
	}
	return m, nil
}

// monthTimes reads n times of a month of so many minutes, which ascend.
func (d *decoder) monthTimes(n int, minutes Minute) []uint16 {
	if n == 0 || d.err != nil {
		return nil
	}
	times := make([]uint16, n)
	at := d.count(int(minutes) - 1)
	times[0] = uint16(at)
	var steps [blockSize]int32
	for i := 1; i < n && d.err == nil; {
		part := steps[:min(n-i, blockSize)]
		unpack(d, part)
		for _, step := range part {
			if at += int(step); step < 1 || at >= int(minutes) {
				d.fail("times that do not ascend within the month")
				return nil
			}
			times[i] = uint16(at)
			i++
		}
	}
	return times
}

// monthColumn reads a column by way of values, which it overwrites. Bytes that
// AppendMonth would not have written are refused, so that equal pages have
// equal bytes.
func (d *decoder) monthColumn(flags byte, values []Value) column {
	d.column(flags, values)
	if d.err == nil && flags != flagsOf(values, Missing) {
		d.fail("column flags %#x where %#x are right", flags, flagsOf(values, Missing))
	}
	if d.err != nil {
		return column{}
	}
	var c column
	if flags&columnWide != 0 {
		c.wide = append([]Value(nil), values...)
		return c
	}
	c.narrow = make([]int16, len(values))
	for i, v := range values {
		c.narrow[i], _ = narrowed(v)
	}
	return c
}
