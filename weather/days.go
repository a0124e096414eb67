package weather

import (
	"math/bits"
	"sort"
)

// spanDay is a day of a measure that keeps extremes, in 40 bytes. Times are
// minutes of the day, and the day counts from the start of the year.
type spanDay struct {
	sum, squares  int64
	low, high     Value
	hours         uint32
	n             uint16
	lowAt, highAt uint16
	day           uint16
}

// tallyDay is a day of any other measure, in 24 bytes. One that sums has the
// largest of its values, Missing when all are traces; else high is Missing.
type tallyDay struct {
	sum    int64
	hours  uint32
	high   Value
	n      uint16
	traces uint16
	highAt uint16
	day    uint16
}

func (d *spanDay) ordinal() int  { return int(d.day) }
func (d *tallyDay) ordinal() int { return int(d.day) }

// add counts values until one is outside the day, which begins at start, and
// returns how many it has consumed. It works on copies in registers, at half
// the time of working on the day in memory.
func (d *spanDay) add(times []Minute, values []Value, start Minute) int {
	n, sum, squares, hours := d.n, d.sum, d.squares, d.hours
	low, lowAt, high, highAt := d.low, d.lowAt, d.high, d.highAt
	i := 0
	for ; i < len(values) && i < len(times); i++ {
		at, v := uint32(times[i]-start), values[i]
		if at >= minutesADay {
			break
		}
		if !v.Plain() {
			continue
		}
		minute := uint16(at)
		if n == 0 {
			low, lowAt, high, highAt = v, minute, v, minute
		}
		n++
		sum += int64(v)
		squares += int64(v) * int64(v)
		hours |= 1 << (minute / 60)
		if v <= low && (v < low || minute < lowAt) {
			low, lowAt = v, minute
		}
		if v >= high && (v > high || minute < highAt) {
			high, highAt = v, minute
		}
	}
	d.n, d.sum, d.squares, d.hours = n, sum, squares, hours
	d.low, d.lowAt, d.high, d.highAt = low, lowAt, high, highAt
	return i
}

// add is the same for a day without extremes. Traces count when values sum, and
// are skipped when they do not.
func (d *tallyDay) add(times []Minute, values []Value, start Minute, sums bool) int {
	n, sum, traces, hours := d.n, d.sum, d.traces, d.hours
	high, highAt := d.high, d.highAt
	i := 0
	for ; i < len(values) && i < len(times); i++ {
		at, v := uint32(times[i]-start), values[i]
		if at >= minutesADay {
			break
		}
		if !v.counts(sums) {
			continue
		}
		n++
		hours |= 1 << (at / 60)
		if v == Trace {
			traces++
		} else if sums {
			sum += int64(v)
			if minute := uint16(at); v >= high && (v > high || minute < highAt) {
				high, highAt = v, minute
			}
		}
	}
	d.n, d.sum, d.traces, d.hours = n, sum, traces, hours
	d.high, d.highAt = high, highAt
	return i
}

func (d *spanDay) aggregate(first Day) DayAggregate {
	start := (first + Day(d.day)).Start()
	return DayAggregate{
		N: int(d.n), Sum: d.sum, Squares: d.squares, Hours: d.hours,
		Low: d.low, LowAt: start + Minute(d.lowAt),
		High: d.high, HighAt: start + Minute(d.highAt),
	}
}

func spanOf(a DayAggregate, first, day Day) spanDay {
	return spanDay{
		n: uint16(a.N), sum: a.Sum, squares: a.Squares, hours: a.Hours, day: uint16(day - first),
		low: a.Low, lowAt: uint16(a.LowAt - day.Start()),
		high: a.High, highAt: uint16(a.HighAt - day.Start()),
	}
}

func (d *tallyDay) aggregate(first Day) DayAggregate {
	a := NoAggregate()
	a.N, a.Sum, a.Traces, a.Hours = int(d.n), d.sum, int(d.traces), d.hours
	if d.high != Missing {
		a.High, a.HighAt = d.high, (first+Day(d.day)).Start()+Minute(d.highAt)
	}
	return a
}

func tallyOf(a DayAggregate, first, day Day) tallyDay {
	d := tallyDay{
		n: uint16(a.N), sum: a.Sum, traces: uint16(a.Traces), hours: a.Hours, day: uint16(day - first),
		high: a.High,
	}
	if a.High != Missing {
		d.highAt = uint16(a.HighAt - day.Start())
	}
	return d
}

// tally is a sum over many days.
type tally struct {
	sum              int64
	n, traces, hours int32
}

// add counts a day in; take counts it out again.
func (t *tally) add(d *tallyDay) {
	t.sum += d.sum
	t.n += int32(d.n)
	t.traces += int32(d.traces)
	t.hours += int32(bits.OnesCount32(d.hours))
}

func (t *tally) take(d *tallyDay) {
	t.sum -= d.sum
	t.n -= int32(d.n)
	t.traces -= int32(d.traces)
	t.hours -= int32(bits.OnesCount32(d.hours))
}

// ordinals is a day that knows its place in the year.
type ordinals[D any] interface {
	*D
	ordinal() int
}

// findDay returns the place of that day among days in their order, or the place
// that it would have and false. The last day, which is mostly asked for, and days
// without a gap are found at once.
func findDay[D any, P ordinals[D]](days []D, day int) (int, bool) {
	if len(days) == 0 {
		return 0, false
	}
	switch last := P(&days[len(days)-1]).ordinal(); {
	case last == day:
		return len(days) - 1, true
	case last < day:
		return len(days), false
	}
	if guess := day - P(&days[0]).ordinal(); guess >= 0 && guess < len(days) && P(&days[guess]).ordinal() == day {
		return guess, true
	}
	i := sort.Search(len(days), func(i int) bool { return P(&days[i]).ordinal() >= day })
	return i, i < len(days) && P(&days[i]).ordinal() == day
}

// putDay sets a day, in its place.
func putDay[D any, P ordinals[D]](days []D, d D) []D {
	i, ok := findDay[D, P](days, P(&d).ordinal())
	if !ok {
		days = opened(days, []int{i}, d)
	}
	days[i] = d
	return days
}

// dropDay takes a day out, if it is there.
func dropDay[D any, P ordinals[D]](days []D, day int) []D {
	i, ok := findDay[D, P](days, day)
	if !ok {
		return days
	}
	return append(days[:i], days[i+1:]...)
}
