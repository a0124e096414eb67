package weather

import (
	"errors"
	"fmt"
	"slices"
)

// ErrImpossible says that a run holds what cannot be: a value outside the
// limits of its measure, a time out of range, or columns that do not fit.
var ErrImpossible = errors.New("weather: impossible observation")

// MaxRun is the most observations that a run may hold, so that what a decoder
// allocates has a bound.
const MaxRun = 1 << 16

// Run is observations of one station as columns: what arrives, and what an
// event carries. Observation i has the time Times[i] and, for each measure m
// with a column, the value Columns[m][i].
//
// A nil column, or one beyond the end of Columns, is Missing throughout. Every
// other column is as long as Times. The zero Run is empty and ready for use.
type Run struct {
	Times   []Minute
	Columns [][]Value
}

// NewRun returns an empty run with room for rows observations of the first so
// many measures.
func NewRun(rows, measures int) *Run {
	r := &Run{Times: make([]Minute, 0, rows), Columns: make([][]Value, measures)}
	slab := make([]Value, rows*measures)
	for m := range r.Columns {
		r.Columns[m], slab = slab[:0:rows], slab[rows:]
	}
	return r
}

// Len returns the number of observations.
func (r *Run) Len() int { return len(r.Times) }

// Append adds one observation. values are indexed by measure; those beyond
// their end are Missing. The values are copied.
func (r *Run) Append(t Minute, values ...Value) {
	n := len(r.Times)
	r.Times = append(r.Times, t)
	for len(r.Columns) < len(values) {
		r.Columns = append(r.Columns, nil)
	}
	for m := range r.Columns {
		v := Missing
		if m < len(values) {
			v = values[m]
		}
		column := r.Columns[m]
		if column == nil && v != Missing {
			column = filled(n, max(cap(r.Times), n+1))
		}
		if column != nil {
			r.Columns[m] = append(column, v)
		}
	}
}

// filled returns n Missing values with room for more.
func filled(n, room int) []Value {
	column := make([]Value, n, room)
	for i := range column {
		column[i] = Missing
	}
	return column
}

// Value returns measure m of observation i, Missing when it has no column.
func (r *Run) Value(i int, m MeasureID) Value {
	if int(m) >= len(r.Columns) || r.Columns[m] == nil {
		return Missing
	}
	return r.Columns[m][i]
}

// Slice returns the observations from up to before to. It shares memory with r,
// but appending to it does not write into r.
func (r *Run) Slice(from, to int) *Run {
	s := &Run{Times: r.Times[from:to:to], Columns: make([][]Value, len(r.Columns))}
	for m, column := range r.Columns {
		if column != nil {
			s.Columns[m] = column[from:to:to]
		}
	}
	return s
}

// Select returns a new run of the observations at those places, in that order.
func (r *Run) Select(rows []int) *Run {
	s := &Run{Times: make([]Minute, len(rows)), Columns: make([][]Value, len(r.Columns))}
	for k, i := range rows {
		s.Times[k] = r.Times[i]
	}
	for m, column := range r.Columns {
		if column == nil {
			continue
		}
		s.Columns[m] = make([]Value, len(rows))
		for k, i := range rows {
			s.Columns[m][k] = column[i]
		}
	}
	return s
}

// Even reports whether every column that is there is as long as the times, and there
// are no more than a catalogue can have.
func (r *Run) Even() bool {
	for _, column := range r.Columns {
		if column != nil && len(column) != len(r.Times) {
			return false
		}
	}
	return len(r.Columns) <= MaxMeasures
}

// Concat returns the observations of several runs, each of which is Even, one after the
// other. A column that one of them has is there for all. What passes Check are those
// whose parts all do.
func Concat(runs ...*Run) *Run {
	rows, present, columns := 0, 0, 0
	var has [MaxMeasures]bool
	for _, r := range runs {
		rows += r.Len()
		for m, column := range r.Columns {
			if column != nil && !has[m] {
				has[m] = true
				present, columns = present+1, max(columns, m+1)
			}
		}
	}
	all := &Run{Times: make([]Minute, 0, rows), Columns: make([][]Value, columns)}
	slab := make([]Value, rows*present)
	for m := range all.Columns {
		if has[m] {
			all.Columns[m], slab = slab[:rows:rows], slab[rows:]
		}
	}
	for _, r := range runs {
		from := len(all.Times)
		all.Times = append(all.Times, r.Times...)
		for m, column := range all.Columns {
			switch {
			case column == nil:
			case m < len(r.Columns) && r.Columns[m] != nil:
				copy(column[from:], r.Columns[m])
			default:
				for i := from; i < len(all.Times); i++ {
					column[i] = Missing
				}
			}
		}
	}
	return all
}

// Sorted reports whether no observation is earlier than the one before it.
func (r *Run) Sorted() bool { return slices.IsSorted(r.Times) }

// Sort orders the observations by time. Those of the same time keep their
// order. It does nothing, in one pass, to a run that is sorted.
func (r *Run) Sort() {
	if r.Sorted() {
		return
	}
	rows := make([]int, len(r.Times))
	for i := range rows {
		rows[i] = i
	}
	slices.SortStableFunc(rows, func(a, b int) int { return int(r.Times[a]) - int(r.Times[b]) })
	*r = *r.Select(rows)
}

// Equal reports whether both runs hold the same observations in the same
// order. A nil column equals one that is Missing throughout.
func (r *Run) Equal(o *Run) bool {
	if !slices.Equal(r.Times, o.Times) {
		return false
	}
	for m := range MeasureID(max(len(r.Columns), len(o.Columns))) {
		for i := range r.Times {
			if r.Value(i, m) != o.Value(i, m) {
				return false
			}
		}
	}
	return true
}

// Months returns the UTC months that the run touches, each once, in the order
// of their first observation.
func (r *Run) Months() []YearMonth { return r.AppendMonths(nil) }

// AppendMonths is Months with the memory of its caller: it appends to months,
// which it takes for empty.
func (r *Run) AppendMonths(months []YearMonth) []YearMonth {
	if len(r.Times) == 1 { // as most are that come from a station itself
		return append(months, MonthOf(r.Times[0]))
	}
	return AppendMonths(months, r)
}

// AppendMonths is Run.AppendMonths for several runs, which mostly are of one month.
func AppendMonths(months []YearMonth, runs ...*Run) []YearMonth {
	var start, end Minute // of the month of the observation before
	for _, r := range runs {
		for _, t := range r.Times {
			if t >= start && t < end {
				continue
			}
			month := MonthOf(t)
			start, end = month.Minutes()
			if !slices.Contains(months, month) {
				months = append(months, month)
			}
		}
	}
	return months
}

// Years returns the UTC years that the run touches, each once, in the order of
// their first observation.
func (r *Run) Years() []int {
	var years []int
	var some [4]YearMonth // enough to stay off the heap, most often
	for _, month := range r.AppendMonths(some[:0]) {
		if !slices.Contains(years, month.Year) {
			years = append(years, month.Year)
		}
	}
	return years
}

// Check returns ErrImpossible, naming measure, time and value, for the first
// thing in r that can't arrive: columns that the catalogue does not have or that
// are not as long as the times, a time out of range, a value beyond the limits of
// its measure or already marked as erroneous. A run that passes can be put into
// any page.
func (r *Run) Check(c Catalogue) error { return r.check(c, 0, (*Measure).Possible) }

// CheckFrom is Check for a run whose observations before that place have passed.
func (r *Run) CheckFrom(c Catalogue, from int) error { return r.check(c, from, (*Measure).Possible) }

// CheckStored is Check for what quality control has seen: an erroneous value
// passes when what was measured is possible.
func (r *Run) CheckStored(c Catalogue) error { return r.check(c, 0, (*Measure).storable) }

// CheckStoredFrom is CheckStored for a run whose observations before that place
// have passed.
func (r *Run) CheckStoredFrom(c Catalogue, from int) error {
	return r.check(c, from, (*Measure).storable)
}

func (r *Run) check(c Catalogue, from int, passes func(*Measure, Value) bool) error {
	if len(r.Times) > MaxRun {
		return fmt.Errorf("%w: a run of %d, more than %d: split it", ErrImpossible, len(r.Times), MaxRun)
	}
	for _, t := range r.Times[from:] {
		if !t.Valid() {
			return fmt.Errorf("%w at %s: the year is not in %d to %d", ErrImpossible, t, MinYear, MaxYear)
		}
	}
	for m, column := range r.Columns {
		switch {
		case column == nil:
		case m >= len(c):
			return fmt.Errorf("%w: there is no measure %d in a catalogue of %d", ErrImpossible, m, len(c))
		case len(column) != len(r.Times):
			return fmt.Errorf("%w: %d values of %s for %d times", ErrImpossible, len(column), c[m].Name, len(r.Times))
		default:
			if err := r.checkColumn(&c[m], column, from, passes); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkColumn asks whether a value passes only when it is not simply within the
// limits, and looks for one only in a column that has some.
func (r *Run) checkColumn(measure *Measure, column []Value, from int, passes func(*Measure, Value) bool) error {
	low, high, lastState := measure.Low, measure.High, Missing
	if measure.Trace {
		lastState = Trace
	}
	if within(column[from:], low, high, lastState) {
		return nil
	}
	for i, v := range column[from:] {
		if (v < low || v > high) && v != Missing && !passes(measure, v) {
			return fmt.Errorf("%w at %s: %w", ErrImpossible, r.Times[from+i], measure.Refuse(v))
		}
	}
	return nil
}

// Refuse returns an error that says why v is not possible for the measure; v
// must not be Possible.
func (m *Measure) Refuse(v Value) error {
	switch {
	case v == Trace:
		return fmt.Errorf("%s can't be a trace", m.Name)
	case v.Erroneous() && m.storable(v):
		return fmt.Errorf("%s %s is marked as erroneous, which nothing that arrives can be", m.Name, m.Format(v))
	case v.Erroneous(): // a mere number, too large for any measure
		return fmt.Errorf("%s %s is outside %s to %s", m.Name, AppendFixed(nil, int64(v), m.Decimals), m.Low.Format(m.Decimals), m.Format(m.High))
	}
	return fmt.Errorf("%s %s is outside %s to %s", m.Name, m.Format(v), m.Low.Format(m.Decimals), m.Format(m.High))
}
