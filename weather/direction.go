package weather

import "math"

// Direction describes where the wind came from over a period. A direction has no
// sum: the mean of 350° and 10° is 360°, not 180°. Means are therefore those of
// vectors, from above 0° to 360°, and NaN when the vectors cancel each other.
//
// The formulas are those of Mardia and Jupp, "Directional Statistics" (2000),
// section 2.2, and of the vector mean of WMO-No. 8, measurement of surface wind.
type Direction struct {
	// N is the number of observations with a direction, those of calm left out.
	N int
	// Calm is the number of observations of no wind.
	Calm int
	// MissingHours are the hours of the period with neither, as in TotalOf.
	MissingHours int
	// Mean is the direction of the sum of the unit vectors: each observation
	// counts the same, however strong the wind. Concentration is the length of
	// that sum for each of the N: 1 when all were the same, 0 when they cancel.
	Mean, Concentration float64
	// VectorMean is the direction of the sum of the vectors that are as long as
	// the wind is strong, of observations that have a speed. VectorSpeed is the
	// length of that sum for each of these and of Calm, in units of the speed's
	// last decimal: how fast the air moved on over the whole period.
	VectorMean, VectorSpeed float64
}

// DirectionOf describes a direction in whole degrees, as Standard has it, over the
// observations from a time up to before another, in months that ascend. Calm is
// when the speed is 0, or the direction is Calm and the speed not known; 0° with a
// wind is north. Erroneous values are left out. It is false when there is neither
// a direction nor calm.
func DirectionOf(months []*Month, from, to Minute, direction, speed MeasureID) (Direction, bool) {
	from, to = clip(from, to)
	if from >= to {
		return Direction{}, false
	}
	w := winds{d: Direction{MissingHours: hoursOf(from, to)}, hour: from.hour() - 1}
	w.visit(months, from, to, direction, speed, func(degree int, v Value) {
		w.n[degree%360]++
		if v.Plain() {
			w.measured++
			w.speeds[degree%360] += int64(v)
		}
	})
	if w.d.N+w.d.Calm == 0 {
		return Direction{}, false
	}
	var length float64
	w.d.Mean, length = vectorSum(&w.n)
	w.d.Concentration = length / float64(max(w.d.N, 1))
	w.d.VectorMean, length = vectorSum(&w.speeds)
	w.d.VectorSpeed = length / float64(max(w.measured+w.d.Calm, 1))
	return w.d, true
}

// winds counts observations by degree, so that sums are of integers until the
// end, and do not depend on the order.
type winds struct {
	d          Direction
	n, speeds  [360]int64
	measured   int  // observations with a direction and a speed
	hour       int  // of the last observation
	needsSpeed bool // leaves out a direction without a speed
}

// visit counts the observations of a period, and hands over those with a
// direction, in degrees from 1 to 360, with their speed.
func (w *winds) visit(months []*Month, from, to Minute, direction, speed MeasureID, each func(degree int, speed Value)) {
	for _, m := range months {
		if m == nil {
			continue
		}
		lo, hi := m.Rows(from, to)
		for row := lo; row < hi; row++ {
			d, v := m.Value(row, direction), m.Value(row, speed)
			known := d.Plain() && d >= Calm && d <= North
			calm := v == 0 || known && d == Calm && !v.Plain()
			switch {
			case calm:
				w.d.Calm++
			case !known || w.needsSpeed && !v.Plain():
				continue
			default:
				w.d.N++
				each((int(d)+359)%360+1, v)
			}
			if hour := m.Time(row).hour(); hour != w.hour {
				w.hour = hour
				w.d.MissingHours--
			}
		}
	}
}

// vectorSum returns the direction and the length of the sum of vectors of those
// lengths, by degree.
func vectorSum(lengths *[360]int64) (direction, length float64) {
	var east, north, all float64
	for degree, n := range lengths {
		sin, cos := math.Sincos(float64(degree) * math.Pi / 180)
		east += float64(n) * sin
		north += float64(n) * cos
		all += float64(n)
	}
	length = math.Hypot(east, north)
	if length <= 1e-9*all { // no more than rounding leaves
		return math.NaN(), 0
	}
	direction = math.Atan2(east, north) * 180 / math.Pi
	if direction <= 0 {
		direction += 360
	}
	return direction, length
}
