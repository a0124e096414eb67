package weather

import "slices"

// Quality control finds values that can be, but never are where the station
// stands: a frost in the Sahara. They are kept, for they were read, and marked,
// so that aggregates leave them out. The mark is in the value itself, and goes
// wherever the value goes: into runs, pages and their bytes, without a column of
// its own, which nearly always would be empty.

// erroneousMark is what a mark adds to a value. It is so far beyond MaxValue
// that neither a plain value nor a marked one can be taken for the other.
const erroneousMark Value = 1 << 28

// Erroneous reports whether v is a number that quality control has marked. Such
// a number has a meaning only as Measured.
func (v Value) Erroneous() bool { return v > MaxValue }

// Mark returns v as an erroneous value; v must be within ±MaxValue. Missing and
// Trace can't be erroneous: they and what is marked already are returned as they
// are.
func (v Value) Mark() Value {
	if v.Plain() {
		return v + erroneousMark
	}
	return v
}

// Measured returns v as it was read, without the mark.
func (v Value) Measured() Value {
	if v.Erroneous() {
		return v - erroneousMark
	}
	return v
}

// HasErroneous reports whether some value of a measure in this month is erroneous.
func (m *Month) HasErroneous(measure MeasureID) bool {
	return measure >= 0 && int(measure) < len(m.columns) && hasErroneous(m.columns[measure].wide) // none is narrow
}

// HasErroneous reports whether some value of the run is erroneous.
func (r *Run) HasErroneous() bool { return slices.ContainsFunc(r.Columns, hasErroneous) }

// hasErroneous looks at the largest, which is a mark if there is one.
func hasErroneous(values []Value) bool {
	most := Missing
	for _, v := range values {
		most = max(most, v)
	}
	return most.Erroneous()
}

// sameReading reports whether two values were read alike, whatever their marks.
func sameReading(a, b Value) bool { return a == b || a.Measured() == b.Measured() }

// NewYearOf returns the aggregates of a year made anew from those of the months
// that are in it, for a question that asks for more than the page of the year
// knows: with all, erroneous values count as measured; without, it is the page
// that Year.Add makes of the same observations. Measures that the catalogue does
// not have are left out.
func NewYearOf(c Catalogue, year int, months []*Month, all bool) *Year {
	y := NewYear(c, year)
	for _, m := range months {
		if m == nil || m.id.Year != year {
			continue
		}
		r := m.Run(0, m.Len())
		r.Columns = r.Columns[:min(len(r.Columns), len(c))]
		if all {
			r.unmark()
		}
		for id, values := range r.Columns {
			if values != nil {
				y.addColumn(id, r.Times, values)
			}
		}
	}
	return y
}

// unmark takes all marks out.
func (r *Run) unmark() {
	for _, column := range r.Columns {
		for i, v := range column {
			column[i] = v.Measured()
		}
	}
}
