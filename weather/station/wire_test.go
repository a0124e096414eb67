package station

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

// What goes to another node comes there as it was.
func TestWire(t *testing.T) {
	kind := New(weather.Standard())
	if err := kind.CheckWire(); err != nil {
		t.Error(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := &Observe{AutoRegister: rapid.Bool().Draw(t, "register")}
		if rapid.Bool().Draw(t, "dated") {
			c.At = time.Unix(0, rapid.Int64Range(1, 1<<61).Draw(t, "at")).UTC()
		}
		c.Run = &weather.Run{}
		for _, at := range rapid.SliceOfN(rapid.Int32Range(0, 1<<28), 0, 5).Draw(t, "times") { // in any order
			c.Run.Append(weather.Minute(at), weather.Value(at%100), weather.Missing, 7)
		}
		b, err := kind.appendObserve(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeObserve(b)
		if err != nil {
			t.Fatal(err)
		}
		if (got.Run.Check(kind.Catalogue()) == nil) != (c.Run.Check(kind.Catalogue()) == nil) || got.Run.Len() != c.Run.Len() {
			t.Fatalf("%v was sent, and %v came", c.Run, got.Run)
		}
		for i := range c.Run.Times {
			for m := range weather.MeasureID(3) {
				if c.Run.Times[i] != got.Run.Times[i] || c.Run.Value(i, m) != got.Run.Value(i, m) {
					t.Fatalf("row %d: %v was sent, and %v came", i, c.Run, got.Run)
				}
			}
		}
		if got.AutoRegister != c.AutoRegister || !got.At.Equal(c.At) {
			t.Fatalf("%v was sent, and %v came", c, got)
		}
		q := &Precipitation{
			Period: Period{rapid.Int().Draw(t, "year"), rapid.Int().Draw(t, "month"), rapid.Int().Draw(t, "day")},
			Method: Method(rapid.Uint8Range(0, 3).Draw(t, "method")), Until: weather.Minute(rapid.Int32().Draw(t, "until")), All: rapid.Bool().Draw(t, "all"),
		}
		b, _ = appendPrecipitation(nil, q)
		if came, err := decodePrecipitation(b); err != nil || *came != *q {
			t.Fatalf("%v, %v: want %v", came, err, q)
		}
		total := weather.Total{N: rapid.Int().Draw(t, "n"), MissingHours: 3, Sum: rapid.Int64().Draw(t, "sum"), Traces: 4}
		b, _ = appendTotal(nil, total)
		if came, err := decodeTotal(b); err != nil || came != total {
			t.Fatalf("%v, %v: want %v", came, err, total)
		}
	})
}

// A run whose columns do not fit is refused where it is decided on, for the same
// reason, and not on its way.
//
// Mutation seen to fail: the compact form for it.
func TestWireOfRaggedRuns(t *testing.T) {
	s := New(weather.Standard())
	long := &weather.Run{}
	for i := range weather.MaxRun + 1 {
		long.Append(weather.Minute(60*i), 1)
	}
	for name, run := range map[string]*weather.Run{
		"ragged":           {Times: []weather.Minute{60, 120}, Columns: [][]weather.Value{{1}}},
		"more measures":    {Times: []weather.Minute{60}, Columns: make([][]weather.Value, 200)},
		"none":             {},
		"impossible value": {Times: []weather.Minute{60}, Columns: [][]weather.Value{{1 << 30}}},
		"long":             long,
	} {
		b, err := s.appendObserve(nil, &Observe{Run: run})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := decodeObserve(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := s.refusal(run)
		if is := s.refusal(got.Run); fmt.Sprint(is) != fmt.Sprint(want) {
			t.Errorf("%s: refused there with %v, here with %v", name, is, want)
		}
	}
}

func (s *Station) refusal(r *weather.Run) error { return r.Check(s.catalogue) }

// FuzzWire reads what another node may send.
func FuzzWire(f *testing.F) {
	f.Add([]byte{wireCompact, 1, 2, 3})
	f.Add([]byte{wireGeneral, 0xa0})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = decodeObserve(b)
		_, _ = decodeObserved(b)
		_, _ = decodePrecipitation(b)
		_, _ = decodeTotal(b)
	})
}
