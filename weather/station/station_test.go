package station_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/actors/entity/entitytest"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

var stations = station.New(weather.Standard())

func laGuardia() weather.Station {
	s := weather.NewStation("twin")
	s.Name, s.Country = "LA GUARDIA AIRPORT", "US"
	s.Latitude, s.Longitude, s.Elevation = 4077917, -7388000, 34
	return s
}

func known(t testing.TB) *entitytest.Case {
	return entitytest.Given(t, stations).When(&station.Register{Station: laGuardia()})
}

// reading is an observation of temperature and one-hour precipitation.
func reading(run *weather.Run, at string, temperature, rain weather.Value) {
	t, err := weather.ParseMinute(at)
	if err != nil {
		panic(err)
	}
	run.Append(t, temperature, weather.Missing, weather.Missing, weather.Missing, weather.Missing, weather.Missing, weather.Missing, rain)
}

func TestRegister(t *testing.T) {
	known(t).Replies(station.Registered).
		When(&station.Register{Station: laGuardia()}).Then().Replies(station.Unchanged)
	moved := laGuardia()
	moved.Name = "LAGUARDIA"
	c := known(t).When(&station.Register{Station: moved}).Replies(station.Updated)
	c.When(&station.GetHead{}).Matches(func(reply any) error {
		if h := reply.(*station.Head); h.Station != moved || !h.Registered || h.Observations != 0 || h.Months.Len() != 0 {
			return fmt.Errorf("%+v, want %+v", h, moved)
		}
		return nil
	})
	broken := laGuardia()
	broken.Latitude = 91_00000
	known(t).When(&station.Register{Station: broken}).Refuses(entity.Invalid, "latitude")
}

// A month and a year of which all was taken back are as if nothing had ever been there:
// entitytest holds them against new ones, since the head names them no more. Mutation
// seen to fail: the head's months losing one of which something is left.
func TestEmptiedMonths(t *testing.T) {
	c := known(t)
	at := []string{"2007-12-31T23:00Z", "2008-01-01T00:00Z", "2008-01-31T05:00Z", "2008-02-01T00:00Z"}
	for i, time := range at {
		run := &weather.Run{}
		reading(run, time, weather.Value(122-300*i), weather.Value(i))
		c.When(&station.Observe{Run: run}).Replies(station.Observed{Stored: 1})
	}
	again := &weather.Run{}
	reading(again, at[2], 70, weather.Trace)
	c.When(&station.Observe{Run: again}).Replies(station.Observed{Corrected: 1})
	for i, time := range at {
		minute, err := weather.ParseMinute(time)
		if err != nil {
			t.Fatal(err)
		}
		c.When(&station.Retract{Time: minute}).When(&station.GetHead{}).Matches(func(reply any) error {
			if h := reply.(*station.Head); int(h.Observations) != len(at)-1-i {
				return fmt.Errorf("%d observations after %d of %d were taken back", h.Observations, i+1, len(at))
			}
			return nil
		})
	}
}

func TestUnknownStation(t *testing.T) {
	run := &weather.Run{}
	reading(run, "2008-12-01T00:00Z", 122, 0)
	for _, question := range []any{
		&station.GetHead{},
		&station.Observe{Run: run},
		&station.Temperature{Period: station.Period{Year: 2008}},
		&station.Precipitation{Period: station.Period{Year: 2008}},
		&station.Range{From: 0, To: 1},
		&station.Current{At: station.Always},
		&station.History{Time: 0},
		&station.Retract{Time: 0},
		&station.SetProfile{},
		&station.GetProfile{},
		&station.HiLow{Month: weather.YearMonth{Year: 2008, Month: 12}},
		&station.TopPrecipitation{Period: station.Period{Year: 2008}, K: 1},
		&station.SkyConditions{Period: station.Period{Year: 2008}},
		&station.Wind{Period: station.Period{Year: 2008}},
		&station.Statistics{Period: station.Period{Year: 2008}},
		&station.Top{Period: station.Period{Year: 2008}, K: 1},
	} {
		entitytest.Given(t, stations).When(question).Then().Refuses(entity.NotFound, "not registered")
	}
	entitytest.Given(t, stations).
		When(&station.Observe{Run: run, AutoRegister: true}).Replies(station.Observed{Stored: 1}).
		When(&station.Temperature{Period: station.Period{Year: 2008}})
}

func TestNoDataIsNotZero(t *testing.T) {
	run := &weather.Run{}
	reading(run, "2008-12-01T00:00Z", 122, weather.Missing)
	c := known(t).When(&station.Observe{Run: run})
	for _, period := range []station.Period{{2007, 0, 0}, {2008, 11, 0}, {2008, 12, 2}} {
		c.When(&station.Temperature{Period: period}).Refuses(entity.NotFound, period.String())
		c.When(&station.Precipitation{Period: period}).Refuses(entity.NotFound, period.String())
	}
	c.When(&station.Precipitation{Period: station.Period{Year: 2008, Month: 12, Day: 1}}).Refuses(entity.NotFound, "no precipitation")
	for _, period := range []station.Period{{2008, 13, 0}, {2008, 2, 30}, {0, 0, 0}, {2008, 0, 4}, {99999, 1, 1}} {
		c.When(&station.Temperature{Period: period}).Refuses(entity.Invalid, "there is no")
	}
}

func TestImpossible(t *testing.T) {
	hot := &weather.Run{}
	reading(hot, "2008-12-01T00:00Z", 1220, 0)
	known(t).When(&station.Observe{Run: hot}).Then().Refuses(entity.Invalid, "temperature")
}

// The same reading again changes nothing, another value for its time holds from
// then on, and the extremes of its day follow.
func TestDuplicatesAndCorrections(t *testing.T) {
	run := &weather.Run{}
	reading(run, "2008-12-01T00:00Z", 122, 5)
	reading(run, "2008-12-01T01:00Z", 100, weather.Trace)
	reading(run, "2008-12-01T02:00Z", 80, 0)
	c := known(t).When(&station.Observe{Run: run}).Replies(station.Observed{Stored: 3})
	c.When(&station.Observe{Run: run}).Then().Replies(station.Observed{Duplicates: 3})

	better := &weather.Run{}
	reading(better, "2008-12-01T00:00Z", 90, 7)
	c.When(&station.Observe{Run: better}).Replies(station.Observed{Corrected: 1})
	c.When(&station.Observe{Run: better}).Then().Replies(station.Observed{Duplicates: 1})

	day := station.Period{Year: 2008, Month: 12, Day: 1}
	at, err := weather.ParseMinute("2008-12-01T01:00Z")
	if err != nil {
		t.Fatal(err)
	}
	c.When(&station.Temperature{Period: day}).Replies(weather.Summary{
		N: 3, Days: 1, MissingHours: 21, High: 100, HighAt: at, Low: 80, LowAt: at + 60,
		Mean: 9, Variance: 2.0 / 3, Stdev: 0.816496580927726, MeanHigh: 10, MeanLow: 8,
	})
	c.When(&station.Precipitation{Period: day}).Replies(weather.Total{N: 3, MissingHours: 21, Sum: 7, Traces: 1})

	again := &weather.Run{} // several values for one time in one run: the last holds
	reading(again, "2008-12-02T00:00Z", 10, 0)
	reading(again, "2008-12-02T00:00Z", 20, 0)
	reading(again, "2008-12-02T00:00Z", 20, 0)
	reading(again, "2008-12-01T00:00Z", 91, 7)
	reading(again, "2008-12-01T00:00Z", 92, 7)
	c.When(&station.Observe{Run: again}).Replies(station.Observed{Stored: 1, Duplicates: 1, Corrected: 3})
	c.When(&station.Range{To: station.Always})
	want := &weather.Run{}
	reading(want, "2008-12-01T00:00Z", 92, 7)
	reading(want, "2008-12-01T01:00Z", 100, weather.Trace)
	reading(want, "2008-12-01T02:00Z", 80, 0)
	reading(want, "2008-12-02T00:00Z", 20, 0)
	c.Matches(func(reply any) error {
		if got := reply.(*station.Observations).Run; !got.Equal(want) {
			return fmt.Errorf("readings are %v, want %v", got, want)
		}
		return nil
	})
}

// Any history of readings, repeated, out of order, corrected, in any runs, comes
// to the same answers as a plain map of the last value for each time.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := known(t)
		twin := map[weather.Minute][2]weather.Value{}
		base, err := weather.MinuteOf(2007, 12, 30, 0, 0)
		if err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 6).Draw(rt, "runs") {
			run := &weather.Run{}
			var want station.Observed
			for range rapid.IntRange(1, 12).Draw(rt, "readings") {
				at := base + weather.Minute(30*rapid.IntRange(0, 200).Draw(rt, "half hour"))
				v := [2]weather.Value{
					rapid.SampledFrom([]weather.Value{weather.Missing, -50, 0, 70, 122}).Draw(rt, "temperature"),
					rapid.SampledFrom([]weather.Value{weather.Missing, weather.Trace, 0, 3}).Draw(rt, "rain"),
				}
				run.Append(at, v[0], weather.Missing, weather.Missing, weather.Missing, weather.Missing, weather.Missing, weather.Missing, v[1])
				switch old, ok := twin[at]; {
				case !ok:
					want.Stored++
				case old == v:
					want.Duplicates++
				default:
					want.Corrected++
				}
				twin[at] = v
			}
			c.When(&station.Observe{Run: run}).Replies(want)
		}
		for _, period := range []station.Period{
			{2007, 0, 0}, {2008, 0, 0}, {2007, 12, 0}, {2008, 1, 0}, {2007, 12, 30}, {2007, 12, 31}, {2008, 1, 1}, {2008, 1, 2},
		} {
			checkPeriod(c, twin, period)
		}
	})
}

// Observations that are decided on together come to the same replies and the same
// pages as one by one, whatever they are, and are where all are new. Mutations seen
// to fail: observeTogether taking what is held already for new, or not asking whether
// columns are even, or whether values are possible; observeNeedsTogether looking at the
// first command alone, or naming a month or a year twice.
func TestTogether(t *testing.T) {
	joint := 0
	rapid.Check(t, func(rt *rapid.T) {
		c := known(t)
		base, err := weather.MinuteOf(2007, 12, 31, 0, 0)
		if err != nil {
			rt.Fatal(err)
		}
		next := 0
		for range rapid.IntRange(1, 4).Draw(rt, "times") {
			commands := make([]any, rapid.IntRange(1, 5).Draw(rt, "commands"))
			for i := range commands {
				run := &weather.Run{}
				for range rapid.IntRange(0, 3).Draw(rt, "readings") {
					at := next
					if rapid.IntRange(0, 9).Draw(rt, "again") == 0 {
						at = rapid.IntRange(0, next).Draw(rt, "hour")
					}
					next++
					values := make([]weather.Value, rapid.IntRange(0, 3).Draw(rt, "measures"))
					for m := range values {
						values[m] = rapid.SampledFrom([]weather.Value{weather.Missing, 9, 10}).Draw(rt, "value")
					}
					run.Append(base+weather.Minute(60*at), values...)
				}
				commands[i] = &station.Observe{Run: run}
			}
			if _, together := c.WhenTogether(commands...); together {
				joint++
			}
		}
	})
	if joint == 0 {
		t.Error("nothing was decided on together")
	}
	var toAndFro []any // between months of a year
	for i, month := range []int{2, 1, 2, 1} {
		at, err := weather.MinuteOf(2008, month, 1, i, 0)
		if err != nil {
			t.Fatal(err)
		}
		toAndFro = append(toAndFro, &station.Observe{Run: one(at, 9)})
	}
	if _, together := known(t).WhenTogether(toAndFro...); !together {
		t.Error("months to and fro were decided on one by one")
	}
	run := &weather.Run{Times: []weather.Minute{1, 2}, Columns: [][]weather.Value{{5}}}
	other := &weather.Run{Times: []weather.Minute{60, 120}, Columns: [][]weather.Value{{5}}}
	c, _ := known(t).WhenTogether(&station.Observe{Run: run}, &station.Observe{Run: other})
	c.Refuses(entity.Invalid, "1 values")
	hot := &weather.Run{Times: []weather.Minute{3}, Columns: [][]weather.Value{{99999}}}
	c, together := known(t).WhenTogether(&station.Observe{Run: &weather.Run{Times: []weather.Minute{2}, Columns: [][]weather.Value{{5}}}}, &station.Observe{Run: hot})
	if c.Refuses(entity.Invalid, "outside"); together {
		t.Error("what can't be was taken with what can")
	}
}

func checkPeriod(c *entitytest.Case, twin map[weather.Minute][2]weather.Value, p station.Period) {
	var total weather.Total
	n := 0
	high, low := weather.Missing, weather.Missing
	for at, v := range twin {
		y, m, d := at.Date()
		if y != p.Year || p.Month != 0 && m != p.Month || p.Day != 0 && d != p.Day {
			continue
		}
		if v[0] != weather.Missing {
			n++
			if high == weather.Missing || v[0] > high {
				high = v[0]
			}
			if low == weather.Missing || v[0] < low {
				low = v[0]
			}
		}
		switch v[1] {
		case weather.Missing:
		case weather.Trace:
			total.N++
			total.Traces++
		default:
			total.N++
			total.Sum += int64(v[1])
		}
	}
	c.When(&station.Temperature{Period: p})
	if n == 0 {
		c.Refuses(entity.NotFound, p.String())
	} else {
		c.Matches(func(reply any) error {
			if s := reply.(weather.Summary); s.N != n || s.High != high || s.Low != low {
				return fmt.Errorf("%s: %+v; want %d from %d to %d", p, s, n, low, high)
			}
			return nil
		})
	}
	c.When(&station.Precipitation{Period: p})
	if total.N == 0 {
		c.Refuses(entity.NotFound, p.String())
		return
	}
	c.Matches(func(reply any) error {
		got := reply.(weather.Total)
		got.MissingHours = 0
		if diff := cmp.Diff(total, got); diff != "" {
			return fmt.Errorf("%s: %s", p, diff)
		}
		return nil
	})
}

// A long history in random order, to reach pages of several years.
func TestShuffledYears(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	base, err := weather.MinuteOf(2007, 1, 1, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	const readings = 3 * 366
	order := rng.Perm(readings)
	c := known(t)
	for begin := 0; begin < readings; begin += 183 {
		run := &weather.Run{}
		for _, i := range order[begin : begin+183] {
			run.Append(base+weather.Minute(i*24*60), weather.Value(i%300))
		}
		c.When(&station.Observe{Run: run}).Replies(station.Observed{Stored: 183})
	}
	c.When(&station.Temperature{Period: station.Period{Year: 2008}})
	c.Matches(func(reply any) error {
		if s := reply.(weather.Summary); s.N != 366 || s.Days != 366 {
			return fmt.Errorf("2008 has %d readings on %d days", s.N, s.Days)
		}
		return nil
	})
}
