package weather

import (
	"math"
	"math/big"
	"math/bits"
)

// Summary describes the values of a measure over a period: of temperature, the
// answer to what a day or a month was like. Mean and after are in the unit of
// the measure; values are in its last decimal.
type Summary struct {
	// N is the number of values that the figures rest on.
	N int
	// Days is the number of days that have one.
	Days int
	// MissingHours are the hours of the period without a value.
	MissingHours int
	// High and Low are the extremes, with the time of the earliest.
	High   Value
	HighAt Minute
	Low    Value
	LowAt  Minute
	// Mean of the values. Variance and Stdev are of the population: the values
	// are all there is, not a sample of it.
	Mean, Variance, Stdev float64
	// MeanHigh and MeanLow are the means of the highs and lows of the days.
	MeanHigh, MeanLow float64
}

// Total is the sum of a measure over a period: of precipitation, how much fell.
type Total struct {
	// N is the number of values that the sum rests on, traces included.
	N int
	// MissingHours are the hours of the period without a value.
	MissingHours int
	// Sum is in units of the measure's last decimal; a trace counts 0.
	Sum int64
	// Traces is the number of values that were a trace: hours, for amounts of
	// an hour reported every hour.
	Traces int
}

// DaySummary describes a measure on one day; false when there is no data, or
// the measure keeps no extremes.
func (y *Year) DaySummary(measure MeasureID, day Day) (Summary, bool) {
	return y.Summary(measure, day, day)
}

// MonthSummary describes a measure in one month, 1 to 12; false as for
// DaySummary.
func (y *Year) MonthSummary(measure MeasureID, month int) (Summary, bool) {
	first, last, ok := y.daysOf(month)
	if !ok {
		return Summary{}, false
	}
	return y.Summary(measure, first, last)
}

// YearSummary describes a measure in the year; false as for DaySummary.
func (y *Year) YearSummary(measure MeasureID) (Summary, bool) {
	return y.Summary(measure, y.first, y.last())
}

// Summary describes a measure from the first day to the last, both included;
// days outside the year are left out. It is false as for DaySummary.
func (y *Year) Summary(measure MeasureID, first, last Day) (Summary, bool) {
	s, ok := y.summarize(measure, first, last)
	if !ok {
		return Summary{}, false
	}
	return s.summary(y.catalogue[measure].Decimals)
}

// summarize puts days of the year together; false when none can be.
func (y *Year) summarize(measure MeasureID, first, last Day) (summarizer, bool) {
	first, last = max(first, y.first), min(last, y.last())
	c := y.column(measure)
	if c == nil || first > last {
		return summarizer{}, false
	}
	from, _ := findDay(c.spans, int(first-y.first))
	to, _ := findDay(c.spans, int(last-y.first)+1)
	s := newSummarizer(24 * (int(last-first) + 1))
	for i := range c.spans[from:to] {
		d := &c.spans[from+i]
		s.add(d, (y.first + Day(d.day)).Start())
	}
	return s, true
}

// Extremes is Summary without what takes a division: the mean and after.
func (y *Year) Extremes(measure MeasureID, first, last Day) (Summary, bool) {
	s, ok := y.summarize(measure, first, last)
	return s.s, ok && s.s.N > 0
}

// summarizer puts together days, in their order.
type summarizer struct {
	s                Summary
	sum, highs, lows int64
	squares          uint128
}

// newSummarizer begins with a period of so many hours, all of them missing.
func newSummarizer(hours int) summarizer {
	return summarizer{s: Summary{MissingHours: hours, High: Missing, Low: Missing}}
}

// add counts a day with a value, which begins at start.
func (s *summarizer) add(d *spanDay, start Minute) {
	s.s.Days++
	s.s.N += int(d.n)
	s.s.MissingHours -= bits.OnesCount32(d.hours)
	s.s.High, s.s.HighAt = higher(s.s.High, s.s.HighAt, d.high, start+Minute(d.highAt))
	s.s.Low, s.s.LowAt = lower(s.s.Low, s.s.LowAt, d.low, start+Minute(d.lowAt))
	s.sum += d.sum
	s.highs += int64(d.high)
	s.lows += int64(d.low)
	s.squares = s.squares.plus(uint128{0, uint64(d.squares)})
}

// summary returns the summary; false when no day had a value.
func (s *summarizer) summary(decimals int) (Summary, bool) {
	if s.s.N == 0 {
		return Summary{}, false
	}
	all, one := s.s, float64(pow10[decimals])
	all.Mean = float64(s.sum) / (float64(all.N) * one)
	all.MeanHigh = float64(s.highs) / (float64(all.Days) * one)
	all.MeanLow = float64(s.lows) / (float64(all.Days) * one)
	all.Variance = variance(int64(all.N), s.sum, s.squares, decimals)
	all.Stdev = math.Sqrt(all.Variance)
	return all, true
}

// DayTotal sums a measure over one day; false when there is no data, or the
// measure does not sum.
func (y *Year) DayTotal(measure MeasureID, day Day) (Total, bool) {
	return y.Total(measure, day, day)
}

// MonthTotal sums a measure over one month, 1 to 12, in constant time; false as
// for DayTotal.
func (y *Year) MonthTotal(measure MeasureID, month int) (Total, bool) {
	c := y.column(measure)
	if c == nil || c.totals == nil || month < 1 || month > 12 {
		return Total{}, false
	}
	return c.totals.months[month-1].total(DaysInMonth(y.year, month))
}

// YearTotal sums a measure over the year, in constant time; false as for
// DayTotal.
func (y *Year) YearTotal(measure MeasureID) (Total, bool) {
	c := y.column(measure)
	if c == nil || c.totals == nil {
		return Total{}, false
	}
	return c.totals.year.total(DaysInYear(y.year))
}

// Total sums a measure from the first day to the last, both included; days
// outside the year are left out. It is false as for DayTotal.
func (y *Year) Total(measure MeasureID, first, last Day) (Total, bool) {
	first, last = max(first, y.first), min(last, y.last())
	c := y.column(measure)
	if c == nil || c.totals == nil || first > last {
		return Total{}, false
	}
	from, _ := findDay(c.tallies, int(first-y.first))
	to, _ := findDay(c.tallies, int(last-y.first)+1)
	var t tally
	for i := range c.tallies[from:to] {
		t.add(&c.tallies[from+i])
	}
	return t.total(int(last-first) + 1)
}

func (t *tally) total(days int) (Total, bool) {
	if t.n == 0 {
		return Total{}, false
	}
	return Total{N: int(t.n), MissingHours: 24*days - int(t.hours), Sum: t.sum, Traces: int(t.traces)}, true
}

func (y *Year) last() Day { return y.first + Day(DaysInYear(y.year)) - 1 }

// daysOf returns the first and last day of a month of the year.
func (y *Year) daysOf(month int) (first, last Day, ok bool) {
	m := YearMonth{y.year, month}
	if !m.Valid() {
		return 0, 0, false
	}
	return m.First(), m.First() + Day(m.Days()) - 1, true
}

// variance returns the population variance of n values, (n·Σx² − (Σx)²) / n²,
// in the square of the unit. Numerator and denominator are exact integers and
// there is one division, so nothing cancels, unlike in floating point.
func variance(n, sum int64, squares uint128, decimals int) float64 {
	size := uint64(abs(sum))
	hi, lo := bits.Mul64(size, size)
	numerator := squares.times(uint64(n)).minus(uint128{hi, lo})
	one := uint64(pow10[decimals])
	hi, lo = bits.Mul64(uint64(n)*uint64(n), one*one)
	return ratio(numerator, uint128{hi, lo})
}

// ratio returns the float64 nearest to a/b.
func ratio(a, b uint128) float64 {
	const exact = 1 << 53 // float64 holds every integer up to here
	if a.hi == 0 && b.hi == 0 && a.lo <= exact && b.lo <= exact {
		return float64(a.lo) / float64(b.lo)
	}
	f, _ := new(big.Rat).SetFrac(a.big(), b.big()).Float64()
	return f
}

// uint128 is an unsigned integer of 128 bits: the sum of the squares of a
// year's values needs up to 72, times their number 91.
type uint128 struct{ hi, lo uint64 }

func (a uint128) plus(b uint128) uint128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	return uint128{hi, lo}
}

func (a uint128) minus(b uint128) uint128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, borrow)
	return uint128{hi, lo}
}

func (a uint128) times(n uint64) uint128 {
	hi, lo := bits.Mul64(a.lo, n)
	return uint128{hi + a.hi*n, lo}
}

func (a uint128) big() *big.Int {
	n := new(big.Int).SetUint64(a.hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.lo))
}
