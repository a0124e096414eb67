package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/mesonet/mesonet/weather"
)

// ISDLiteName is what configurations call the format.
const ISDLiteName = "isd-lite"

// isdLength is the length of a line: the date in 13 columns, eight values in 6
// each.
const (
	isdDate   = 13
	isdField  = 6
	isdLength = isdDate + 8*isdField
)

// isdMeasures are the values in the order of a line.
var isdMeasures = [...]weather.MeasureID{
	weather.Temperature, weather.DewPoint, weather.SeaLevelPressure, weather.WindDirection, weather.WindSpeed,
	weather.SkyCondition, weather.Precipitation1h, weather.Precipitation6h,
}

const (
	isdMissing = -9999
	isdTrace   = -1 // of precipitation
)

// isdLite reads NOAA's ISD-Lite, as the format document of 2006 has it: lines of
// fixed width,
//
//	2008 12 01 00    61    39 10012    50    87     8    10    80
//
// with year, month, day and hour (UTC), and in six columns each: temperature and
// dew point in 0.1 °C, sea-level pressure in 0.1 hPa, wind direction in degrees
// (0 is calm), wind speed in 0.1 m/s, sky condition code, and the precipitation
// of one hour and of six in 0.1 mm (−1 is a trace). −9999 is missing. Those are
// the units of weather.Standard, so nothing is converted.
type isdLite struct {
	measures *standard
	station  string
	date     [10]byte    // the last, as text
	day      weather.Day // the last
}

// ISDLiteFormat returns the format for a network with that catalogue, which must
// have the measures of weather.Standard that it holds. Its lines do not name
// their station: if station is empty it is that of the name of the source, see
// ISDStation.
func ISDLiteFormat(c weather.Catalogue, station string) (Format, error) {
	measures, err := standardOf(ISDLiteName, c)
	if err != nil {
		return nil, err
	}
	if station != "" {
		if err := weather.CheckStationID(station); err != nil {
			return nil, err
		}
	}
	return &lineFormat{ISDLiteName, func(source string) (Parser, error) {
		id, ok := station, true
		if id == "" {
			id, ok = ISDStation(source)
		}
		if !ok {
			return nil, fmt.Errorf("%w: the lines of %s don't name their station, and neither does its name: call it USAF-WBAN-YEAR, as 725030-14732-2008.gz, or give the station", ErrFormat, source)
		}
		return &isdLite{measures: measures, station: id}, nil
	}}, nil
}

var isdName = regexp.MustCompile(`^([0-9A-Z]{6})-([0-9]{5})-[0-9]{4}(\.[A-Za-z0-9]+)*$`)

// ISDStation returns the id of the station whose observations NOAA has put into
// a file of that name, USAF-WBAN-YEAR with any ending: 725030:14732 for
// 725030-14732-2008.gz. As in the catalogue of stations, neither part keeps its
// leading zeros: 010010-99999-2008 is 10010:99999, and 722018-03818-2008 is
// 722018:3818.
func ISDStation(name string) (id string, ok bool) {
	parts := isdName.FindStringSubmatch(path.Base(strings.ReplaceAll(name, `\`, "/")))
	if parts == nil {
		return "", false
	}
	return withoutZeros(parts[1]) + ":" + withoutZeros(parts[2]), true
}

func withoutZeros(number string) string {
	if rest := strings.TrimLeft(number, "0"); rest != "" {
		return rest
	}
	return "0"
}

// Parse reads one line.
func (d *isdLite) Parse(line []byte, r *Reading) error {
	if len(line) > isdLength {
		line = bytes.TrimRight(line, " \t")
	}
	if len(line) != isdLength {
		return fmt.Errorf("%d columns of text, where the isd-lite format has %d", len(line), isdLength)
	}
	r.Station = d.station
	hour, err := d.time(line)
	if err != nil {
		return err
	}
	r.Time = d.day.Start() + weather.Minute(hour)*60
	var room [standardMeasures]weather.Value
	v := d.measures.of(r, &room)
	v[weather.WindGust] = weather.Missing // not in this format
	for i, m := range &isdMeasures {
		n, ok := parseFixed(line[isdDate+i*isdField : isdDate+(i+1)*isdField])
		if !ok {
			return isdError(i, fmt.Errorf("%w: %q", weather.ErrNumber, line[isdDate+i*isdField:isdDate+(i+1)*isdField]))
		}
		switch {
		case n == isdMissing:
			v[m] = weather.Missing
		case n == isdTrace && m >= weather.Precipitation1h:
			v[m] = weather.Trace
		default:
			v[m] = weather.Value(n)
		}
	}
	if v[weather.WindDirection] == weather.Calm && v[weather.WindSpeed] != 0 {
		v[weather.WindDirection] = weather.Missing // it varied: wind from the north has 360
	}
	for i, m := range &isdMeasures {
		if measure := d.measures.list[m]; !measure.Possible(v[m]) {
			return isdError(i, measure.Refuse(v[m]))
		}
	}
	if !d.measures.same {
		d.measures.put(v, r)
	}
	return nil
}

// time reads the date, which most lines share with the one before, and returns
// the hour.
func (d *isdLite) time(line []byte) (hour int, err error) {
	if line[4] != ' ' || line[7] != ' ' || line[10] != ' ' {
		return 0, errors.New("the date is not as in 2008 12 01 00")
	}
	if [10]byte(line) != d.date {
		year, ok1 := parseFixed(line[0:4])
		month, ok2 := parseFixed(line[5:7])
		day, ok3 := parseFixed(line[8:10])
		if !ok1 || !ok2 || !ok3 {
			return 0, fmt.Errorf("the date %q is not as in 2008 12 01 00", line[:isdDate])
		}
		if d.day, err = weather.DayOfDate(year, month, day); err != nil {
			d.date = [10]byte{}
			return 0, err
		}
		d.date = [10]byte(line)
	}
	hour, ok := parseFixed(line[11:13])
	if !ok || hour < 0 || hour > 23 {
		return 0, fmt.Errorf("the hour %q is not in 0 to 23", line[11:13])
	}
	return hour, nil
}

// parseFixed reads a whole number that ends where its columns do.
func parseFixed(text []byte) (int, bool) {
	i := 0
	for i < len(text) && text[i] == ' ' {
		i++
	}
	negative := i < len(text) && text[i] == '-'
	if negative {
		i++
	}
	if i == len(text) {
		return 0, false
	}
	n := 0
	for ; i < len(text); i++ {
		c := text[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	if negative {
		n = -n
	}
	return n, true
}

// isdError names the column of text at which a value begins.
func isdError(field int, err error) error {
	return &ColumnError{Column: isdDate + field*isdField + 1, Name: killrNames[killrTemperature+field], Err: err}
}
