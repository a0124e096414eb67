package weather

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// ErrPlace says that a place, or what is made of places, can't be.
var ErrPlace = errors.New("weather: malformed place")

// Place is a point on the earth. The zero Place is where Greenwich's meridian
// meets the equator; one that is not known is no Place.
type Place struct {
	// Latitude is in 0.00001° north of the equator, −90° to 90°.
	Latitude Value
	// Longitude is in 0.00001° east of Greenwich, −180° to 180°. Both ends are
	// one meridian, and at the poles all longitudes are one point.
	Longitude Value
}

// Degree is a degree of latitude or longitude.
const Degree Value = 100_000

// Place returns where the station is, if that is known.
func (s *Station) Place() (Place, bool) {
	return Place{s.Latitude, s.Longitude}, s.Located()
}

// Validate returns ErrPlace unless p is on the earth.
func (p Place) Validate() error {
	if p.Latitude < -90*Degree || p.Latitude > 90*Degree {
		return fmt.Errorf("%w: the latitude %s is outside -90 to 90 degrees", ErrPlace, p.Latitude.Format(CoordinateDecimals))
	}
	if p.Longitude < -180*Degree || p.Longitude > 180*Degree {
		return fmt.Errorf("%w: the longitude %s is outside -180 to 180 degrees", ErrPlace, p.Longitude.Format(CoordinateDecimals))
	}
	return nil
}

// The grid of all places: 0.00001° east of the antimeridian, and as much north of
// the South Pole.
const (
	gridBits         = 26 // hold 360° of it
	lastX            = uint32(360*Degree - 1)
	northPole uint32 = uint32(180 * Degree)
)

// grid returns the place of p in the grid: each point of the earth has one.
func (p Place) grid() (x, y uint32) {
	x, y = uint32(p.Longitude+180*Degree), uint32(p.Latitude+90*Degree)
	if x > lastX || y == 0 || y == northPole {
		x = 0
	}
	return x, y
}

// KeyDigits is how many hexadecimal digits the key of a place has.
const KeyDigits = 2 * gridBits / 4

// Key returns the place as 13 hexadecimal digits, such that places that are near
// each other often have keys that are: the bits of its longitude and latitude in
// the grid take turns (G. M. Morton, "A Computer Oriented Geodetic Data Base and a
// New Technique in File Sequencing", IBM, 1966). Nothing is lost but the names of
// the antimeridian and of the poles: their longitude becomes −180°.
func (p Place) Key() string {
	x, y := p.grid()
	return formatKey(interleave(x, y))
}

func formatKey(code uint64) string {
	var digits [KeyDigits]byte
	for i := range digits {
		digits[i] = "0123456789abcdef"[code>>(4*(KeyDigits-1-i))&15]
	}
	return string(digits[:])
}

// ParseKey returns the place of a key.
func ParseKey(key string) (Place, error) {
	if len(key) != KeyDigits {
		return Place{}, fmt.Errorf("%w: the key %s does not have %d digits", ErrPlace, quote(key), KeyDigits)
	}
	code, err := strconv.ParseUint(key, 16, 64)
	if err != nil || formatKey(code) != key {
		return Place{}, fmt.Errorf("%w: the key %s is not of lower case hexadecimal digits", ErrPlace, quote(key))
	}
	x, y := gatherBits(code), gatherBits(code>>1)
	if x > lastX || y > northPole || (y == 0 || y == northPole) && x != 0 {
		return Place{}, fmt.Errorf("%w: the key %s is of none", ErrPlace, quote(key))
	}
	return Place{Latitude: Value(y) - 90*Degree, Longitude: Value(x) - 180*Degree}, nil
}

// interleave returns the Z-order code of a place in the grid.
func interleave(x, y uint32) uint64 { return spreadBits(x) | spreadBits(y)<<1 }

// spreadBits moves each bit of v to twice its place.
func spreadBits(v uint32) uint64 {
	s := uint64(v)
	s = (s | s<<16) & 0x0000ffff0000ffff
	s = (s | s<<8) & 0x00ff00ff00ff00ff
	s = (s | s<<4) & 0x0f0f0f0f0f0f0f0f
	s = (s | s<<2) & 0x3333333333333333
	return (s | s<<1) & 0x5555555555555555
}

// gatherBits undoes spreadBits, and leaves the bits in between out.
func gatherBits(s uint64) uint32 {
	s &= 0x5555555555555555
	s = (s | s>>1) & 0x3333333333333333
	s = (s | s>>2) & 0x0f0f0f0f0f0f0f0f
	s = (s | s>>4) & 0x00ff00ff00ff00ff
	s = (s | s>>8) & 0x0000ffff0000ffff
	return uint32(s | s>>16)
}

// earthRadius is the mean radius of the earth, in millimetres: (2a+b)/3 of the
// ellipsoid GRS 80 (H. Moritz, "Geodetic Reference System 1980", Journal of
// Geodesy 74, 2000). On a sphere of it, distances are right to about 0.5 %.
const earthRadius = 6_371_008_771.4

// farthest is the distance of two places on opposite sides of the earth, in
// millimetres, rounded up.
const farthest int64 = 20_015_114_353

// Distance returns the way from p to q along the great circle, on a sphere, in
// millimetres, by the haversine formula, which is exact for places that are close
// (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984).
func (p Place) Distance(q Place) int64 {
	lat1, lat2 := radians(p.Latitude), radians(q.Latitude)
	north, east := math.Sin((lat2-lat1)/2), math.Sin(radians(q.Longitude-p.Longitude)/2)
	h := north*north + math.Cos(lat1)*math.Cos(lat2)*east*east
	return int64(math.Round(2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))))
}

func radians(v Value) float64 { return float64(v) / float64(Degree) * (math.Pi / 180) }
