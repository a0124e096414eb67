package weather

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// suspicious is a catalogue of which random weather is soon suspect.
func suspicious() Catalogue {
	return Catalogue{
		{ID: 0, Name: "temperature", Unit: "°C", Decimals: 2, Aggregate: AggregateMean, Low: -300, High: 300, Step: 90, Stuck: 5},
		{ID: 1, Name: "dew_point", Unit: "°C", Decimals: 1, Aggregate: AggregateMean, Low: -30, High: 30, Step: 20},
		{ID: 2, Name: "wind_gust", Unit: "m/s", Decimals: 0, Aggregate: AggregateMaximum, Low: 0, High: 3, Stuck: 3},
		{ID: 3, Name: "wind_speed", Unit: "m/s", Decimals: 0, Aggregate: AggregateMean, Low: 0, High: 3, Step: 1, Stuck: 12},
		{ID: 4, Name: "course", Aggregate: AggregateCircular, Low: 0, High: 2, Stuck: 30},
		{ID: 5, Name: "rain", Aggregate: AggregateSum, Low: 0, High: 2, Trace: true},
	}
}

// flagsOfTwin looks at all that came before each value, again for each.
func flagsOfTwin(c Catalogue, times []Minute, rows [][]Value, row int) []Flag {
	flags := make([]Flag, len(c))
	value := func(name string) float64 {
		id, _ := c.Lookup(name)
		v := rows[row][id]
		if v == Missing || v == Trace || v > MaxValue {
			return -1e9
		}
		return float64(v) / []float64{1, 10, 100}[c[id].Decimals]
	}
	for id := range c {
		m, v := &c[id], rows[row][id]
		if v > MaxValue {
			flags[id] = FlagErroneous
			continue
		}
		if v == Missing || v == Trace {
			continue
		}
		since, last, first := times[row], times[row], true
		for i := row - 1; i >= 0; i-- {
			b := rows[i][id]
			if b == Missing || b == Trace || b > MaxValue {
				continue
			}
			minutes := times[row] - times[i]
			change := float64(max(v-b, b-v))
			if first && m.Step > 0 && minutes <= 180 && change > float64(m.Step)*max(1, float64(minutes)/60)+1e-9 {
				flags[id] |= FlagStep
			}
			first = false
			if b != v || last-times[i] > 360 {
				break
			}
			since, last = times[i], times[i]
		}
		if m.Stuck > 0 && v > m.Low && times[row]-since >= Minute(m.Stuck*60) {
			flags[id] |= FlagStuck
		}
	}
	for _, p := range [][2]string{{"dew_point", "temperature"}, {"wind_speed", "wind_gust"}} {
		if a, b := value(p[0]), value(p[1]); a > b && b > -1e9 {
			for _, name := range p {
				id, _ := c.Lookup(name)
				flags[id] |= FlagInconsistent
			}
		}
	}
	return flags
}

// genSuspicious draws hours, some of them missing, of values that often stay as
// they are, around a turn of the year.
func genSuspicious(c Catalogue) *rapid.Generator[*Run] {
	return rapid.Custom(func(t *rapid.T) *Run {
		r := &Run{}
		when := at(2008, 12, 30, 0, 0)
		row := make([]Value, len(c))
		for range rapid.IntRange(0, 120).Draw(t, "rows") {
			when += rapid.SampledFrom([]Minute{60, 60, 60, 1, 59, 61, 180, 181, 360, 361}).Draw(t, "pause")
			for id := range row {
				switch rapid.IntRange(0, 12).Draw(t, "change") {
				case 0, 1:
					row[id] = genValue(&c[id]).Draw(t, c[id].Name)
				case 2:
					row[id] = row[id].Mark()
				}
			}
			r.Append(when, row...)
		}
		return r
	})
}

// What is said of a row is what comparing it with all rows before says, wherever
// one begins to look. Mutations seen to fail: a step of up to two hours only, or
// of a part of it within an hour; a streak not ended by a pause; what is erroneous
// compared with; before not looked into; calm not exempt; comparing without regard
// to the decimals.
func TestInspectAgainstATwin(t *testing.T) {
	c := suspicious()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := genSuspicious(c).Draw(t, "run")
		before, m := NewMonth(YearMonth{2008, 12}), NewMonth(YearMonth{2009, 1})
		before.Put(r)
		m.Put(r)
		w := newTwin(c)
		var rows [][]Value
		for i := range r.Times {
			rows = append(rows, w.row(r, i))
		}
		want := func(row int) []Flag { return flagsOfTwin(c, r.Times, rows, row) }
		for row := range before.Len() {
			if got := Flags(c, before, nil, row, nil); !slices.Equal(got, want(row)) {
				t.Fatalf("%s: %v, want %v", before.Time(row), got, want(row))
			}
		}
		from := rapid.IntRange(0, m.Len()).Draw(t, "from")
		next := from
		for row, got := range Inspect(c, m, before, from, m.Len()) {
			if row != next || !slices.Equal(got, want(before.Len()+row)) {
				t.Fatalf("row %d, %s: %v; want row %d, %v", row, m.Time(row), got, next, want(before.Len()+row))
			}
			next++
		}
		if next != m.Len() {
			t.Fatalf("it ends with row %d of %d", next, m.Len())
		}
	})
}

// The longest streak that is asked for, with the longest pause before it, is in a
// month and the one before, also when that is a February. Mutations seen to fail:
// reach without the pause, or an hour less; a MaxStuck of four weeks.
func TestInspectLooksFarEnough(t *testing.T) {
	c := Catalogue{{Name: "level", Aggregate: AggregateMean, Low: 0, High: 9, Stuck: MaxStuck}}
	r := &Run{}
	for when := at(2009, 1, 28, 0, 5); when < at(2009, 3, 1, 0, 0); when += mostPause {
		r.Append(when, 7)
	}
	r.Append(at(2009, 3, 1, 0, 4), 7)
	months := map[int]*Month{}
	for month := 1; month <= 3; month++ {
		months[month] = NewMonth(YearMonth{2009, month})
		months[month].Put(r)
	}
	if got := Flags(c, months[3], months[2], 0, nil); got[0] != FlagStuck {
		t.Errorf("after a month of the same it is %q", got[0])
	}
	for _, before := range []*Month{nil, months[1]} {
		if got := Flags(c, months[3], before, 0, nil); got[0] != 0 {
			t.Errorf("after %v it is %q", before, got[0])
		}
	}
}

func TestInspectStops(t *testing.T) {
	m := NewMonth(YearMonth{2008, 5})
	m.Put(hourly(2008))
	for row := range Inspect(Standard(), m, nil, 3, m.Len()+5) {
		if row != 3 {
			t.Errorf("row %d comes after the end", row)
		}
		break
	}
	for row := range Inspect(Standard(), m, nil, 5, 5) {
		t.Errorf("row %d of none", row)
	}
}

// A catalogue without weather has nothing that must agree, and one in which the
// units differ neither.
func TestInspectPairs(t *testing.T) {
	if got := len(pairsOf(Standard())); got != 2 {
		t.Errorf("%d pairs of the standard catalogue", got)
	}
	if got := len(pairsOf(gauge())); got != 0 {
		t.Errorf("%d pairs of gauges", got)
	}
	c := Standard()
	c[DewPoint].Unit = "K"
	if got := len(pairsOf(c)); got != 1 {
		t.Errorf("%d pairs when one has other units", got)
	}
}

func TestFlagString(t *testing.T) {
	for f, want := range map[Flag]string{
		0:                            "",
		FlagErroneous:                "erroneous",
		FlagStep | FlagInconsistent:  "step,inconsistent",
		FlagStuck:                    "stuck",
		FlagErroneous<<4 | FlagStuck: "stuck",
	} {
		if got := fmt.Sprint(f); got != want {
			t.Errorf("%08b is %q, want %q", f, got, want)
		}
		if got := f.Suspect(); got != (want != "" && want != "erroneous") {
			t.Errorf("%q is suspect: %v", want, got)
		}
	}
}
