package weather

import "slices"

// Ranked is an amount and when it was.
type Ranked struct {
	// At is the time of the observation, or the first minute of the day.
	At Minute
	// Value is in units of the measure's last decimal.
	Value int64
}

// Top keeps the K largest of what it is offered; of two that are equal the
// earlier ranks first. The same amounts give the same ranking in any order.
type Top struct {
	k    int
	list []Ranked // best first
}

// NewTop returns an empty ranking of at most k.
func NewTop(k int) *Top { return &Top{k: max(k, 0)} }

// Offer considers an amount.
func (t *Top) Offer(at Minute, value int64) {
	r := Ranked{at, value}
	if len(t.list) == t.k && (t.k == 0 || compareRanked(r, t.list[t.k-1]) >= 0) {
		return
	}
	i, _ := slices.BinarySearchFunc(t.list, r, compareRanked)
	if len(t.list) == t.k {
		t.list = t.list[:t.k-1]
	}
	t.list = slices.Insert(t.list, i, r)
}

// List returns the ranking, best first; the caller may keep it.
func (t *Top) List() []Ranked { return slices.Clone(t.list) }

func compareRanked(a, b Ranked) int {
	switch {
	case a.Value > b.Value:
		return -1
	case a.Value < b.Value:
		return 1
	}
	return int(a.At) - int(b.At)
}

// Rank offers the values of a measure in this month that are above a floor. For
// the wettest hours the floor is 0, as a dry hour is none of them.
func (m *Month) Rank(t *Top, measure MeasureID, floor Value) {
	if int(measure) >= len(m.columns) || m.columns[measure].empty() {
		return
	}
	c := &m.columns[measure]
	for row := range m.times {
		if v := c.value(row); v.Plain() && v > floor {
			t.Offer(m.Time(row), int64(v))
		}
	}
}

// RankDays offers the days of the year by their sum, of measures that sum, and
// by their high otherwise, if it is above a floor.
func (y *Year) RankDays(t *Top, measure MeasureID, floor int64) {
	c := y.column(measure)
	if c == nil {
		return
	}
	offer := func(day uint16, value int64) {
		if value > floor {
			t.Offer((y.first + Day(day)).Start(), value)
		}
	}
	for i := range c.spans {
		offer(c.spans[i].day, int64(c.spans[i].high))
	}
	if c.totals == nil {
		return // the days of a code or a direction have no amount
	}
	for i := range c.tallies {
		offer(c.tallies[i].day, c.tallies[i].sum)
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
