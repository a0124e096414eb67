package main

import (
	"math/rand/v2"
	"testing"

	"github.com/mesonet/mesonet/weather"
)

// A run is what its observations are one by one, wherever in the year it begins,
// and what stations may observe.
func TestFill(t *testing.T) {
	sample, err := readings()
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	one := &newMessages(1, 1)[0].run
	for range 300 {
		station, hour, every := rng.IntN(5000), rng.IntN(100_000), 1+rng.IntN(2)*23
		run := &newMessages(1, 2+rng.IntN(400))[0].run
		sample.fill(run, station, hour, every)
		if err := run.Check(weather.Standard()); err != nil || !run.Sorted() {
			t.Fatalf("seed %d: station %d from hour %d: %v", seed, station, hour, err)
		}
		for row := range run.Times {
			sample.fill(one, station, hour+row*every, 1)
			if run.Times[row] != one.Times[0] {
				t.Fatalf("seed %d: station %d, hour %d, every %d, row %d: the time is %s, want %s", seed, station, hour, every, row, run.Times[row], one.Times[0])
			}
			for m := range weather.MeasureID(measures) {
				if got, want := run.Value(row, m), one.Value(0, m); got != want {
					t.Fatalf("seed %d: station %d, hour %d, every %d, row %d: measure %d is %d, want %d", seed, station, hour, every, row, m, got, want)
				}
			}
			if one.Value(0, weather.Precipitation1h) == weather.Missing {
				t.Fatalf("station %d has no amount, and sums would not tell how many there are", station)
			}
		}
	}
}

// Stations of one network say different things at one time.
func TestStationsDiffer(t *testing.T) {
	sample, err := readings()
	if err != nil {
		t.Fatal(err)
	}
	said := make(map[[measures]weather.Value]bool)
	run := &newMessages(1, 1)[0].run
	for station := range network {
		sample.fill(run, station, 0, 1)
		var values [measures]weather.Value
		for m := range values {
			values[m] = run.Columns[m][0]
		}
		said[values] = true
	}
	if len(said) < network*9/10 {
		t.Errorf("%d stations say %d different things", network, len(said))
	}
}

func TestStationID(t *testing.T) {
	known := make(map[string]bool)
	for _, i := range []int{0, 1, 999_999, 1_000_000, 1_000_001, 9_999_999} {
		id := stationID(i)
		if err := weather.CheckStationID(id); err != nil || known[id] {
			t.Errorf("station %d is %q: %v", i, id, err)
		}
		known[id] = true
		described := describe(id)
		if err := described.Validate(); err != nil {
			t.Error(err)
		}
	}
}
