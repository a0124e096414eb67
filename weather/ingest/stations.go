package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/mesonet/mesonet/weather"
)

// The columns of a station file, from 0.
const (
	stationID = iota
	stationName
	stationCountry
	stationState
	stationCallSign
	stationLatitude
	stationLongitude
	stationElevation
	stationColumns
)

var stationNames = [stationColumns]string{
	"id", "name", "country", "state", "call sign", "latitude", "longitude", "elevation",
}

// Stations reads a catalogue of stations, one a line:
//
//	id, name, country (FIPS 10-4), state, call sign, latitude, longitude, elevation m
//
// without a header. Fields may be quoted as in RFC 4180, within one line. It
// yields each station, or a *LineError for a line that is none, and goes on; any
// other error is of the stream, and the last that is yielded. A station that
// comes twice is yielded twice: what holds is for the receiver to say. A
// latitude and longitude of 0 mean that the place is not known, as in NOAA's
// catalogue, and an elevation of 0 there that it is not either; so does an empty
// field. Names are kept as they are, BOGUS ones too.
func Stations(name string, r io.Reader) iter.Seq2[weather.Station, error] {
	return func(yield func(weather.Station, error) bool) {
		lines := newLines(r)
		for {
			line, err := lines.next()
			var station weather.Station
			switch {
			case errors.Is(err, io.EOF):
				return
			case err == nil && isBlank(line):
				continue
			case err == nil:
				station, err = parseStation(line)
			case !errors.Is(err, errLong):
				yield(station, lines.failed(name, err))
				return
			}
			if err != nil {
				err = newLineError(name, lines.number, line, err)
			}
			if !yield(station, err) {
				return
			}
		}
	}
}

// parseStation reads one line.
func parseStation(line []byte) (weather.Station, error) {
	fields, err := splitQuoted(line)
	if err != nil {
		return weather.Station{}, err
	}
	if len(fields) != stationColumns {
		return weather.Station{}, fmt.Errorf("%d columns, where a station has %d", len(fields), stationColumns)
	}
	s := weather.Station{
		ID: fields[stationID], Name: fields[stationName], Country: fields[stationCountry],
		State: fields[stationState], CallSign: fields[stationCallSign],
	}
	for _, number := range []struct {
		column, decimals int
		into             *weather.Value
	}{
		{stationLatitude, weather.CoordinateDecimals, &s.Latitude},
		{stationLongitude, weather.CoordinateDecimals, &s.Longitude},
		{stationElevation, weather.ElevationDecimals, &s.Elevation},
	} {
		text := fields[number.column]
		if *number.into = weather.Missing; text == "" {
			continue
		}
		if *number.into, err = weather.ParseValue(text, number.decimals); err != nil {
			return weather.Station{}, &ColumnError{Column: number.column + 1, Name: stationNames[number.column], Err: err}
		}
	}
	forgetNullIsland(&s)
	if err := s.Validate(); err != nil {
		return weather.Station{}, err
	}
	return s, nil
}

// forgetNullIsland: no station is at 0°, 0° in the Gulf of Guinea, where the
// catalogue puts those of which it does not know the place.
func forgetNullIsland(s *weather.Station) {
	if s.Latitude != 0 || s.Longitude != 0 {
		return
	}
	s.Latitude, s.Longitude = weather.Missing, weather.Missing
	if s.Elevation == 0 {
		s.Elevation = weather.Missing
	}
}

// splitQuoted cuts a line at the commas outside quotes, and takes the spaces
// around fields away.
func splitQuoted(line []byte) ([]string, error) {
	var fields []string
	for {
		line = bytes.TrimLeft(line, " \t")
		field, rest, more, err := nextField(line)
		if err != nil {
			return nil, err
		}
		fields = append(fields, strings.TrimSpace(field))
		if !more {
			return fields, nil
		}
		line = rest
	}
}

// nextField returns the first field and what follows its comma, if one does.
func nextField(line []byte) (field string, rest []byte, more bool, err error) {
	if len(line) == 0 || line[0] != '"' {
		before, after, found := bytes.Cut(line, []byte(","))
		return string(before), after, found, nil
	}
	var text []byte
	for line = line[1:]; ; {
		part, after, closed := bytes.Cut(line, []byte(`"`))
		if !closed {
			return "", nil, false, errors.New("a quote is not closed on its line")
		}
		text = append(text, part...)
		if len(after) == 0 || after[0] != '"' {
			line = bytes.TrimLeft(after, " \t")
			break
		}
		text = append(text, '"') // two stand for one
		line = after[1:]
	}
	if len(line) > 0 && line[0] != ',' {
		return "", nil, false, errors.New("text follows a closing quote")
	}
	if len(line) == 0 {
		return string(text), nil, false, nil
	}
	return string(text), line[1:], true, nil
}
