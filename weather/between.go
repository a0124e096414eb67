package weather

// TotalOf sums a measure that sums over the observations from a time up to
// before another, in months that ascend: what Year.Total knows of whole days. With
// all, erroneous values count as measured. The hours of which some may be missing
// are those that the period touches, the first and the last perhaps in part. It is
// false when there is no value.
func TotalOf(months []*Month, from, to Minute, measure MeasureID, all bool) (Total, bool) {
	from, to = clip(from, to)
	if from >= to {
		return Total{}, false
	}
	t := Total{MissingHours: hoursOf(from, to)}
	hour := from.hour() - 1
	for at, v := range each(months, from, to, measure, all) {
		if h := at.hour(); h != hour {
			hour = h
			t.MissingHours--
		}
		t.N++
		if v == Trace {
			t.Traces++
		} else {
			t.Sum += int64(v)
		}
	}
	if t.N == 0 {
		return Total{}, false
	}
	return t, true
}

// SummaryOf describes a measure likewise, one that keeps extremes: what
// Year.Summary knows of whole days. A day of which the period has a part is
// described by that part.
func SummaryOf(months []*Month, from, to Minute, measure *Measure, all bool) (Summary, bool) {
	from, to = clip(from, to)
	if from >= to {
		return Summary{}, false
	}
	s := newSummarizer(hoursOf(from, to))
	var day Day
	var d spanDay
	for at, v := range each(months, from, to, measure.ID, all) {
		if v == Trace {
			continue
		}
		if of := at.Day(); of != day && d.n > 0 {
			s.add(&d, day.Start())
			d = spanDay{}
		}
		day = at.Day()
		d.add([]Minute{at}, []Value{v}, day.Start())
	}
	if d.n > 0 {
		s.add(&d, day.Start())
	}
	return s.summary(measure.Decimals)
}
