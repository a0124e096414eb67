package weather

import "slices"

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
func NewTop(k int) *Top { return &Top{k: max(k, 0)} }

// NewBottom returns an empty ranking of at most k, the smallest first: the coldest
// days.
func NewBottom(k int) *Top { return &Top{k: max(k, 0), smallest: true} }

// Offer considers an amount.
func (t *Top) Offer(at Minute, value int64) {
	r := Ranked{at, value}
	if len(t.list) == t.k && (t.k == 0 || t.compare(r, t.list[t.k-1]) >= 0) {
		return
	}
	i, _ := slices.BinarySearchFunc(t.list, r, t.compare)
	if len(t.list) == t.k {
		t.list = t.list[:t.k-1]
	}
	t.list = slices.Insert(t.list, i, r)
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
	if measure < 0 || int(measure) >= len(m.columns) || m.columns[measure].empty() {
		return
	}
	c := &m.columns[measure]
	for row := range m.times {
		v := c.value(row)
		if all {
			v = v.Measured()
		}
		if v.Plain() && v > floor {
			t.Offer(m.Time(row), int64(v))
		}
	}
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
	offer := func(day uint16, value int64) {
		if value > floor {
			t.Offer((y.first + Day(day)).Start(), value)
		}
	}
	switch by {
	case BySum:
		for _, d := range daysBetween(c.tallies, from, to) {
			if c.totals != nil { // else they are of a code or a direction
				offer(d.day, d.sum)
			}
		}
	case ByHigh:
		for _, d := range daysBetween(c.spans, from, to) {
			offer(d.day, int64(d.high))
		}
	case ByLow:
		for _, d := range daysBetween(c.spans, from, to) {
			offer(d.day, int64(d.low))
		}
	}
}

// Counts adds to counts how often each code of a measure occurs in this month.
func (m *Month) Counts(counts map[Value]int, measure MeasureID) {
	for row := range m.times {
		if v := m.Value(row, measure); v.Plain() {
			counts[v]++
		}
	}
}
