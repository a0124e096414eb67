package weather

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/sampledata"
)

// turn puts a run into the months around a turn of the year, one of them nil.
func turn(r *Run) []*Month {
	months := []*Month{NewMonth(YearMonth{2008, 11}), NewMonth(YearMonth{2008, 12}), nil, NewMonth(YearMonth{2009, 1})}
	for _, m := range months {
		if m != nil {
			m.Put(r)
		}
	}
	return months
}

// yearsOf returns the years of the same months, with or without what is erroneous.
func yearsOf(c Catalogue, months []*Month, all bool) []*Year {
	return []*Year{NewYearOf(c, 2008, months, all), NewYearOf(c, 2009, months, all)}
}

// genTime draws times around the turn of the year, often those of a run and often
// whole days.
func genTime(r *Run) *rapid.Generator[Minute] {
	some := []Minute{at(2008, 12, 31, 0, 0), at(2009, 1, 1, 0, 0), at(2009, 1, 1, 18, 0), -1 << 31, 1<<31 - 1}
	return rapid.OneOf(rapid.SampledFrom(append(some, r.Times...)), rapid.Custom(func(t *rapid.T) Minute {
		return at(2008, 12, 28, 0, 0) + Minute(rapid.IntRange(0, 10*1440).Draw(t, "minute"))
	}))
}

// Of whole days, what the months say is what the year says.
func TestOfMonthsIsOfYears(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		months := turn(genMarked(c, 60).Draw(t, "run"))
		all := rapid.Bool().Draw(t, "all")
		for i, y := range yearsOf(c, months, all) {
			first := y.first + Day(rapid.IntRange(0, 365).Draw(t, "first"))
			if rapid.Bool().Draw(t, "near the turn") {
				first = at(2008, 12, 29, 0, 0).Day() + Day(3*i)
			}
			last := min(y.last(), first+Day(rapid.IntRange(0, 40).Draw(t, "days")))
			if first > last {
				continue
			}
			from, to := first.Start(), (last + 1).Start()
			for id := range c {
				m := &c[id]
				if m.Aggregate == AggregateSum {
					got, ok := TotalOf(months, from, to, m.ID, all)
					if want, ok2 := y.Total(m.ID, first, last); got != want || ok != ok2 {
						t.Fatalf("%s from %s to %s is %+v, %v; want %+v, %v", m.Name, first, last, got, ok, want, ok2)
					}
				}
				if m.Aggregate.spans() {
					got, ok := SummaryOf(months, from, to, m, all)
					if want, ok2 := y.Summary(m.ID, first, last); got != want || ok != ok2 {
						t.Fatalf("%s from %s to %s is\n%+v, %v; want\n%+v, %v", m.Name, first, last, got, ok, want, ok2)
					}
				}
			}
		}
	})
}

// From any time to any other, it is what loops and big integers say. Mutations
// seen to fail: hours of which the period has a part left out of the missing ones;
// each value a day of its own.
func TestOfMonthsAgainstLoops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		r := genMarked(c, 60).Draw(t, "run")
		months := turn(r)
		all := rapid.Bool().Draw(t, "all")
		from, to := genTime(r).Draw(t, "from"), genTime(r).Draw(t, "to")
		w := newTwin(c)
		for i, when := range r.Times {
			w.values[when] = w.row(r, i)
			for id, v := range w.values[when] {
				if v > MaxValue && all {
					w.values[when][id] = v - 1<<28
				}
			}
		}
		within := w.times(func(when Minute) bool { return when >= from && when < to })
		for id := range c {
			m := &c[id]
			times, values, traces, hours := w.plain(m.ID, within)
			touched := 0
			if from > -1<<31 && to < 1<<31-1 {
				for hour := from.Day().Start(); hour < to; hour += 60 {
					if hour+60 > from {
						touched++
					}
				}
			}
			if m.Aggregate.spans() {
				got, ok := SummaryOf(months, from, to, m, all)
				if ok != (len(values) > 0) {
					t.Fatalf("there is a summary of %s from %s to %s: %v", m.Name, from, to, ok)
				}
				if !ok {
					continue
				}
				want := summaryOf(m, times, values, touched-len(hours))
				if touched == 0 { // all of time
					want.MissingHours = got.MissingHours
				}
				if got != want {
					t.Fatalf("%s from %s to %s is\n%+v, want\n%+v", m.Name, from, to, got, want)
				}
				continue
			}
			if m.Aggregate != AggregateSum {
				continue
			}
			want := Total{N: len(values) + traces, Traces: traces, MissingHours: touched - len(hours)}
			for _, v := range values {
				want.Sum += int64(v)
			}
			got, ok := TotalOf(months, from, to, m.ID, all)
			if touched == 0 {
				want.MissingHours = got.MissingHours
			}
			if ok != (want.N > 0) || ok && got != want {
				t.Fatalf("%s from %s to %s is %+v, %v; want %+v", m.Name, from, to, got, ok, want)
			}
		}
	})
}

// All of time is as many hours as there are, and no more.
func TestTotalOfAllTime(t *testing.T) {
	r := &Run{}
	r.Append(at(2008, 5, 1, 0, 0), 5)
	m := NewMonth(YearMonth{2008, 5})
	m.Put(r)
	hours := int(endMinute-minMinute) / 60
	if got, ok := TotalOf([]*Month{m}, -1<<31, 1<<31-1, 0, false); !ok || got != (Total{N: 1, Sum: 5, MissingHours: hours - 1}) {
		t.Errorf("got %+v", got)
	}
	if got, ok := BestTotal([]*Month{m}, -1<<31, 1<<31-1, 0, 1, false); !ok || got != (Total{N: 1, Sum: 5, MissingHours: hours - 1}) {
		t.Errorf("best is %+v", got)
	}
	for _, measure := range []MeasureID{-1, 1, 1000} {
		if got, ok := TotalOf([]*Month{m}, -1<<31, 1<<31-1, measure, false); ok {
			t.Errorf("measure %d is %+v", measure, got)
		}
		if got, ok := BestTotal([]*Month{m}, -1<<31, 1<<31-1, measure, -1, false); ok {
			t.Errorf("the best of measure %d is %+v", measure, got)
		}
		if got, ok := DirectionOf([]*Month{m}, -1<<31, 1<<31-1, measure, -1); ok {
			t.Errorf("the direction of measure %d is %+v", measure, got)
		}
	}
}

// genRain draws amounts at whole hours and at times between, some of six hours.
func genRain() *rapid.Generator[*Run] {
	return rapid.Custom(func(t *rapid.T) *Run {
		amount := rapid.SampledFrom([]Value{Missing, Missing, Trace, 0, 1, 5, Value(3).Mark()})
		six := rapid.SampledFrom([]Value{Missing, Trace, 0, 2, 9, 12, Value(20).Mark()})
		r := &Run{}
		when := at(2008, 12, 30, 12, 0)
		for range rapid.IntRange(0, 60).Draw(t, "rows") {
			when += rapid.SampledFrom([]Minute{60, 60, 60, 60, 30, 120, 360, 780}).Draw(t, "pause")
			row := make([]Value, 9)
			for id := range row {
				row[id] = Missing
			}
			row[Precipitation1h], row[Precipitation6h] = amount.Draw(t, "one"), six.Draw(t, "six")
			r.Append(when, row...)
		}
		return r
	})
}

// bestOfTwin looks for everything again at every main hour.
func bestOfTwin(r *Run, from, to Minute, all bool) (want Total, ok bool) {
	value := func(i int, id MeasureID) Value {
		v := r.Value(i, id)
		if v > MaxValue {
			if v -= 1 << 28; !all {
				v = Missing
			}
		}
		if hour, minute := r.Times[i].Clock(); id == Precipitation6h && (minute != 0 || hour%6 != 0) {
			v = Missing
		}
		return v
	}
	present := map[Minute]bool{}
	for i, when := range r.Times {
		one, six := value(i, Precipitation1h), value(i, Precipitation6h)
		start := when - when%60
		if one != Missing {
			present[start] = true
		}
		for k := Minute(0); k < 6 && six != Missing; k++ {
			present[start-60*k] = true
		}
		if when < from || when >= to {
			continue
		}
		if one != Missing || six != Missing {
			want.N++
		}
		if one == Trace || six == Trace {
			want.Traces++
		}
		if one != Missing && one != Trace {
			want.Sum += int64(one)
		}
		if six == Missing || six == Trace {
			continue
		}
		hours := int64(0)
		for k, other := range r.Times {
			if v := value(k, Precipitation1h); other > when-360 && other <= when && v != Missing && v != Trace {
				hours += int64(v)
			}
		}
		if int64(six) > hours {
			want.Sum += int64(six) - hours
		}
	}
	for hour := from - from%60; hour < to; hour += 60 {
		if !present[hour] {
			want.MissingHours++
		}
	}
	return want, want.N > 0
}

// The best of both is what looking at all of it again for each amount gives; it is
// never less than the one-hour amounts, and may be added up. Mutations seen to
// fail: taking six-hour amounts of any hour; a window that begins an hour early or
// late; nothing before the period looked at, or after it; taking away where six
// hours have less than their hours; hours counted twice.
func TestBestTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRain().Draw(t, "run")
		months := turn(r)
		all := rapid.Bool().Draw(t, "all")
		times := []Minute{0, 0, 0}
		for i := range times {
			for times[i] <= 0 || times[i] == 1<<31-1 {
				times[i] = genTime(r).Draw(t, "time")
			}
		}
		slices.Sort(times)
		totals := []Total{}
		for _, p := range [][2]int{{0, 1}, {1, 2}, {0, 2}} {
			from, to := times[p[0]], times[p[1]]
			want, ok := bestOfTwin(r, from, to, all)
			got, ok2 := BestTotal(months, from, to, Precipitation1h, Precipitation6h, all)
			if ok != ok2 || ok && got != want {
				t.Fatalf("from %s to %s it is %+v, %v; want %+v, %v", from, to, got, ok2, want, ok)
			}
			if one, _ := TotalOf(months, from, to, Precipitation1h, all); got.Sum < one.Sum {
				t.Fatalf("from %s to %s it is %d, less than the one-hour amounts, %d", from, to, got.Sum, one.Sum)
			}
			totals = append(totals, want)
		}
		if a, b, both := totals[0], totals[1], totals[2]; a.Sum+b.Sum != both.Sum || a.N+b.N != both.N || a.Traces+b.Traces != both.Traces {
			t.Fatalf("%+v and %+v are not %+v", a, b, both)
		}
		if a, b, both := totals[0], totals[1], totals[2]; times[1]%60 == 0 && a.MissingHours+b.MissingHours != both.MissingHours {
			t.Fatalf("%+v and %+v are not %+v", a, b, both)
		}
	})
}

// What the three ways to add up a real year give. The best of both was computed
// by another program from the same file.
func TestBestTotalOfTheSampleYear(t *testing.T) {
	from, to := at(2008, 1, 1, 0, 0), at(2009, 1, 1, 0, 0)
	for station, want := range map[string][3]int64{
		sampledata.NewYork:      {8390, 11570, 11660},
		sampledata.SanFrancisco: {2720, 3660, 3660},
	} {
		var months []*Month
		r := sampleYear(t, station)
		for _, id := range r.Months() {
			m := NewMonth(id)
			m.Put(r)
			months = append(months, m)
		}
		one, _ := TotalOf(months, from, to, Precipitation1h, false)
		six, _ := TotalOf(months, from, to, Precipitation6h, false)
		both, _ := BestTotal(months, from, to, Precipitation1h, Precipitation6h, false)
		if got := [3]int64{one.Sum, six.Sum, both.Sum}; got != want {
			t.Errorf("%s had %v by the hour, by six hours and at best; want %v", station, got, want)
		}
	}
}
