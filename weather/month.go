package weather

import (
	"fmt"
	"slices"
)

// Month is the page of all observations of one station in one UTC month, in
// the order of time, one a minute at most. It takes 2 bytes an observation for
// the time and 2 for each measure that occurs (4 once a value needs it): 20 for
// a weather station. Measures that never occur take nothing.
type Month struct {
	id      YearMonth
	start   Minute
	minutes Minute   // length of the month
	times   []uint16 // minutes since start, ascending; a month has 44,640
	columns []column // by measure
}

// NewMonth returns the empty page of that month, which must be valid.
func NewMonth(id YearMonth) *Month {
	return &Month{id: id, start: id.First().Start(), minutes: Minute(id.Days()) * minutesADay}
}

// ID returns the month of the page.
func (m *Month) ID() YearMonth { return m.id }

// Len returns the number of observations.
func (m *Month) Len() int { return len(m.times) }

// Measures returns a bound of the measures that occur: every one is below it.
func (m *Month) Measures() MeasureID { return MeasureID(len(m.columns)) }

// Has reports whether t falls into the month.
func (m *Month) Has(t Minute) bool { return uint32(t-m.start) < uint32(m.minutes) }

// Find returns the row of the observation at t, or the row that it would have
// and false.
func (m *Month) Find(t Minute) (row int, ok bool) {
	if t < m.start {
		return 0, false
	}
	n := len(m.times)
	at := uint32(t - m.start) // can't overflow, as t is not earlier
	if n == 0 || at > uint32(m.times[n-1]) {
		return n, false // the usual case: news
	}
	return slices.BinarySearch(m.times, uint16(at))
}

// Time returns the time of a row.
func (m *Month) Time(row int) Minute { return m.start + Minute(m.times[row]) }

// Value returns a measure of a row; Missing when there is no such measure.
func (m *Month) Value(row int, measure MeasureID) Value {
	if measure < 0 || int(measure) >= len(m.columns) {
		return Missing
	}
	return m.columns[measure].value(row)
}

// Row appends the values of a row to dst, one for each measure below Measures.
func (m *Month) Row(dst []Value, row int) []Value {
	for i := range m.columns {
		dst = append(dst, m.columns[i].value(row))
	}
	return dst
}

// Same reports whether a row has the same values as observation i of r, whatever
// their marks.
func (m *Month) Same(row int, r *Run, i int) bool {
	for id := range m.columns {
		if !sameReading(m.columns[id].value(row), r.Value(i, MeasureID(id))) {
			return false
		}
	}
	for id := len(m.columns); id < len(r.Columns); id++ {
		if r.Value(i, MeasureID(id)) != Missing {
			return false
		}
	}
	return true
}

// Run returns the rows from up to before to as a run of its own memory.
func (m *Month) Run(from, to int) *Run {
	n := to - from
	r := &Run{Times: make([]Minute, n), Columns: make([][]Value, len(m.columns))}
	for i := range r.Times {
		r.Times[i] = m.Time(from + i)
	}
	for id := range m.columns {
		if c := &m.columns[id]; !c.empty() {
			r.Columns[id] = make([]Value, n)
			for i := range n {
				r.Columns[id][i] = c.value(from + i)
			}
		}
	}
	return r
}

// Put takes the observations of r that fall into the month, and reports how
// many were added and how many took the place of one with the same time, equal
// or not. All values are replaced, also by Missing. Of two with the same time
// in r the later one stays. Put keeps no part of r.
//
// A run in the order of time behind what is held is appended, at a constant
// cost an observation; any other is sorted and merged in one pass.
func (m *Month) Put(r *Run) (added, replaced int) {
	from, to, ok := m.tail(r)
	if ok {
		m.append(r, from, to)
		return to - from, 0
	}
	return m.merge(r)
}

// tail finds the observations of r that fall into the month; ok when they are
// next to each other, ascend, and are later than all that is held.
func (m *Month) tail(r *Run) (from, to int, ok bool) {
	n := len(r.Times)
	for from < n && !m.Has(r.Times[from]) {
		from++
	}
	last := m.start - 1
	if len(m.times) > 0 {
		last = m.Time(len(m.times) - 1)
	}
	for to = from; to < n && m.Has(r.Times[to]); to++ {
		if r.Times[to] <= last {
			return 0, 0, false
		}
		last = r.Times[to]
	}
	for _, t := range r.Times[to:] {
		if m.Has(t) {
			return 0, 0, false
		}
	}
	return from, to, true
}

func (m *Month) append(r *Run, from, to int) {
	rows, count := len(m.times), to-from
	if count == 0 {
		return
	}
	m.times = grown(m.times, count)
	for _, t := range r.Times[from:to] {
		m.times = append(m.times, uint16(t-m.start))
	}
	m.reserve(r)
	for id := range m.columns {
		var values []Value
		if id < len(r.Columns) && r.Columns[id] != nil {
			values = r.Columns[id][from:to]
		}
		m.columns[id].append(rows, values, count)
	}
}

// reserve makes a place for every measure of r.
func (m *Month) reserve(r *Run) {
	m.columns = forMeasures(m.columns, len(r.Columns))
}

// arrival is an observation on its way into a page.
type arrival struct {
	at  uint16 // minutes since the start of the month
	src int    // place in the run
	row int    // place in the page
}

// merge is Put for runs in any order.
func (m *Month) merge(r *Run) (added, replaced int) {
	arrivals := m.arrivals(r)
	before := make([]int, 0, len(arrivals)) // rows that get a new one in front
	row := 0
	for k := range arrivals {
		a := &arrivals[k]
		i, known := slices.BinarySearch(m.times[row:], a.at)
		row += i
		a.row = row + len(before)
		if !known {
			before = append(before, row)
		}
	}
	m.times = opened(m.times, before, 0)
	m.reserve(r)
	for id := range m.columns {
		m.columns[id].open(before)
	}
	for _, a := range arrivals {
		m.times[a.row] = a.at
		for id := range m.columns {
			m.columns[id].set(a.row, len(m.times), r.Value(a.src, MeasureID(id)))
		}
	}
	return len(before), len(arrivals) - len(before)
}

// arrivals lists what of r falls into the month by time, each time once, the
// later of two.
func (m *Month) arrivals(r *Run) []arrival {
	list := make([]arrival, 0, len(r.Times))
	for i, t := range r.Times {
		if m.Has(t) {
			list = append(list, arrival{at: uint16(t - m.start), src: i})
		}
	}
	byTime := func(a, b arrival) int { return int(a.at) - int(b.at) }
	if !slices.IsSortedFunc(list, byTime) {
		slices.SortStableFunc(list, byTime)
	}
	kept := list[:0]
	for k, a := range list {
		if k+1 == len(list) || list[k+1].at != a.at {
			kept = append(kept, a)
		}
	}
	return kept
}

// Remove takes the observation at t out, as a retraction asks; false when there
// is none.
func (m *Month) Remove(t Minute) bool {
	row, ok := m.Find(t)
	if !ok {
		return false
	}
	m.times = append(m.times[:row], m.times[row+1:]...)
	for id := range m.columns {
		m.columns[id].remove(row)
	}
	return true
}

// rowsOf returns the rows of one day, from up to before to. Where the
// month has had an observation every hour so far it finds them at once.
func (m *Month) rowsOf(day Day) (from, to int) {
	begin, end := day.Start(), (day + 1).Start()
	guess := int(begin-m.start) / 60
	if next := guess + 24; begin >= m.start && next <= len(m.times) && m.Time(guess) == begin && m.Time(next-1) < end && (next == len(m.times) || m.Time(next) >= end) {
		return guess, next
	}
	from, _ = m.Find(begin)
	to, _ = m.Find(end)
	return from, to
}

// among returns the row of a time that is known to be among some rows; to when it is
// in none of them.
func (m *Month) among(from, to int, t Minute) (row int) {
	if guess := from + int(t-t.Day().Start())/60; guess < to && m.Time(guess) == t {
		return guess // one an hour
	}
	i, ok := slices.BinarySearch(m.times[from:to], uint16(t-m.start))
	if !ok {
		return to
	}
	return from + i
}

// MemorySize returns about how many bytes the page takes.
func (m *Month) MemorySize() int {
	size := 120 + 2*cap(m.times) + 56*cap(m.columns)
	for i := range m.columns {
		size += 2*cap(m.columns[i].narrow) + 4*cap(m.columns[i].wide)
	}
	return size
}

// String names the page and says how much it holds.
func (m *Month) String() string { return fmt.Sprintf("month %s: %d observations", m.id, m.Len()) }
