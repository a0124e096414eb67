package ingest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

// Records, and the lines on which they begin, are those of encoding/csv, up to
// the first that is malformed: there this one goes on.
func TestRecordsAgainstEncodingCSV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{`"`, `""`, ",", "\n", "\r\n", "a", " b ", "ü", ";", `"c"`, `"d,e"`, "\"f\ng\"", `"h""i"`}))
		text := strings.Join(pieces.Draw(t, "pieces"), "")
		comma := rapid.SampledFrom([]byte{',', ';'}).Draw(t, "comma")
		twin := csv.NewReader(strings.NewReader(text))
		twin.Comma, twin.FieldsPerRecord = rune(comma), -1
		r := records{lines: newLines(strings.NewReader(text)), comma: comma}
		for {
			want, wantErr := nextOf(twin)
			fields, err := r.next()
			for err == nil && len(fields) == 1 && len(bytes.TrimSpace(fields[0])) == 0 {
				fields, err = r.next()
			}
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%q: line %d is %q, %v; encoding/csv has %q, %v", text, r.start, fields, err, want, wantErr)
			}
			if err != nil {
				if errors.Is(err, io.EOF) != errors.Is(wantErr, io.EOF) {
					t.Fatalf("%q: %v, encoding/csv has %v", text, err, wantErr)
				}
				return
			}
			var got []string
			for _, field := range fields {
				got = append(got, string(field))
			}
			if line, _ := twin.FieldPos(0); !slices.Equal(got, want) || int64(line) != r.start {
				t.Fatalf("%q: line %d is %q; encoding/csv has %q on line %d", text, r.start, got, want, line)
			}
		}
	})
}

// nextOf passes over records of one blank field: those of encoding/csv have blank
// lines among them.
func nextOf(r *csv.Reader) ([]string, error) {
	for {
		record, err := r.Read()
		if err != nil || len(record) > 1 || strings.TrimSpace(record[0]) != "" {
			return record, err
		}
	}
}

// csvDecoderOf begins to read a text by a mapping.
func csvDecoderOf(t *testing.T, m Mapping, text string) Decoder {
	t.Helper()
	m.Name = "test"
	d, err := mustMap(t, m).Read("test.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// temperatures reads the temperatures and the lines of what is malformed.
func temperatures(t *testing.T, d Decoder) (values []weather.Value, malformed []*LineError, lines []int64) {
	t.Helper()
	for {
		var r Reading
		err := d.Read(&r)
		if line, ok := errors.AsType[*LineError](err); ok {
			malformed = append(malformed, line)
			if d.Line() != line.Line {
				t.Errorf("the decoder is at line %d, the error at %d", d.Line(), line.Line)
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			return values, malformed, lines
		}
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, r.Values[weather.Temperature])
		lines = append(lines, d.Line())
	}
}

func TestCSVGoesOn(t *testing.T) {
	text := strings.Join([]string{
		"station,time,temperature,note",
		"a,2008-01-01T00:00Z,1.0,fine",
		"",
		`a,2008-01-01T01:00Z,2.0,"two`,
		`lines, and ""quotes"""`,
		"a,2008-01-01T02:00Z,3.0",               // a column short
		`a,2008-01-01T03:00Z,4.0,5" pipe`,       // a bare quote
		"a,2008-01-01T04:00Z,700.0,hot",         // impossible
		"a,2008-01-01T05:00Z,warm,",             // no number
		"a,2008-01-01T25:00Z,6.0,",              // no time
		",2008-01-01T06:00Z,7.0,",               // no station
		"a,2008-01-01T06:00:30Z,7.0,",           // seconds
		"a,2008-01-01T07:00Z,8.0,x,y",           // a column more
		"a,2008-01-01T08:00Z,,",                 // missing
		"a,2008-01-01T09:00Z, NA ,",             // missing
		"a,2008-01-01T10:00:00+01:00,-9999 , z", // missing
		`a,2008-01-01T11:00Z,9.0,"never closed`,
		"a,2008-01-01T12:00Z,10.0,but the next are read",
		"a,2008-01-01T13:00Z,11.0,",
	}, "\n")
	values, malformed, lines := temperatures(t, csvDecoderOf(t, Mapping{}, text))
	const none = weather.Missing
	if want := []weather.Value{10, 20, none, none, none, 100, 110}; !slices.Equal(values, want) {
		t.Errorf("values %v, want %v", values, want)
	}
	if want := []int64{2, 4, 14, 15, 16, 18, 19}; !slices.Equal(lines, want) {
		t.Errorf("readings on lines %v, want %v", lines, want)
	}
	for i, want := range []struct {
		line   int64
		column int
		reason string
	}{
		{6, 0, "3 columns, where the header has 4"},
		{7, 0, "a quote within a text"},
		{8, 3, "temperature 700.0 °C is outside"},
		{9, 3, `not a decimal number: "warm"`},
		{10, 2, "no such time"},
		{11, 1, "the id is empty"},
		{12, 2, "round: true"},
		{13, 0, "5 columns"},
		{17, 0, "a quote is not closed"},
	} {
		if i >= len(malformed) {
			t.Fatalf("only %d are malformed", len(malformed))
		}
		if got := malformed[i]; got.Line != want.line || got.Column != want.column || !strings.Contains(got.Reason, want.reason) {
			t.Errorf("malformed %d is %v; want line %d, column %d, %q", i, got, want.line, want.column, want.reason)
		}
	}
	if got := string(malformed[8].whole); got != `a,2008-01-01T11:00Z,9.0,"never closed` {
		t.Errorf("the quarantine would get %q", got)
	}
}

// One stray quote in a long file costs its line, however far the next is.
func TestCSVStrayQuote(t *testing.T) {
	var b strings.Builder
	b.WriteString("station,time,temperature\n")
	for i := range 10_000 {
		if i == 10 {
			b.WriteString("a,2008-01-01T00:00Z,\"1.0\n")
			continue
		}
		b.WriteString("a,2008-01-01T00:00Z,1.0\n")
	}
	values, malformed, _ := temperatures(t, csvDecoderOf(t, Mapping{}, b.String()))
	if len(values) != 9999 || len(malformed) != 1 || malformed[0].Line != 12 || !strings.Contains(malformed[0].Reason, "65536") {
		t.Errorf("%d values; %v", len(values), malformed)
	}
}

// Skipping to any line gives what is read from there.
func TestCSVSkip(t *testing.T) {
	text := "station,time,temperature,note\n\na,2008-01-01T00:00Z,1.0,\"x\ny\n\nz\"\n\na,2008-01-01T01:00Z,2.0,\n\"\na,2008-01-01T02:00Z,3.0,\n"
	_, _, lines := temperatures(t, csvDecoderOf(t, Mapping{}, text))
	if !slices.Equal(lines, []int64{3, 8, 10}) {
		t.Fatalf("readings on lines %v", lines)
	}
	for skip := range int64(12) {
		d := csvDecoderOf(t, Mapping{}, text)
		if err := d.Skip(skip); err != nil {
			t.Fatal(err)
		}
		_, _, got := temperatures(t, d)
		want := slices.DeleteFunc(slices.Clone(lines), func(n int64) bool { return n <= skip })
		if !slices.Equal(got, want) {
			t.Errorf("behind line %d are readings on lines %v, want %v", skip, got, want)
		}
	}
}

func TestCSVOtherForms(t *testing.T) {
	parts := TimeMapping{Year: "2", Month: "3", Day: "4", Hour: "5", Minute: "6", UTCOffset: "+01:00"}
	for name, test := range map[string]struct {
		mapping Mapping
		text    string
		want    string
	}{
		"no header, parts": {
			Mapping{NoHeader: true, Delimiter: ";", Station: StationMapping{Column: "1"}, Time: parts, Measures: []MeasureMapping{{Column: "8", Measure: "temperature"}}},
			"a;2008;1;1;0;30;x;1.5;more\n", "2007-12-31T23:30Z 1.5",
		},
		"constant, unix": {
			Mapping{Delimiter: "tab", Station: StationMapping{Constant: "a"}, Time: TimeMapping{Layout: "unix"}},
			"time\ttemperature\n1199145600\t-1.5\n", "2008-01-01T00:00Z -1.5",
		},
		"milliseconds, rounded": {
			Mapping{Time: TimeMapping{Column: "t", Layout: "unix_ms", Round: true}, Round: true},
			"t,station,temperature\n1199145659999,a,-1.55\n", "2008-01-01T00:00Z -1.6",
		},
		"layout": {
			Mapping{Time: TimeMapping{Column: "t", Layout: "02.01.2006 15:04", UTCOffset: "-05:00"}},
			"\"t\",\"station\",\"temperature\"\n\"31.12.2007 19:00\",\"a\",\"1.5\"\n", "2008-01-01T00:00Z 1.5",
		},
		"own missing": {
			Mapping{Missing: []string{"M"}, Measures: []MeasureMapping{{Column: "temperature", Missing: []string{"x"}}}},
			"station,time,temperature,dew_point\na,2008-01-01T00:00Z,x,M\n", "2008-01-01T00:00Z ",
		},
	} {
		d := csvDecoderOf(t, test.mapping, test.text)
		var r Reading
		if err := d.Read(&r); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := r.Time.String() + " " + r.Values[weather.Temperature].Format(1); got != test.want || r.Station != "a" {
			t.Errorf("%s: %s %s, want %s", name, r.Station, got, test.want)
		}
	}
}

func TestCSVHeader(t *testing.T) {
	f := mustMap(t, Mapping{Name: "x"})
	for text, want := range map[string]string{
		"":                                       "has no header",
		"\n\n":                                   "has no header",
		"a,b,c\n":                                `lacks the columns "station", "time"; it has ["a" "b" "c"]`,
		"station,time\n":                         "is a measure",
		"station,time,station,temperature":       `the column "station" twice`,
		"\"station,time,temperature\n":           "not closed",
		strings.Repeat("x", MaxLine+1) + "\n":    "longer than",
		"Station,Time,Temperature\nx,y,z\n":      `has ["Station" "Time" "Temperature"]`,
		strings.Repeat("c,", 5000) + "\n1,2,3\n": `the header of`,
	} {
		if strings.HasPrefix(text, "c,") {
			want = "twice"
		}
		if _, err := f.Read("x", strings.NewReader(text)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want %q", text, err, want)
		}
	}
}

func TestMappingValidate(t *testing.T) {
	good := Mapping{Name: "x"}
	if err := good.Validate(weather.Standard()); err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]Mapping{
		"use 1 to 40 of":                     {Name: "No"},
		"as a format is":                     {Name: "csv"},
		`no format "xml"`:                    {Name: "x", Format: "xml"},
		"one ASCII character":                {Name: "x", Delimiter: "::"},
		"that is no quote":                   {Name: "x", Delimiter: `"`},
		"of csv, not ndjson":                 {Name: "x", Format: "ndjson", Delimiter: ";"},
		"columns are numbers":                {Name: "x", NoHeader: true},
		"either a column or a constant":      {Name: "x", Station: StationMapping{Column: "a", Constant: "b"}},
		"holds ' '":                          {Name: "x", Station: StationMapping{Constant: "a b"}},
		"year, month, day and hour":          {Name: "x", Time: TimeMapping{Year: "y"}},
		"either a column, with its layout":   {Name: "x", Time: TimeMapping{Column: "t", Year: "y", Month: "m", Day: "d", Hour: "h"}},
		"a date and an hour":                 {Name: "x", Time: TimeMapping{Layout: "15:04"}},
		"write it as +01:00":                 {Name: "x", Time: TimeMapping{Layout: "2006-01-02 15", UTCOffset: "CET"}},
		"for times that don't say":           {Name: "x", Time: TimeMapping{UTCOffset: "+01:00"}},
		"has no measure \"warmth\"":          {Name: "x", Measures: []MeasureMapping{{Column: "warmth"}}},
		"the column has no name":             {Name: "x", Measures: []MeasureMapping{{Measure: "temperature"}}},
		"no conversion from \"inHg\"":        {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature", Unit: "inHg"}}},
		"the scale is no decimal":            {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature", Scale: "5/9"}}},
		"a scale of 0":                       {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature", Scale: "0.0"}}},
		"the offset is no decimal":           {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature", Offset: "x"}}},
		"too many digits":                    {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature", Scale: "1e30"}}},
		"has no traces":                      {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature", Trace: []string{"T"}}}},
		"two columns are mapped to":          {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature"}, {Column: "temperature"}}},
		"column \"a\" is mapped twice":       {Name: "x", Measures: []MeasureMapping{{Column: "a", Measure: "temperature"}, {Column: "a", Measure: "dew_point"}}},
		"column \"station\" is mapped twice": {Name: "x", Measures: []MeasureMapping{{Column: "station", Measure: "temperature"}}},
	} {
		if err := m.Validate(weather.Standard()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", m, err, want)
		}
	}
}

func TestNDJSON(t *testing.T) {
	f := mustMap(t, Mapping{Name: "x", Format: NDJSONName, Station: StationMapping{Column: "meta.id"}, Measures: []MeasureMapping{{Column: "obs.air.t", Measure: "temperature"}}})
	good := `{"meta":{"id":"a","x":[1,{"id":"b"}]},"time":"2008-01-01T00:00Z","obs":{"air":{"t":1.5e0}}}`
	got := readings(t, f, "x", strings.NewReader(good+"\n\n \n"+`{"meta":{"id":725030},"time":"2008-01-01T00:00Z","dew_point":"\u0032.5","obs":null}`))
	if len(got) != 2 || got[0].Station != "a" || got[0].Values[weather.Temperature] != 15 || got[1].Station != "725030" || got[1].Values[weather.DewPoint] != 25 {
		t.Errorf("got %+v", got)
	}
	for text, want := range map[string]string{
		`x`:                                     "not an object",
		`[` + good + `]`:                        "take the brackets",
		good + good:                             "not JSON",
		`{"meta":}`:                             "not JSON: invalid character '}'",
		`{}`:                                    "no field is a measure",
		strings.Replace(good, `"a"`, `true`, 1): "meta.id: \"true\" is neither",
		strings.Replace(good, `1.5e0`, `[1.5]`, 1):                                `obs.air.t: "[1.5]" is neither`,
		strings.Replace(good, `1.5e0`, `1.55`, 1):                                 "round: true",
		strings.Replace(good, `1.5e0`, `1e9`, 1):                                  "obs.air.t: weather: number too large",
		strings.Replace(good, `"time":`, `"time":"2008-01-02T00:00Z","time":`, 1): "time: the field is there twice",
		strings.Replace(good, `"time"`, `"when"`, 1):                              "time: weather: no such time",
	} {
		d, err := f.Read("x", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Read(&Reading{})
		if line, ok := errors.AsType[*LineError](err); !ok || !strings.Contains(line.Reason, want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}
