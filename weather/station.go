package weather

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// ErrStation says that a station's id or description is malformed.
var ErrStation = errors.New("weather: malformed station")

const (
	// MaxStationID is the most bytes that a station's id may have.
	MaxStationID = 64
	// CoordinateDecimals of a latitude or longitude: 0.00001° is about a metre.
	CoordinateDecimals = 5
	// ElevationDecimals of a height: 0.1 m.
	ElevationDecimals = 1

	maxStationName = 200 // bytes
	maxStationCode = 16  // bytes of country, state and call sign
)

// CheckStationID returns ErrStation unless id can name a station: 1 to
// MaxStationID bytes of letters, digits and : . _ - + @, such as NOAA's
// 725030:14732. Ids go into paths, keys and logs, so there is no space, no
// slash and nothing outside ASCII.
func CheckStationID[T string | []byte](id T) error {
	if len(id) == 0 {
		return fmt.Errorf("%w: the id is empty", ErrStation)
	}
	if len(id) > MaxStationID {
		return fmt.Errorf("%w: the id %s has %d bytes, more than %d", ErrStation, quote(id), len(id), MaxStationID)
	}
	for i := range len(id) {
		if !idBytes[id[i]] {
			return fmt.Errorf("%w: the id %s holds %q: use letters, digits and : . _ - + @", ErrStation, quote(id), id[i])
		}
	}
	return nil
}

// idBytes are the bytes that a station's id may hold.
var idBytes = func() (ok [256]bool) {
	const others = ":._-+@"
	for c := range 256 {
		ok[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	for i := range len(others) {
		ok[others[i]] = true
	}
	return ok
}()

// Station is a place where something is measured.
type Station struct {
	// ID names the station for ever.
	ID string
	// Name is for people.
	Name string
	// Country is a FIPS 10-4 code as NOAA uses them, which is not ISO 3166:
	// GM is Germany.
	Country string
	// State of the United States, or empty.
	State string
	// CallSign is the ICAO location indicator or what else is sent as such.
	CallSign string
	// Latitude is in 0.00001° north of the equator, Missing when the place is
	// not known; then Longitude is Missing too.
	Latitude Value
	// Longitude is in 0.00001° east of Greenwich.
	Longitude Value
	// Elevation above sea level is in 0.1 m, Missing when not known.
	Elevation Value
}

// NewStation returns a station of which nothing is known but the id.
func NewStation(id string) Station {
	return Station{ID: id, Latitude: Missing, Longitude: Missing, Elevation: Missing}
}

// Located reports whether the place is known.
func (s *Station) Located() bool { return s.Latitude.Plain() && s.Longitude.Plain() }

// Validate returns ErrStation with the first thing that is wrong with s.
func (s *Station) Validate() error {
	if err := CheckStationID(s.ID); err != nil {
		return err
	}
	texts := []struct {
		what, text string
		most       int
	}{
		{"name", s.Name, maxStationName},
		{"country", s.Country, maxStationCode},
		{"state", s.State, maxStationCode},
		{"call sign", s.CallSign, maxStationCode},
	}
	for _, t := range texts {
		if err := checkText(t.text, t.most); err != nil {
			return fmt.Errorf("%w %s: the %s %w", ErrStation, s.ID, t.what, err)
		}
	}
	return s.validatePlace()
}

func (s *Station) validatePlace() error {
	const degree = 100_000
	if (s.Latitude == Missing) != (s.Longitude == Missing) {
		return fmt.Errorf("%w %s: latitude and longitude must both be known, or neither", ErrStation, s.ID)
	}
	places := []struct {
		what      string
		v         Value
		low, high Value
		decimals  int
	}{
		{"latitude", s.Latitude, -90 * degree, 90 * degree, CoordinateDecimals},
		{"longitude", s.Longitude, -180 * degree, 180 * degree, CoordinateDecimals},
		// From below the Dead Sea's shore (−430 m) to above Everest (8,849 m).
		{"elevation", s.Elevation, -5000, 90_000, ElevationDecimals},
	}
	for _, p := range places {
		if p.v != Missing && (p.v < p.low || p.v > p.high) {
			return fmt.Errorf("%w %s: the %s %s is outside %s to %s", ErrStation, s.ID, p.what,
				p.v.Format(p.decimals), p.low.Format(p.decimals), p.high.Format(p.decimals))
		}
	}
	return nil
}

// checkText returns an error, to follow the name of the text, unless it can be
// shown on one line.
func checkText(s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%s has %d bytes, more than %d", quote(s), len(s), most)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not UTF-8", quote(s))
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%s holds the control character %q", quote(s), r)
		}
	}
	return nil
}
