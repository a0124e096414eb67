package weather

import (
	"slices"

	"pgregory.net/rapid"
)

// Generators and the dumb twin that the pages are checked against.

// at is the time of a valid date, for tests that know theirs to be valid.
func at(year, month, day, hour, minute int) Minute {
	t, err := MinuteOf(year, month, day, hour, minute)
	if err != nil {
		panic(err)
	}
	return t
}

// genValue draws a possible value of the measure: often missing, often at a
// limit, often the same.
func genValue(m *Measure) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		switch rapid.IntRange(0, 9).Draw(t, "sort") {
		case 0, 1:
			return Missing
		case 2:
			if m.Trace {
				return Trace
			}
			return m.Low
		case 3:
			return m.High
		case 4, 5:
			return (m.Low + m.High) / 2
		}
		return Value(rapid.Int32Range(int32(m.Low), int32(m.High)).Draw(t, "value"))
	})
}

// gauge is a catalogue that is not of weather: all ways to aggregate, decimals
// and limits as far as they go.
func gauge() Catalogue {
	return Catalogue{
		{ID: 0, Name: "level", Unit: "m", Decimals: 3, Aggregate: AggregateMean, Low: -MaxValue, High: MaxValue},
		{ID: 1, Name: "yield", Unit: "kWh", Decimals: 2, Aggregate: AggregateSum, Low: -MaxValue, High: MaxValue, Trace: true},
		{ID: 2, Name: "peak", Decimals: 6, Aggregate: AggregateMaximum, Low: 0, High: 10},
		{ID: 3, Name: "course", Aggregate: AggregateCircular, Low: 0, High: 359},
		{ID: 4, Name: "state", Aggregate: AggregateCode, Low: 0, High: 40_000},
	}
}

// genRun draws a run of possible values at times from a few days around a turn
// of the year, so that days, hours and minutes meet.
func genRun(c Catalogue, most int) *rapid.Generator[*Run] {
	return rapid.Custom(func(t *rapid.T) *Run {
		r := &Run{}
		start := at(2008, 12, 29, 0, 0)
		step := rapid.SampledFrom([]Minute{1, 7, 60}).Draw(t, "step")
		for range rapid.IntRange(0, most).Draw(t, "rows") {
			when := start + step*Minute(rapid.IntRange(0, 6*1440/int(step)).Draw(t, "time"))
			values := make([]Value, rapid.IntRange(0, len(c)).Draw(t, "columns"))
			for i := range values {
				values[i] = genValue(&c[i]).Draw(t, c[i].Name)
			}
			r.Append(when, values...)
		}
		return r
	})
}

// genMarked draws a run likewise, some of whose values are erroneous.
func genMarked(c Catalogue, most int) *rapid.Generator[*Run] {
	return rapid.Custom(func(t *rapid.T) *Run {
		r := genRun(c, most).Draw(t, "run")
		for m, column := range r.Columns {
			if !rapid.Bool().Draw(t, "some of "+c[m].Name) {
				continue
			}
			for i := range column {
				if rapid.IntRange(0, 3).Draw(t, "mark") == 0 {
					column[i] = column[i].Mark()
				}
			}
		}
		return r
	})
}

func genCatalogue() *rapid.Generator[Catalogue] {
	return rapid.SampledFrom([]Catalogue{Standard(), gauge()})
}

// twin is what a station knows, as a map.
type twin struct {
	catalogue Catalogue
	values    map[Minute][]Value
}

func newTwin(c Catalogue) *twin { return &twin{c, map[Minute][]Value{}} }

func (w *twin) row(r *Run, i int) []Value {
	row := make([]Value, len(w.catalogue))
	for m := range row {
		row[m] = r.Value(i, MeasureID(m))
	}
	return row
}

func (w *twin) times(keep func(Minute) bool) []Minute {
	var times []Minute
	for t := range w.values {
		if keep(t) {
			times = append(times, t)
		}
	}
	slices.Sort(times)
	return times
}

// between returns those of the sorted times that are of the days from first to
// last.
func between(times []Minute, first, last Day) []Minute {
	from, _ := slices.BinarySearch(times, first.Start())
	to, _ := slices.BinarySearch(times, (last + 1).Start())
	return times[from:to]
}

// hourly is a year of made-up hourly weather, the same each time.
func hourly(year int) *Run {
	r := &Run{}
	start := at(year, 1, 1, 0, 0)
	seed := uint32(1)
	next := func(n uint32) Value {
		seed = seed*1664525 + 1013904223
		return Value(seed >> 8 % n)
	}
	temperature, pressure, wind := Value(100), Value(10150), Value(180)
	for h := range DaysInYear(year) * 24 {
		temperature += next(11) - 5
		temperature = min(max(temperature, -200), 400)
		pressure += next(9) - 4
		pressure = min(max(pressure, 9700), 10400)
		wind = (wind+10*(next(5)-2)+360)%360 + 10
		rain := Value(0)
		if next(20) == 0 {
			rain = next(50)
		} else if next(20) == 0 {
			rain = Trace
		}
		row := []Value{temperature, temperature - 50 - next(60), pressure, min(wind, 360), next(120), Missing, next(9), rain, Missing}
		if h%6 == 0 {
			row[Precipitation6h] = next(100)
		}
		if h%24 == 5 {
			row[Temperature], row[DewPoint], row[SeaLevelPressure] = Missing, Missing, Missing
		}
		r.Append(start+Minute(h*60), row...)
	}
	return r
}
