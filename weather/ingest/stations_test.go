package ingest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

func TestStationsOfTheSample(t *testing.T) {
	text, err := sampledata.Stations()
	if err != nil {
		t.Fatal(err)
	}
	stations := map[string]weather.Station{}
	lines, unknown, bogus := 0, 0, 0
	for s, err := range Stations("stations.csv", bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		lines++
		stations[s.ID] = s
		if !s.Located() {
			unknown++
		}
		if strings.HasPrefix(s.Name, "BOGUS") {
			bogus++
		}
	}
	if lines != 19_704 || len(stations) != 19_703 || unknown != 572 || bogus != 509 {
		t.Errorf("%d lines, %d stations, %d of unknown place, %d bogus; want 19,704, 19,703, 572 and 509", lines, len(stations), unknown, bogus)
	}
	const none = weather.Missing
	for _, want := range []weather.Station{
		{ID: sampledata.SanFrancisco, Name: "SAN FRANCISCO INTL AP", Country: "US", State: "CA", CallSign: "KSFO", Latitude: 3761700, Longitude: -12240000, Elevation: 24},
		{ID: "10010:99999", Name: "JAN MAYEN(NOR-NAVY)", Country: "NO", CallSign: "ENJA", Latitude: 7093300, Longitude: -866700, Elevation: 90},
		{ID: "10000:99999", Name: "BOGUS NORWAY", Country: "NO", CallSign: "ENRS", Latitude: none, Longitude: none, Elevation: none},
		{ID: "150110:99999", Name: "BOGUS ROMANIAN", Country: "RO", Latitude: none, Longitude: none, Elevation: 1250},
		{ID: "890090:99999", Name: "AMUNDSEN-SCOTT", Country: "AY", Latitude: -9000000, Longitude: 0, Elevation: 28300},
		{ID: "703430:99999", Name: "MIDDLETON ISL. AMOS", Country: "US", State: "AK", CallSign: "PAMD", Latitude: 5943300, Longitude: -14633300, Elevation: 369}, // the second of its two
	} {
		if got := stations[want.ID]; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestStations(t *testing.T) {
	const none = weather.Missing
	tests := []struct {
		line   string
		want   weather.Station
		column int
		reason string
	}{
		{line: `a,"Smith, ""Bob""'s field",US,CA,KX,1.5,-2,3`, want: weather.Station{ID: "a", Name: `Smith, "Bob"'s field`, Country: "US", State: "CA", CallSign: "KX", Latitude: 150000, Longitude: -200000, Elevation: 30}},
		{line: ` a , b , , , ,1,2,3.5 `, want: weather.Station{ID: "a", Name: "b", Latitude: 100000, Longitude: 200000, Elevation: 35}},
		{line: `a,,,,,,,`, want: weather.Station{ID: "a", Latitude: none, Longitude: none, Elevation: none}},
		{line: `a,,,,,0,0,0`, want: weather.Station{ID: "a", Latitude: none, Longitude: none, Elevation: none}},
		{line: `a,,,,,0,0,12`, want: weather.Station{ID: "a", Latitude: none, Longitude: none, Elevation: 120}},
		{line: `a,,,,,0,9,0`, want: weather.Station{ID: "a", Latitude: 0, Longitude: 900000, Elevation: 0}},
		{line: `a,,"",,,0,9,"0"`, want: weather.Station{ID: "a", Latitude: 0, Longitude: 900000, Elevation: 0}},
		{line: `a,b,c,d,e,1,2`, reason: "7 columns"},
		{line: `a,b,c,d,e,1,2,3,4`, reason: "9 columns"},
		{line: `a b,b,c,d,e,1,2,3`, reason: "id"},
		{line: `,b,c,d,e,1,2,3`, reason: "id is empty"},
		{line: `a,b,c,d,e,91,2,3`, reason: "latitude 91"},
		{line: `a,b,c,d,e,1,181,3`, reason: "longitude 181"},
		{line: `a,b,c,d,e,,2,3`, reason: "both"},
		{line: `a,b,c,d,e,1,2,high`, column: 8, reason: "elevation"},
		{line: `a,b,c,d,e,1,2,-9999`, reason: "elevation"},
		{line: `a,"b,c,d,e,1,2,3`, reason: "quote is not closed"},
		{line: `a,"b"c,c,d,e,1,2,3`, reason: "follows a closing quote"},
		{line: "a,\xff,c,d,e,1,2,3", reason: "UTF-8"},
	}
	for _, test := range tests {
		text := "\xef\xbb\xbf\r\n" + test.line + "\r\nlast,,,,,,,"
		var got []weather.Station
		var errs []error
		for s, err := range Stations("s.csv", strings.NewReader(text)) {
			got, errs = append(got, s), append(errs, err)
		}
		if len(got) != 2 || errs[1] != nil || got[1].ID != "last" {
			t.Errorf("%q: %v, %v", test.line, got, errs)
			continue
		}
		var e *LineError
		switch {
		case test.reason == "" && (errs[0] != nil || got[0] != test.want):
			t.Errorf("%q gives %+v, %v; want %+v", test.line, got[0], errs[0], test.want)
		case test.reason != "" && (!errors.As(errs[0], &e) || e.Line != 2 || e.Column != test.column || !strings.Contains(e.Reason, test.reason)):
			t.Errorf("%q gives %v; want %q in line 2, column %d", test.line, errs[0], test.reason, test.column)
		}
	}
}

func TestStationsReportWhatFails(t *testing.T) {
	broken := errors.New("broken disk")
	var last error
	n := 0
	for _, err := range Stations("s.csv", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("a,,,,,,,\n")))) {
		last = err
		n++
	}
	if n != 1 || !errors.Is(last, iotest.ErrTimeout) {
		t.Errorf("%d results, the last %v", n, last)
	}
	for _, err := range Stations("s.csv", iotest.ErrReader(broken)) {
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "s.csv") {
			t.Error(err)
		}
	}
	n = 0
	for _, err := range Stations("s.csv", strings.NewReader("a,,,,,,,\nb,,,,,,,\n")) {
		if n++; err != nil {
			t.Error(err)
		}
		break // stopping early must not panic
	}
	if n != 1 {
		t.Errorf("%d results, want the one that was taken", n)
	}
}

func FuzzStations(f *testing.F) {
	f.Add([]byte("a,\"b\",c,d,e,1,2,3\r\n"))
	f.Add([]byte(`a,"b""`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for s, err := range Stations("fuzz", bytes.NewReader(text)) {
			var line *LineError
			switch {
			case err == nil:
				if err := s.Validate(); err != nil {
					t.Fatal(err)
				}
			case !errors.As(err, &line):
				t.Fatal(err)
			}
		}
	})
}
