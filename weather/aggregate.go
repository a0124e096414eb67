package weather

import (
	"fmt"
	"math"
	"math/bits"
)

// DayAggregate is what a year keeps of one measure and one UTC day. A measure
// keeps only what its Aggregate asks for; the rest is as in NoAggregate. All
// numbers are exact, so they do not depend on the order of the observations.
type DayAggregate struct {
	// N is the number of values, traces included; 0 when there is no data.
	N int
	// Sum of the values, in units of the measure's last decimal; a trace
	// counts 0. Kept for means, maxima and sums.
	Sum int64
	// Squares is the sum of the squared values. Kept for means and maxima.
	Squares int64
	// Low and High are the extremes, Missing when not kept, with the earliest
	// time at which they were observed. Kept for means and maxima; for sums
	// the High alone, Missing where there are only traces.
	Low, High     Value
	LowAt, HighAt Minute
	// Traces is the number of traces. Kept for sums.
	Traces int
	// Hours has bit h set when a value was observed in hour h of the day.
	Hours uint32
}

// NoAggregate is the aggregate of a day without data.
func NoAggregate() DayAggregate { return DayAggregate{Low: Missing, High: Missing} }

// allHours is the mask of a day that has a value in every hour.
const allHours = 1<<24 - 1

// MissingHours returns how many of the day's 24 hours have no value.
func (a *DayAggregate) MissingHours() int { return 24 - bits.OnesCount32(a.Hours) }

// DayOf computes the aggregate of one day from the month that holds it: what a
// year has after the same observations. A correction recomputes its day so and
// tells it to Year.Restate.
func DayOf(m *Month, day Day, measure *Measure) DayAggregate {
	a := NoAggregate()
	from, to := m.rowsOf(day)
	for row := from; row < to; row++ {
		a.observe(measure.Aggregate, m.Value(row, measure.ID), m.Time(row))
	}
	return a
}

// HourOf computes the aggregate of the hour that begins at a time; with all, what is
// erroneous counts as measured. Its hours are those of the day.
func HourOf(m *Month, begin Minute, measure *Measure, all bool) DayAggregate {
	a := NoAggregate()
	from, to := m.Rows(begin, begin+60)
	for row := from; row < to; row++ {
		v := m.Value(row, measure.ID)
		if all {
			v = v.Measured()
		}
		a.observe(measure.Aggregate, v, m.Time(row))
	}
	return a
}

// observe adds one value. What is erroneous counts as missing, and so does what
// the measure can't have: a trace of what does not sum.
func (a *DayAggregate) observe(kind Aggregate, v Value, t Minute) {
	if !v.counts(kind == AggregateSum) {
		return
	}
	a.N++
	hour, _ := t.Clock()
	a.Hours |= 1 << hour
	switch {
	case v == Trace:
		a.Traces++
	case kind == AggregateSum:
		a.Sum += int64(v)
		a.High, a.HighAt = higher(a.High, a.HighAt, v, t)
	case kind.spans():
		a.Sum += int64(v)
		a.Squares += int64(v) * int64(v)
		a.Low, a.LowAt = lower(a.Low, a.LowAt, v, t)
		a.High, a.HighAt = higher(a.High, a.HighAt, v, t)
	}
}

// counts reports whether v is something that aggregates count: a trace is when
// values sum.
func (v Value) counts(sums bool) bool { return v.Plain() || v == Trace && sums }

// lower and higher choose between the extreme so far, which may be Missing, and
// another; of two that are equal the earlier.
func lower(low Value, at Minute, v Value, t Minute) (Value, Minute) {
	if low == Missing || v < low || v == low && t < at {
		return v, t
	}
	return low, at
}

func higher(high Value, at Minute, v Value, t Minute) (Value, Minute) {
	if high == Missing || v > high || v == high && t < at {
		return v, t
	}
	return high, at
}

// check returns an error unless a can be the aggregate of that day.
func (a *DayAggregate) check(kind Aggregate, day Day) error {
	if a.N == 0 {
		return nil // no data, whatever else it says
	}
	hours := bits.OnesCount32(a.Hours)
	switch {
	case a.Hours == 0 || a.Hours > allHours:
		return fmt.Errorf("hours %#x of a day with data", a.Hours)
	case a.N < hours || a.N > 60*hours:
		return fmt.Errorf("%d values in %d hours", a.N, hours)
	case a.Traces < 0 || a.Traces > a.N || a.Traces > 0 && kind != AggregateSum:
		return fmt.Errorf("%d traces in %d values", a.Traces, a.N)
	case kind.spans():
		return a.checkSpan(day)
	case a.Low != Missing || a.LowAt != 0 || a.Squares != 0:
		return fmt.Errorf("a low of a measure that keeps none")
	case kind == AggregateSum:
		return a.checkSum(day)
	case a.High != Missing || a.HighAt != 0 || a.Sum != 0:
		return fmt.Errorf("a high or a sum of a measure that keeps none")
	}
	return nil
}

func (a *DayAggregate) checkSum(day Day) error {
	n, high := int64(a.N-a.Traces), int64(a.High)
	switch {
	case n == 0 && (a.High != Missing || a.HighAt != 0 || a.Sum != 0):
		return fmt.Errorf("a high or a sum of traces")
	case n == 0:
		return nil
	case a.High < -MaxValue || a.High > MaxValue:
		return fmt.Errorf("a high of %d", a.High)
	case a.HighAt.Day() != day || a.Hours>>a.hourOfHigh()&1 == 0:
		return fmt.Errorf("a high at %s of %s, with values in the hours %#x", a.HighAt, day, a.Hours)
	case a.Sum > n*high || a.Sum < high-(n-1)*int64(MaxValue):
		return fmt.Errorf("a sum of %d for %d values up to %d", a.Sum, n, high)
	}
	return nil
}

func (a *DayAggregate) hourOfHigh() int {
	hour, _ := a.HighAt.Clock()
	return hour
}

func (a *DayAggregate) checkSpan(day Day) error {
	n, low, high := int64(a.N), int64(a.Low), int64(a.High)
	switch {
	case a.Low > a.High || a.Low < -MaxValue || a.High > MaxValue:
		return fmt.Errorf("low %d and high %d", a.Low, a.High)
	case a.LowAt.Day() != day || a.HighAt.Day() != day:
		return fmt.Errorf("low at %s and high at %s of %s", a.LowAt, a.HighAt, day)
	case a.Sum < n*low || a.Sum > n*high:
		return fmt.Errorf("a sum of %d for %d values from %d to %d", a.Sum, n, low, high)
	case a.Squares < 0 || a.Squares > n*max(low*low, high*high):
		return fmt.Errorf("a sum of squares of %d for %d values from %d to %d", a.Squares, n, low, high)
	case a.Squares < leastSquares(a.Sum, n):
		return fmt.Errorf("a sum of squares of %d for %d values that sum to %d", a.Squares, n, a.Sum)
	}
	return nil
}

// leastSquares returns the least sum of squares that n values with that sum can
// have: sum²/n, rounded up (Cauchy and Schwarz), or MaxInt64 when it is larger.
func leastSquares(sum, n int64) int64 {
	size := uint64(abs(sum))
	hi, lo := bits.Mul64(size, size)
	if hi >= uint64(n) {
		return math.MaxInt64
	}
	q, r := bits.Div64(hi, lo, uint64(n))
	if r > 0 {
		q++
	}
	return int64(min(q, math.MaxInt64))
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
