package weather

import "math/bits"

// Presence returns how many values of a measure there are from the first day to
// the last, both included, on how many of these days, and how many of their hours
// have none; days outside the year are left out. It is of any measure, however
// its values come together.
func (y *Year) Presence(measure MeasureID, first, last Day) (n, days, missingHours int) {
	first, last = max(first, y.first), min(last, y.last())
	if first > last {
		return 0, 0, 0
	}
	missingHours = 24 * (int(last-first) + 1)
	c := y.column(measure)
	if c == nil {
		return 0, 0, missingHours
	}
	from, to := int(first-y.first), int(last-y.first)+1
	for _, d := range daysBetween(c.spans, from, to) {
		n, days, missingHours = n+int(d.n), days+1, missingHours-bits.OnesCount32(d.hours)
	}
	for _, d := range daysBetween(c.tallies, from, to) {
		n, days, missingHours = n+int(d.n), days+1, missingHours-bits.OnesCount32(d.hours)
	}
	return n, days, missingHours
}

// daysBetween returns those of some days that are in a part of the year.
func daysBetween[D any, P ordinals[D]](days []D, from, to int) []D {
	begin, _ := findDay[D, P](days, from)
	end, _ := findDay[D, P](days, to)
	return days[begin:end]
}

// CountsOf returns how often each code of a measure occurs from a time up to
// before another, in months that ascend. With all, erroneous values count as
// measured.
func CountsOf(months []*Month, from, to Minute, measure MeasureID, all bool) map[Value]int {
	counts := make(map[Value]int)
	for _, v := range each(months, from, to, measure, all) {
		if v.Plain() {
			counts[v]++
		}
	}
	return counts
}
