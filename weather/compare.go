package weather

import "slices"

// Changes are what a run means to a station that holds something already.
type Changes struct {
	// All says that every observation is fresh, and that they ascend in time:
	// the usual case. Fresh is nil then, as it would say nothing.
	All bool
	// Fresh are the places in the run of the observations at times that are
	// not held, in the order of time; of several with the same time the last,
	// whose values hold in the end.
	Fresh []int
	// Corrected are the places of the observations at times that are held
	// with other values, likewise.
	Corrected []int
	// Stored, Duplicates and Replaced count each observation of the run, as
	// if they had come one by one: the first of its time, the same as the one
	// before, or another. They add up to the length of the run.
	Stored, Duplicates, Replaced int
}

// FreshOf returns the fresh observations of the run that was compared: itself
// when that is all of it.
func (c *Changes) FreshOf(r *Run) *Run {
	if c.All {
		return r
	}
	return r.Select(c.Fresh)
}

// Compare finds what is new in r. held returns the page of a month that r
// touches, or nil when nothing of it is held; it is asked once for each time
// that the month changes. Nothing is changed.
//
// What is erroneous is what quality control thinks of a reading, not what was
// read: a reading that comes again with another mark is a duplicate, and what is
// held keeps its own.
//
// What goes into Year.Add is FreshOf.
func Compare(r *Run, held func(YearMonth) *Month) Changes {
	c := comparison{run: r, held: held}
	if ascends(r.Times) {
		c.changes.All = true
		for i := range r.Times {
			c.add(i, i+1, nil)
		}
		return c.changes
	}
	order := make([]int, len(r.Times))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(r.Times[a]) - int(r.Times[b]) })
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && r.Times[order[to]] == r.Times[order[from]] {
			to++
		}
		c.add(from, to, order)
		from = to
	}
	return c.changes
}

// ascends reports whether each time is later than the one before.
func ascends(times []Minute) bool {
	for i := 1; i < len(times); i++ {
		if times[i] <= times[i-1] {
			return false
		}
	}
	return true
}

type comparison struct {
	run     *Run
	held    func(YearMonth) *Month
	changes Changes

	month      *Month // of the time before, or nil
	start, end Minute // of that month
}

// add compares observations of one time: those at order[from:to], or without an
// order the one at from.
func (c *comparison) add(from, to int, order []int) {
	place := func(k int) int {
		if order == nil {
			return k
		}
		return order[k]
	}
	last := place(to - 1)
	row, known := c.find(c.run.Times[last])
	for k := from; k < to; k++ {
		switch {
		case k == from && !known:
			c.changes.Stored++
		case k == from && c.month.Same(row, c.run, place(k)), k > from && c.run.same(place(k-1), place(k)):
			c.changes.Duplicates++
		default:
			c.changes.Replaced++
		}
	}
	if known && c.changes.All { // up to here all were
		c.changes.All = false
		for i := range from {
			c.changes.Fresh = append(c.changes.Fresh, i)
		}
	}
	switch {
	case c.changes.All:
	case !known:
		c.changes.Fresh = append(c.changes.Fresh, last)
	case !c.month.Same(row, c.run, last):
		c.changes.Corrected = append(c.changes.Corrected, last)
	}
}

// find looks t up in the page of its month.
func (c *comparison) find(t Minute) (row int, known bool) {
	if t < c.start || t >= c.end {
		id := MonthOf(t)
		c.month = c.held(id)
		c.start, c.end = id.Minutes()
	}
	if c.month == nil {
		return 0, false
	}
	return c.month.Find(t)
}

// same reports whether two observations have the same values, whatever their
// marks.
func (r *Run) same(i, k int) bool {
	for _, column := range r.Columns {
		if column != nil && !sameReading(column[i], column[k]) {
			return false
		}
	}
	return true
}
