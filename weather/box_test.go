package weather_test

import (
	"errors"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

func aBox(rt *rapid.T) weather.Box {
	a, b := aPlace(rt, "corner"), aPlace(rt, "corner across")
	return weather.Box{
		South: min(a.Latitude, b.Latitude), North: max(a.Latitude, b.Latitude),
		West: a.Longitude, East: b.Longitude,
	}
}

// inBox says by angles what a box has.
func inBox(b weather.Box, p weather.Place) bool {
	const circle = 360 * degree
	if p.Latitude < b.South || p.Latitude > b.North {
		return false
	}
	if p.Latitude == 90*degree || p.Latitude == -90*degree || b.East-b.West == circle {
		return true
	}
	return (p.Longitude-b.West+2*circle)%circle <= (b.East-b.West+2*circle)%circle
}

// In is what lies between the edges, whatever the names of the places, and the
// keys of all of that are in the ranges, which are few. Mutations seen to fail:
// cutCells leaving the last quarter out; rectangles not parting a box at the
// antimeridian (west > east read as east to west); without the pole as a part.
func TestRangesCoverTheBox(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		box := aBox(rt)
		if err := box.Validate(); err != nil {
			rt.Fatal(err)
		}
		ranges := box.KeyRanges()
		if n := len(ranges); n == 0 || n > 16 {
			rt.Fatalf("%v has %d ranges", box, n)
		}
		for i, r := range ranges {
			if r.First > r.Last || i > 0 && r.First <= ranges[i-1].Last {
				rt.Fatalf("range %d of %v is %v", i, ranges, r)
			}
		}
		for range 30 {
			p := aPlace(rt, "place")
			if rapid.Bool().Draw(rt, "within") { // else it seldom is
				p.Latitude = weather.Value(rapid.Int32Range(int32(box.South), int32(box.North)).Draw(rt, "latitude"))
				if box.West <= box.East {
					p.Longitude = weather.Value(rapid.Int32Range(int32(box.West), int32(box.East)).Draw(rt, "longitude"))
				}
			}
			in := inBox(box, p)
			if got := box.Contains(p); got != in {
				rt.Fatalf("%v has %v: %t, want %t", box, p, got, in)
			}
			covered := false
			for _, r := range ranges {
				covered = covered || r.First <= p.Key() && p.Key() <= r.Last
			}
			if in && !covered {
				rt.Fatalf("%v with the key %s is in %v and in none of %v", p, p.Key(), box, ranges)
			}
		}
	})
}

// What the ranges have is not much more than the box: it is all looked at.
func TestRangesFit(t *testing.T) {
	for n, box := range []weather.Box{
		{South: 4_000_000, North: 4_100_000, West: -7_400_000, East: -7_300_000},
		{South: 3_650_123, North: 4_921_011, West: -10_400_321, East: -9_300_789},
		{South: -3_400_500, North: -3_390_100, West: 15_100_700, East: 15_130_200},
		{South: -100_000, North: 100_000, West: -100_000, East: 100_000}, // where the first cut is
		{South: -2_000_000, North: -1_500_000, West: 17_800_000, East: -17_800_000},
		{South: -9_000_000, North: 9_000_000, West: -18_000_000, East: 18_000_000},
	} {
		keys := 0.0
		for _, r := range box.KeyRanges() {
			first, err := strconv.ParseUint(r.First, 16, 64)
			last, err2 := strconv.ParseUint(r.Last, 16, 64)
			if errors.Join(err, err2) != nil {
				t.Fatal(err, err2)
			}
			keys += float64(last - first + 1)
		}
		width := box.East - box.West
		if width < 0 {
			width += 360 * degree
		}
		more := keys / (float64(width) * float64(box.North-box.South))
		t.Logf("box %d: %.2f times", n, more)
		if more > 4 {
			t.Errorf("the ranges of %v have %.1f times what it has", box, more)
		}
	}
}

func TestBoxValidate(t *testing.T) {
	for name, box := range map[string]weather.Box{
		"too far south": {South: -90*degree - 1},
		"too far north": {North: 90*degree + 1},
		"too far west":  {West: -180*degree - 1},
		"too far east":  {East: 180*degree + 1},
		"upside down":   {South: 1, North: 0},
		"missing":       {South: weather.Missing},
	} {
		if err := box.Validate(); !errors.Is(err, weather.ErrPlace) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
