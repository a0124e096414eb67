package weather

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// What is there of a period is what a walk over its observations finds. Mutations
// seen to fail: the last day left out; days counted where there is no value; hours
// counted once a value.
func TestPresence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		catalogue := Standard()
		base := dayOf(2008, 1, 25).Start()
		months := map[YearMonth]*Month{}
		run := &Run{}
		for range rapid.IntRange(0, 40).Draw(rt, "observations") {
			at := base + Minute(rapid.IntRange(0, 15*48).Draw(rt, "half hour")*30)
			values := make([]Value, len(catalogue))
			for i := range values {
				values[i] = Missing
			}
			values[Temperature] = rapid.SampledFrom([]Value{Missing, 5, Value(7).Mark()}).Draw(rt, "temperature")
			values[SkyCondition] = rapid.SampledFrom([]Value{Missing, 0, 3, 19}).Draw(rt, "sky")
			values[Precipitation1h] = rapid.SampledFrom([]Value{Missing, Trace, 0, 3}).Draw(rt, "rain")
			run.Append(at, values...)
			if months[MonthOf(at)] == nil {
				months[MonthOf(at)] = NewMonth(MonthOf(at))
			}
		}
		var pages []*Month
		for _, id := range []YearMonth{{2008, 1}, {2008, 2}} {
			if m := months[id]; m != nil {
				m.Put(run)
				pages = append(pages, m)
			}
		}
		year := NewYearOf(catalogue, 2008, pages, false)
		first := base.Day() + Day(rapid.IntRange(-1, 16).Draw(rt, "first"))
		last := first + Day(rapid.IntRange(0, 16).Draw(rt, "days"))
		for _, measure := range []MeasureID{Temperature, SkyCondition, Precipitation1h} {
			n, days, hours := 0, map[Day]bool{}, map[int]bool{}
			counts := map[Value]int{}
			for _, m := range pages {
				for row := range m.Len() {
					v, at := m.Value(row, measure), m.Time(row)
					if v == Missing || v.Erroneous() || at.Day() < first || at.Day() > last {
						continue
					}
					n++
					days[at.Day()], hours[int(at)/60] = true, true
					if v.Plain() {
						counts[v]++
					}
				}
			}
			gotN, gotDays, missing := year.Presence(measure, first, last)
			if want := 24*int(last-first+1) - len(hours); gotN != n || gotDays != len(days) || missing != want {
				rt.Fatalf("%s from %s to %s: %d on %d days, %d hours missing; want %d on %d, %d",
					catalogue[measure].Name, first, last, gotN, gotDays, missing, n, len(days), want)
			}
			if got := CountsOf(pages, first.Start(), (last + 1).Start(), measure, false); !maps.Equal(got, counts) {
				rt.Fatalf("%s from %s to %s: %v, want %v", catalogue[measure].Name, first, last, got, counts)
			}
		}
	})
}
