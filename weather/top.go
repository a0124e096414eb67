package weather

import (
	"iter"
	"math"
	"slices"
)

// Ranked is an amount and when it was.
type Ranked struct {
	// At is the time of the observation, or the first minute of the day.
	At Minute
	// Value is in units of the measure's last decimal.
	Value int64
}

// Top keeps the K largest or the K smallest of what it is offered; of two that
// are equal the earlier ranks first. The same amounts give the same ranking in any
// order.
type Top struct {
	k        int
	smallest bool
	list     []Ranked // best first
}

// NewTop returns an empty ranking of at most k, the largest first: the wettest
// hours, the hottest days.
func NewTop(k int) *Top { return newTop(k, false) }

// NewBottom returns an empty ranking of at most k, the smallest first: the coldest
// days.
func NewBottom(k int) *Top { return newTop(k, true) }

func newTop(k int, smallest bool) *Top {
	const few = 64 // places for which there is room at once
	k = max(k, 0)
	return &Top{k: k, smallest: smallest, list: make([]Ranked, 0, min(k, few))}
}

// Offer considers an amount.
func (t *Top) Offer(at Minute, value int64) {
	r := Ranked{at, value}
	if !t.open(value) || len(t.list) == t.k && t.compare(r, t.list[t.k-1]) >= 0 {
		return
	}
	i, end := 0, len(t.list)
	for i < end {
		if middle := (i + end) / 2; t.compare(t.list[middle], r) < 0 {
			i = middle + 1
		} else {
			end = middle
		}
	}
	if len(t.list) < t.k {
		t.list = append(t.list, r)
	}
	copy(t.list[i+1:], t.list[i:])
	t.list[i] = r
}

// open reports whether an amount gets a place if it is early enough.
func (t *Top) open(value int64) bool {
	if len(t.list) < t.k {
		return true
	}
	if t.k == 0 {
		return false
	}
	last := t.list[t.k-1].Value
	return value == last || (value > last) != t.smallest
}

// List returns the ranking, best first; the caller may keep it.
func (t *Top) List() []Ranked { return slices.Clone(t.list) }

func (t *Top) compare(a, b Ranked) int {
	switch {
	case a.Value != b.Value && (a.Value > b.Value) != t.smallest:
		return -1
	case a.Value != b.Value:
		return 1
	}
	return int(a.At) - int(b.At)
}

// Rank offers the values of a measure in this month that are above a floor. For
// the wettest hours the floor is 0, as a dry hour is none of them; Trace is below
// all values. What is erroneous is left out.
func (m *Month) Rank(t *Top, measure MeasureID, floor Value) { m.rank(t, measure, floor, false) }

// RankAll is Rank with erroneous values too, as they were measured.
func (m *Month) RankAll(t *Top, measure MeasureID, floor Value) { m.rank(t, measure, floor, true) }

func (m *Month) rank(t *Top, measure MeasureID, floor Value, all bool) {
	m.rankRows(t, measure, floor, all, 0, len(m.times))
}

// rankRows offers the values of some rows. It compares with what is ranked last
// before it does anything else: of a year of hours, few get further.
func (m *Month) rankRows(t *Top, measure MeasureID, floor Value, all bool, from, to int) {
	if measure < 0 || int(measure) >= len(m.columns) {
		return
	}
	c := &m.columns[measure]
	low, high := t.wanted(max(floor, narrowTrace))
	if c.narrow != nil {
		for row, v := range c.narrow[from:to] {
			if v := int64(v); v >= low && v <= high {
				t.Offer(m.Time(from+row), v)
				low, high = t.wanted(max(floor, narrowTrace))
			}
		}
		return
	}
	low, high = t.wanted(floor)
	if c.wide != nil {
		for row, v := range c.wide[from:to] {
			if all {
				v = v.Measured()
			}
			if v := int64(v); v >= low && v <= high {
				t.Offer(m.Time(from+row), v)
				low, high = t.wanted(floor)
			}
		}
	}
}

// wanted returns between what a value above a floor has to be to get a place, if
// it is early enough; it has to be more than the other where there is none.
func (t *Top) wanted(floor Value) (low, high int64) {
	low, high = int64(floor)+1, int64(MaxValue)
	switch {
	case len(t.list) < t.k:
		return low, high
	case t.k == 0:
		return 1, 0
	case t.smallest:
		return low, min(high, t.list[t.k-1].Value)
	}
	return max(low, t.list[t.k-1].Value), high
}

// By is what days are ranked by.
type By uint8

const (
	// BySum is for measures that sum: the wettest days.
	BySum By = iota + 1
	// ByHigh is for measures that keep extremes: the hottest days, or with
	// NewBottom those that were cold even at noon.
	ByHigh
	// ByLow is for the same measures: with NewBottom the coldest days, with
	// NewTop those of the warmest nights.
	ByLow
)

// RankDays offers the days of the year by their sum, of measures that sum, and
// by their high otherwise, if it is above a floor.
func (y *Year) RankDays(t *Top, measure MeasureID, floor int64) {
	y.RankDaysBy(t, measure, BySum, y.first, y.last(), floor)
	y.RankDaysBy(t, measure, ByHigh, y.first, y.last(), floor)
}

// RankDaysBy offers the days of the year from the first to the last, both included,
// by their sum, high or low, if it is above a floor. Of a measure that does not keep
// it there is nothing to offer.
func (y *Year) RankDaysBy(t *Top, measure MeasureID, by By, first, last Day, floor int64) {
	first, last = max(first, y.first), min(last, y.last())
	c := y.column(measure)
	if c == nil || first > last {
		return
	}
	from, to := int(first-y.first), int(last-y.first)+1
	for day, value := range c.ranked(by, from, to) {
		if value > floor && t.open(value) {
			t.Offer((y.first + Day(day)).Start(), value)
		}
	}
}

// ranked returns the days of a part of the year, counted from its first, and what
// they are ranked by.
func (c *yearColumn) ranked(by By, from, to int) iter.Seq2[int, int64] {
	return func(yield func(int, int64) bool) {
		if by == BySum {
			if c.totals == nil {
				return // they are of a code or a direction
			}
			days := daysBetween(c.tallies, from, to)
			for i := range days {
				if !yield(int(days[i].day), days[i].sum) {
					return
				}
			}
			return
		}
		days := daysBetween(c.spans, from, to)
		for i := range days {
			value := days[i].high
			if by == ByLow {
				value = days[i].low
			}
			if !yield(int(days[i].day), int64(value)) {
				return
			}
		}
	}
}

// RankTimes offers what Rank does of each of the months, in their order, of a
// station whose page of their year y is; but only what can get a place. A value
// is at most the high of its day, or, where none is negative, the day's sum. So
// the days that promise most are looked at first, and then no others than those
// that promise as much as the last place has: some thirty of 366, of rain.
func (y *Year) RankTimes(t *Top, months []*Month, measure MeasureID, floor Value) {
	c := y.column(measure)
	by := boundOf(c, t.smallest, months, measure)
	if by == 0 {
		for _, m := range months {
			m.Rank(t, measure, floor)
		}
		return
	}
	first, last := months[0].id, months[len(months)-1].id
	from, to := int(first.First()-y.first), int(last.First()-y.first)+last.Days()
	var of [12 + 1]*Month // and when they end, counted in days of the year
	var ends [12 + 1]int
	for _, m := range months {
		of[m.id.Month], ends[m.id.Month] = m, int(m.id.First()-y.first)+m.id.Days()
	}
	look := func(day int) {
		month := day/31 + 1 // or the next
		if ends[month] <= day && month < 12 {
			month++
		}
		if m := of[month]; m != nil {
			begin, end := m.rowsOf(y.first + Day(day))
			m.rankRows(t, measure, floor, false, begin, end)
		}
	}
	// wanted is what the bound of a day has to be: a low may be below the floor.
	wanted := func() (low, high int64) {
		low, high = t.wanted(floor)
		if t.smallest {
			return math.MinInt64, high
		}
		return low, math.MaxInt64
	}
	least, _ := wanted()
	best := newTop(t.k, t.smallest)
	y.RankDaysBy(best, measure, by, y.first+Day(from), y.first+Day(to-1), max(least, math.MinInt64+1)-1)
	var seen [6]uint64 // a bit for each day of the year
	for _, r := range best.list {
		day := int(r.At.Day() - y.first)
		seen[day/64] |= 1 << (day % 64)
		look(day)
	}
	low, high := wanted()
	for day, bound := range c.ranked(by, from, to) {
		if bound >= low && bound <= high && seen[day/64]>>(day%64)&1 == 0 {
			look(day)
			low, high = wanted()
		}
	}
}

// boundOf returns what of a day no value of it is beyond; 0 when there is nothing.
func boundOf(c *yearColumn, smallest bool, months []*Month, measure MeasureID) By {
	negative := func(m *Month) bool {
		return int(measure) < len(m.columns) && m.columns[measure].negative
	}
	switch {
	case c == nil || len(months) == 0:
		return 0
	case c.spans != nil && smallest:
		return ByLow
	case c.spans != nil:
		return ByHigh
	case c.totals != nil && !smallest && !slices.ContainsFunc(months, negative):
		return BySum
	}
	return 0
}
