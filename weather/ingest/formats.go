package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/weather"
)

// Formats are those that a network reads: killrweather and isd-lite, if it has
// their measures, csv, ndjson and parquet with columns that are named as measures
// are, and its mappings. It may be used by many goroutines.
type Formats struct {
	list    []Format
	unknown map[string]error // why a format is none of this network's
}

// NewFormats returns the formats of a network with that catalogue and mappings.
func NewFormats(c weather.Catalogue, mappings ...Mapping) (*Formats, error) {
	f := &Formats{unknown: map[string]error{}}
	killr, err := KillrWeatherFormat(c)
	f.add(KillrWeatherName, killr, err)
	isd, err := ISDLiteFormat(c, "")
	f.add(ISDLiteName, isd, err)
	for _, name := range []string{CSVName, NDJSONName, ParquetName} {
		format, err := mapped(c, Mapping{Name: name, Format: name})
		if err != nil {
			return nil, err
		}
		f.add(name, format, nil)
	}
	for i := range mappings {
		format, err := MappedFormat(c, mappings[i])
		if err != nil {
			return nil, err
		}
		if slices.Contains(f.Names(), format.Name()) {
			return nil, fmt.Errorf("ingest: two mappings are named %s", format.Name())
		}
		f.add(format.Name(), format, nil)
	}
	return f, nil
}

func (f *Formats) add(name string, format Format, err error) {
	if err != nil {
		f.unknown[name] = err
		return
	}
	f.list = append(f.list, format)
}

// Names returns what the formats are called, the built-in ones first.
func (f *Formats) Names() []string {
	names := make([]string, len(f.list))
	for i, format := range f.list {
		names[i] = format.Name()
	}
	return names
}

// Named returns a format by its name.
func (f *Formats) Named(name string) (Format, error) {
	if err := f.unknown[name]; err != nil {
		return nil, err
	}
	for _, format := range f.list {
		if format.Name() == name {
			return format, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no format or mapping %.40q: use %s", ErrFormat, name, strings.Join(f.Names(), ", "))
}

// Recognise returns the format of a source by the first bytes of what it holds,
// 64 KiB if there are so many, and its name. What no format or more than one may
// read is ErrFormat, with what is possible. A mapping for CSV without a header is
// not recognised; it has to be named.
func (f *Formats) Recognise(head []byte, name string) (Format, error) {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(head, []byte(parquetMagic)) {
		return f.parquet()
	}
	line := firstLine(head)
	switch {
	case len(line) == 0:
		return nil, fmt.Errorf("%w: %s begins with nothing but blank lines", ErrFormat, name)
	case line[0] == '{':
		return f.fitting(name, line, fieldsOf(line, 1), NDJSONName)
	case line[0] == '[':
		return nil, fmt.Errorf("%w: %s is an array of JSON: write one object a line, without brackets and commas around them", ErrFormat, name)
	case isISDLite(line):
		return f.isdLite(name)
	}
	columns := bytes.Split(line, []byte(","))
	if looksKillrWeather(columns) {
		if len(columns) != killrColumns {
			return nil, fmt.Errorf("%w: %s looks like killrweather, but has %d columns where that has %d; if it is not, name the format: %s",
				ErrFormat, name, len(columns), killrColumns, strings.Join(f.Names(), ", "))
		}
		return f.Named(KillrWeatherName)
	}
	return f.fitting(name, line, nil, CSVName)
}

// parquet returns what reads Parquet: a choice, as the columns are named at the
// end of a file.
func (f *Formats) parquet() (Format, error) {
	var choice parquetChoice
	for _, format := range f.list {
		if p, ok := format.(*parquetFormat); ok {
			choice = append(choice, p)
		}
	}
	return choice, nil
}

// isdLite needs the station from the name.
func (f *Formats) isdLite(name string) (Format, error) {
	format, err := f.Named(ISDLiteName)
	if err != nil {
		return nil, err
	}
	_, err = format.Read(name, bytes.NewReader(nil)) // says what is wrong with the name
	return format, err
}

// fitting returns the format or mapping of a kind that can read a table with
// those columns, or such a header. One that was declared comes before the
// built-in one.
func (f *Formats) fitting(source string, line []byte, columns []string, kind string) (Format, error) {
	var fit, tried []string
	var found Format
	var why error
	for _, format := range slices.Backward(f.list) {
		var err error
		switch format := format.(type) {
		case *csvFormat:
			if kind != CSVName || !format.header {
				continue
			}
			_, err = format.Read(source, bytes.NewReader(append(bytes.Clone(line), '\n')))
		case *ndjsonFormat:
			if kind != NDJSONName {
				continue
			}
			err = format.fits(source, columns)
		default:
			continue
		}
		tried = append(tried, format.Name())
		if err != nil {
			why = err // in the end, that of the built-in one
			continue
		}
		if format.Name() == kind && found != nil {
			continue
		}
		fit = append(fit, format.Name())
		found = format
	}
	switch len(fit) {
	case 1:
		return found, nil
	case 0:
		return nil, fmt.Errorf("%w: the format of %s is not recognised: killrweather has %d columns of numbers after the station, isd-lite has lines of %d characters, and as %s it can't be read: %w; name one of %s, or declare a mapping",
			ErrFormat, source, killrColumns-1, isdLength, strings.Join(tried, " or "), why, strings.Join(f.Names(), ", "))
	}
	slices.Sort(fit)
	return nil, fmt.Errorf("%w: %s can be read as each of %s: name the one that it is", ErrFormat, source, strings.Join(fit, ", "))
}

// fits says why objects with those fields can't be read.
func (f *ndjsonFormat) fits(source string, fields []string) error {
	needed := f.plan.needed()
	needed = needed[:len(needed)-len(f.plan.measures)] // of which any object may lack some
	for _, name := range needed {
		if !slices.Contains(fields, name) {
			return fmt.Errorf("%w %s: the first object of %s lacks the field %q; it has %s", ErrFormat, f.plan.name, source, name, listed(fields))
		}
	}
	for _, list := range [][]measureColumn{f.plan.measures, f.plan.others} {
		for i := range list {
			if slices.Contains(fields, list[i].column) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w %s: no field of the first object of %s is a measure; it has %s", ErrFormat, f.plan.name, source, listed(fields))
}

// Only returns what reads every source as one format, for Config.Format.
func Only(format Format) func([]byte, string) (Format, error) {
	return func([]byte, string) (Format, error) { return format, nil }
}

// firstLine returns the first line that is not blank, without its end.
func firstLine(head []byte) []byte {
	for line := range bytes.Lines(head) {
		if line = bytes.TrimRight(line, "\r\n"); !isBlank(line) {
			return line
		}
	}
	return nil
}

// isISDLite knows a line by its width and date.
func isISDLite(line []byte) bool {
	line = bytes.TrimRight(line, " \t")
	if len(line) != isdLength {
		return false
	}
	var r Reading
	err := (&isdLite{measures: standardItself(), station: "x"}).Parse(line, &r)
	if err == nil {
		return true
	}
	column, ok := errors.AsType[*ColumnError](err)
	return ok && !errors.Is(column.Err, weather.ErrNumber) // numbers, if impossible ones
}

// looksKillrWeather knows a line by the date after the station, and numbers then.
func looksKillrWeather(columns [][]byte) bool {
	if len(columns) < killrTemperature+1 || len(columns) > 2*killrColumns {
		return false
	}
	if _, err := weather.ParseValue(columns[killrStation], 0); err == nil && len(columns) != killrColumns {
		return false
	}
	var parts [4]int
	for i := range parts {
		n, err := weather.ParseValue(columns[killrYear+i], 0)
		if err != nil {
			return false
		}
		parts[i] = int(n)
	}
	_, err := weather.MinuteOf(parts[0], parts[1], parts[2], parts[3], 0)
	return err == nil
}

// maxFieldDepth is how deep objects within objects are looked into.
const maxFieldDepth = 8

// fieldsOf returns the names of the fields of an object, those of objects within
// it as outer.inner.
func fieldsOf(line []byte, depth int) []string {
	var fields []string
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil { // {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fields // as far as it is one; reading says what is wrong
		}
		name := fmt.Sprint(key)
		fields = append(fields, name)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fields
		}
		if len(value) > 0 && value[0] == '{' && depth < maxFieldDepth {
			for _, inner := range fieldsOf(value, depth+1) {
				fields = append(fields, name+"."+inner)
			}
		}
	}
	return fields
}
