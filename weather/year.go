package weather

import (
	"fmt"
)

// Year is the page of the daily aggregates of one station in one UTC year. It
// answers questions about days, months and the year without the observations.
//
// Days are kept sparsely, by measure, in the order of the calendar: a station
// that began in November has no room for June. A day with a mean takes 40
// bytes, with a sum 24. Measures that sum also keep their totals of each month
// and the year, so these are answered in constant time.
type Year struct {
	catalogue Catalogue
	year      int
	first     Day
	columns   []yearColumn // by measure
	key       string       // of the reaches, empty when they are not known
}

// yearColumn is one measure of a year: spans or tallies, as it aggregates.
type yearColumn struct {
	spans   []spanDay
	tallies []tallyDay
	totals  *yearTotals // of measures that sum, once there is a value
	reaches []reach     // nil when they are not known
}

type yearTotals struct {
	year   tally
	months [12]tally
}

// NewYear returns the empty page of that year, which must be in range. The
// catalogue is kept; it must not change.
func NewYear(c Catalogue, year int) *Year {
	return &Year{catalogue: c, year: year, first: dayOf(year, 1, 1)}
}

// Year returns the year of the page.
func (y *Year) Year() int { return y.year }

// Has reports whether t falls into the year.
func (y *Year) Has(t Minute) bool {
	return uint32(t-y.first.Start()) < uint32(y.minutes())
}

func (y *Year) minutes() Minute { return Minute(DaysInYear(y.year)) * minutesADay }

// Add counts the observations of r that fall into the year. They must be new:
// an observation that is added twice counts twice. Corrections arrive by
// Restate. Erroneous values are left out. The order does not matter, though one
// of time is fastest.
//
// The values must have passed Run.Check, or Run.CheckStored. A column that the catalogue does not
// have, or of another length than the times, is ErrImpossible, and nothing is
// added.
func (y *Year) Add(r *Run) error { return y.add(r, false) }

// AddWithin is Add for a run of which Raises has said that it raises nothing.
func (y *Year) AddWithin(r *Run) error { return y.add(r, true) }

func (y *Year) add(r *Run, within bool) error {
	last := -1
	for id, values := range r.Columns {
		switch {
		case values == nil:
			continue
		case id >= len(y.catalogue):
			return y.unknown(MeasureID(id))
		case len(values) != len(r.Times):
			return fmt.Errorf("%w: %d values of %s for %d times", ErrImpossible, len(values), y.catalogue[id].Name, len(r.Times))
		}
		last = id
	}
	y.reserve(last)
	for id, values := range r.Columns {
		if values == nil {
			continue
		}
		if !within && (y.key != "" || y.columns[id].reaches != nil) && y.raisesColumn(id, r.Times, values) {
			y.forget(id)
		}
		y.addColumn(id, r.Times, values)
	}
	return nil
}

// addColumn counts values of a measure that is in the catalogue.
func (y *Year) addColumn(id int, times []Minute, values []Value) {
	y.reserve(id)
	if kind := y.catalogue[id].Aggregate; kind.spans() {
		y.addSpans(&y.columns[id], times, values)
	} else {
		y.addTallies(&y.columns[id], kind == AggregateSum, times, values)
	}
}

func (y *Year) unknown(measure MeasureID) error {
	return fmt.Errorf("%w: year %d has no measure %d in its catalogue of %d", ErrImpossible, y.year, measure, len(y.catalogue))
}

// reserve makes a place for a measure.
func (y *Year) reserve(id int) {
	y.columns = forMeasures(y.columns, id+1)
}

// addSpans counts values of which extremes are kept, day by day.
func (y *Year) addSpans(c *yearColumn, times []Minute, values []Value) {
	for i := 0; i < len(values); {
		day, ok := y.dayAt(times[i])
		if !ok || !values[i].Plain() {
			i++
			continue
		}
		i += c.span(day).add(times[i:], values[i:], (y.first + Day(day)).Start())
	}
}

// addTallies counts values of which no extremes are kept. A day that is being
// added to is out of the totals meanwhile.
func (y *Year) addTallies(c *yearColumn, sums bool, times []Minute, values []Value) {
	for i := 0; i < len(values); {
		day, ok := y.dayAt(times[i])
		if !ok || !values[i].counts(sums) {
			i++
			continue
		}
		d := c.tally(day, sums)
		y.countOut(c, d)
		i += d.add(times[i:], values[i:], (y.first + Day(day)).Start(), sums)
		y.countIn(c, d)
	}
}

// dayAt returns the place of t among the days of the year, if it is in it.
func (y *Year) dayAt(t Minute) (int, bool) {
	at := uint32(t - y.first.Start())
	return int(at / minutesADay), at < uint32(y.minutes())
}

// span returns a day of the year, new if need be.
func (c *yearColumn) span(day int) *spanDay {
	i, ok := findDay(c.spans, day)
	if !ok {
		c.spans = opened(c.spans, []int{i}, spanDay{day: uint16(day)})
	}
	return &c.spans[i]
}

// tally returns a day of the year, new if need be.
func (c *yearColumn) tally(day int, sums bool) *tallyDay {
	if sums && c.totals == nil {
		c.totals = &yearTotals{}
	}
	i, ok := findDay(c.tallies, day)
	if !ok {
		c.tallies = opened(c.tallies, []int{i}, tallyDay{day: uint16(day), high: Missing})
	}
	return &c.tallies[i]
}

// countIn adds a day to the totals, if there are any; countOut takes it out.
func (y *Year) countIn(c *yearColumn, d *tallyDay) {
	if c.totals != nil {
		c.totals.year.add(d)
		c.totals.months[y.monthOf(d)-1].add(d)
	}
}

func (y *Year) countOut(c *yearColumn, d *tallyDay) {
	if c.totals != nil {
		c.totals.year.take(d)
		c.totals.months[y.monthOf(d)-1].take(d)
	}
}

func (y *Year) monthOf(d *tallyDay) int { return int(y.monthsOfDays()[d.day]) + 1 }

// Restate puts a where the aggregate of that measure and day is, after a
// correction or a retraction; NoAggregate removes the day. A day of another
// year is left to its own page. An aggregate that can't be is ErrImpossible,
// and nothing changes.
func (y *Year) Restate(measure MeasureID, day Day, a DayAggregate) error {
	if !y.Has(day.Start()) {
		return nil
	}
	if measure < 0 || int(measure) >= len(y.catalogue) {
		return y.unknown(measure)
	}
	kind := y.catalogue[measure].Aggregate
	if err := a.check(kind, day); err != nil {
		return fmt.Errorf("%w: %s of %s: %w", ErrImpossible, y.catalogue[measure].Name, day, err)
	}
	y.reserve(int(measure))
	c := &y.columns[measure]
	y.forget(int(measure))
	switch {
	case kind.spans() && a.N == 0:
		c.spans = dropDay(c.spans, int(day-y.first))
	case kind.spans():
		c.spans = putDay(c.spans, spanOf(a, y.first, day))
	default:
		y.restateTally(c, kind == AggregateSum, day, a)
	}
	return nil
}

func (y *Year) restateTally(c *yearColumn, sums bool, day Day, a DayAggregate) {
	d := c.tally(int(day-y.first), sums)
	y.countOut(c, d)
	*d = tallyOf(a, y.first, day)
	y.countIn(c, d)
	if a.N == 0 {
		c.tallies = dropDay(c.tallies, int(day-y.first))
	}
}

// Day returns the aggregate of a measure and a day; false when there is none.
func (y *Year) Day(measure MeasureID, day Day) (DayAggregate, bool) {
	if c := y.column(measure); c != nil && y.Has(day.Start()) {
		if i, ok := findDay(c.spans, int(day-y.first)); ok {
			return c.spans[i].aggregate(y.first), true
		}
		if i, ok := findDay(c.tallies, int(day-y.first)); ok {
			return c.tallies[i].aggregate(y.first), true
		}
	}
	return NoAggregate(), false
}

// column returns the column of a measure, nil when it has none.
func (y *Year) column(measure MeasureID) *yearColumn {
	if measure < 0 || int(measure) >= len(y.columns) {
		return nil
	}
	return &y.columns[measure]
}

// MemorySize returns about how many bytes the page takes.
func (y *Year) MemorySize() int {
	size := 96 + len(y.key) + 80*cap(y.columns)
	for i := range y.columns {
		c := &y.columns[i]
		size += 40*cap(c.spans) + 24*cap(c.tallies) + 24*cap(c.reaches)
		if c.totals != nil {
			size += 13 * 24
		}
	}
	return size
}

// String names the page.
func (y *Year) String() string { return fmt.Sprintf("year %d", y.year) }
