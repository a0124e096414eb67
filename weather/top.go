package weather

import (
	"iter"
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
	for end-i > nearby {
		if middle := (i + end) / 2; t.compare(t.list[middle], r) < 0 {
			i = middle + 1
		} else {
			end = middle
		}
	}
	for end > i && t.compare(r, t.list[end-1]) < 0 {
		end--
	}
	if len(t.list) < t.k {
		t.list = append(t.list, r)
	}
	copy(t.list[end+1:], t.list[end:])
	t.list[end] = r
}

// nearby is how many places are looked through one by one: of so few a search in
// halves costs more, as no branch of it can be foretold.
const nearby = 16

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

// Take is List without a copy: t is empty after it.
func (t *Top) Take() []Ranked {
	list := t.list
	t.list = nil
	return list
}

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

// RankTimes offers the values of a measure that were observed from the first day to
// the last, both included, as Month.Rank does of months. Of each day the year knows
// the extreme and when it was, and no other value of the day ranks before it; so
// these are offered first, and then only the days whose extremes have a place are
// looked at: ten of 366 for ten places. The months of these are asked for, each
// once; one that is nil is passed over.
//
// A floor is for the largest alone. Where the year keeps no such extreme (codes,
// directions, the smallest of amounts) nothing is offered.
func (y *Year) RankTimes(t *Top, measure MeasureID, first, last Day, floor Value, month func(YearMonth) *Month) {
	first, last = max(first, y.first), min(last, y.last())
	c := y.column(measure)
	if c == nil || first > last {
		return
	}
	y.offerExtremes(t, c, int(first-y.first), int(last-y.first)+1, floor)
	var few [nearby]Ranked // most rankings, without the heap
	monthOf := y.monthsOfDays()
	var months [12]*Month
	var asked [12]bool
	for _, best := range append(few[:0], t.list...) {
		if len(t.list) == t.k && t.compare(best, t.list[t.k-1]) >= 0 {
			return // what else its day has ranks after it, and so do the rest
		}
		day := best.At.Day()
		at := monthOf[day-y.first]
		if !asked[at] {
			months[at], asked[at] = month(YearMonth{y.year, int(at) + 1}), true
		}
		m := months[at]
		if m == nil {
			continue
		}
		from, to := m.rowsOf(day)
		row := m.among(from, to, best.At)
		m.rankRows(t, measure, floor, false, from, row)
		m.rankRows(t, measure, floor, false, row+1, to)
	}
}

// offerExtremes offers the highs or the lows of a part of the year, where they
// were observed. Most days are passed over with one comparison.
func (y *Year) offerExtremes(t *Top, c *yearColumn, from, to int, floor Value) {
	low, high := t.wanted(floor)
	spans := daysBetween(c.spans, from, to)
	if t.smallest {
		for i := range spans {
			if d := &spans[i]; int64(d.low) <= high && int64(d.low) >= low {
				t.Offer(y.minute(d.day, d.lowAt), int64(d.low))
				low, high = t.wanted(floor)
			}
		}
		return
	}
	for i := range spans {
		if d := &spans[i]; int64(d.high) >= low {
			t.Offer(y.minute(d.day, d.highAt), int64(d.high))
			low, _ = t.wanted(floor)
		}
	}
	tallies := daysBetween(c.tallies, from, to)
	for i := range tallies {
		if d := &tallies[i]; int64(d.high) >= low { // Missing is below every floor
			t.Offer(y.minute(d.day, d.highAt), int64(d.high))
			low, _ = t.wanted(floor)
		}
	}
}

// minute returns a minute of a day of the year.
func (y *Year) minute(day, at uint16) Minute { return (y.first + Day(day)).Start() + Minute(at) }
