package main

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// What is written for a station is read as what it observes in the other rows, by
// both forms: so both load the same. Only the gust is in neither.
func TestFileText(t *testing.T) {
	sample, err := readings()
	if err != nil {
		t.Fatal(err)
	}
	formats, err := ingest.NewFormats(weather.Standard())
	if err != nil {
		t.Fatal(err)
	}
	one := &newMessages(1, 1)[0].run
	for _, kind := range []fileKind{killrWeather, isdLite} {
		for station := range 3 {
			text, err := kind.year(station)
			if err != nil {
				t.Fatal(err)
			}
			name := kind.name(station)
			format, err := formats.Recognise(text[:4096], name)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := format.Read(name, bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			var r ingest.Reading
			for hour := range yearHours {
				if err := lines.Read(&r); err != nil {
					t.Fatalf("%s, hour %d: %v", name, hour, err)
				}
				sample.fill(one, station, hour, 1)
				if r.Time != one.Times[0] {
					t.Fatalf("%s, hour %d: the time is %s, want %s", name, hour, r.Time, one.Times[0])
				}
				for m := range weather.MeasureID(measures) {
					got := weather.Missing
					if int(m) < len(r.Values) {
						got = r.Values[m]
					}
					if want := one.Value(0, m); got != want {
						t.Fatalf("%s, hour %d: measure %d is %d, want %d", name, hour, m, got, want)
					}
				}
			}
			if err := lines.Read(&r); !errors.Is(err, io.EOF) {
				t.Errorf("%s goes on after a year: %v", name, err)
			}
		}
	}
}

// A load puts all that is in the files into the stations, or is an error; the
// limit reads as many.
func TestLoadFiles(t *testing.T) {
	s := testSuite(t)
	s.opt.inFiles = 2
	for _, kind := range []fileKind{killrWeather, isdLite} {
		dir := filepath.Join(t.TempDir(), "files")
		if _, err := writeFiles(t.Context(), dir, s.opt.inFiles, kind); err != nil {
			t.Fatal(err)
		}
		if rate, err := s.loadFiles(t.Context(), dir); err != nil || rate <= 0 {
			t.Errorf("%s: %v readings a second, %v", kind.what, rate, err)
		}
		sources, formats, err := found(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		parsed := 0
		for _, source := range sources {
			n, err := parseFile(t.Context(), source, formats)
			if err != nil {
				t.Fatal(err)
			}
			parsed += n
		}
		if parsed != 2*yearHours {
			t.Errorf("%s: parsed %d readings, want %d", kind.what, parsed, 2*yearHours)
		}
		s.opt.inFiles++ // one more than there is
		if _, err := s.loadFiles(t.Context(), dir); err == nil {
			t.Errorf("%s: a load of less than there should be is measured", kind.what)
		}
		s.opt.inFiles--
	}
}
