package weather

// sixHours is the time of which a six-hour amount is, in minutes.
const sixHours = 6 * 60

// BestTotal sums an amount of which some is reported by the hour and some by six
// hours, from a time up to before another, without counting anything twice: all
// one-hour amounts, and what a six-hour amount has beyond those of its hours.
//
// Six-hour amounts are those of the main synoptic hours, 00, 06, 12 and 18 UTC
// (WMO-No. 306, FM 12 SYNOP, group 6RRRtR): at W of the observations after
// W − 6 h, to W. Amounts in between overlap with them and are left out. What the
// amount at W has beyond the one-hour amounts of its hours, if anything, is dated
// W. So the total is never below that of the one-hour amounts; and that of two
// days is the sum of theirs.
//
// The months must ascend, and begin with that in which from − 6 h is, where it is
// held. With all, erroneous values count as measured. N counts the observations
// that have either amount, and Traces those that have a trace of either. An hour
// is missing when it has no one-hour amount and no six-hour amount is of it: the
// amount at W is of the hours of the observations W − 5 h to W, and may be beyond
// the end of the period, if its month is given. It is false when N is 0.
func BestTotal(months []*Month, from, to Minute, oneHour, sixHour MeasureID, all bool) (Total, bool) {
	from, to = clip(from, to)
	if from >= to {
		return Total{}, false
	}
	b := best{from: from, to: to, total: Total{MissingHours: hoursOf(from, to)}}
	for i := range b.covered {
		b.covered[i] = from.hour() - 1
	}
	for _, m := range months {
		if m == nil {
			continue
		}
		lo, hi := m.Rows(from-sixHours, to+sixHours)
		for row := lo; row < hi; row++ {
			one, six := m.Value(row, oneHour), m.Value(row, sixHour)
			if all {
				one, six = one.Measured(), six.Measured()
			}
			b.add(m.Time(row), one, six)
		}
	}
	if b.total.N == 0 {
		return Total{}, false
	}
	return b.total, true
}

// best sums observation by observation, in the order of time.
type best struct {
	from, to Minute
	total    Total
	recent   []amount // the one-hour amounts of the last six hours
	covered  [8]int   // the last hours that are not missing, at their number mod 8
}

type amount struct {
	at    Minute
	value int64
}

func (b *best) add(t Minute, one, six Value) {
	if t%sixHours != 0 || !six.counts(true) {
		six = Missing
	}
	if !one.counts(true) {
		one = Missing
	}
	in := t >= b.from && t < b.to
	if in && (one != Missing || six != Missing) {
		b.total.N++
	}
	if in && (one == Trace || six == Trace) {
		b.total.Traces++
	}
	if one != Missing {
		b.cover(t.hour())
	}
	for len(b.recent) > 0 && b.recent[0].at <= t-sixHours {
		b.recent = b.recent[1:]
	}
	if one.Plain() {
		b.recent = append(b.recent, amount{t, int64(one)})
		if in {
			b.total.Sum += int64(one)
		}
	}
	if six == Missing {
		return
	}
	for hour := t.hour() - 5; hour <= t.hour(); hour++ {
		b.cover(hour)
	}
	if !in || !six.Plain() {
		return
	}
	beyond := int64(six)
	for _, a := range b.recent {
		beyond -= a.value
	}
	b.total.Sum += max(0, beyond)
}

// cover counts an hour of the period as not missing. Hours come in order, or are
// among the last six.
func (b *best) cover(hour int) {
	if place := &b.covered[hour&7]; hour >= b.from.hour() && hour <= (b.to-1).hour() && *place != hour {
		*place = hour
		b.total.MissingHours--
	}
}
