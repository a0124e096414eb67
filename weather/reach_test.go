package weather

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// However a year comes to be, nothing in it is above its reach: no high or low, no sum
// of the year, of a month, a day or an hour; a month has a reach exactly when it has
// data; and the key follows from the page alone, so that one that is read back has the
// same. A run of which Raises says nothing changes nothing.
// Mutations seen to fail: Add or Restate not forgetting; raisesSums not looking at the
// sum of the month, the day or the hour, or not at amounts below zero; mostOfAnHour
// taking one value; gapCode rounding up; roundedUp rounding down.
func TestReaches(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := genCatalogue().Draw(rt, "catalogue")
		months := map[YearMonth]*Month{}
		y := NewYear(c, 2008)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			run := genReaching(c).Draw(rt, "run")
			var better *Run
			run, better = splitKnown(months, run)
			before, _ := y.Reaches()
			within := !y.Raises(run)
			add := y.Add
			if within {
				add = y.AddWithin
			}
			if err := add(run); err != nil {
				rt.Fatal(err)
			}
			for _, id := range run.AppendMonths(nil) {
				monthIn(months, id).Put(run)
			}
			after, ok := y.Reaches()
			if within && after != before || ok != (after != "") {
				rt.Fatalf("raises nothing, and from %s it went to %s", before, after)
			}
			for i, t := range better.Times {
				m := monthIn(months, MonthOf(t))
				if rapid.Bool().Draw(rt, "retract") {
					m.Remove(t)
				} else {
					m.Put(better.Slice(i, i+1))
				}
				for id := range c {
					if err := y.Restate(MeasureID(id), t.Day(), DayOf(m, t.Day(), &c[id])); err != nil {
						rt.Fatal(err)
					}
				}
			}
			checkReaches(rt, c, y, months)
		}
	})
}

// genReaching draws observations of a few months of a year, some of them in the same
// hour, many of one size and few of others.
func genReaching(c Catalogue) *rapid.Generator[*Run] {
	return rapid.Custom(func(t *rapid.T) *Run {
		r := &Run{}
		start := at(2008, rapid.SampledFrom([]int{1, 2, 7, 12}).Draw(t, "month"), 1, 0, 0)
		step := rapid.SampledFrom([]Minute{20, 60, 1440}).Draw(t, "step")
		if rapid.IntRange(0, 3).Draw(t, "order") == 0 {
			step = -step
			start = at(2008, 12, 31, 23, 0)
		}
		start += step * Minute(rapid.IntRange(0, 40).Draw(t, "from"))
		for i := range rapid.IntRange(1, 6).Draw(t, "rows") {
			values := make([]Value, len(c))
			for m := range values {
				values[m] = Missing
				if rapid.Bool().Draw(t, "there") {
					values[m] = rapid.OneOf(genValue(&c[m]), rapid.Custom(func(t *rapid.T) Value {
						return max(c[m].Low, min(c[m].High, Value(rapid.IntRange(0, 90).Draw(t, "small"))))
					})).Draw(t, c[m].Name)
				}
			}
			r.Append(start+Minute(i)*step, values...)
		}
		return r
	})
}

func monthIn(months map[YearMonth]*Month, id YearMonth) *Month {
	if months[id] == nil {
		months[id] = NewMonth(id)
	}
	return months[id]
}

// splitKnown parts the observations of times that nothing was held for from others.
func splitKnown(months map[YearMonth]*Month, run *Run) (fresh, known *Run) {
	fresh, known = &Run{}, &Run{}
	for i, t := range run.Times {
		var row []Value
		for m := range run.Columns {
			row = append(row, run.Value(i, MeasureID(m)))
		}
		if _, held := monthIn(months, MonthOf(t)).Find(t); held {
			known.Append(t, row...)
		} else {
			fresh.Append(t, row...)
		}
	}
	return fresh, known
}

func checkReaches(rt *rapid.T, c Catalogue, y *Year, months map[YearMonth]*Month) {
	key, _ := y.Reaches()
	for _, r := range key {
		if r <= ' ' || r > '~' || r == '/' {
			rt.Fatalf("%q can't be a key", key)
		}
	}
	read, err := DecodeYear(c, AppendYear(nil, y))
	if err != nil {
		rt.Fatal(err)
	}
	if again, _ := read.Reaches(); again != key {
		rt.Fatalf("the key is %s, and once read back %s", key, again)
	}
	for id := range c {
		m := &c[id]
		for _, contest := range []Contest{Highest, Lowest, Sums, DaySums, HourSums} {
			r, ok, err := ParseReach(key, contest, m.ID)
			if err != nil {
				rt.Fatal(err)
			}
			first, last := y.first, y.last()
			n, _, _ := y.Presence(m.ID, first, last)
			if takesPart := contest.IsOfSums() && m.Aggregate == AggregateSum || !contest.IsOfSums() && m.Aggregate.spans(); ok != (takesPart && n > 0) {
				rt.Fatalf("%c of %s: %t, with %d values, in %s", contest, m.Name, ok, n, key)
			}
			if !ok {
				continue
			}
			checkReach(rt, contest, m, &r, y, months)
		}
	}
}

func checkReach(rt *rapid.T, contest Contest, m *Measure, r *Reach, y *Year, months map[YearMonth]*Month) {
	within := func(what string, value, reach int64) {
		if score := contest.Score(value); score > reach && (score > 0 || !contest.IsOfSums()) {
			rt.Fatalf("%c of %s: %s has %d, and its reach is %d", contest, m.Name, what, score, reach)
		}
	}
	if contest == Sums {
		total, _ := y.YearTotal(m.ID)
		within("the year", total.Sum, r.Year())
	}
	for month := 1; month <= 12; month++ {
		first, last, _ := y.daysOf(month)
		n, _, _ := y.Presence(m.ID, first, last)
		reach, ok := r.Month(month)
		if ok != (n > 0) {
			rt.Fatalf("%c of %s in %d: %t, with %d values", contest, m.Name, month, ok, n)
		}
		if !ok {
			continue
		}
		if reach > r.Year() {
			rt.Fatalf("%c of %s: %d in %d, and %d in the year", contest, m.Name, reach, month, r.Year())
		}
		if contest == Sums {
			total, _ := y.MonthTotal(m.ID, month)
			within("the month", total.Sum, reach)
		}
		for day := first; day <= last; day++ {
			a, ok := y.Day(m.ID, day)
			switch {
			case !ok:
			case contest == Highest:
				within("a day", int64(a.High), reach)
			case contest == Lowest:
				within("a day", int64(a.Low), reach)
			case contest == DaySums:
				within("a day", a.Sum, reach)
			case contest == HourSums:
				for hour := range Minute(24) {
					h := HourOf(months[YearMonth{2008, month}], day.Start()+60*hour, m, false)
					within("an hour", h.Sum, reach)
				}
			}
		}
	}
}

// A reach that is not one is an error and nothing worse, and one that is parses to
// what it was made from.
func FuzzParseReach(f *testing.F) {
	y := NewYear(Standard(), 2008)
	if err := y.Add(hourly(2008)); err != nil {
		f.Fatal(err)
	}
	key, ok := y.Reaches()
	if !ok || !strings.HasPrefix(key, ReachPrefix(2008)) {
		f.Fatalf("the reaches of a year are %q", key)
	}
	f.Add(key)
	f.Add("2008h00------------0,")
	f.Add("2008h00000000000000")
	f.Add("20")
	f.Fuzz(func(t *testing.T, key string) {
		for _, c := range []Contest{Highest, Sums} {
			if r, ok, err := ParseReach(key, c, 0); err == nil && ok {
				for month := 1; month <= 12; month++ {
					r.Month(month)
				}
			}
		}
	})
}

func BenchmarkRaises(b *testing.B) {
	year := hourly(2008)
	y := NewYear(Standard(), 2008)
	if err := y.Add(year); err != nil {
		b.Fatal(err)
	}
	var runs []*Run
	for i := range year.Len() {
		runs = append(runs, year.Slice(i, i+1))
	}
	n := 0
	for b.Loop() {
		for _, r := range runs {
			y.Raises(r)
		}
		n += len(runs)
	}
	perObservation(b, n)
}

func BenchmarkReaches(b *testing.B) {
	y := NewYear(Standard(), 2008)
	if err := y.Add(hourly(2008)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for id := range y.columns {
			y.forget(id)
		}
		if key, _ := y.Reaches(); key == "" {
			b.Fatal("no reaches")
		}
	}
}
