package ingest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mesonet/mesonet/weather"
)

// parse reads one line with a fresh reader of the format.
func parse(line string) (Reading, error) {
	var r Reading
	err := NewKillrWeather().Parse([]byte(line), &r)
	return r, err
}

// Real lines, and what they say.
func TestKillrWeather(t *testing.T) {
	const none = weather.Missing
	tests := []struct {
		name, line string
		want       []weather.Value // as in the catalogue
	}{
		{
			"plain", "725030:14732,2008,12,01,00,6.1,3.9,1001.2,50,8.7,8,0.1,0.8",
			[]weather.Value{61, 39, 10012, 50, 87, none, 8, 10, 80},
		},
		{
			"a trace", "725030:14732,2008,12,01,02,5.6,3.9,999.7,60,9.8,8,-0.1,0.0",
			[]weather.Value{56, 39, 9997, 60, 98, none, 8, weather.Trace, 0},
		},
		{
			"a trace of six hours", "725030:14732,2008,12,01,02,5.6,3.9,999.7,60,9.8,8,0.0,-0.1",
			[]weather.Value{56, 39, 9997, 60, 98, none, 8, 0, weather.Trace},
		},
		{
			"the daily report: nothing but rain", "725030:14732,2008,12,01,05,0.0,999.9,0.0,0,0.0,8,0.1,0.0",
			[]weather.Value{none, none, none, none, none, none, 8, 10, 0},
		},
		{
			"centimetres", "725030:14732,2008,08,11,16,16.7,16.7,1009.3,270,5.1,8,4.1,0.0",
			[]weather.Value{167, 167, 10093, 270, 51, none, 8, 410, 0},
		},
		{
			"freezing point, with a dew point", "725030:14732,2008,01,24,16,0.0,-14.4,1017.8,90,1.5,8,0.0,0.0",
			[]weather.Value{0, -144, 10178, 90, 15, none, 8, 0, 0},
		},
		{
			"calm", "725030:14732,2008,01,26,16,-0.6,-15.0,1025.7,0,0.0,8,0.0,0.0",
			[]weather.Value{-6, -150, 10257, weather.Calm, 0, none, 8, 0, 0},
		},
		{
			"calm, without a dew point", "725030:14732,2008,01,26,16,1.0,999.9,1025.7,0,0.0,8,0.0,0.0",
			[]weather.Value{10, none, 10257, weather.Calm, 0, none, 8, 0, 0},
		},
		{
			"calm, without a pressure", "725030:14732,2008,01,26,16,1.0,0.0,0.0,0,0.0,8,0.0,0.0",
			[]weather.Value{10, 0, none, weather.Calm, 0, none, 8, 0, 0},
		},
		{
			"wind without a direction", "725030:14732,2008,01,24,16,0.0,-14.4,1017.8,0,1.5,8,0.0,0.0",
			[]weather.Value{0, -144, 10178, none, 15, none, 8, 0, 0},
		},
		{
			"wind from the north", "725030:14732,2008,01,24,16,0.0,-14.4,1017.8,360,1.5,8,0.0,0.0",
			[]weather.Value{0, -144, 10178, weather.North, 15, none, 8, 0, 0},
		},
		{
			"wind with nothing else", "725030:14732,2008,01,24,16,0.0,999.9,0.0,10,1.5,0,0.0,0.0",
			[]weather.Value{none, none, none, 10, 15, none, 0, 0, 0},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(test.line)
			if err != nil || got.Station != "725030:14732" || !slices.Equal(got.Values, test.want) {
				t.Errorf("got %+v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestKillrWeatherTime(t *testing.T) {
	k := NewKillrWeather()
	var r Reading
	for _, test := range [][2]string{ // years jump back in the files
		{"2008,12,01,23", "2008-12-01T23:00Z"},
		{"2008,12,02,00", "2008-12-02T00:00Z"},
		{"1999,2,3,4", "1999-02-03T04:00Z"},
		{"2008,02,29,00", "2008-02-29T00:00Z"},
	} {
		line := "x," + test[0] + ",6.1,3.9,1001.2,50,8.7,8,0.1,0.8"
		if err := k.Parse([]byte(line), &r); err != nil || r.Time.String() != test[1] {
			t.Errorf("%s is %s, %v; want %s", test[0], r.Time, err, test[1])
		}
	}
}

func TestKillrWeatherRefuses(t *testing.T) {
	const good = "725030:14732,2008,12,01,00,6.1,3.9,1001.2,50,8.7,8,0.1,0.8"
	change := func(column int, text string) string {
		fields := strings.Split(good, ",")
		fields[column-1] = text
		return strings.Join(fields, ",")
	}
	tests := []struct {
		line   string
		column int
		want   string
	}{
		{"", 0, "1 columns"},
		{good + ",", 0, "14 columns"},
		{good[:len(good)-4], 0, "12 columns"},
		{change(1, ""), 1, "id is empty"},
		{change(1, "a/b"), 1, "'/'"},
		{change(1, strings.Repeat("9", 65)), 1, "65 bytes"},
		{change(2, "year"), 2, "not a decimal number"},
		{change(2, "99999"), 2, "year 99999"},
		{change(3, "13"), 2, "2008-13-01"},
		{change(4, "32"), 2, "2008-12-32"},
		{change(5, "24"), 5, "24 is not in 0 to 23"},
		{change(5, "-1"), 5, "-1 is not in 0 to 23"},
		{change(5, "1.5"), 5, "not a decimal number"},
		{change(6, "warm"), 6, "temperature"},
		{change(6, "6.15"), 6, "at most 1 decimals"},
		{change(6, "-93.3"), 6, "outside -93.2 to 61.8 °C"},
		{change(7, "899.9"), 7, "dew_point 899.9"},
		{change(8, "0.1"), 8, "sea_level_pressure"},
		{change(9, "361"), 9, "wind_direction"},
		{change(9, "-1"), 9, "wind_direction"},
		{change(10, "-0.1"), 10, "wind_speed"},
		{change(11, "20"), 11, "sky_condition"},
		{change(12, "-0.2"), 12, "precipitation_1h -2.0 mm"},
		{change(12, "NaN"), 12, "not a decimal number"},
		{change(12, ""), 12, "not a decimal number"},
		{change(13, "1e1"), 13, "not a decimal number"},
		{change(13, "99999999999"), 13, "too large"},
		{"stationid,year,month,day,hour,t,d,p,w,s,c,1,6", 2, "year"}, // a header
	}
	for _, test := range tests {
		_, err := parse(test.line)
		var column *ColumnError
		if err == nil || !strings.Contains(err.Error(), test.want) ||
			errors.As(err, &column) != (test.column > 0) || column != nil && column.Column != test.column {
			t.Errorf("%q gives %v; want column %d and %q", test.line, err, test.column, test.want)
		}
	}
}

// A date that is wrong must not be taken for the good one before it, nor spoil
// the next.
func TestKillrWeatherForgetsNoDate(t *testing.T) {
	k, r := NewKillrWeather(), Reading{}
	const rest = ",6.1,3.9,1001.2,50,8.7,8,0.1,0.8"
	for _, test := range []struct {
		date string
		ok   bool
	}{{"2008,02,29,01", true}, {"2008,02,30,01", false}, {"2008,02,29,01", true}, {"2007,02,29,01", false}, {"2007,02,29,01", false}} {
		if err := k.Parse([]byte("x,"+test.date+rest), &r); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.date, err)
		}
	}
}

func TestKillrWeatherAllocatesNothing(t *testing.T) {
	k, r := NewKillrWeather(), Reading{}
	lines := slices.Collect(bytes.Lines(observations(t)))
	for i := range lines {
		lines[i] = bytes.TrimSpace(lines[i])
	}
	i := 0
	if n := testing.AllocsPerRun(len(lines)-1, func() {
		if err := k.Parse(lines[i], &r); err != nil {
			t.Fatal(err)
		}
		i++
	}); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func FuzzKillrWeather(f *testing.F) {
	f.Add([]byte("725030:14732,2008,12,01,00,6.1,3.9,1001.2,50,8.7,8,0.1,0.8\r\n\n\xef\xbb\xbfx\n"))
	f.Add([]byte("725030:14732,2008,12,01,05,0.0,999.9,0.0,0,0.0,8,0.1,0.0"))
	f.Add(bytes.Repeat([]byte(","), MaxLine+2))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewReader("fuzz", bytes.NewReader(text), NewKillrWeather())
		run := &weather.Run{}
		for {
			var reading Reading
			err := r.Read(&reading)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				var line *LineError
				if !errors.As(err, &line) || line.Line < 1 || line.Line > r.Lines() || line.Reason == "" || len(line.Text) > 100 {
					t.Fatalf("%#v", err)
				}
				continue
			}
			if err := weather.CheckStationID(reading.Station); err != nil {
				t.Fatal(err)
			}
			run.Append(reading.Time, reading.Values...)
		}
		// What is read can be stored.
		if err := run.Check(weather.Standard()); err != nil && run.Len() <= weather.MaxRun {
			t.Fatal(err)
		}
		if want := int64(bytes.Count(text, []byte("\n"))); r.Lines() != want && r.Lines() != want+1 {
			t.Fatalf("%d lines, want %d or one more", r.Lines(), want)
		}
	})
}
