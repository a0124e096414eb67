package ingest

import (
	"bytes"
	"fmt"

	"github.com/mesonet/mesonet/weather"
)

// The columns of the KillrWeather format, from 0.
const (
	killrStation = iota
	killrYear
	killrMonth
	killrDay
	killrHour
	killrTemperature
	killrDewPoint
	killrPressure
	killrDirection
	killrSpeed
	killrSky
	killrOneHour
	killrSixHours
	killrColumns
)

var killrNames = [killrColumns]string{
	"station", "year", "month", "day", "hour", "temperature", "dew point", "pressure",
	"wind direction", "wind speed", "sky condition", "one-hour precipitation", "six-hour precipitation",
}

// killrMeasures are the columns that are values of the standard catalogue.
// Precipitation has two decimals because it is in centimetres: 0.01 cm is the
// 0.1 mm that the catalogue keeps.
var killrMeasures = [...]struct {
	column   int
	measure  weather.MeasureID
	decimals int
}{
	{killrTemperature, weather.Temperature, 1},
	{killrDewPoint, weather.DewPoint, 1},
	{killrPressure, weather.SeaLevelPressure, 1},
	{killrDirection, weather.WindDirection, 0},
	{killrSpeed, weather.WindSpeed, 1},
	{killrSky, weather.SkyCondition, 0},
	{killrOneHour, weather.Precipitation1h, 2},
	{killrSixHours, weather.Precipitation6h, 2},
}

// KillrWeather reads the CSV files of the KillrWeather reference application,
// hourly observations from NOAA's ISD-Lite, as values of weather.Standard. A
// line has 13 columns and no header precedes them:
//
//	station, year, month, day, hour (UTC), temperature °C, dew point °C,
//	pressure hPa, wind direction °, wind speed m/s, sky condition code,
//	one-hour precipitation cm, six-hour precipitation cm
//
// ISD-Lite writes −9999 for what is missing and −1 for a trace. On the way into
// these files both were made into ordinary numbers; this reader makes them out
// again by the rules below, without which the daily low of San Francisco is
// 0.0 °C on 365 days of 2008 and the precipitation of whole years negative.
type KillrWeather struct {
	measures *standard
	ids      ids
	date     []byte      // the last, as text
	day      weather.Day // the last
}

// NewKillrWeather returns a parser of the format for one stream, for networks
// with the measures of weather.Standard.
func NewKillrWeather() *KillrWeather {
	return &KillrWeather{measures: standardItself(), ids: newIDs()}
}

// KillrWeatherName is what configurations call the format.
const KillrWeatherName = "killrweather"

// KillrWeatherFormat returns the format for a network with that catalogue, which
// must have the measures of weather.Standard that it holds.
func KillrWeatherFormat(c weather.Catalogue) (Format, error) {
	measures, err := standardOf(KillrWeatherName, c)
	if err != nil {
		return nil, err
	}
	return &lineFormat{KillrWeatherName, func(string) (Parser, error) {
		return &KillrWeather{measures: measures, ids: newIDs()}, nil
	}}, nil
}

// Parse reads one line.
func (k *KillrWeather) Parse(line []byte, r *Reading) error {
	var columns [killrColumns][]byte
	if n := split(line, columns[:]); n != killrColumns {
		return fmt.Errorf("%d columns, where the killrweather format has %d", n, killrColumns)
	}
	var err error
	if r.Station, err = k.ids.intern(columns[killrStation]); err != nil {
		return killrError(killrStation, err)
	}
	if r.Time, err = k.time(line, &columns); err != nil {
		return err
	}
	return k.values(&columns, r)
}

// split cuts a line at its commas and returns how many columns it has, of which
// it keeps as many as there is room for.
func split(line []byte, columns [][]byte) int {
	n, from := 0, 0
	for i, c := range line {
		if c != ',' {
			continue
		}
		if n < len(columns) {
			columns[n] = line[from:i]
		}
		n, from = n+1, i+1
	}
	if n < len(columns) {
		columns[n] = line[from:]
	}
	return n + 1
}

// time reads the columns from year to hour. Most lines have the date of the
// line before.
func (k *KillrWeather) time(line []byte, columns *[killrColumns][]byte) (weather.Minute, error) {
	from := len(columns[killrStation]) + 1
	to := from + len(columns[killrYear]) + len(columns[killrMonth]) + len(columns[killrDay]) + 2
	if date := line[from:to]; len(k.date) == 0 || !bytes.Equal(date, k.date) {
		day, err := parseDate(columns)
		if err != nil {
			return 0, err
		}
		k.date, k.day = append(k.date[:0], date...), day
	}
	hour, err := parseWhole(columns, killrHour)
	if err != nil {
		return 0, err
	}
	if hour < 0 || hour > 23 {
		return 0, killrError(killrHour, fmt.Errorf("%d is not in 0 to 23", hour))
	}
	return k.day.Start() + weather.Minute(hour)*60, nil
}

func parseDate(columns *[killrColumns][]byte) (weather.Day, error) {
	var date [3]int
	for i := range date {
		n, err := parseWhole(columns, killrYear+i)
		if err != nil {
			return 0, err
		}
		date[i] = n
	}
	day, err := weather.DayOfDate(date[0], date[1], date[2])
	if err != nil {
		return 0, killrError(killrYear, err)
	}
	return day, nil
}

func parseWhole(columns *[killrColumns][]byte, column int) (int, error) {
	v, err := weather.ParseValue(columns[column], 0)
	if err != nil {
		return 0, killrError(column, err)
	}
	return int(v), nil
}

// values reads the measured columns, undoes what was done to missing values and
// traces, and refuses what is impossible then.
func (k *KillrWeather) values(columns *[killrColumns][]byte, r *Reading) error {
	var room [standardMeasures]weather.Value
	v := k.measures.of(r, &room)
	v[weather.WindGust] = weather.Missing // not in this format
	for _, m := range &killrMeasures {
		value, err := weather.ParseValue(columns[m.column], m.decimals)
		if err != nil {
			return killrError(m.column, err)
		}
		v[m.measure] = value
	}
	restore(v[:])
	for _, m := range &killrMeasures {
		if measure := k.measures.list[m.measure]; !measure.Possible(v[m.measure]) {
			return killrError(m.column, measure.Refuse(v[m.measure]))
		}
	}
	if !k.measures.same {
		k.measures.put(v, r)
	}
	return nil
}

// restore applies the rules. Their order matters: the dew point and the
// pressure tell what else is missing.
func restore(v []weather.Value) {
	v[weather.DewPoint] = killrDew(v[weather.DewPoint])
	v[weather.SeaLevelPressure] = killrZeroPressure(v[weather.SeaLevelPressure])
	v[weather.Temperature] = killrFakeZero(v[weather.Temperature], v[weather.DewPoint])
	v[weather.WindDirection], v[weather.WindSpeed] = killrWind(v)
	v[weather.Precipitation1h] = killrTrace(v[weather.Precipitation1h])
	v[weather.Precipitation6h] = killrTrace(v[weather.Precipitation6h])
}

// killrDew: a dew point of 900 °C or more, 999.9 in the files, is missing.
func killrDew(dew weather.Value) weather.Value {
	if dew >= 9000 {
		return weather.Missing
	}
	return dew
}

// killrZeroPressure: a pressure of 0 is missing.
func killrZeroPressure(pressure weather.Value) weather.Value {
	if pressure == 0 {
		return weather.Missing
	}
	return pressure
}

// killrFakeZero: a temperature of 0.0 is missing where the dew point is, which
// happens about once a day; with a dew point it is a temperature.
func killrFakeZero(temperature, dew weather.Value) weather.Value {
	if temperature == 0 && dew == weather.Missing {
		return weather.Missing
	}
	return temperature
}

// killrWind: direction and speed of 0 are calm, but missing where dew point and
// pressure both are. A direction of 0 with wind is missing: it varied, or was
// not observed, as wind from the north has 360.
func killrWind(v []weather.Value) (direction, speed weather.Value) {
	direction, speed = v[weather.WindDirection], v[weather.WindSpeed]
	switch {
	case direction != 0:
		return direction, speed
	case speed != 0:
		return weather.Missing, speed
	case v[weather.DewPoint] == weather.Missing && v[weather.SeaLevelPressure] == weather.Missing:
		return weather.Missing, weather.Missing
	}
	return weather.Calm, speed
}

// killrTrace: a precipitation of −0.1 is a trace; ISD-Lite has −1 tenths of a
// millimetre for it.
func killrTrace(amount weather.Value) weather.Value {
	if amount == -10 {
		return weather.Trace
	}
	return amount
}

func killrError(column int, err error) error {
	return &ColumnError{Column: column + 1, Name: killrNames[column], Err: err}
}
