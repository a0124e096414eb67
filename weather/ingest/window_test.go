package ingest

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

// Runs hold each station's readings in the order in which they came.
func TestWindowAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWindow(1000)
		length := rapid.IntRange(1, 70).Draw(t, "length")
		for range 3 { // the window is used again
			want := map[string][]Reading{}
			for i, station := range rapid.SliceOf(rapid.IntRange(0, 4)).Draw(t, "stations") {
				r := Reading{Station: strconv.Itoa(station), Time: weather.Minute(i), Values: []weather.Value{
					weather.Value(i), weather.Missing, rapid.SampledFrom([]weather.Value{weather.Missing, weather.Trace, 0}).Draw(t, "value"),
				}}
				w.add(&r, place(r.Time))
				want[r.Station] = append(want[r.Station], Reading{Time: r.Time, Values: slices.Clone(r.Values)})
			}
			for run := range w.runs(length) {
				checkRun(t, run, length, want)
			}
			for station, rest := range want {
				if len(rest) > 0 {
					t.Fatalf("%d readings of %s are left", len(rest), station)
				}
			}
			if w.len() != 0 {
				t.Fatalf("the window keeps %d readings", w.len())
			}
		}
	})
}

func checkRun(t *rapid.T, run located, length int, want map[string][]Reading) {
	n := run.Run.Len()
	if n == 0 || n > length || n > len(want[run.Station]) {
		t.Fatalf("a run of %d for %s, of which %d are left; at most %d", n, run.Station, len(want[run.Station]), length)
	}
	for i := range n {
		r := want[run.Station][i]
		if run.Run.Times[i] != r.Time {
			t.Fatalf("time %d, want %d", run.Run.Times[i], r.Time)
		}
		if run.places[i] != place(r.Time) {
			t.Fatalf("place %d, want %d", run.places[i], r.Time)
		}
		for m, v := range r.Values {
			if got := run.Run.Value(i, weather.MeasureID(m)); got != v {
				t.Fatalf("measure %d is %d, want %d", m, got, v)
			}
		}
	}
	if run.Run.Columns[1] != nil {
		t.Fatal("a column that is missing throughout")
	}
	want[run.Station] = want[run.Station][n:]
}

// Parts are about as long, and stations take turns.
func TestWindowSpreadsRuns(t *testing.T) {
	w := newWindow(1000)
	for i := range 130 {
		w.add(&Reading{Station: "a", Time: weather.Minute(i), Values: []weather.Value{1}}, 0)
	}
	w.add(&Reading{Station: "b", Values: []weather.Value{1}}, 0)
	var got []string
	for run := range w.runs(64) {
		got = append(got, run.Station+strconv.Itoa(run.Run.Len()))
	}
	if want := []string{"a43", "b1", "a43", "a44"}; !slices.Equal(got, want) {
		t.Errorf("runs %v, want %v", got, want)
	}
}

func BenchmarkWindow(b *testing.B) {
	stations := make([]string, 1000)
	for i := range stations {
		stations[i] = strconv.Itoa(i)
	}
	r := Reading{Values: make([]weather.Value, 9)}
	w := newWindow(1 << 18)
	n := 0
	for b.Loop() {
		for i := range 1 << 16 {
			r.Station = stations[i%len(stations)]
			w.add(&r, place(r.Time))
		}
		for run := range w.runs(64) {
			n += run.Run.Len()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/reading")
}
