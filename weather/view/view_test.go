package view_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
	"github.com/mesonet/mesonet/weather/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(serverstest.Main(m)) }

// book is a dumb twin of some stations: what holds for each time.
type book map[string]map[weather.Minute][]weather.Value

// table returns the definition of a table.
func table(t testing.TB, name string) *persistence.Table {
	t.Helper()
	for _, d := range view.Tables(view.DefaultConfig("k")) {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("there is no table %s", name)
	return nil
}

// value returns what a table shows of a value.
func value(v weather.Value) persistence.Datum {
	switch {
	case v == weather.Trace:
		return persistence.Double(0)
	case v == weather.Missing, v.Erroneous():
		return persistence.Datum{}
	}
	return persistence.Double(float64(v) / 10)
}

func whole(v weather.Value) persistence.Datum {
	if v == weather.Missing {
		return persistence.Datum{}
	}
	return persistence.Int(int32(v))
}

// observations are the rows of raw_weather_data, found by looking at every minute.
func (b book) observations() (rows []persistence.Datum) {
	b.each(func(id string, held map[weather.Minute][]weather.Value, hour weather.Minute) {
		for t := hour; t < hour+60; t++ {
			v, ok := held[t]
			if !ok {
				continue
			}
			at := t.Time()
			sky := persistence.Datum{}
			if text, ok := weather.SkyText(v[weather.SkyCondition]); ok {
				sky = persistence.Text(text)
			}
			rows = append(rows, persistence.Text(id), persistence.Int(int32(at.Year())), persistence.Int(int32(at.Month())), persistence.Int(int32(at.Day())), persistence.Int(int32(at.Hour())),
				value(v[weather.Temperature]), value(v[weather.DewPoint]), value(v[weather.SeaLevelPressure]), whole(v[weather.WindDirection]), value(v[weather.WindSpeed]),
				whole(v[weather.SkyCondition]), sky, value(v[weather.Precipitation1h]), value(v[weather.Precipitation6h]))
			return
		}
	})
	return rows
}

// The months in which everything happens, hour by hour.
var first, last = minute(2007, 12, 31, 0, 0), minute(2008, 1, 2, 0, 0)

func minute(y, month, d, h, m int) weather.Minute {
	t, err := weather.MinuteOf(y, month, d, h, m)
	if err != nil {
		panic(err)
	}
	return t
}

func (b book) each(visit func(id string, held map[weather.Minute][]weather.Value, hour weather.Minute)) {
	for _, id := range []string{"a", "b"} {
		for hour := first; hour < last; hour += 60 {
			visit(id, b[id], hour)
		}
	}
}

// by calls visit with what holds of a measure, day by day.
func (b book) by(m weather.MeasureID, visit func(id string, day time.Time, values []float64)) {
	for _, id := range []string{"a", "b"} {
		for day := first; day < last; day += 24 * 60 {
			var values []float64
			for t := day; t < day+24*60; t++ {
				v, ok := b[id][t]
				if d := value(of(v, ok, m)); !d.IsNone() {
					values = append(values, d.Value().(float64))
				}
			}
			if len(values) > 0 {
				visit(id, day.Time(), values)
			}
		}
	}
}

// of returns a measure of what may hold.
func of(v []weather.Value, ok bool, m weather.MeasureID) weather.Value {
	if !ok {
		return weather.Missing
	}
	return v[m]
}

// near compares rows, numbers up to what a sum in floating point may be off.
func near(got, want []persistence.Datum) bool {
	return slices.EqualFunc(got, want, func(a, b persistence.Datum) bool {
		x, isX := a.Value().(float64)
		y, isY := b.Value().(float64)
		return a == b || isX && isY && math.Abs(x-y) < 1e-6
	})
}

func (b book) dailyTemperature() (rows []persistence.Datum) {
	b.by(weather.Temperature, func(id string, day time.Time, values []float64) {
		mean, variance := 0.0, 0.0
		for _, v := range values {
			mean += v / float64(len(values))
		}
		for _, v := range values {
			variance += (v - mean) * (v - mean) / float64(len(values))
		}
		rows = append(append(rows, dated(id, day)...), persistence.Double(slices.Max(values)), persistence.Double(slices.Min(values)),
			persistence.Double(mean), persistence.Double(variance), persistence.Double(math.Sqrt(variance)))
	})
	return rows
}

func dated(id string, day time.Time) []persistence.Datum {
	return []persistence.Datum{persistence.Text(id), persistence.Int(int32(day.Year())), persistence.Int(int32(day.Month())), persistence.Int(int32(day.Day()))}
}

func (b book) dailyPrecip() (rows []persistence.Datum) {
	b.by(weather.Precipitation1h, func(id string, day time.Time, values []float64) {
		rows = append(append(rows, dated(id, day)...), persistence.Double(sum(values)))
	})
	return rows
}

func (b book) yearlyPrecip() (rows []persistence.Datum) {
	b.by(weather.Precipitation1h, func(id string, day time.Time, values []float64) {
		if n := len(rows); n > 0 && rows[n-3] == persistence.Text(id) && rows[n-2] == persistence.Int(int32(day.Year())) {
			rows[n-1] = persistence.Double(rows[n-1].Value().(float64) + sum(values))
			return
		}
		rows = append(rows, persistence.Text(id), persistence.Int(int32(day.Year())), persistence.Double(sum(values)))
	})
	return rows
}

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

// The tables are what a book of everything that holds says, after any history of
// observations, corrections, retractions, deletions, stores that failed and
// crashes.
//
// Mutations seen to fail: the last observation of an hour instead of the first;
// erroneous values shown, and a trace as no value; the sum of six-hour amounts.
func TestTablesAreWhatHolds(t *testing.T) {
	few(t)
	stations := station.New(weather.Standard())
	rapid.Check(t, func(rt *rapid.T) {
		m, err := memory.New(2)
		if err != nil {
			rt.Fatal(err)
		}
		store := &persistencetest.Faulty{Store: m}
		tables := &persistencetest.Tables{}
		open := func() *entity.Host {
			cfg := entity.DefaultHostConfig(store, "n", stations.Kind)
			cfg.Logger = slog.New(slog.DiscardHandler)
			cfg.CheckpointEvery, cfg.CheckpointBytes = time.Hour, 1
			if cfg.Views, err = view.New(stations, tables, view.DefaultConfig("k")); err != nil {
				rt.Fatal(err)
			}
			h, err := entity.Open(t.Context(), cfg)
			if err != nil {
				rt.Fatal(err)
			}
			return h
		}
		h := open()
		end := func(err error) {
			store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { return err }})
			if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
				rt.Error(err)
			}
			store.Hook(persistencetest.Hooks{})
		}
		held := book{"a": {}, "b": {}}
		ids := rapid.SampledFrom([]string{"a", "b"})
		rt.Repeat(map[string]func(*rapid.T){
			"observe": func(rt *rapid.T) {
				id, run := ids.Draw(rt, "id"), &weather.Run{}
				for range rapid.IntRange(1, 8).Draw(rt, "n") {
					at := first + weather.Minute(rapid.IntRange(0, int(last-first)/20-1).Draw(rt, "at")*20)
					values := observation(rt)
					run.Append(at, values...)
					held[id][at] = judged(values)
				}
				if _, err := stations.Observe.Ask(t.Context(), h, id, &station.Observe{Run: run, AutoRegister: true}); err != nil {
					rt.Fatal(err)
				}
			},
			"retract": func(rt *rapid.T) {
				id := ids.Draw(rt, "id")
				for at := range held[id] {
					if _, err := stations.Retract.Ask(t.Context(), h, id, &station.Retract{Time: at}); err != nil {
						rt.Fatal(err)
					}
					delete(held[id], at)
					break
				}
			},
			"delete": func(rt *rapid.T) {
				id := ids.Draw(rt, "id")
				if _, err := stations.Remove.Ask(t.Context(), h, id, &station.Remove{}); err == nil {
					clear(held[id])
				}
			},
			"restart": func(*rapid.T) { end(nil); h = open() },
			"crash":   func(*rapid.T) { end(errors.New("too late")); h = open() },
		})
		end(nil)
		h = open()
		for _, v := range h.Views() {
			for v.Complete < v.Shards && t.Context().Err() == nil {
				runtime.Gosched()
				v.Complete = h.Views()[slices.IndexFunc(h.Views(), func(w entity.ViewProgress) bool { return w.Name == v.Name })].Complete
			}
		}
		end(nil)
		for name, want := range map[string][]persistence.Datum{
			view.Observations: held.observations(), view.DailyTemperature: held.dailyTemperature(),
			view.DailyPrecip: held.dailyPrecip(), view.YearlyPrecip: held.yearlyPrecip(),
		} {
			if got := tables.Rows(table(t, name)); !near(got, want) {
				rt.Fatalf("%s has\n%v\nwant\n%v", name, got, want)
			}
		}
	})
}

// few has rapid make fewer checks: a history opens several hosts. The flag has its
// say.
func few(t *testing.T) {
	t.Helper()
	if err := flag.Set("rapid.checks", "40"); err != nil {
		t.Fatal(err)
	}
}

// observation draws values of some measures, one of them beyond what is usual.
func observation(rt *rapid.T) []weather.Value {
	values := make([]weather.Value, len(weather.Standard()))
	for i := range values {
		values[i] = weather.Missing
	}
	draw := func(m weather.MeasureID, some ...weather.Value) {
		values[m] = rapid.SampledFrom(append(some, weather.Missing)).Draw(rt, "value")
	}
	draw(weather.Temperature, -55, 0, 122, 600) // 60 °C is erroneous
	draw(weather.WindDirection, weather.Calm, weather.North)
	draw(weather.SkyCondition, 0, 8)
	draw(weather.Precipitation1h, weather.Trace, 0, 5, 4000) // 400 mm is erroneous
	draw(weather.Precipitation6h, weather.Trace, 7)
	return values
}

func judged(values []weather.Value) []weather.Value {
	marked := slices.Clone(values)
	if marked[weather.Temperature] == 600 {
		marked[weather.Temperature] = marked[weather.Temperature].Mark()
	}
	if marked[weather.Precipitation1h] == 4000 {
		marked[weather.Precipitation1h] = marked[weather.Precipitation1h].Mark()
	}
	return marked
}

// The definitions can be tables, and what is switched off is not rendered.
func TestDefinitions(t *testing.T) {
	all := view.Tables(view.DefaultConfig("k"))
	if len(all) != len(view.All()) {
		t.Errorf("%d tables are defined, and %d have names", len(all), len(view.All()))
	}
	for _, d := range all {
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
	}
	if n := len(table(t, view.SkyConditions).Rows); n != 2*20 {
		t.Errorf("the codes have %d values", n)
	}
	some := view.Config{Keyspace: "k", Tables: []string{view.DailyPrecip, view.SkyConditions}}
	views, err := view.New(station.New(weather.Standard()), &persistencetest.Tables{}, some)
	if err != nil || len(views) != 1 || views[0].Name != "k.daily_aggregate_precip" {
		t.Errorf("views are %v, %v", views, err)
	}
	for _, bad := range []view.Config{{}, view.DefaultConfig(""), {Keyspace: "k", Tables: []string{"rain"}}, {Keyspace: "k", Tables: []string{view.Stations, view.Stations}}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is said to be valid", bad)
		}
	}
}
