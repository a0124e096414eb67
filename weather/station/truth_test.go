package station_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/actors/entity/entitytest"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// book is a dumb twin of a station: a map of what holds for each time, and lists of
// what gave way.
type book struct {
	rows    map[weather.Minute][]weather.Value
	changes map[weather.Minute][]station.Change
	profile weather.Profile
}

func newBook() *book {
	return &book{rows: map[weather.Minute][]weather.Value{}, changes: map[weather.Minute][]station.Change{}}
}

// judged returns values marked as the station would.
func (b *book) judged(values []weather.Value) []weather.Value {
	marked := slices.Clone(values)
	catalogue := weather.Standard()
	for i, v := range marked {
		usual, own := b.profile.Range(weather.MeasureID(i))
		if !own {
			usual = catalogue[i].Usual
		}
		if v.Plain() && usual != (weather.Range{}) && (v < usual.Low || v > usual.High) {
			marked[i] = v.Mark()
		}
	}
	return marked
}

// observe takes observations one by one.
func (b *book) observe(run *weather.Run, at time.Time) (done station.Observed) {
	before := maps.Clone(b.rows)
	for i, t := range run.Times {
		values := rowOf(run, i)
		old, known := b.rows[t]
		switch {
		case !known:
			done.Stored++
		case slices.Equal(measured(old), measured(values)):
			done.Duplicates++
			continue
		default:
			done.Corrected++
		}
		b.rows[t] = b.judged(values)
	}
	for _, t := range slices.Compact(slices.Sorted(slices.Values(run.Times))) {
		old, known := before[t]
		if known && !slices.Equal(measured(old), measured(b.rows[t])) {
			b.changes[t] = append(b.changes[t], station.Change{At: at, Before: one(t, old...), After: one(t, b.rows[t]...)})
		} else if known {
			b.rows[t] = old // there and back again in one command: nothing has changed
		}
	}
	return done
}

func (b *book) retract(t weather.Minute, reason string, at time.Time) {
	b.changes[t] = append(b.changes[t], station.Change{At: at, Before: one(t, b.rows[t]...), Reason: reason})
	delete(b.rows, t)
}

func one(t weather.Minute, values ...weather.Value) *weather.Run {
	r := &weather.Run{}
	r.Append(t, values...)
	return r
}

func rowOf(run *weather.Run, i int) []weather.Value {
	values := make([]weather.Value, len(weather.Standard()))
	for m := range values {
		values[m] = run.Value(i, weather.MeasureID(m))
	}
	return values
}

func measured(values []weather.Value) []weather.Value {
	plain := make([]weather.Value, len(values))
	for i, v := range values {
		plain[i] = v.Measured()
	}
	return plain
}

// in returns the times that are held from one up to before another.
func (b *book) in(from, to weather.Minute) []weather.Minute {
	var times []weather.Minute
	for t := range b.rows {
		if t >= from && t < to {
			times = append(times, t)
		}
	}
	slices.Sort(times)
	return times
}

// values returns those of a measure, by time; erroneous ones with all.
func (b *book) values(m weather.MeasureID, p station.Period, all bool) (times []weather.Minute, values []weather.Value) {
	for _, t := range b.in(firstMinute, lastMinute) {
		y, mo, d := t.Date()
		if y != p.Year || p.Month != 0 && mo != p.Month || p.Day != 0 && d != p.Day {
			continue
		}
		v := b.rows[t][m]
		if v == weather.Missing || v.Erroneous() && !all {
			continue
		}
		times, values = append(times, t), append(values, v.Measured())
	}
	return times, values
}

const (
	firstMinute weather.Minute = -1 << 31
	lastMinute                 = station.Always
)

// Whatever happens to the observations of a station, repeated, late, corrected,
// erroneous, retracted, it answers every question as a plain map of them does.
// Mutations seen to fail: a retraction that leaves the year, the month, the head's
// latest or its months as they were; newestBelow not going to an earlier month; the
// history of a correction without its values of before; Judge
// not asked, or asked without the profile; All ignored, by Statistics too; Until ignored; Range
// stopping at the end of a month, or at an empty one.
func TestTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, b := known(t), newBook()
		base, err := weather.MinuteOf(2007, 10, 30, 0, 0)
		if err != nil {
			rt.Fatal(err)
		}
		now := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
		when := func(name string) weather.Minute {
			day := rapid.SampledFrom([]int{0, 1, 2, 3, 60, 61, 62, 63, 64, 200}).Draw(rt, name+" day")
			return base + weather.Minute(day*1440+60*rapid.IntRange(0, 23).Draw(rt, name+" hour"))
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			now = now.Add(time.Minute)
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			default:
				run := &weather.Run{}
				for range rapid.IntRange(1, 8).Draw(rt, "readings") {
					run.Append(when("reading"), drawRow(rt)...)
				}
				c.When(&station.Observe{Run: run, At: now}).Replies(b.observe(run, now))
			case 0, 1, 2:
				checkRetraction(rt, c, b, when("retracted"), now)
			case 3:
				b.profile = nil
				if rapid.Bool().Draw(rt, "own") {
					b.profile = b.profile.With(weather.Temperature, weather.Range{Low: 0, High: weather.Value(rapid.IntRange(1, 130).Draw(rt, "high"))})
				}
				c.When(&station.SetProfile{Profile: b.profile}).Replies(b.profile)
			}
		}
		checkObservations(rt, c, b, when("at"))
		checkPast(rt, c, b, when("past"))
		for _, p := range []station.Period{{Year: 2007}, {Year: 2008}, {Year: 2007, Month: 10}, {Year: 2007, Month: 12}, {Year: 2007, Month: 12, Day: 31}, {Year: 2008, Month: 1, Day: 1}} {
			for _, all := range []bool{false, true} {
				checkFigures(c, b, p, all)
				checkRanking(rt, c, b, p, all)
				checkRain(rt, c, b, p, all)
			}
		}
	})
}

func drawRow(rt *rapid.T) []weather.Value {
	values := slices.Repeat([]weather.Value{weather.Missing}, len(weather.Standard()))
	values[weather.Temperature] = rapid.SampledFrom([]weather.Value{weather.Missing, -700, 0, 70, 122, 610}).Draw(rt, "temperature")
	values[weather.SkyCondition] = rapid.SampledFrom([]weather.Value{weather.Missing, 0, 2, 19}).Draw(rt, "sky")
	values[weather.Precipitation1h] = rapid.SampledFrom([]weather.Value{weather.Missing, weather.Trace, 0, 3, 40}).Draw(rt, "rain")
	values[weather.Precipitation6h] = rapid.SampledFrom([]weather.Value{weather.Missing, weather.Missing, 0, 50}).Draw(rt, "rain of six hours")
	return values
}

func checkRetraction(rt *rapid.T, c *entitytest.Case, b *book, t weather.Minute, now time.Time) {
	if times := b.in(firstMinute, lastMinute); len(times) > 0 && rapid.Bool().Draw(rt, "one that is there") {
		t = rapid.SampledFrom(times).Draw(rt, "time")
	}
	values, held := b.rows[t]
	c.When(&station.Retract{Time: t, Reason: "spider in the gauge", At: now})
	switch changes := b.changes[t]; {
	case held:
		c.Matches(func(reply any) error {
			if got := reply.(station.Retracted).Run; !got.Equal(one(t, values...)) {
				return fmt.Errorf("retracted %v, want %v", got, values)
			}
			return nil
		})
		b.retract(t, "spider in the gauge", now)
	case len(changes) > 0 && changes[len(changes)-1].After == nil:
		c.Matches(func(reply any) error {
			if got := reply.(station.Retracted).Run; got != nil {
				return fmt.Errorf("retracted %v, which had gone", got)
			}
			return nil
		})
	default:
		c.Refuses(entity.NotFound, "no observation at")
	}
}

func checkObservations(rt *rapid.T, c *entitytest.Case, b *book, at weather.Minute) {
	times := b.in(firstMinute, lastMinute)
	months := map[weather.YearMonth]bool{}
	for _, t := range times {
		months[weather.MonthOf(t)] = true
	}
	c.When(&station.GetHead{}).Matches(func(reply any) error {
		h := reply.(*station.Head)
		if int(h.Observations) != len(times) || h.Months.Len() != len(months) {
			return fmt.Errorf("%d observations in %d months, want %d in %d", h.Observations, h.Months.Len(), len(times), len(months))
		}
		if n := len(times); n > 0 && (h.Latest != times[n-1] || !one(h.Latest, h.Values...).Equal(one(h.Latest, b.rows[h.Latest]...))) {
			return fmt.Errorf("the latest is %v at %s, want %v at %s", h.Values, h.Latest, b.rows[times[n-1]], times[n-1])
		}
		return nil
	})
	for _, until := range []weather.Minute{at, station.Always} {
		c.When(&station.Current{At: until})
		want := b.in(firstMinute, min(until, lastMinute-1)+1)
		if len(want) == 0 {
			c.Refuses(entity.NotFound, "no observation")
			continue
		}
		last := want[len(want)-1]
		c.Matches(func(reply any) error {
			o := reply.(*station.Observations)
			if !o.Run.Equal(one(last, b.rows[last]...)) || len(o.Flags) != 1 || (o.Flags[0][0]&weather.FlagErroneous != 0) != b.rows[last][0].Erroneous() {
				return fmt.Errorf("at %s it was %v, want %v at %s", until, o.Run, b.rows[last], last)
			}
			return nil
		})
	}
	from := at - weather.Minute(rapid.IntRange(0, 200*1440).Draw(rt, "before"))
	to := at + weather.Minute(rapid.IntRange(1, 200*1440).Draw(rt, "after"))
	limit := rapid.IntRange(0, 5).Draw(rt, "limit")
	var got []weather.Minute
	for begin, more := from, true; more; {
		c.When(&station.Range{From: begin, To: to, Limit: limit, Flags: true})
		if len(b.in(begin, to)) == 0 {
			c.Refuses(entity.NotFound, "no observations")
			break
		}
		c.Matches(func(reply any) error {
			o := reply.(*station.Observations)
			for i, t := range o.Run.Times {
				if !slices.Equal(rowOf(o.Run, i), b.rows[t]) {
					return fmt.Errorf("at %s it was %v, want %v", t, rowOf(o.Run, i), b.rows[t])
				}
			}
			if limit > 0 && o.Run.Len() > limit || len(o.Flags) != o.Run.Len() {
				return fmt.Errorf("%d observations with %d flags, and the limit is %d", o.Run.Len(), len(o.Flags), limit)
			}
			got = append(got, o.Run.Times...)
			begin, more = o.Next, o.More
			return nil
		})
	}
	if want := b.in(from, to); !slices.Equal(got, want) {
		rt.Fatalf("from %s to %s there are %v, want %v", from, to, got, want)
	}
}

func checkPast(rt *rapid.T, c *entitytest.Case, b *book, t weather.Minute) {
	if len(b.changes) > 0 {
		t = rapid.SampledFrom(slices.Sorted(maps.Keys(b.changes))).Draw(rt, "changed")
	}
	values, held := b.rows[t]
	c.When(&station.History{Time: t})
	if !held && len(b.changes[t]) == 0 {
		c.Refuses(entity.NotFound, "never had")
		return
	}
	c.Matches(func(reply any) error {
		past := reply.(*station.Past)
		if held != (past.Current.Len() == 1) || held && !past.Current.Equal(one(t, values...)) {
			return fmt.Errorf("it is %v, want %v", past.Current, values)
		}
		same := func(a, b station.Change) bool {
			return a.At.Equal(b.At) && a.Reason == b.Reason && a.Before.Equal(b.Before) && (a.After == nil) == (b.After == nil) && (a.After == nil || a.After.Equal(b.After))
		}
		if !slices.EqualFunc(past.Changes, b.changes[t], same) {
			return fmt.Errorf("changes %+v, want %+v", past.Changes, b.changes[t])
		}
		return nil
	})
}

func checkFigures(c *entitytest.Case, b *book, p station.Period, all bool) {
	_, temperatures := b.values(weather.Temperature, p, all)
	c.When(&station.Temperature{Period: p, All: all})
	if len(temperatures) == 0 {
		c.Refuses(entity.NotFound, p.String())
	} else {
		c.Matches(func(reply any) error {
			if s := reply.(weather.Summary); s.N != len(temperatures) || s.High != slices.Max(temperatures) || s.Low != slices.Min(temperatures) {
				return fmt.Errorf("%s: %+v; want %v", p, s, temperatures)
			}
			return nil
		})
	}
	checkStatistics(c, b, p, all)
	_, codes := b.values(weather.SkyCondition, p, all)
	want := map[weather.Value]int{}
	for _, code := range codes {
		want[code]++
	}
	if all { // which the question about the sky does not have
		c.When(&station.Statistics{Measure: weather.SkyCondition, Period: p, All: all})
	} else {
		c.When(&station.SkyConditions{Period: p})
	}
	if len(codes) == 0 {
		c.Refuses(entity.NotFound, p.String())
		return
	}
	c.Matches(func(reply any) error {
		if d := reply.(*station.Described); d.N != len(codes) || !maps.Equal(d.Counts, want) {
			return fmt.Errorf("%s: %v of %d, want %v", p, d.Counts, d.N, want)
		}
		return nil
	})
}

// checkStatistics asks for what a mean and a sum are, by the question for any measure.
func checkStatistics(c *entitytest.Case, b *book, p station.Period, all bool) {
	for _, m := range []weather.MeasureID{weather.Temperature, weather.Precipitation1h} {
		_, values := b.values(m, p, all)
		c.When(&station.Statistics{Measure: m, Period: p, All: all})
		if len(values) == 0 {
			c.Refuses(entity.NotFound, p.String())
			continue
		}
		var sum int64
		for _, v := range values {
			if v.Plain() {
				sum += int64(v)
			}
		}
		c.Matches(func(reply any) error {
			d := reply.(*station.Described)
			switch {
			case d.N != len(values):
				return fmt.Errorf("%s: %d values, want %v", p, d.N, values)
			case m == weather.Precipitation1h && (d.Total.Sum != sum || d.Total.N != len(values)):
				return fmt.Errorf("%s: %+v; want a sum of %d", p, d.Total, sum)
			case m == weather.Temperature && (d.Summary.High != slices.Max(values) || d.Summary.Low != slices.Min(values) || d.Summary.N != len(values)):
				return fmt.Errorf("%s: %+v; want %v", p, d.Summary, values)
			}
			return nil
		})
	}
}

func checkRanking(rt *rapid.T, c *entitytest.Case, b *book, p station.Period, all bool) {
	k := rapid.IntRange(1, 6).Draw(rt, "k")
	if p.Day != 0 {
		c.When(&station.Top{Measure: weather.Temperature, Period: p, K: k}).Refuses(entity.Invalid, "not of "+p.String())
		return
	}
	for _, lowest := range []bool{false, true} {
		times, values := b.values(weather.Temperature, p, all)
		var want []weather.Ranked
		for i, v := range values {
			want = append(want, weather.Ranked{At: times[i], Value: int64(v)})
		}
		slices.SortFunc(want, func(a, b weather.Ranked) int {
			if lowest {
				return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.At, b.At))
			}
			return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.At, b.At))
		})
		checkRanks(c, &station.Top{Measure: weather.Temperature, Period: p, K: k, Lowest: lowest, All: all}, want, len(values), p)
	}
	times, values := b.values(weather.Precipitation1h, p, all)
	days := map[weather.Minute]int64{}
	var hours []weather.Ranked
	for i, v := range values {
		if v.Plain() && v > 0 {
			days[times[i].Day().Start()] += int64(v)
			hours = append(hours, weather.Ranked{At: times[i], Value: int64(v)})
		}
	}
	var sums []weather.Ranked
	for at, sum := range days {
		sums = append(sums, weather.Ranked{At: at, Value: sum})
	}
	wettest := func(a, b weather.Ranked) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.At, b.At))
	}
	slices.SortFunc(hours, wettest)
	slices.SortFunc(sums, wettest)
	checkRanks(c, &station.TopPrecipitation{Period: p, K: k, All: all}, hours, len(values), p)
	checkRanks(c, &station.TopPrecipitation{Period: p, K: k, Days: true, All: all}, sums, len(values), p)
}

func checkRanks(c *entitytest.Case, question any, want []weather.Ranked, n int, p station.Period) {
	c.When(question)
	if n == 0 {
		c.Refuses(entity.NotFound, p.String())
		return
	}
	c.Matches(func(reply any) error {
		r := reply.(*station.Ranking)
		if len(r.Ranks) > len(want) || !slices.Equal(r.Ranks, want[:len(r.Ranks)]) || r.N != n {
			return fmt.Errorf("%+v: %v of %d, want %v of %d", question, r.Ranks, r.N, want, n)
		}
		return nil
	})
}

func checkRain(rt *rapid.T, c *entitytest.Case, b *book, p station.Period, all bool) {
	from, err := weather.DayOfDate(p.Year, max(p.Month, 1), max(p.Day, 1))
	if err != nil {
		rt.Fatal(err)
	}
	until := from.Start() + weather.Minute(rapid.IntRange(1, 400*24).Draw(rt, "until")*60-30)
	for _, q := range []*station.Precipitation{
		{Period: p, All: all},
		{Period: p, All: all, Method: station.SixHour},
		{Period: p, All: all, Until: until},
	} {
		measure := weather.Precipitation1h
		if q.Method == station.SixHour {
			measure = weather.Precipitation6h
		}
		var want weather.Total
		times, values := b.values(measure, p, all)
		for i, v := range values {
			if q.Until != 0 && times[i] >= q.Until {
				continue
			}
			want.N++
			if v == weather.Trace {
				want.Traces++
			} else {
				want.Sum += int64(v)
			}
		}
		c.When(q)
		if want.N == 0 {
			c.Refuses(entity.NotFound, p.String())
			continue
		}
		c.Matches(func(reply any) error {
			got := reply.(weather.Total)
			got.MissingHours = 0
			if got != want {
				return fmt.Errorf("%+v: %+v, want %+v", q, got, want)
			}
			return nil
		})
	}
	_, hours := b.values(weather.Precipitation1h, p, all)
	sum := int64(0)
	for _, v := range hours {
		if v.Plain() {
			sum += int64(v)
		}
	}
	c.When(&station.Precipitation{Period: p, Method: station.Best, All: all})
	times, _ := b.values(weather.Precipitation6h, p, all)
	if !slices.ContainsFunc(times, func(t weather.Minute) bool { return t%360 == 0 }) && len(hours) == 0 {
		c.Refuses(entity.NotFound, p.String())
		return
	}
	c.Matches(func(reply any) error {
		if got := reply.(weather.Total); got.Sum < sum {
			return fmt.Errorf("the best sum of %s is %d, and that of its hours %d", p, got.Sum, sum)
		}
		return nil
	})
}
