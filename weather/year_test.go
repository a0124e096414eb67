package weather

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// aggregate computes from scratch what a year should know of a day.
func (w *twin) aggregate(m *Measure, times []Minute) DayAggregate {
	a := NoAggregate()
	for _, t := range times {
		v := w.values[t][m.ID]
		if v == Missing || v.Erroneous() {
			continue
		}
		a.N++
		hour, _ := t.Clock()
		a.Hours |= 1 << hour
		if v == Trace {
			a.Traces++
			continue
		}
		switch m.Aggregate {
		case AggregateSum:
			a.Sum += int64(v)
			if a.High == Missing || v > a.High {
				a.High, a.HighAt = v, t
			}
		case AggregateMean, AggregateMaximum:
			a.Sum += int64(v)
			a.Squares += int64(v) * int64(v)
			if a.Low == Missing || v < a.Low {
				a.Low, a.LowAt = v, t
			}
			if a.High == Missing || v > a.High {
				a.High, a.HighAt = v, t
			}
		}
	}
	return a
}

// plain lists the values of a measure at those times.
func (w *twin) plain(id MeasureID, all []Minute) (times []Minute, values []Value, traces int, hours map[Minute]bool) {
	hours = map[Minute]bool{}
	for _, t := range all {
		switch v := w.values[t][id]; {
		case v == Missing || v.Erroneous():
			continue
		case v == Trace:
			traces++
		default:
			times, values = append(times, t), append(values, v)
		}
		hours[t-((t%60)+60)%60] = true
	}
	return times, values, traces, hours
}

// checkYear compares a page with what a map holds of its year.
func checkYear(t *rapid.T, y *Year, w *twin) {
	times := w.times(y.Has)
	for id := range w.catalogue {
		m := &w.catalogue[id]
		for day := at(2008, 12, 28, 0, 0).Day(); day <= at(2009, 1, 5, 0, 0).Day(); day++ {
			want := w.aggregate(m, between(times, day, day))
			if got, ok := y.Day(m.ID, day); got != want || ok != (want.N > 0) {
				t.Fatalf("%s of %s is %+v, %v; want %+v", m.Name, day, got, ok, want)
			}
			checkPeriod(t, y, w, m, times, day, day)
		}
		for month := 1; month <= 12; month++ {
			first, last, _ := y.daysOf(month)
			checkPeriod(t, y, w, m, times, first, last)
			total, ok := y.Total(m.ID, first, last)
			if got, ok2 := y.MonthTotal(m.ID, month); got != total || ok != ok2 {
				t.Fatalf("month %d of %s is %+v, %v; want %+v, %v", month, m.Name, got, ok2, total, ok)
			}
		}
		checkPeriod(t, y, w, m, times, y.first, y.last())
		total, ok := y.Total(m.ID, y.first, y.last())
		if got, ok2 := y.YearTotal(m.ID); got != total || ok != ok2 {
			t.Fatalf("the year of %s is %+v, %v; want %+v, %v", m.Name, got, ok2, total, ok)
		}
	}
}

// checkPeriod compares an answer with loops and big integers.
func checkPeriod(t *rapid.T, y *Year, w *twin, m *Measure, all []Minute, first, last Day) {
	first, last = max(first, y.first), min(last, y.last())
	times, values, traces, hours := w.plain(m.ID, between(all, first, last))
	missing := 24*max(0, int(last-first)+1) - len(hours)
	total, ok := y.Total(m.ID, first, last)
	if sums := m.Aggregate == AggregateSum; ok != (sums && len(values)+traces > 0) {
		t.Fatalf("there is a total of %s from %s to %s: %v", m.Name, first, last, ok)
	}
	if ok {
		want := Total{N: len(values) + traces, Traces: traces, MissingHours: missing}
		for _, v := range values {
			want.Sum += int64(v)
		}
		if total != want {
			t.Fatalf("%s from %s to %s is %+v, want %+v", m.Name, first, last, total, want)
		}
	}
	s, ok := y.Summary(m.ID, first, last)
	if ok != (m.Aggregate.spans() && len(values) > 0) {
		t.Fatalf("there is a summary of %s from %s to %s: %v", m.Name, first, last, ok)
	}
	if ok {
		if want := summaryOf(m, times, values, missing); s != want {
			t.Fatalf("%s from %s to %s is\n%+v, want\n%+v", m.Name, first, last, s, want)
		}
	}
}

// summaryOf computes a summary from the values, with fractions of big integers.
func summaryOf(m *Measure, times []Minute, values []Value, missing int) Summary {
	s := Summary{N: len(values), MissingHours: missing, High: Missing, Low: Missing}
	one := new(big.Rat).SetInt64(pow10[m.Decimals])
	n := new(big.Rat).SetInt64(int64(len(values)))
	sum, squares := new(big.Rat), new(big.Rat)
	days, highs, lows := map[Day]bool{}, map[Day]Value{}, map[Day]Value{}
	for i, v := range values {
		x := new(big.Rat).Quo(new(big.Rat).SetInt64(int64(v)), one)
		sum.Add(sum, x)
		squares.Add(squares, new(big.Rat).Mul(x, x))
		if s.High == Missing || v > s.High {
			s.High, s.HighAt = v, times[i]
		}
		if s.Low == Missing || v < s.Low {
			s.Low, s.LowAt = v, times[i]
		}
		day := times[i].Day()
		if !days[day] {
			days[day], highs[day], lows[day] = true, v, v
		}
		highs[day], lows[day] = max(highs[day], v), min(lows[day], v)
	}
	s.Days = len(days)
	mean := new(big.Rat).Quo(sum, n)
	s.Mean, _ = mean.Float64()
	variance := new(big.Rat).Quo(squares, n)
	s.Variance, _ = variance.Sub(variance, new(big.Rat).Mul(mean, mean)).Float64()
	s.Stdev = math.Sqrt(s.Variance)
	meanOf := func(values map[Day]Value) float64 {
		sum := new(big.Rat)
		for _, v := range values {
			sum.Add(sum, new(big.Rat).SetInt64(int64(v)))
		}
		sum.Quo(sum, one)
		f, _ := sum.Quo(sum, new(big.Rat).SetInt64(int64(len(values)))).Float64()
		return f
	}
	s.MeanHigh, s.MeanLow = meanOf(highs), meanOf(lows)
	return s
}

// Observations in any order and in runs of any length, with corrections and
// retractions restated from the months, leave what a map would compute.
func TestYearAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		w := newTwin(c)
		months := []*Month{NewMonth(YearMonth{2008, 12}), NewMonth(YearMonth{2009, 1})}
		years := []*Year{NewYear(c, 2008), NewYear(c, 2009)}
		restate := func(day Day) {
			for i, m := range months {
				if !m.Has(day.Start()) {
					continue
				}
				for id := range c {
					for _, y := range years { // also the one that it is not in
						if err := y.Restate(MeasureID(id), day, DayOf(months[i], day, &c[id])); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				r := genMarked(c, 40).Draw(t, "run")
				fresh, corrected := &Run{}, map[Day]bool{}
				known := map[Minute]bool{}
				for i, when := range r.Times {
					_, had := w.values[when]
					if !had && !known[when] {
						fresh.Append(when, w.row(r, i)...)
					} else {
						corrected[when.Day()] = true
					}
					known[when] = true
				}
				for i, when := range r.Times {
					w.values[when] = w.row(r, i)
				}
				for _, m := range months {
					m.Put(r)
				}
				for _, y := range years {
					if err := y.Add(fresh); err != nil {
						t.Fatal(err)
					}
				}
				for day := range corrected {
					restate(day)
				}
			},
			"retract": func(t *rapid.T) {
				times := w.times(func(Minute) bool { return true })
				if len(times) == 0 {
					return
				}
				when := rapid.SampledFrom(times).Draw(t, "time")
				delete(w.values, when)
				for _, m := range months {
					m.Remove(when)
				}
				restate(when.Day())
			},
			"store": func(t *rapid.T) {
				for i, y := range years {
					decoded, err := DecodeYear(c, AppendYear(nil, y))
					if err != nil {
						t.Fatal(err)
					}
					years[i] = decoded
				}
			},
			"": func(t *rapid.T) {
				for _, y := range years {
					checkYear(t, y, w)
				}
			},
		})
	})
}

// The bytes of a page depend on what it counted, not on the order.
func TestYearIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		r := genMarked(c, 60).Draw(t, "run")
		whole, parts := NewYear(c, 2008), NewYear(c, 2008)
		if err := whole.Add(r); err != nil {
			t.Fatal(err)
		}
		order := rapid.Permutation(rows(r)).Draw(t, "order")
		for from := 0; from < len(order); {
			to := rapid.IntRange(from+1, len(order)).Draw(t, "to")
			if err := parts.Add(r.Select(order[from:to])); err != nil {
				t.Fatal(err)
			}
			from = to
		}
		if a, b := AppendYear(nil, whole), AppendYear(nil, parts); !bytes.Equal(a, b) {
			t.Fatalf("%x in one, %x in parts", a, b)
		}
	})
}

func rows(r *Run) []int {
	list := make([]int, r.Len())
	for i := range list {
		list[i] = i
	}
	return list
}

// Variance of values that differ little and are large: floating point loses it.
func TestVarianceDoesNotCancel(t *testing.T) {
	c := gauge()
	y, r := NewYear(c, 2008), &Run{}
	for i := range Minute(1440 * 366) {
		r.Append(y.first.Start()+i, MaxValue-Value(i%2))
	}
	if err := y.Add(r); err != nil {
		t.Fatal(err)
	}
	s, _ := y.YearSummary(0)
	if want := 0.25e-6; s.Variance != want || s.N != 527_040 || s.MissingHours != 0 {
		t.Errorf("%+v, want a variance of %v", s, want)
	}
}

func TestYearRefusesWhatItCannotKeep(t *testing.T) {
	y := NewYear(Standard(), 2008)
	r := &Run{}
	r.Append(at(2008, 1, 1, 0, 0), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	if err := y.Add(r); !errors.Is(err, ErrImpossible) || len(AppendYear(nil, y)) != len(AppendYear(nil, NewYear(Standard(), 2008))) {
		t.Errorf("a tenth measure: %v", err)
	}
	r = &Run{Times: []Minute{1, 2}, Columns: [][]Value{{1}}}
	if err := y.Add(r); !errors.Is(err, ErrImpossible) {
		t.Errorf("a short column: %v", err)
	}
}

func TestRestateRefusesWhatCannotBe(t *testing.T) {
	c := Standard()
	day := at(2008, 8, 11, 0, 0).Day()
	good := DayAggregate{N: 2, Sum: 300, Squares: 50_000, Low: 100, High: 200, LowAt: day.Start(), HighAt: day.Start() + 60, Hours: 3}
	rain := DayAggregate{N: 3, Sum: 410, Traces: 1, Hours: 7, Low: Missing, High: 300, HighAt: day.Start() + 60}
	tests := []struct {
		measure MeasureID
		from    DayAggregate
		change  func(*DayAggregate)
	}{
		{Temperature, good, func(a *DayAggregate) { a.Hours = 0 }},
		{Temperature, good, func(a *DayAggregate) { a.Hours = 1 << 24 }},
		{Temperature, good, func(a *DayAggregate) { a.N = 1 }},
		{Temperature, good, func(a *DayAggregate) { a.N = 121 }},
		{Temperature, good, func(a *DayAggregate) { a.N = -2 }},
		{Temperature, good, func(a *DayAggregate) { a.Traces = 1 }},
		{Temperature, good, func(a *DayAggregate) { a.Low = 201 }},
		{Temperature, good, func(a *DayAggregate) { a.Low = Missing }},
		{Temperature, good, func(a *DayAggregate) { a.High = MaxValue + 1 }},
		{Temperature, good, func(a *DayAggregate) { a.LowAt-- }},
		{Temperature, good, func(a *DayAggregate) { a.HighAt += 1440 }},
		{Temperature, good, func(a *DayAggregate) { a.Sum = 401 }},
		{Temperature, good, func(a *DayAggregate) { a.Sum = 199 }},
		{Temperature, good, func(a *DayAggregate) { a.Squares = 80_001 }},
		{Temperature, good, func(a *DayAggregate) { a.Squares = 44_999 }},
		{Temperature, good, func(a *DayAggregate) { a.Squares = -1 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Traces = 4 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Traces = -1 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Low = 110 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Squares = 1 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.High = Missing }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.High = MaxValue + 1 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.High = 204 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.HighAt += 120 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.HighAt += 1440 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Sum = 300 - int64(MaxValue) - 1 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Traces = 3 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Traces, a.Sum = 3, 0 }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Traces, a.Sum, a.High = 3, 0, Missing }},
		{Precipitation1h, rain, func(a *DayAggregate) { a.Sum = math.MaxInt64 }},
		{SkyCondition, rain, func(a *DayAggregate) { a.Traces = 0 }},           // with a sum
		{SkyCondition, rain, func(a *DayAggregate) { a.Traces, a.Sum = 0, 0 }}, // with a high
		{9, rain, func(*DayAggregate) {}},
		{-1, rain, func(*DayAggregate) {}},
	}
	for i, test := range tests {
		y := NewYear(c, 2008)
		if int(test.measure) < len(c) && test.measure >= 0 && test.measure != SkyCondition {
			if err := y.Restate(test.measure, day, test.from); err != nil {
				t.Fatal(err)
			}
		}
		before := AppendYear(nil, y)
		a := test.from
		test.change(&a)
		if err := y.Restate(test.measure, day, a); !errors.Is(err, ErrImpossible) {
			t.Errorf("%d: %+v is accepted: %v", i, a, err)
		}
		if after := AppendYear(nil, y); !bytes.Equal(before, after) {
			t.Errorf("%d: the page changed", i)
		}
	}
}

func TestQuestionsOutsideOfTheYear(t *testing.T) {
	y := NewYear(Standard(), 2008)
	if err := y.Add(hourly(2008)); err != nil {
		t.Fatal(err)
	}
	for _, m := range []MeasureID{-1, 9, 1000} {
		_, ok1 := y.YearTotal(m)
		_, ok2 := y.YearSummary(m)
		_, ok3 := y.Day(m, y.first)
		_, ok4 := y.MonthTotal(m, 1)
		if ok1 || ok2 || ok3 || ok4 {
			t.Errorf("there is data of measure %d", m)
		}
	}
	for _, month := range []int{-1, 0, 13} {
		_, ok1 := y.MonthTotal(Precipitation1h, month)
		_, ok2 := y.MonthSummary(Temperature, month)
		if ok1 || ok2 {
			t.Errorf("there is data of month %d", month)
		}
	}
	for _, day := range []Day{-1 << 31, y.first - 1, y.last() + 1, 1<<31 - 1} {
		_, ok1 := y.DayTotal(Precipitation1h, day)
		_, ok2 := y.DaySummary(Temperature, day)
		_, ok3 := y.Day(Temperature, day)
		if ok1 || ok2 || ok3 {
			t.Errorf("there is data of day %d", day)
		}
	}
	all, _ := y.YearSummary(Temperature)
	if got, ok := y.Summary(Temperature, -1<<31, 1<<31-1); !ok || got != all {
		t.Errorf("all days are %+v, want %+v", got, all)
	}
}
