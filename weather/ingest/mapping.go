package ingest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mesonet/mesonet/weather"
)

// Names of the formats that mappings describe. Each is also a format of its own,
// that of the zero Mapping.
const (
	CSVName     = "csv"
	NDJSONName  = "ndjson"
	ParquetName = "parquet"
)

// Mapping says what the columns of a table hold: those of CSV, the fields of
// NDJSON, which has an object a line, or the columns of Parquet. Columns are
// known by the names in the header, case included; fields of objects within
// objects as outer.inner; columns of CSV without a header by their numbers, from
// 1.
//
// A column that has the name of a measure, and is not said to be anything else,
// is that measure. So the zero Mapping reads a table with the columns station,
// time (RFC 3339) and some measures.
type Mapping struct {
	// Name by which it is asked for, of a-z, 0-9, - and _. In a configuration it
	// is the key of the mapping, so that YAML leaves it out.
	Name string `json:"name" yaml:"-"`
	// Format is csv, the default, ndjson or parquet.
	Format string `json:"format,omitempty" yaml:"format,omitempty"`
	// Delimiter between the columns of CSV: one character, a comma by default;
	// "tab" is one too.
	Delimiter string `json:"delimiter,omitempty" yaml:"delimiter,omitempty"`
	// NoHeader says that the first line of CSV is data.
	NoHeader bool `json:"no_header,omitempty" yaml:"no_header,omitempty"`
	// Station says where the id of the station is.
	Station StationMapping `json:"station,omitzero" yaml:"station,omitempty"`
	// Time says where the time is.
	Time TimeMapping `json:"time,omitzero" yaml:"time,omitempty"`
	// Measures says which other columns are measures.
	Measures []MeasureMapping `json:"measures,omitempty" yaml:"measures,omitempty"`
	// Missing are the texts that mean that there is no value, as the empty one
	// always does. The default is NA, and -9999 for measures that can't be
	// that low.
	Missing []string `json:"missing,omitempty" yaml:"missing,omitempty"`
	// Trace are the texts that mean a trace, of measures that have one. The
	// default is T.
	Trace []string `json:"trace,omitempty" yaml:"trace,omitempty"`
	// Round allows to round all measures, see MeasureMapping.
	Round bool `json:"round,omitempty" yaml:"round,omitempty"`
}

// StationMapping says where the id of the station is: in a column, "station" by
// default, or the same for all.
type StationMapping struct {
	Column   string `json:"column,omitempty" yaml:"column,omitempty"`
	Constant string `json:"constant,omitempty" yaml:"constant,omitempty"`
}

// TimeMapping says where the time is: in one column, "time" by default, or in
// several of numbers.
type TimeMapping struct {
	Column string `json:"column,omitempty" yaml:"column,omitempty"`
	// Layout is rfc3339, the default, unix, unix_ms, or an example as package
	// time has it: the time 2006-01-02 15:04:05 as the files would write it.
	// Of Parquet, columns with the type of a time need none.
	Layout string `json:"layout,omitempty" yaml:"layout,omitempty"`
	// Year, Month, Day and Hour are the columns of a time in parts; Minute may
	// be left out.
	Year   string `json:"year,omitempty" yaml:"year,omitempty"`
	Month  string `json:"month,omitempty" yaml:"month,omitempty"`
	Day    string `json:"day,omitempty" yaml:"day,omitempty"`
	Hour   string `json:"hour,omitempty" yaml:"hour,omitempty"`
	Minute string `json:"minute,omitempty" yaml:"minute,omitempty"`
	// UTCOffset is what times that don't say so are ahead of UTC, such as
	// +01:00. The default is none.
	UTCOffset string `json:"utc_offset,omitempty" yaml:"utc_offset,omitempty"`
	// Round allows to drop seconds. Without it only whole minutes are times of
	// observations.
	Round bool `json:"round,omitempty" yaml:"round,omitempty"`
}

// MeasureMapping says which measure a column is.
type MeasureMapping struct {
	Column string `json:"column" yaml:"column"`
	// Measure is its name in the catalogue, the name of the column by default.
	Measure string `json:"measure,omitempty" yaml:"measure,omitempty"`
	// Unit of the numbers, by default that of the measure: C, F, K; Pa, kPa,
	// mbar, inHg, mmHg; kt, mph, km/h, ft/s; in, ft, mm, cm, m; ft3/s, l/s.
	Unit string `json:"unit,omitempty" yaml:"unit,omitempty"`
	// Scale and Offset are decimal numbers: number × scale + offset is in the
	// unit. They are 1 and 0 by default.
	Scale  string `json:"scale,omitempty" yaml:"scale,omitempty"`
	Offset string `json:"offset,omitempty" yaml:"offset,omitempty"`
	// Round allows to round to the last decimal that the measure keeps, half
	// away from zero. Without it a number that has more is malformed.
	Round bool `json:"round,omitempty" yaml:"round,omitempty"`
	// Missing and Trace replace those of the mapping.
	Missing []string `json:"missing,omitempty" yaml:"missing,omitempty"`
	Trace   []string `json:"trace,omitempty" yaml:"trace,omitempty"`
}

var (
	mappingName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	fixedNames  = []string{KillrWeatherName, ISDLiteName, CSVName, NDJSONName, ParquetName}
)

// Validate returns an error that names the first thing that is wrong with the
// mapping, for a network with that catalogue.
func (m *Mapping) Validate(c weather.Catalogue) error {
	_, err := MappedFormat(c, *m)
	return err
}

// MappedFormat returns the format that a mapping describes, for a network with
// that catalogue.
func MappedFormat(c weather.Catalogue, m Mapping) (Format, error) {
	switch {
	case !mappingName.MatchString(m.Name):
		return nil, fmt.Errorf("ingest: the mapping name %q: use 1 to 40 of a-z, 0-9, _ and -", m.Name)
	case slices.Contains(fixedNames, m.Name):
		return nil, fmt.Errorf("ingest: a mapping can't be named %s, as a format is", m.Name)
	}
	return mapped(c, m)
}

// mapped is MappedFormat for mappings with any name.
func mapped(c weather.Catalogue, m Mapping) (Format, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p, err := newPlan(c, &m)
	if err != nil {
		return nil, fmt.Errorf("ingest: mapping %s: %w", m.Name, err)
	}
	switch m.Format {
	case "", CSVName:
		comma, err := m.comma()
		if err != nil {
			return nil, fmt.Errorf("ingest: mapping %s: %w", m.Name, err)
		}
		if m.NoHeader && !p.numbered() {
			return nil, fmt.Errorf("ingest: mapping %s: without a header, columns are numbers from 1 to %d, also those of station and time", m.Name, maxColumns)
		}
		return &csvFormat{plan: p, comma: comma, header: !m.NoHeader}, nil
	case NDJSONName, ParquetName:
		if m.Delimiter != "" || m.NoHeader {
			return nil, fmt.Errorf("ingest: mapping %s: delimiter and no_header are of csv, not %s", m.Name, m.Format)
		}
		if m.Format == NDJSONName {
			return &ndjsonFormat{p}, nil
		}
		return &parquetFormat{p}, nil
	}
	return nil, fmt.Errorf("ingest: mapping %s: there is no format %q: use csv, ndjson or parquet", m.Name, m.Format)
}

// comma returns the delimiter.
func (m *Mapping) comma() (byte, error) {
	switch {
	case m.Delimiter == "":
		return ',', nil
	case m.Delimiter == "tab":
		return '\t', nil
	case len(m.Delimiter) != 1 || m.Delimiter[0] >= utf8.RuneSelf || strings.ContainsAny(m.Delimiter, "\"\r\n"):
		return 0, fmt.Errorf("the delimiter %q: use one ASCII character that is no quote or line end, or tab", m.Delimiter)
	}
	return m.Delimiter[0], nil
}

// validate checks the columns of the time.
func (t *TimeMapping) validate(format string) error {
	parts := []string{t.Year, t.Month, t.Day, t.Hour}
	some := slices.ContainsFunc(parts, func(s string) bool { return s != "" }) || t.Minute != ""
	switch {
	case some && slices.Contains(parts, ""):
		return errors.New("time: in parts it needs the columns year, month, day and hour")
	case some && (t.Column != "" || t.Layout != "" || t.Round):
		return errors.New("time: use either a column, with its layout, or its parts")
	case t.UTCOffset != "" && !some && format != ParquetName && slices.Contains([]string{"", layoutRFC3339, layoutUnix, layoutUnixMilli}, t.Layout):
		return errors.New("time: utc_offset is for times that don't say it themselves: in parts, or with a layout of their own")
	}
	switch t.Layout {
	case "", layoutRFC3339, layoutUnix, layoutUnixMilli:
		return nil
	}
	// A layout that holds the whole of a time gives it back.
	at := time.Date(2011, 11, 29, 23, 58, 0, 0, time.UTC)
	back, err := time.Parse(t.Layout, at.Format(t.Layout))
	if err != nil || !back.Truncate(time.Hour).Equal(at.Truncate(time.Hour)) {
		return fmt.Errorf("time: the layout %q does not hold a date and an hour: use rfc3339, unix, unix_ms, or write 2006-01-02 15:04 as the files have it", t.Layout)
	}
	return nil
}

// The layouts with names.
const (
	layoutRFC3339   = "rfc3339"
	layoutUnix      = "unix"
	layoutUnixMilli = "unix_ms"
)

// offset returns what times are ahead of UTC.
func (t *TimeMapping) offset() (weather.Minute, error) {
	if t.UTCOffset == "" {
		return 0, nil
	}
	at, err := time.Parse("-07:00", t.UTCOffset)
	if err != nil {
		return 0, fmt.Errorf("time: utc_offset %q: write it as +01:00", t.UTCOffset)
	}
	_, seconds := at.Zone()
	return weather.Minute(seconds / 60), nil
}

// maxColumns bounds the number of a column without a name.
const maxColumns = 4096

// columnNumber reads the number of a column of CSV without a header.
func columnNumber(name string) (int, bool) {
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 1 && n <= maxColumns && strconv.Itoa(n) == name
}
