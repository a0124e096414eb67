package weather

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Contest is what stations are ranked by.
type Contest byte

// The letters are part of the keys of reaches.
const (
	// Highest is for means and maxima: by their high.
	Highest Contest = 'h'
	// Lowest is for the same, by their low: the coldest.
	Lowest Contest = 'l'
	// Sums is for amounts, by what comes together in a year or a month.
	Sums Contest = 's'
	// DaySums is by what comes together on a day, HourSums in an hour.
	DaySums  Contest = 'd'
	HourSums Contest = 'o'
)

// Score returns a value as it counts in the contest: the higher the better.
func (c Contest) Score(value int64) int64 {
	if c == Lowest {
		return -value
	}
	return value
}

// IsOfSums reports whether amounts are compared. In such a contest what is not more than
// nothing has no place.
func (c Contest) IsOfSums() bool { return c == Sums || c == DaySums || c == HourSums }

// Reach bounds what a station can have to show in a contest, in a year and in each
// of its months: what it has is nowhere more, so whoever looks for the best can pass
// over stations whose reach is below what is found already.
//
// The reaches of a station in a year follow from the page of the year alone, and are
// written as one key:
//
//	reaches = the year as 4 digits, then a part for each contest of each measure
//	part    = the contest's letter, the measure as 2 hexadecimal digits,
//	          a character a month: - without data, . when nothing can have a place,
//	          else how far its reach is below that of the year,
//	          the reach of the year to base 36, a comma
//
// A high or a low is rounded up to a multiple of eight of the last decimal, an amount
// to five binary digits; months are four steps to the doubling. So the key changes
// with the first value of a month and when a record is beaten by a step: seldom,
// though a sum changes with every shower.
type Reach struct {
	best   int64
	months [12]int64 // noReach without data
}

// noReach is below every reach.
const noReach = math.MinInt64

// Year returns the reach in the year.
func (r *Reach) Year() int64 { return r.best }

// Month returns the reach in a month, 1 to 12, or on a day or in an hour of it as
// the contest is; false when it has no data.
func (r *Reach) Month(month int) (int64, bool) {
	reach := r.months[month-1]
	return reach, reach != noReach
}

// The form of keys.
const (
	yearDigits  = 4
	partPrefix  = 1 + 2
	partEnd     = ","
	bestBase    = 36
	spanStep    = 8 // that highs and lows are rounded to
	noData      = '-'
	noPlace     = '.'
	firstCode   = '0'
	lastCode    = 77 // as '}'
	monthsOfAll = 12
)

// ReachPrefix is what the keys of a year begin with.
func ReachPrefix(year int) string { return fmt.Sprintf("%0*d", yearDigits, year) }

// ParseReach returns the reach of a measure in a contest from the key of a year; false
// when it has no data.
func ParseReach(key string, c Contest, measure MeasureID) (r Reach, ok bool, err error) {
	rest := key[min(yearDigits, len(key)):]
	want := partName(c, measure)
	for len(rest) > 0 {
		part, after, ended := strings.Cut(rest, partEnd)
		if !ended || len(part) < partPrefix+monthsOfAll {
			return r, false, fmt.Errorf("weather: %s are no reaches: the part %s", quote(key), quote(part))
		}
		rest = after
		if part[:partPrefix] != want {
			continue
		}
		if r.best, err = strconv.ParseInt(part[partPrefix+monthsOfAll:], bestBase, 64); err != nil {
			return r, false, fmt.Errorf("weather: %s are no reaches: %w", quote(key), err)
		}
		for i := range r.months {
			code := part[partPrefix+i]
			if code != noData && code != noPlace && (code < firstCode || code > firstCode+lastCode) {
				return r, false, fmt.Errorf("weather: %s are no reaches: month %d of %s", quote(key), i+1, quote(part))
			}
			r.months[i] = monthReach(c, r.best, code)
		}
		return r, true, nil
	}
	return r, false, nil
}

func partName(c Contest, measure MeasureID) string {
	const hex = "0123456789abcdef"
	return string([]byte{byte(c), hex[measure>>4&15], hex[measure&15]})
}

// monthReach returns the reach that a month's character stands for.
func monthReach(c Contest, best int64, code byte) int64 {
	switch {
	case code == noData:
		return noReach
	case code == noPlace:
		return 0
	case c.IsOfSums():
		return share(best, int(code-firstCode))
	}
	return best - spanStep*gap(int(code-firstCode))
}

// codeOf returns the character of a month: the one that bounds its score tightest.
func codeOf(c Contest, best, score int64) byte {
	switch {
	case score == noReach:
		return noData
	case !c.IsOfSums():
		return firstCode + byte(gapCode((best-score)/spanStep))
	case score <= 0:
		return noPlace
	}
	// The lengths in bits say it to about a doubling.
	code := min(4*max(0, bits.Len64(uint64(best))-bits.Len64(uint64(score))-1), lastCode)
	for code < lastCode && share(best, code+1) >= score {
		code++
	}
	return firstCode + byte(code)
}

// share returns a part of best, rounded up: the eighths from 8 down to 5, halved
// again and again.
func share(best int64, code int) int64 {
	eighths, halvings := int64(8-code%4), code/4
	whole := int64(8) << halvings
	return (best*eighths + whole - 1) / whole
}

// gap returns how many steps a code is below the best, at least: each number up to 8,
// then four to the doubling.
func gap(code int) int64 {
	if code < 4 {
		return int64(code)
	}
	halvings := code/4 - 1
	return int64(code-4*halvings) << halvings
}

// gapCode returns the largest code whose gap is not above a number of steps.
func gapCode(steps int64) int {
	if steps < 4 {
		return int(steps)
	}
	halvings := bits.Len64(uint64(steps)) - 3
	return min(4*halvings+int(steps>>halvings), lastCode)
}

// roundedUp returns the reach of a year that a score is within.
func roundedUp(c Contest, score int64) int64 {
	if !c.IsOfSums() {
		return (score + spanStep - 1) &^ (spanStep - 1) // also of what is below 0
	}
	if score <= 0 {
		return 0
	}
	zeros := max(0, bits.Len64(uint64(score))-5)
	return (score + 1<<zeros - 1) >> zeros << zeros
}

// reach is a Reach as a page keeps it: in one piece, as each value that comes is held
// against it.
type reach struct {
	best    int64
	contest Contest
	measure uint8
	months  [monthsOfAll]byte // codes
}

// month returns the reach of a month, counted from 0.
func (r *reach) month(i uint8) int64 { return monthReach(r.contest, r.best, r.months[i]) }

// append appends the part of a key.
func (r *reach) append(key []byte) []byte {
	key = append(key, partName(r.contest, MeasureID(r.measure))...)
	key = append(key, r.months[:]...)
	key = strconv.AppendInt(key, r.best, bestBase)
	return append(key, partEnd...)
}

// newReach makes one from scores of the year, which may be noReach, and the months.
func newReach(c Contest, measure MeasureID, best int64, months *[12]int64) reach {
	r := reach{best: roundedUp(c, max(best, slices.Max(months[:]))), contest: c, measure: uint8(measure)}
	for i, score := range months {
		r.months[i] = codeOf(c, r.best, score)
	}
	return r
}

// Reaches returns the key of the year's reaches; false when it has none. Measures
// that are codes or directions have none.
func (y *Year) Reaches() (string, bool) {
	if y.key != "" {
		return y.key, true
	}
	var some [256]byte // enough to stay off the heap, most often
	key := append(some[:0], ReachPrefix(y.year)...)
	for id := range y.columns {
		for _, r := range y.reaches(id) {
			key = r.append(key)
		}
	}
	if len(key) == yearDigits {
		return "", false
	}
	y.key = string(key)
	return y.key, true
}

// reaches returns those of a measure, made anew when they are not known.
func (y *Year) reaches(id int) []reach {
	c := &y.columns[id]
	if c.reaches == nil {
		switch {
		case len(c.spans) > 0:
			c.reaches = y.spanReaches(MeasureID(id), c)
		case len(c.tallies) > 0 && c.totals != nil:
			c.reaches = y.sumReaches(MeasureID(id), c)
		}
	}
	return c.reaches
}

// forget drops the reaches of a measure, as they may be others.
func (y *Year) forget(id int) { y.columns[id].reaches, y.key = nil, "" }

// unreached are twelve months without data.
func unreached() (months [12]int64) {
	for i := range months {
		months[i] = noReach
	}
	return months
}

func (y *Year) spanReaches(id MeasureID, c *yearColumn) []reach {
	highs, lows := unreached(), unreached()
	monthOf := y.monthsOfDays()
	for i := range c.spans {
		d := &c.spans[i]
		month := monthOf[d.day]
		highs[month] = max(highs[month], int64(d.high))
		lows[month] = max(lows[month], -int64(d.low))
	}
	return []reach{
		newReach(Highest, id, noReach, &highs),
		newReach(Lowest, id, noReach, &lows),
	}
}

func (y *Year) sumReaches(id MeasureID, c *yearColumn) []reach {
	sums, days, hours := unreached(), unreached(), unreached()
	monthOf := y.monthsOfDays()
	for i := range c.tallies {
		d := &c.tallies[i]
		month := monthOf[d.day]
		sums[month] = c.totals.months[month].sum
		days[month] = max(days[month], d.sum)
		hours[month] = max(hours[month], d.mostOfAnHour())
	}
	return []reach{
		newReach(Sums, id, c.totals.year.sum, &sums),
		newReach(DaySums, id, noReach, &days),
		newReach(HourSums, id, noReach, &hours),
	}
}

// monthsOfDays returns the month of each day of the year, both counted from 0.
func (y *Year) monthsOfDays() *[366]uint8 {
	if IsLeap(y.year) {
		return &monthsOfLeapYear
	}
	return &monthsOfYear
}

var monthsOfYear, monthsOfLeapYear = monthsOf(2001), monthsOf(2000)

func monthsOf(year int) (months [366]uint8) {
	day := 0
	for month := range 12 {
		for range DaysInMonth(year, month+1) {
			months[day] = uint8(month)
			day++
		}
	}
	return months
}

// mostOfAnHour bounds what came together in an hour of the day: as many values as
// can have been in one hour, each as high as the highest.
func (d *tallyDay) mostOfAnHour() int64 {
	if d.high <= 0 { // Missing included
		return 0
	}
	return int64(d.high) * int64(min(60, int(d.n)-bits.OnesCount32(d.hours)+1))
}

// Raises reports whether one of the year's reaches may be another after r was added,
// which must be new as for Add. It may say so where none is, and never the other way.
func (y *Year) Raises(r *Run) bool {
	for id, values := range r.Columns {
		if values != nil && id < len(y.catalogue) && y.raisesColumn(id, r.Times, values) {
			return true
		}
	}
	return false
}

func (y *Year) raisesColumn(id int, times []Minute, values []Value) bool {
	kind := y.catalogue[id].Aggregate
	switch {
	case !kind.spans() && kind != AggregateSum:
		return false
	case id >= len(y.columns) || y.reaches(id) == nil:
		return slices.ContainsFunc(values, func(v Value) bool { return v.counts(kind == AggregateSum) })
	case kind.spans():
		return y.raisesSpans(y.reaches(id), times, values)
	}
	return y.raisesSums(&y.columns[id], times, values)
}

func (y *Year) raisesSpans(reaches []reach, times []Minute, values []Value) bool {
	monthOf := y.monthsOfDays()
	month := uint8(12)
	var high, low int64
	for i, v := range values {
		day, ok := y.dayAt(times[i])
		if !ok || !v.Plain() {
			continue
		}
		if monthOf[day] != month {
			month = monthOf[day]
			high, low = reaches[0].month(month), reaches[1].month(month)
		}
		if int64(v) > high || -int64(v) > low {
			return true
		}
	}
	return false
}

// raisesSums plays the days of the run through, which have to ascend. What an earlier
// day of it adds is counted to the sums of every later month.
func (y *Year) raisesSums(c *yearColumn, times []Minute, values []Value) bool {
	reaches := c.reaches
	added := int64(0)
	var d tallyDay
	monthOf := y.monthsOfDays()
	day, month := -1, uint8(0)
	for i, v := range values {
		at, ok := y.dayAt(times[i])
		if !ok || !v.counts(true) {
			continue
		}
		switch {
		case at < day || v < 0 && v != Trace:
			return true // of what goes down, or comes late, nothing is foretold
		case at > day:
			day = at
			d = c.tallyOf(day)
			month = monthOf[day]
		}
		d.n++
		d.hours |= 1 << (uint32(times[i]-(y.first+Day(day)).Start()) / 60)
		if v != Trace {
			d.sum += int64(v)
			d.high = max(d.high, v)
			added += int64(v)
		}
		if c.totals.year.sum+added > reaches[0].best ||
			c.totals.months[month].sum+added > reaches[0].month(month) ||
			d.sum > reaches[1].month(month) || d.mostOfAnHour() > reaches[2].month(month) {
			return true
		}
	}
	return false
}

// tallyOf returns a copy of a day, an empty one when there is none.
func (c *yearColumn) tallyOf(day int) tallyDay {
	i, ok := findDay(c.tallies, day)
	if !ok {
		return tallyDay{high: Missing}
	}
	return c.tallies[i]
}
