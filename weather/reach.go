package weather

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
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

// sums reports whether amounts are compared. In such a contest what is not more than
// nothing has no place.
func (c Contest) sums() bool { return c == Sums || c == DaySums || c == HourSums }

// contestsOf returns the contests in which a measure has a part.
func contestsOf(a Aggregate) []Contest {
	switch {
	case a.spans():
		return []Contest{Highest, Lowest}
	case a == AggregateSum:
		return []Contest{Sums, DaySums, HourSums}
	}
	return nil
}

// Reach bounds what a station can have to show in a contest, in a year and in each
// of its months: what it has is nowhere more, so whoever looks for the best can pass
// over stations whose reach is below what is found already. It follows from the
// page of the year alone, and is written as a key that sorts by contest, measure,
// year and then from the highest reach down:
//
//	the contest's letter, the measure as 2 hexadecimal digits, the year
//	2^51 − the reach of the year, as 13 hexadecimal digits
//	a character a month: - without data, . when nothing can have a place, else
//	how far its reach is below that of the year
//
// The year's reach is the very high or low; of amounts it is rounded up to five
// binary digits, and months are four steps to the doubling. So a key changes with the
// first value of a month and when a record is beaten by a step: seldom, though a sum
// changes with every shower.
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
	reachDigits = 13
	reachZero   = 1 << 51
	reachPrefix = 1 + 2 + 4
	reachLength = reachPrefix + reachDigits + 12

	noData, noPlace, firstCode = '-', '.', '0'
	lastCode                   = 77 // as '}'
)

// ReachPrefix is what the keys of a year begin with.
func ReachPrefix(c Contest, measure MeasureID, year int) string {
	return fmt.Sprintf("%c%02x%04d", c, int(measure), year)
}

// ParseReach reads a key.
func ParseReach(key string) (r Reach, err error) {
	if len(key) != reachLength {
		return r, fmt.Errorf("weather: %s is no reach: of %d characters", quote(key), len(key))
	}
	digits, err := strconv.ParseUint(key[reachPrefix:reachPrefix+reachDigits], 16, 63)
	if err != nil {
		return r, fmt.Errorf("weather: %s is no reach: %w", quote(key), err)
	}
	r.best = reachZero - int64(digits)
	contest := Contest(key[0])
	for i := range r.months {
		code := key[reachPrefix+reachDigits+i]
		if code != noData && code != noPlace && (code < firstCode || code > firstCode+lastCode) {
			return r, fmt.Errorf("weather: %s is no reach: month %d", quote(key), i+1)
		}
		r.months[i] = monthReach(contest, r.best, code)
	}
	return r, nil
}

// monthReach returns the reach that a month's character stands for.
func monthReach(c Contest, best int64, code byte) int64 {
	switch {
	case code == noData:
		return noReach
	case code == noPlace:
		return 0
	case c.sums():
		return share(best, int(code-firstCode))
	}
	return best - gap(int(code-firstCode))
}

// codeOf returns the character of a month: the one that bounds its score tightest.
func codeOf(c Contest, best, score int64) byte {
	switch {
	case score == noReach:
		return noData
	case !c.sums():
		return firstCode + byte(gapCode(best-score))
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

// gap returns how far a code is below best, at least: each number up to 8, then four
// to the doubling.
func gap(code int) int64 {
	if code < 4 {
		return int64(code)
	}
	halvings := code/4 - 1
	return int64(code-4*halvings) << halvings
}

// gapCode returns the largest code whose gap is not above a distance.
func gapCode(distance int64) int {
	if distance < 4 {
		return int(distance)
	}
	halvings := bits.Len64(uint64(distance)) - 3
	return min(4*halvings+int(distance>>halvings), lastCode)
}

// roundedUp returns an amount that is not below n, of five binary digits.
func roundedUp(n int64) int64 {
	if n <= 0 {
		return 0
	}
	zeros := max(0, bits.Len64(uint64(n))-5)
	return (n + 1<<zeros - 1) >> zeros << zeros
}

// reach is a Reach as a page keeps it.
type reach struct {
	best int64
	key  string
}

// month returns the reach of a month, counted from 0.
func (r *reach) month(i int) int64 {
	return monthReach(Contest(r.key[0]), r.best, r.key[reachPrefix+reachDigits+i])
}

// newReach makes one from scores of the year, which may be noReach, and the months.
func newReach(c Contest, measure MeasureID, year int, best int64, months *[12]int64) reach {
	best = max(best, slices.Max(months[:]))
	if c.sums() {
		best = roundedUp(best)
	}
	key := append(make([]byte, 0, reachLength), ReachPrefix(c, measure, year)...)
	key = fmt.Appendf(key, "%0*x", reachDigits, reachZero-best)
	for _, score := range months {
		key = append(key, codeOf(c, best, score))
	}
	return reach{best, string(key)}
}

// AppendReaches appends the keys of the year's reaches: for each measure with data,
// one for each contest in which it has a part.
func (y *Year) AppendReaches(dst []string) []string {
	for id := range y.columns {
		for _, r := range y.reaches(id) {
			dst = append(dst, r.key)
		}
	}
	return dst
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

// unreached are twelve months without data.
func unreached() (months [12]int64) {
	for i := range months {
		months[i] = noReach
	}
	return months
}

func (y *Year) spanReaches(id MeasureID, c *yearColumn) []reach {
	highs, lows := unreached(), unreached()
	month, end := -1, 0
	for i := range c.spans {
		d := &c.spans[i]
		if int(d.day) >= end {
			month, end = y.monthAt(int(d.day))
		}
		highs[month] = max(highs[month], int64(d.high))
		lows[month] = max(lows[month], -int64(d.low))
	}
	return []reach{
		newReach(Highest, id, y.year, noReach, &highs),
		newReach(Lowest, id, y.year, noReach, &lows),
	}
}

func (y *Year) sumReaches(id MeasureID, c *yearColumn) []reach {
	sums, days, hours := unreached(), unreached(), unreached()
	month, end := -1, 0
	for i := range c.tallies {
		d := &c.tallies[i]
		if int(d.day) >= end {
			month, end = y.monthAt(int(d.day))
		}
		sums[month] = c.totals.months[month].sum
		days[month] = max(days[month], d.sum)
		hours[month] = max(hours[month], d.mostOfAnHour())
	}
	return []reach{
		newReach(Sums, id, y.year, c.totals.year.sum, &sums),
		newReach(DaySums, id, y.year, noReach, &days),
		newReach(HourSums, id, y.year, noReach, &hours),
	}
}

// monthAt returns the month of a day, counted from 0, and the first day after it.
func (y *Year) monthAt(day int) (month, end int) {
	_, m, d := (y.first + Day(day)).Date()
	return m - 1, day - d + 1 + DaysInMonth(y.year, m)
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
	month, end := -1, 0
	var high, low int64
	for i, v := range values {
		day, ok := y.dayAt(times[i])
		if !ok || !v.Plain() {
			continue
		}
		if month < 0 || day >= end || day < end-DaysInMonth(y.year, month+1) {
			month, end = y.monthAt(day)
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
	day, month, end, known := -1, -1, 0, false
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
			if d, known = c.tallyOf(day); !known {
				d = tallyDay{high: Missing}
			}
			if month < 0 || day >= end {
				month, end = y.monthAt(day)
			}
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

// tallyOf returns a copy of a day, if there is one.
func (c *yearColumn) tallyOf(day int) (tallyDay, bool) {
	i, ok := findDay(c.tallies, day)
	if !ok {
		return tallyDay{}, false
	}
	return c.tallies[i], true
}
