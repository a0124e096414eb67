package weather

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
)

// MonthSet is a set of months: those of which a station holds something, so that
// a question knows which pages to ask for. Each of a million idle stations has
// one, so it takes 2 bytes for a year from the first to the last, and no room
// to grow into.
//
// The zero MonthSet is empty and ready for use. A copy shares memory with its
// origin; Clone does not.
type MonthSet struct {
	first int16    // the year of years[0]; 0 when there is none
	years []uint16 // bit m-1 for month m; neither the first nor the last is 0
}

// Add puts a month into the set, and reports whether it was new. A month that is
// not Valid is never in a set.
func (s *MonthSet) Add(m YearMonth) bool {
	if !m.Valid() || s.Has(m) {
		return false
	}
	s.cover(m.Year)
	s.years[m.Year-int(s.first)] |= 1 << (m.Month - 1)
	return true
}

// cover makes a place for a year.
func (s *MonthSet) cover(year int) {
	if len(s.years) == 0 {
		s.first = int16(year)
	}
	first, end := int(s.first), int(s.first)+len(s.years)
	if year >= first && year < end {
		return
	}
	first, end = min(first, year), max(end, year+1)
	years := make([]uint16, end-first)
	copy(years[int(s.first)-first:], s.years)
	s.first, s.years = int16(first), years
}

// Remove takes a month out of the set, and reports whether it was there.
func (s *MonthSet) Remove(m YearMonth) bool {
	if !s.Has(m) {
		return false
	}
	s.years[m.Year-int(s.first)] &^= 1 << (m.Month - 1)
	from, to := 0, len(s.years)
	for from < to && s.years[from] == 0 {
		from++
	}
	for to > from && s.years[to-1] == 0 {
		to--
	}
	switch {
	case from == to:
		*s = MonthSet{}
	case to-from < len(s.years):
		s.first, s.years = s.first+int16(from), slices.Clip(slices.Clone(s.years[from:to]))
	}
	return true
}

// Has reports whether a month is in the set.
func (s *MonthSet) Has(m YearMonth) bool {
	return m.Valid() && s.year(m.Year)>>(m.Month-1)&1 != 0
}

// HasYear reports whether a month of a year is in the set.
func (s *MonthSet) HasYear(year int) bool { return s.year(year) != 0 }

// year returns the months of a year, as bits.
func (s *MonthSet) year(year int) uint16 {
	if i := year - int(s.first); i >= 0 && i < len(s.years) {
		return s.years[i]
	}
	return 0
}

// Before returns the latest month of the set that is m or earlier; false when
// there is none.
func (s *MonthSet) Before(m YearMonth) (YearMonth, bool) {
	held := s.year(m.Year) & (1<<min(max(m.Month, 0), 12) - 1)
	for year := min(m.Year, int(s.first)+len(s.years)); year >= int(s.first) && len(s.years) > 0; year-- {
		if year < m.Year {
			held = s.year(year)
		}
		if held != 0 {
			return YearMonth{year, bits.Len16(held)}, true
		}
	}
	return YearMonth{}, false
}

// After returns the earliest month of the set that is m or later; false when
// there is none.
func (s *MonthSet) After(m YearMonth) (YearMonth, bool) {
	held := s.year(m.Year) >> min(max(m.Month-1, 0), 12) << min(max(m.Month-1, 0), 12)
	for year := max(m.Year, int(s.first)); year < int(s.first)+len(s.years); year++ {
		if year > m.Year {
			held = s.year(year)
		}
		if held != 0 {
			return YearMonth{year, bits.TrailingZeros16(held) + 1}, true
		}
	}
	return YearMonth{}, false
}

// All returns the months of the set, the earliest first. The set must not change
// meanwhile.
func (s *MonthSet) All() iter.Seq[YearMonth] {
	return func(yield func(YearMonth) bool) {
		for i, held := range s.years {
			for ; held != 0; held &= held - 1 {
				if !yield(YearMonth{int(s.first) + i, bits.TrailingZeros16(held) + 1}) {
					return
				}
			}
		}
	}
}

// Len returns the number of months in the set.
func (s *MonthSet) Len() (n int) {
	for _, held := range s.years {
		n += bits.OnesCount16(held)
	}
	return n
}

// Equal reports whether both sets have the same months.
func (s *MonthSet) Equal(o *MonthSet) bool {
	return s.first == o.first && slices.Equal(s.years, o.years)
}

// Clone returns a copy of its own memory.
func (s *MonthSet) Clone() MonthSet {
	return MonthSet{first: s.first, years: slices.Clip(slices.Clone(s.years))}
}

// MemorySize returns about how many bytes the set takes.
func (s *MonthSet) MemorySize() int { return 32 + 2*cap(s.years) }

// AppendMonthSet appends the encoding of s to dst. Equal sets have equal bytes,
// and no others are read.
//
//	set = version, and if there is a month: the first year in 2 bytes, the
//	      months of each year as bits in 2 bytes
func AppendMonthSet(dst []byte, s *MonthSet) []byte {
	dst = append(dst, formatVersion)
	if len(s.years) == 0 {
		return dst
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(s.first))
	for _, held := range s.years {
		dst = binary.LittleEndian.AppendUint16(dst, held)
	}
	return dst
}

// MarshalBinary returns the encoding of s.
func (s MonthSet) MarshalBinary() ([]byte, error) { return AppendMonthSet(nil, &s), nil }

// UnmarshalBinary reads what MarshalBinary returned.
func (s *MonthSet) UnmarshalBinary(b []byte) (err error) {
	*s, err = DecodeMonthSet(b)
	return err
}

// DecodeMonthSet reads what AppendMonthSet wrote; all of b. It returns
// ErrCorrupt for anything else.
func DecodeMonthSet(b []byte) (MonthSet, error) {
	d := open("set of months", b)
	if d.err != nil || len(b) == d.at {
		return MonthSet{}, d.err
	}
	first := d.uint16()
	n := (len(b) - d.at) / 2
	if d.err == nil && (n == 0 || first < MinYear || first+n-1 > MaxYear) {
		d.fail("%d years from %d", n, first)
	}
	if d.err != nil {
		return MonthSet{}, d.err
	}
	s := MonthSet{first: int16(first), years: make([]uint16, n)}
	for i := range s.years {
		if held := d.uint16(); held < 1<<12 {
			s.years[i] = uint16(held)
		} else {
			d.fail("months %#x of %d", held, first+i)
		}
	}
	if s.years[0] == 0 || s.years[n-1] == 0 {
		d.fail("it begins or ends with a year of no months")
	}
	if err := d.close(); err != nil {
		return MonthSet{}, err
	}
	return s, nil
}

// uint16 reads 2 bytes.
func (d *decoder) uint16() int {
	if b := d.bytes(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}
