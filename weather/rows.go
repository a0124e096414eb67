package weather

import "iter"

// Rows returns the rows of the observations from a time up to before another,
// as m.Run takes them.
func (m *Month) Rows(from, to Minute) (lo, hi int) {
	lo, _ = m.Find(from)
	hi, _ = m.Find(to)
	return lo, max(lo, hi)
}

// Latest returns the row of the last observation at or before a time; false when
// there is none.
func (m *Month) Latest(before Minute) (row int, ok bool) {
	row, ok = m.Find(before)
	if ok {
		return row, true
	}
	return row - 1, row > 0
}

// each returns the times from one up to before another at which a measure has a
// number or a trace, with what is there: with all, also what is erroneous, as it
// was measured. The months must be in order; nil ones are left out.
func each(months []*Month, from, to Minute, measure MeasureID, all bool) iter.Seq2[Minute, Value] {
	return func(yield func(Minute, Value) bool) {
		for _, m := range months {
			if m == nil || measure < 0 || int(measure) >= len(m.columns) || m.columns[measure].empty() {
				continue
			}
			c := &m.columns[measure]
			lo, hi := m.Rows(from, to)
			for row := lo; row < hi; row++ {
				v := c.value(row)
				if all {
					v = v.Measured()
				}
				if v.counts(true) && !yield(m.Time(row), v) {
					return
				}
			}
		}
	}
}

// clip leaves out what is beyond the years in which there may be observations.
func clip(from, to Minute) (Minute, Minute) { return max(from, minMinute), min(to, endMinute) }

// hour returns the hour in which t is, counted since 1970.
func (t Minute) hour() int { return floorDiv(int(t), 60) }

// hoursOf returns how many hours a period touches.
func hoursOf(from, to Minute) int { return (to - 1).hour() - from.hour() + 1 }
