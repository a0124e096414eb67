package ingest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

var errBad = errors.New("the reading is bad")

// picky refuses runs that hold readings of 13 °C.
func picky(s *store) *int {
	refusals := 0
	after := s.fail
	s.fail = func(run StationRun) error {
		for i := range run.Run.Times {
			if run.Run.Value(i, weather.Temperature) == 130 {
				refusals++
				return fmt.Errorf("%w: %w", ErrReading, errBad)
			}
		}
		if after != nil {
			return after(run)
		}
		return nil
	}
	return &refusals
}

// A run with bad readings loses those alone, whatever else fails, and the order
// is kept. (Seen to fail with lane.resume that sends only what was not settled:
// what came behind a run took effect before its halves.)
func TestLoadRefusesSingleReadings(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, _ := contested(rt)
		want, bad := newStore(), map[int64]bool{}
		k := NewKillrWeather()
		for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
			var r Reading
			if line == "" {
				continue
			}
			if err := k.Parse([]byte(line), &r); err != nil {
				rt.Fatal(err)
			}
			if r.Values[weather.Temperature] == 130 {
				bad[int64(i+1)] = true
				continue
			}
			run := &weather.Run{}
			run.Append(r.Time, r.Values...)
			want.take(StationRun{r.Station, run})
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		s := unreliable(random, rapid.IntRange(0, 30).Draw(rt, "percent of failures"), rapid.Bool().Draw(rt, "batches fail too"))
		picky(s)
		cfg := tiny()
		cfg.RunLength = rapid.IntRange(1, 5).Draw(rt, "run length")
		got := map[int64]bool{}
		cfg.Quarantine = func(q Quarantined) error {
			if got[q.Line] || q.Source != "a" || q.Text != nil || q.Reading.Values[weather.Temperature] != 130 || !strings.Contains(q.Reason, errBad.Error()) {
				rt.Errorf("in the quarantine is %+v", q)
			}
			got[q.Line] = true
			return nil
		}
		var summary Summary
		var err error
		synctest.Test(t, func(t *testing.T) {
			summary, err = Load(t.Context(), []Source{Memory("a", []byte(text))}, s, cfg)
		})
		if err != nil {
			rt.Fatal(err)
		}
		if summary.Refused != int64(len(bad)) || len(got) != len(bad) || summary.Acknowledged() != summary.Readings {
			rt.Fatalf("%d refused, %d in the quarantine, want %d; %d of %d acknowledged", summary.Refused, len(got), len(bad), summary.Acknowledged(), summary.Readings)
		}
		for station, held := range want.held {
			for when, row := range held {
				if !slices.Equal(s.held[station][when], row) {
					rt.Fatalf("%s holds %v at %s, want %v", station, s.held[station][when], when, row)
				}
			}
		}
	})
}

// Finding the bad readings of a run takes as many rounds as it can be halved.
func TestSplittingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		refusals := picky(s)
		var b strings.Builder
		for i := range 6400 {
			temperature := 1
			if i%64 == 7 || i%64 == 50 {
				temperature = 13
			}
			fmt.Fprintf(&b, "s%d,2008,1,%d,%d,%d.0,1.0,1000.0,10,1.0,1,0.0,0.0\n", i/640, i%640/24+1, i%24, temperature)
		}
		begun := time.Now()
		got, err := Load(t.Context(), []Source{Memory("x", []byte(b.String()))}, s, DefaultConfig())
		if err != nil || got.Refused != 200 || got.Stored != 6200 {
			t.Errorf("%+v, %v", got, err)
		}
		// 100 runs with two bad readings each: 1 + 2·6 are refused on the way.
		if *refusals > 100*13*7 {
			t.Errorf("%d runs were refused on the way", *refusals)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("it paused for %s", took)
		}
	})
}

// Without a mark of the sink a run is not divided: the reason holds for all.
func TestLoadDoesNotSplitForAStation(t *testing.T) {
	s, runs := newStore(), 0
	s.fail = func(StationRun) error {
		runs++
		return errors.New(unknownStation)
	}
	got, err := Load(t.Context(), []Source{Memory("sample", observations(t))}, s, DefaultConfig())
	if err != nil || got.Refused != 17_568 || runs > 17_568/64+2 {
		t.Errorf("%d refused in %d runs, %v", got.Refused, runs, err)
	}
}

// A quarantine that fails ends the load, whoever fills it.
func TestLoadEndsWithTheQuarantine(t *testing.T) {
	full := errors.New("disk full")
	cfg := DefaultConfig()
	cfg.Quarantine = func(Quarantined) error { return full }
	s := newStore()
	if _, err := Load(t.Context(), []Source{Memory("sample", []byte("garbage\n"))}, s, cfg); !errors.Is(err, full) || !strings.Contains(err.Error(), "line 1 of sample") {
		t.Errorf("a malformed line: %v", err)
	}
	s.fail = func(StationRun) error { return errors.New(unknownStation) }
	if _, err := Load(t.Context(), []Source{Memory("sample", observations(t))}, s, cfg); !errors.Is(err, full) {
		t.Errorf("a refused reading: %v", err)
	}
}

// What goes to the quarantine has a bound.
func TestQuarantineIsBounded(t *testing.T) {
	var got []Quarantined
	cfg := DefaultConfig()
	cfg.Quarantine = func(q Quarantined) error {
		got = append(got, q)
		return nil
	}
	text := strings.Repeat("x", MaxLine+10) + "\n" + strings.Repeat("y", 5000)
	if _, err := Load(t.Context(), []Source{Memory("a", []byte(text))}, newStore(), cfg); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || string(got[0].Text) != text[:MaxQuarantined] || len(got[1].Text) != MaxQuarantined || got[1].Line != 2 {
		t.Errorf("%d lines", len(got))
	}
}

// Sources whose readings are not of one catalogue don't mix.
func TestLoadOfTwoCatalogues(t *testing.T) {
	narrow := weather.Standard()[:1]
	f, err := NewFormats(narrow)
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	killr := cfg.Format
	cfg.Format = func(head []byte, name string) (Format, error) {
		if name == "a" {
			return killr(head, name)
		}
		return f.Named(CSVName)
	}
	sources := []Source{Memory("a", observations(t)), Memory("b", []byte("station,time,temperature\nx,2008-01-01T00:00Z,1.0\n"))}
	if _, err := Load(t.Context(), sources, newStore(), cfg); err == nil || !strings.Contains(err.Error(), "of one catalogue") {
		t.Errorf("got %v", err)
	}
}

// The format of all sources is found before anything is sent.
func TestLoadFindsFormatsFirst(t *testing.T) {
	f, err := NewFormats(weather.Standard())
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Format = f.Recognise
	s := newStore()
	for want, second := range map[string]string{"not recognised": "Dear all,\n", "USAF-WBAN-YEAR": "2008 12 01 00    61    39 10012    50    87     8    10    80\n"} {
		_, err = Load(t.Context(), []Source{Memory("a", observations(t)), Memory("b", []byte(second))}, s, cfg)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) || s.sent > 0 {
			t.Errorf("%v, %d batches sent", err, s.sent)
		}
	}
	got, err := Load(t.Context(), []Source{Stream("-", strings.NewReader(string(observations(t))))}, s, cfg)
	if err != nil || got.Stored != 17_568 {
		t.Errorf("a stream: %+v, %v", got, err)
	}
	if _, err := Load(t.Context(), []Source{Stream("-", strings.NewReader("Dear all,"))}, s, cfg); !errors.Is(err, ErrFormat) {
		t.Errorf("a stream of something else: %v", err)
	}
}
