package weather

import (
	"math"
	"math/cmplx"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/sampledata"
)

// genWind draws winds around a turn of the year.
func genWind() *rapid.Generator[*Run] {
	return rapid.Custom(func(t *rapid.T) *Run {
		direction := rapid.OneOf(rapid.SampledFrom([]Value{Missing, Calm, North, 180, 90, Value(40).Mark()}), rapid.Map(rapid.Int32Range(1, 360), func(d int32) Value { return Value(d) }))
		speed := rapid.OneOf(rapid.SampledFrom([]Value{Missing, 0, 15, 16, Value(40).Mark()}), rapid.Map(rapid.Int32Range(0, 400), func(v int32) Value { return Value(v) }))
		r := &Run{}
		when := at(2008, 12, 30, 0, 0)
		for range rapid.IntRange(0, 40).Draw(t, "rows") {
			when += rapid.SampledFrom([]Minute{60, 60, 20, 300}).Draw(t, "pause")
			r.Append(when, Missing, Missing, Missing, direction.Draw(t, "direction"), speed.Draw(t, "speed"))
		}
		return r
	})
}

// windOfTwin adds vectors as complex numbers, and counts by the nearest sector.
func windOfTwin(r *Run, from, to Minute, bounds []Value) (d Direction, rose Rose) {
	var units, vectors complex128
	measured := 0
	hours, roseHours := map[Minute]bool{}, map[Minute]bool{}
	for sector := range rose.Counts {
		rose.Counts[sector] = make([]int, len(bounds)+1)
	}
	for i, when := range r.Times {
		direction, speed := r.Value(i, WindDirection), r.Value(i, WindSpeed)
		hour := when - when%60
		knows := direction != Missing && direction <= 360
		measures := speed != Missing && speed <= MaxValue
		if when < from || when >= to || !knows && speed != 0 {
			continue
		}
		hours[hour] = true
		if measures && speed == 0 || !measures && direction == 0 {
			d.Calm++
			rose.Calm++
			roseHours[hour] = true
			continue
		}
		d.N++
		unit := cmplx.Rect(1, float64(direction)*math.Pi/180)
		units += unit
		if !measures {
			continue
		}
		measured++
		vectors += unit * complex(float64(speed), 0)
		nearest, distance := 0, math.Inf(1)
		for sector := range 17 {
			if apart := math.Abs(float64(direction) - 22.5*float64(sector)); apart < distance {
				nearest, distance = sector%16, apart
			}
		}
		class := 0
		for class < len(bounds) && speed >= bounds[class] {
			class++
		}
		rose.Counts[nearest][class]++
		rose.N++
		roseHours[hour] = true
	}
	rose.N += rose.Calm
	for hour := from - from%60; hour < to; hour += 60 {
		if !hours[hour] {
			d.MissingHours++
		}
		if !roseHours[hour] {
			rose.MissingHours++
		}
	}
	angle := func(sum complex128) float64 { return math.Mod(cmplx.Phase(sum)*180/math.Pi+720, 360) }
	d.Mean, d.Concentration = angle(units), cmplx.Abs(units)/float64(max(d.N, 1))
	d.VectorMean, d.VectorSpeed = angle(vectors), cmplx.Abs(vectors)/float64(max(measured+d.Calm, 1))
	return d, rose
}

// sameAngle reports whether two angles are the same, where length says that there
// is one.
func sameAngle(a, b, length float64) bool {
	if length < 1e-6 {
		return true
	}
	apart := math.Abs(math.Mod(a-b+540, 360) - 180)
	return apart < 1e-6
}

// Winds against sums of complex numbers. Mutations seen to fail: sectors that begin
// with their direction; 0° with a wind as calm; what is erroneous counted; a bound
// in the class below it.
func TestWindAgainstATwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genWind().Draw(t, "run")
		months := turn(r)
		from := at(2008, 12, 30, 0, 0) + Minute(rapid.IntRange(0, 1440).Draw(t, "from"))
		to := from + Minute(rapid.IntRange(0, 4000).Draw(t, "minutes"))
		want, wantRose := windOfTwin(r, from, to, Beaufort())
		got, ok := DirectionOf(months, from, to, WindDirection, WindSpeed)
		if ok != (want.N+want.Calm > 0) {
			t.Fatalf("there is wind from %s to %s: %v", from, to, ok)
		}
		if ok && (got.N != want.N || got.Calm != want.Calm || got.MissingHours != want.MissingHours ||
			math.Abs(got.Concentration-want.Concentration) > 1e-9 || math.Abs(got.VectorSpeed-want.VectorSpeed) > 1e-6 ||
			!sameAngle(got.Mean, want.Mean, want.Concentration) || !sameAngle(got.VectorMean, want.VectorMean, want.VectorSpeed)) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if ok && (got.Mean <= 0 || got.Mean > 360 || got.VectorMean <= 0 || got.VectorMean > 360) {
			t.Fatalf("%+v is not in 0 to 360", got)
		}
		rose, ok := RoseOf(months, from, to, WindDirection, WindSpeed, Beaufort())
		if ok != (wantRose.N > 0) {
			t.Fatalf("there is a rose from %s to %s: %v", from, to, ok)
		}
		if !ok {
			return
		}
		if rose.N != wantRose.N || rose.Calm != wantRose.Calm || rose.MissingHours != wantRose.MissingHours {
			t.Fatalf("got %+v, want %+v", rose, wantRose)
		}
		for sector := range rose.Counts {
			for class, n := range rose.Counts[sector] {
				if n != wantRose.Counts[sector][class] {
					t.Fatalf("%s has %v, want %v", SectorName(sector), rose.Counts[sector], wantRose.Counts[sector])
				}
			}
		}
	})
}

func TestDirectionOf(t *testing.T) {
	day := at(2008, 5, 1, 0, 0)
	for _, test := range []struct {
		winds        [][2]Value // direction and speed
		mean, vector float64
	}{
		{[][2]Value{{350, 10}, {10, 10}}, 360, 360},
		{[][2]Value{{360, 10}, {90, 10}}, 45, 45},
		{[][2]Value{{360, 10}, {90, 0}}, 360, 360},
		{[][2]Value{{270, 30}, {90, 10}}, math.NaN(), 270},
		{[][2]Value{{0, 10}, {1, Missing}}, 0.5, 360},
		{[][2]Value{{0, 0}, {Missing, 0}}, math.NaN(), math.NaN()},
	} {
		m, r := NewMonth(YearMonth{2008, 5}), &Run{}
		for i, wind := range test.winds {
			r.Append(day+Minute(60*i), Missing, Missing, Missing, wind[0], wind[1])
		}
		m.Put(r)
		got, ok := DirectionOf([]*Month{m}, day, day+1440, WindDirection, WindSpeed)
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) }
		if !ok || !same(got.Mean, test.mean) || !same(got.VectorMean, test.vector) || got.MissingHours != 22 {
			t.Errorf("%v is %+v, want %v and %v", test.winds, got, test.mean, test.vector)
		}
	}
}

// The wind of a real year: San Francisco's is from the west, and steady.
func TestWindOfTheSampleYear(t *testing.T) {
	var months []*Month
	r := sampleYear(t, sampledata.SanFrancisco)
	for _, id := range r.Months() {
		m := NewMonth(id)
		m.Put(r)
		months = append(months, m)
	}
	from, to := at(2008, 1, 1, 0, 0), at(2009, 1, 1, 0, 0)
	d, ok := DirectionOf(months, from, to, WindDirection, WindSpeed)
	if !ok || d.VectorMean < 247.5 || d.VectorMean > 292.5 || d.VectorSpeed < 20 || d.N+d.Calm > r.Len() {
		t.Errorf("San Francisco's wind was %+v", d)
	}
	rose, _ := RoseOf(months, from, to, WindDirection, WindSpeed, nil)
	most := 0
	for sector := range rose.Counts {
		if rose.Counts[sector][0] > rose.Counts[most][0] {
			most = sector
		}
	}
	if name := SectorName(most); name != "W" && name != "WNW" {
		t.Errorf("most of San Francisco's winds came from %s: %v", name, rose.Counts)
	}
}
