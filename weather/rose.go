package weather

import "slices"

// Sectors is the number of directions of a Rose.
const Sectors = 16

var sectorNames = [Sectors]string{
	"N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE",
	"S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW",
}

// SectorName returns the name of a sector from 0, which is N, clockwise.
func SectorName(sector int) string { return sectorNames[sector] }

// sectorOf returns the sector of a direction in degrees: each is 22.5° wide, with
// its direction in the middle.
func sectorOf(degree int) int { return (4*degree + 45) / 90 % Sectors }

// Rose counts winds by where they came from and how strong they were: a wind
// rose.
type Rose struct {
	// N is the number of observations that are counted, Calm of them of no wind.
	N, Calm int
	// MissingHours are the hours of the period with no such observation, as in
	// TotalOf.
	MissingHours int
	// Counts are by sector, and then by class of speed: one more than bounds.
	Counts [Sectors][]int
}

// RoseOf counts the observations that have a direction and a speed, or calm, as
// DirectionOf has it. bounds ascend: the class before a bound is of the speeds
// below it, and the last is of those from the last bound on. It is false when there
// is nothing to count.
func RoseOf(months []*Month, from, to Minute, direction, speed MeasureID, bounds []Value) (Rose, bool) {
	from, to = clip(from, to)
	if from >= to {
		return Rose{}, false
	}
	var r Rose
	for sector := range r.Counts {
		r.Counts[sector] = make([]int, len(bounds)+1)
	}
	w := winds{d: Direction{MissingHours: hoursOf(from, to)}, hour: from.hour() - 1, needsSpeed: true}
	w.visit(months, from, to, direction, speed, func(degree int, v Value) {
		class, ok := slices.BinarySearch(bounds, v)
		if ok {
			class++
		}
		r.Counts[sectorOf(degree)][class]++
	})
	r.N, r.Calm, r.MissingHours = w.d.N+w.d.Calm, w.d.Calm, w.d.MissingHours
	return r, r.N > 0
}

// Beaufort returns bounds of speed for a Rose of the Standard catalogue: the least
// speeds of the forces 2 to 12, in 0.1 m/s (WMO-No. 306, code table 1100). The
// first class is so of the forces 0 and 1.
func Beaufort() []Value {
	return []Value{16, 34, 55, 80, 108, 139, 172, 208, 245, 285, 327}
}
