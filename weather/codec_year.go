package weather

import (
	"encoding/binary"
	"math/bits"
)

// AppendYear appends the encoding of y to dst: about 10 bytes for a day of a
// mean, 1 to 6 for one of a sum. Totals are not written: they follow from the
// days. The same aggregates have the same bytes.
//
//	year   = version, year varint, columns uvarint, columns
//	column = aggregate byte (0: no days), days uvarint, days
//	day    = flags byte, then what the flags announce: days skipped uvarint,
//	         hours (the one that is missing, or the mask in 3 bytes),
//	         values beyond one an hour uvarint, traces uvarint, sum varint;
//	         of sums then, if announced, high varint and its time; where it is
//	         not, the high is 0, at the full first hour with a value, or there
//	         are only traces;
//	         of means and maxima then low varint (from the day before),
//	         high − low uvarint, their times, sum − n·low uvarint,
//	         squares − sum²/n uvarint
func AppendYear(dst []byte, y *Year) []byte {
	dst = append(dst, formatVersion)
	dst = binary.AppendVarint(dst, int64(y.year))
	present := 0
	for id := range y.columns {
		if y.columns[id].days() > 0 {
			present = id + 1
		}
	}
	dst = binary.AppendUvarint(dst, uint64(present))
	for id := range present {
		c := &y.columns[id]
		if c.days() == 0 {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, byte(y.catalogue[id].Aggregate))
		dst = binary.AppendUvarint(dst, uint64(c.days()))
		dst = appendSpans(dst, c.spans)
		dst = appendTallies(dst, c.tallies)
	}
	return dst
}

// days returns the number of days with data.
func (c *yearColumn) days() int { return len(c.spans) + len(c.tallies) }

func appendSpans(dst []byte, days []spanDay) []byte {
	before, low := -1, Value(0)
	for i := range days {
		s := &days[i]
		dst = appendDayHead(dst, dayHead{day: int(s.day), n: int(s.n), hours: s.hours}, before)
		dst = binary.AppendVarint(dst, int64(s.low)-int64(low))
		dst = binary.AppendUvarint(dst, uint64(int64(s.high)-int64(s.low)))
		dst = appendClock(dst, s.lowAt)
		dst = appendClock(dst, s.highAt)
		n := int64(s.n)
		dst = binary.AppendUvarint(dst, uint64(s.sum-n*int64(s.low)))
		dst = binary.AppendUvarint(dst, uint64(s.squares-leastSquares(s.sum, n)))
		before, low = int(s.day), s.low
	}
	return dst
}

func appendTallies(dst []byte, days []tallyDay) []byte {
	before := -1
	for i := range days {
		t := &days[i]
		h := dayHead{day: int(t.day), n: int(t.n), traces: int(t.traces), hours: t.hours, sum: t.sum}
		h.high = t.high != Missing && (t.high != 0 || t.highAt != firstHour(t.hours))
		dst = appendDayHead(dst, h, before)
		if h.high {
			dst = binary.AppendVarint(dst, int64(t.high))
			dst = appendClock(dst, t.highAt)
		}
		before = int(t.day)
	}
	return dst
}

// firstHour returns the minute at which the first hour of a mask begins.
func firstHour(hours uint32) uint16 { return 60 * uint16(bits.TrailingZeros32(hours|1<<23)) }

// DecodeYear reads what AppendYear wrote; all of b. The catalogue must have the
// measures that the page has, aggregated alike; it may have more. It returns
// ErrCorrupt for anything else.
func DecodeYear(c Catalogue, b []byte) (*Year, error) {
	d := open("year", b)
	year := int(d.int32())
	if d.err == nil && (year < MinYear || year > MaxYear) {
		d.fail("the year %d", year)
	}
	if d.err != nil {
		return nil, d.err
	}
	y := NewYear(c, year)
	n := d.count(MaxMeasures)
	if d.err == nil && n > len(c) {
		d.fail("%d measures, but the catalogue has %d", n, len(c))
	}
	if n > len(b)-d.at { // each costs a byte
		d.fail("%d measures do not fit", n)
	}
	if d.err == nil && n > 0 {
		y.columns = make([]yearColumn, n)
	}
	for id := range y.columns {
		d.yearColumn(y, id)
	}
	if err := d.close(); err != nil {
		return nil, err
	}
	return y, nil
}

func (d *decoder) yearColumn(y *Year, id int) {
	kind := Aggregate(d.byte())
	if d.err != nil || kind == 0 {
		return
	}
	if kind != y.catalogue[id].Aggregate {
		d.fail("%s aggregates by %s, but the catalogue says %s", y.catalogue[id].Name, kind, y.catalogue[id].Aggregate)
		return
	}
	days := d.count(DaysInYear(y.year))
	if kind.spans() {
		d.spans(y, id, days)
	} else {
		d.tallies(y, id, days)
	}
}

func (d *decoder) spans(y *Year, id, days int) {
	if d.err != nil || days*leastOfSpan > len(d.b)-d.at {
		d.fail("%d days do not fit", days)
		return
	}
	spans := make([]spanDay, 0, days)
	before, low := -1, Value(0)
	for range days {
		s := d.span(before, low)
		a := s.aggregate(y.first)
		if !d.dayFits(y, id, int(s.day), &a) {
			return
		}
		spans = append(spans, s)
		before, low = int(s.day), s.low
	}
	y.columns[id].spans = spans
}

func (d *decoder) span(before int, low Value) spanDay {
	h := d.dayHead(before)
	least := int64(low) + int64(d.int32())
	most := least + d.number(2*int64(MaxValue))
	if least < -int64(MaxValue) || most > int64(MaxValue) || h.traces > 0 || h.sum != 0 || h.high || h.n > minutesADay {
		d.fail("low %d, high %d and %d traces in %d values", least, most, h.traces, h.n)
		return spanDay{}
	}
	s := spanDay{day: uint16(h.day), n: uint16(h.n), hours: h.hours, low: Value(least), high: Value(most)}
	s.lowAt, s.highAt = d.clock(), d.clock()
	n := int64(h.n)
	s.sum = n*least + d.number(n*(most-least))
	floor := int64(0)
	if n > 0 {
		floor = leastSquares(s.sum, n)
	}
	s.squares = floor + d.number(max(0, n*max(least*least, most*most)-floor))
	return s
}

func (d *decoder) tallies(y *Year, id, days int) {
	if d.err != nil || days > len(d.b)-d.at {
		d.fail("%d days do not fit", days)
		return
	}
	c := &y.columns[id]
	tallies := make([]tallyDay, 0, days)
	if days > 0 && y.catalogue[id].Aggregate == AggregateSum {
		c.totals = &yearTotals{}
	}
	before := -1
	for range days {
		h := d.dayHead(before)
		t := tallyDay{
			day: uint16(h.day), n: uint16(h.n), traces: uint16(h.traces), hours: h.hours, sum: h.sum, high: Missing,
		}
		switch {
		case h.high:
			t.high, t.highAt = Value(d.int32()), d.clock()
			if t.high == Missing || t.high == 0 && t.highAt == firstHour(t.hours) {
				d.fail("a high of %d at %d that says nothing", t.high, t.highAt)
			}
		case c.totals != nil && h.n > h.traces:
			t.high, t.highAt = 0, firstHour(t.hours)
		}
		a := t.aggregate(y.first)
		if !d.dayFits(y, id, h.day, &a) {
			return
		}
		y.countIn(c, &t)
		tallies = append(tallies, t)
		before = h.day
	}
	c.tallies = tallies
}

// dayFits reports whether a can be the aggregate of that day of the year.
func (d *decoder) dayFits(y *Year, id, day int, a *DayAggregate) bool {
	if d.err == nil && (day >= DaysInYear(y.year) || a.N == 0) {
		d.fail("day %d of the year with %d values", day, a.N)
	}
	if d.err == nil {
		if err := a.check(y.catalogue[id].Aggregate, y.first+Day(day)); err != nil {
			d.fail("%s of %s: %v", y.catalogue[id].Name, y.first+Day(day), err)
		}
	}
	return d.err == nil
}
