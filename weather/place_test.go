package weather_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

const degree = weather.Degree

// aPlace is anywhere, and often where grids end: at a pole, on the antimeridian,
// on the equator, or beside these.
func aPlace(rt *rapid.T, name string) weather.Place {
	along := func(name string, most weather.Value) weather.Value {
		v := rapid.SampledFrom([]weather.Value{-most, most, 0, math.MaxInt32}).Draw(rt, name+" edge")
		if v == math.MaxInt32 {
			return weather.Value(rapid.Int32Range(int32(-most), int32(most)).Draw(rt, name))
		}
		return max(-most, min(most, v+weather.Value(rapid.SampledFrom([]int{0, 0, 1, -1, 700, -700, 300_000, -300_000}).Draw(rt, name+" beside"))))
	}
	return weather.Place{Latitude: along(name+" latitude", 90*degree), Longitude: along(name+" longitude", 180*degree)}
}

// normal is the place under the one name that it has in keys.
func normal(p weather.Place) weather.Place {
	if p.Longitude == 180*degree || p.Latitude == 90*degree || p.Latitude == -90*degree {
		p.Longitude = -180 * degree
	}
	return p
}

// A key gives back its place, and one place has one key.
func TestKeyOfPlace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := aPlace(rt, "place")
		got, err := weather.ParseKey(p.Key())
		if err != nil || got != normal(p) {
			rt.Fatalf("%v has the key %s, which is %v, %v", p, p.Key(), got, err)
		}
	})
	// They are in stores: they stay as they are.
	for p, want := range map[weather.Place]string{
		{}: "1818666606000",
		{Latitude: 4_078_300, Longitude: -7_388_300}:  "0e42bd4ef57b0",
		{Latitude: -3_390_000, Longitude: 15_120_000}: "1776393dd0200",
		{Latitude: 90 * degree}:                       "2020888808000",
		{Latitude: -1, Longitude: 180 * degree}:       "0808222200aaa",
	} {
		if got := p.Key(); got != want {
			t.Errorf("the key of %v is %s, want %s", p, got, want)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for _, key := range []string{"", "0", "00000000000000", "000000000000g", "+000000000000", "-000000000001", "0x00000000000", "FFFFFFFFFFFFF", "fffffffffffff", "0_0_0_0_0_0_0", "0000000000001"} {
		if p, err := weather.ParseKey(key); !errors.Is(err, weather.ErrPlace) {
			t.Errorf("%q is the key of %v, %v", key, p, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("0000000000000")
	f.Add(weather.Place{Latitude: 4_078_300, Longitude: -7_388_300}.Key())
	f.Fuzz(func(t *testing.T, key string) {
		if p, err := weather.ParseKey(key); err == nil && (p.Validate() != nil || p.Key() != key) {
			t.Errorf("%q is %v, whose key is %q", key, p, p.Key())
		}
	})
}

func TestDistance(t *testing.T) {
	at := func(lat, lon float64) weather.Place {
		return weather.Place{Latitude: weather.Value(math.Round(lat * 1e5)), Longitude: weather.Value(math.Round(lon * 1e5))}
	}
	const mm, km = 1.0, 1e6
	for _, c := range []struct {
		name      string
		a, b      weather.Place
		want, off float64
	}{
		{"a place and itself", at(40.783, -73.883), at(40.783, -73.883), 0, 0},
		{"a degree on the equator", at(0, 0), at(0, 1), 111_195.080 * 1e3, mm},
		{"a degree on a meridian", at(50, 7), at(51, 7), 111_195.080 * 1e3, mm},
		{"across the antimeridian", at(0, 179.5), at(0, -179.5), 111_195.080 * 1e3, mm},
		{"one meridian, two names", at(12, 180), at(12, -180), 0, mm},
		{"the pole, two names", at(90, 33), at(90, -120), 0, mm},
		{"over the pole", at(89, 0), at(89, 180), 2 * 111_195.080 * 1e3, mm},
		{"pole to pole", at(90, 0), at(-90, 0), math.Pi * 6_371_008_771.4, mm},
		{"antipodes", at(40, 10), at(-40, -170), math.Pi * 6_371_008_771.4, 200 * mm},
		// Airports, great circle on a sphere; on the ellipsoid it is 0.2 % more.
		{"LaGuardia to San Francisco", at(40.783, -73.883), at(37.617, -122.4), 4_152 * km, 10 * km},
	} {
		if got := c.a.Distance(c.b); math.Abs(float64(got)-c.want) > c.off {
			t.Errorf("%s: %d mm, want %.0f", c.name, got, c.want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, b := aPlace(rt, "a"), aPlace(rt, "b")
		d := a.Distance(b)
		if d < 0 || d > 20_015_114_353 || d != b.Distance(a) || a.Distance(a) != 0 {
			rt.Fatalf("%v to %v is %d, back %d", a, b, d, b.Distance(a))
		}
	})
}
