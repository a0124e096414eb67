package ingest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

// readings reads all of a stream that has no malformed lines.
func readings(t testing.TB, f Format, name string, r io.Reader) []Reading {
	t.Helper()
	d, err := f.Read(name, r)
	if err != nil {
		t.Fatal(err)
	}
	var list []Reading
	for {
		var one Reading
		switch err := d.Read(&one); {
		case errors.Is(err, io.EOF):
			return list
		case err != nil:
			t.Fatal(err)
		}
		list = append(list, one)
	}
}

// difference is empty when both are the same.
func difference(want, got []Reading) string {
	if reflect.DeepEqual(want, got) { // a hundred times as fast
		return ""
	}
	return cmp.Diff(want, got)
}

// sample is the sample data as the killrweather format has them.
func sample(t testing.TB) []Reading {
	t.Helper()
	f, err := KillrWeatherFormat(weather.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return readings(t, f, "sample", bytes.NewReader(observations(t)))
}

// asISDLite writes readings of one station as NOAA does.
func asISDLite(list []Reading) []byte {
	var b bytes.Buffer
	for _, r := range list {
		year, month, day := r.Time.Date()
		hour, _ := r.Time.Clock()
		fmt.Fprintf(&b, "%04d %02d %02d %02d", year, month, day, hour)
		for _, name := range []string{"temperature", "dew_point", "sea_level_pressure", "wind_direction", "wind_speed", "sky_condition", "precipitation_1h", "precipitation_6h"} {
			id, _ := weather.Standard().Lookup(name)
			n := int(r.Values[id])
			switch r.Values[id] {
			case weather.Missing:
				n = -9999
			case weather.Trace:
				n = -1
			}
			fmt.Fprintf(&b, "%6d", n)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// texts are the columns of a reading in other units: station, time, temperature
// in °F, pressure in kPa, precipitation in cm, the rest as it is.
func texts(r *Reading) []string {
	list := []string{r.Station, r.Time.String()}
	for id, v := range r.Values {
		m := weather.Standard()[id]
		text := v.Format(m.Decimals)
		if v.Plain() {
			switch weather.MeasureID(id) {
			case weather.Temperature: // exact in hundredths
				text = weather.Value(int64(v)*18 + 3200).Format(2)
			case weather.SeaLevelPressure:
				text = v.Format(2)
			case weather.Precipitation1h:
				text = v.Format(2)
			}
		}
		list = append(list, text)
	}
	return list
}

var otherUnits = Mapping{
	Name:    "other",
	Station: StationMapping{Column: "id"},
	Time:    TimeMapping{Column: "at"},
	Measures: []MeasureMapping{
		{Column: "temp_f", Measure: "temperature", Unit: "F"},
		{Column: "slp", Measure: "sea_level_pressure", Scale: "10", Unit: "hPa"},
		{Column: "rain", Measure: "precipitation_1h", Unit: "cm"},
	},
}

func otherNames() []string {
	names := append([]string{"id", "at"}, measureNames(weather.Standard())...)
	names[2], names[4], names[9] = "temp_f", "slp", "rain"
	return names
}

// The pressure is a tenth of the hPa.
func asCSV(list []Reading) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(otherNames())
	for i := range list {
		_ = w.Write(texts(&list[i]))
	}
	w.Flush()
	return b.Bytes()
}

func asNDJSON(list []Reading) []byte {
	var b bytes.Buffer
	names := otherNames()
	for i := range list {
		object := map[string]any{"ignored": map[string]any{"a": []int{1, 2}, "b": `"{[`}}
		for k, text := range texts(&list[i]) {
			switch {
			case text == "" && i%2 == 0: // left out
			case text == "":
				object[names[k]] = nil
			case k < 2 || text == "T" || i%3 == 0:
				object[names[k]] = text
			default:
				object[names[k]] = json.Number(text)
			}
		}
		line, _ := json.Marshal(object)
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

// The sample, written in each format and read again, is the same.
func TestSampleInEveryFormat(t *testing.T) {
	want := sample(t)
	formats, err := NewFormats(weather.Standard(), otherUnits, withFormat(otherUnits, NDJSONName))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"sample.csv": asCSV(want), "sample.ndjson": asNDJSON(want), "ny-sf-2008.csv": observations(t)} {
		f, err := formats.Recognise(data[:min(sniffed, len(data))], name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := difference(want, readings(t, f, name, bytes.NewReader(data))); diff != "" {
			t.Errorf("%s as %s:\n%.2000s", name, f.Name(), diff)
		}
	}
	for _, station := range []string{sampledata.NewYork, sampledata.SanFrancisco} {
		mine := slices.DeleteFunc(slices.Clone(want), func(r Reading) bool { return r.Station != station })
		name := "isd-lite/2008/" + strings.ReplaceAll(station, ":", "-") + "-2008"
		data := asISDLite(mine)
		f, err := formats.Recognise(data[:sniffed], name)
		if err != nil || f.Name() != ISDLiteName {
			t.Fatalf("%v, %v", f, err)
		}
		if diff := difference(mine, readings(t, f, name, bytes.NewReader(data))); diff != "" {
			t.Errorf("%s:\n%.2000s", name, diff)
		}
	}
}

func withFormat(m Mapping, format string) Mapping {
	m.Name += "-" + format
	m.Format = format
	return m
}

// Files that pyarrow has written, see testdata/tables.py, hold what the sample
// does.
func TestParquetOfAnotherWriter(t *testing.T) {
	all := sample(t)
	tables := Mapping{Name: "tables", Format: ParquetName, Trace: []string{"-0.1"}}
	nested := tables
	nested.Name = "nested"
	nested.Time.Layout = "unix"
	nested.Measures = []MeasureMapping{{Column: "wind.direction", Measure: "wind_direction"}, {Column: "wind.speed", Measure: "wind_speed"}}
	for file, m := range map[string]Mapping{
		"snappy": tables, "zstd-v2": tables, "encodings": tables, "int96": tables, "nested": nested, "year": tables,
	} {
		t.Run(file, func(t *testing.T) {
			f, err := MappedFormat(weather.Standard(), m)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", file+".parquet")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := all
			if file != "year" {
				want = all[:400]
			}
			for how, r := range map[string]io.Reader{"memory": bytes.NewReader(data), "stream": io.MultiReader(bytes.NewReader(data))} {
				if diff := difference(want, readings(t, f, path, r)); diff != "" {
					t.Errorf("%s:\n%.2000s", how, diff)
				}
			}
		})
	}
}

func TestParquetRefuses(t *testing.T) {
	f, err := NewFormats(weather.Standard())
	if err != nil {
		t.Fatal(err)
	}
	year, err := os.ReadFile("testdata/snappy.parquet")
	if err != nil {
		t.Fatal(err)
	}
	lz4, err := os.ReadFile("testdata/lz4.parquet")
	if err != nil {
		t.Fatal(err)
	}
	nested, err := os.ReadFile("testdata/nested.parquet")
	if err != nil {
		t.Fatal(err)
	}
	lists, err := MappedFormat(weather.Standard(), Mapping{Name: "x", Format: ParquetName, Station: StationMapping{Column: "flags.list.element"}})
	if err != nil {
		t.Fatal(err)
	}
	good, err := f.Named(ParquetName)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		format Format
		data   []byte
		want   string
	}{
		"the end is missing":   {good, year[:len(year)-1], "its end is missing"},
		"nothing":              {good, nil, "it has 0 bytes"},
		"encrypted":            {good, append(bytes.Clone(year[:len(year)-4]), "PARE"...), "encrypted"},
		"a long footer":        {good, []byte("PAR1....\xff\xff\xff\x00PAR1"), "longer than the file"},
		"a longer footer":      {good, []byte("PAR1....\xff\xff\xff\x7fPAR1"), "more than 16777216"},
		"lists":                {lists, nested, "holds lists"},
		"codec":                {good, lz4, "codec 7"},
		"no column is station": {mustMap(t, Mapping{Name: "x", Format: ParquetName, Station: StationMapping{Column: "id"}}), year, `lacks the columns "id"`},
	} {
		d, err := test.format.Read(name, bytes.NewReader(test.data))
		if err == nil {
			err = d.Read(&Reading{})
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
	}
}

func mustMap(t testing.TB, m Mapping) Format {
	t.Helper()
	f, err := MappedFormat(weather.Standard(), m)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRecognise(t *testing.T) {
	buoys := Mapping{Name: "buoys", Measures: []MeasureMapping{{Column: "t", Measure: "temperature"}}}
	also := Mapping{Name: "also", Measures: []MeasureMapping{{Column: "t", Measure: "dew_point"}}}
	json := withFormat(buoys, NDJSONName)
	bare := Mapping{Name: "bare", NoHeader: true, Station: StationMapping{Column: "1"}, Time: TimeMapping{Column: "2"}, Measures: []MeasureMapping{{Column: "3", Measure: "temperature"}}}
	f, err := NewFormats(weather.Standard(), buoys, also, json, bare, Mapping{Name: "semi", Delimiter: ";"})
	if err != nil {
		t.Fatal(err)
	}
	killr := "725030:14732,2008,12,01,00,6.1,3.9,1001.2,50,8.7,8,0.1,0.8"
	isd := "2008 12 01 00    61    39 10012    50    87     8    10    80"
	for _, test := range []struct{ head, name, want, fails string }{
		{head: killr, want: "killrweather"},
		{head: "\xef\xbb\xbf\n\r\n" + killr + "\r\n", want: "killrweather"},
		{head: killr + ",1\n", fails: "has 14 columns where that has 13"},
		{head: killr[:len(killr)-4] + "\n", fails: "has 12 columns where that has 13"},
		{head: isd + "\n", name: "a/725030-14732-2008.gz", want: "isd-lite"},
		{head: isd + "  \r\n", name: "010010-99999-2008", want: "isd-lite"},
		{head: isd + "\n", name: "weather.txt", fails: "USAF-WBAN-YEAR"},
		{head: "station,time,temperature\n", want: "csv"},
		{head: "\"station\",\"time\",\"temperature\"\n", want: "csv"},
		{head: "station;time;temperature\n", want: "semi"},
		{head: "station,time,t\n", fails: "as each of also, buoys: name the one"},
		{head: "station,time,warmth\n", fails: "no column"},
		{head: "id,time,temperature\n", fails: `lacks the columns "station"`},
		{head: `{"station":"x","time":"2008-01-01T00:00Z","temperature":1}`, want: "ndjson"},
		{head: `{"station":"x","time":"2008-01-01T00:00Z","t":1}`, want: "buoys-ndjson"},
		{head: `{"id":"x"}`, fails: `lacks the field "station"`},
		{head: `{"station":"x","time":1,"warmth":3}`, fails: "no field"},
		{head: `[{"station":"x"}]`, fails: "array"},
		{head: "PAR1", want: "parquet"},
		{head: "", fails: "blank"},
		{head: "Dear all,\n", fails: "killrweather, isd-lite, csv, ndjson, parquet, buoys, also, buoys-ndjson, bare, semi"},
	} {
		got, err := f.Recognise([]byte(test.head), test.name)
		switch {
		case test.fails != "":
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%q: %v, want %q", test.head, err, test.fails)
			}
		case err != nil || got.Name() != test.want:
			t.Errorf("%q is %v, %v; want %s", test.head, got, err, test.want)
		}
	}
	if _, err := f.Named("buoy"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "buoys") {
		t.Errorf("an unknown name: %v", err)
	}
}

// A network without the measures of a format says so before anything is read.
func TestFormatsOfAnotherNetwork(t *testing.T) {
	river := weather.Catalogue{
		{ID: 0, Name: "level", Unit: "cm", Decimals: 1, Aggregate: weather.AggregateMean, Low: -1000, High: 20_000},
		{ID: 1, Name: "temperature", Unit: "°C", Decimals: 1, Aggregate: weather.AggregateMean, Low: -10, High: 400},
	}
	f, err := NewFormats(river)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Named(KillrWeatherName); err == nil || !strings.Contains(err.Error(), "dew_point, which this network does not measure") {
		t.Errorf("killrweather: %v", err)
	}
	if _, err := f.Recognise([]byte("2008 12 01 00    61    39 10012    50    87     8    10    80\n"), "725030-14732-2008"); err == nil || !strings.Contains(err.Error(), "does not measure") {
		t.Errorf("isd-lite: %v", err)
	}
	csv, err := f.Recognise([]byte("station,time,level\n"), "gauge.csv")
	if err != nil {
		t.Fatal(err)
	}
	got := readings(t, csv, "gauge.csv", strings.NewReader("station,time,level\nr1,2008-01-01T00:00Z,123.4\n"))
	if len(got) != 1 || !slices.Equal(got[0].Values, []weather.Value{1234, weather.Missing}) {
		t.Errorf("got %+v", got)
	}
	// The standard measures, in another order and among others.
	mixed := append(slices.Clone(river[:1]), weather.Standard()...)
	slices.Reverse(mixed)
	for i := range mixed {
		mixed[i].ID = weather.MeasureID(i)
	}
	k, err := KillrWeatherFormat(mixed)
	if err != nil {
		t.Fatal(err)
	}
	got = readings(t, k, "x", strings.NewReader("725030:14732,2008,12,01,00,6.1,3.9,1001.2,50,8.7,8,-0.1,0.8"))
	if want := []weather.Value{80, weather.Trace, 8, weather.Missing, 87, 50, 10012, 39, 61, weather.Missing}; len(got) != 1 || !slices.Equal(got[0].Values, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	mixed[0].Decimals = 2
	if _, err := KillrWeatherFormat(mixed); err == nil || !strings.Contains(err.Error(), "precipitation_6h") {
		t.Errorf("other decimals: %v", err)
	}
}

// Each station of the catalogue has the id that the name of its ISD-Lite file
// gives, which has six digits and five.
func TestISDStationAgainstTheCatalogue(t *testing.T) {
	text, err := sampledata.Stations()
	if err != nil {
		t.Fatal(err)
	}
	shorter := 0
	for s, err := range Stations("stations", bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		usaf, wban, ok := strings.Cut(s.ID, ":")
		if !ok {
			t.Fatalf("%s has no colon", s.ID)
		}
		if len(wban) < 5 {
			shorter++
		}
		a, err1 := strconv.Atoi(usaf)
		b, err2 := strconv.Atoi(wban)
		if err1 != nil || err2 != nil {
			t.Fatalf("%s is not of numbers", s.ID)
		}
		name := fmt.Sprintf("noaa/2008/%06d-%05d-2008.gz", a, b)
		if got, ok := ISDStation(name); !ok || got != s.ID {
			t.Errorf("%s is of %q, want %s", name, got, s.ID)
		}
	}
	if shorter != 143 {
		t.Errorf("%d stations have lost zeros of the WBAN part, want 143", shorter)
	}
	for _, name := range []string{"725030-14732", "25030-14732-2008", "725030-14732-2008-x", "x725030-14732-2008", "725030-1473a-2008", ""} {
		if id, ok := ISDStation(name); ok {
			t.Errorf("%q is of %s", name, id)
		}
	}
}

func TestISDLiteRefuses(t *testing.T) {
	f, err := ISDLiteFormat(weather.Standard(), "s")
	if err != nil {
		t.Fatal(err)
	}
	const good = "2008 12 01 00    61    39 10012    50    87     8    10    80"
	change := func(at int, text string) string { return good[:at] + text + good[at+len(text):] }
	for _, test := range []struct {
		line   string
		column int
		want   string
	}{
		{good[:60], 0, "60 columns of text"},
		{good + "1", 0, "62 columns of text"},
		{change(4, "-"), 0, "date"},
		{change(0, "20x8"), 0, "date"},
		{change(5, "13"), 0, "2008-13-01"},
		{change(11, "24"), 0, "hour"},
		{change(13, "   700"), 14, "temperature 70.0 °C is outside"},
		{change(13, "  6 1 "), 14, "not a decimal number"},
		{change(13, "      "), 14, "not a decimal number"},
		{change(13, "     -"), 14, "not a decimal number"},
		{change(49, "    -2"), 50, "precipitation_1h"},
		{change(43, "    20"), 44, "sky_condition"},
	} {
		d, err := f.Read("x", strings.NewReader(test.line))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Read(&Reading{})
		line, ok := errors.AsType[*LineError](err)
		if !ok || line.Column != test.column || !strings.Contains(line.Reason, test.want) {
			t.Errorf("%q gives %v; want column %d and %q", test.line, err, test.column, test.want)
		}
	}
}
