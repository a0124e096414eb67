package weather

import (
	"fmt"
	"math"
	"slices"
)

// Box is what lies between two parallels and two meridians, its edges included,
// in 0.00001°. When West is above East it crosses the antimeridian. One that goes
// to a pole has that pole in it, whatever its meridians.
type Box struct{ South, West, North, East Value }

// Validate returns ErrPlace unless the box has something in it.
func (b Box) Validate() error {
	for _, corner := range []Place{{b.South, b.West}, {b.North, b.East}} {
		if err := corner.Validate(); err != nil {
			return err
		}
	}
	if b.South > b.North {
		return fmt.Errorf("%w: the south of the box, %s, is north of its north, %s", ErrPlace,
			b.South.Format(CoordinateDecimals), b.North.Format(CoordinateDecimals))
	}
	return nil
}

// Contains reports whether a place is in the box.
func (b Box) Contains(p Place) bool {
	x, y := p.grid()
	for _, r := range b.rectangles() {
		if r.overlaps(x, y, 1) {
			return true
		}
	}
	return false
}

// rectangle is a part of the grid, its ends included.
type rectangle struct{ x0, y0, x1, y1 uint32 }

// overlaps reports whether a square that begins at a place has some of r.
func (r rectangle) overlaps(x, y, side uint32) bool {
	return x <= r.x1 && x+side > r.x0 && y <= r.y1 && y+side > r.y0
}

// contains reports whether all of a square is in r.
func (r rectangle) contains(x, y, side uint32) bool {
	return x >= r.x0 && x+side-1 <= r.x1 && y >= r.y0 && y+side-1 <= r.y1
}

// rectangles returns the box as parts of the grid, in which the antimeridian is at
// an end and a pole is one point.
func (b Box) rectangles() []rectangle {
	west, east := uint32(b.West+180*Degree), uint32(b.East+180*Degree)
	south, north := uint32(b.South+90*Degree), uint32(b.North+90*Degree)
	var parts []rectangle
	part := func(x0, x1 uint32) {
		if x0 <= x1 {
			parts = append(parts, rectangle{x0, south, x1, north})
		}
	}
	switch {
	case west > east:
		part(west, lastX)
		part(0, east)
	case east > lastX: // it ends on the antimeridian, which begins the grid
		part(west, lastX)
		part(0, 0)
	default:
		part(west, east)
	}
	for _, pole := range []uint32{0, northPole} {
		if south <= pole && pole <= north {
			parts = append(parts, rectangle{0, pole, 0, pole})
		}
	}
	return parts
}

// KeyRange is the keys from First to Last.
type KeyRange struct{ First, Last string }

const (
	// mostRanges is how many ranges of keys a box is cut into. Each is a walk
	// of its own; with fewer, more of what they pass lies outside.
	mostRanges = 16
	// mostCells is how many squares they are made of.
	mostCells = 16 * mostRanges
)

// KeyRanges returns at most 16 ranges, in order and apart, in which the keys of all
// places in the box are, and of others near it: those have to be filtered out.
//
// The grid is cut into four, and each part that the edge of the box crosses again,
// as in a quadtree, until there are many. The keys of a part follow each other.
// Then those that are closest to each other are joined, with what lies between.
func (b Box) KeyRanges() []KeyRange {
	type span struct{ first, last uint64 }
	var spans []span
	for _, c := range b.cells() {
		first := interleave(c.x, c.y)
		last := first + uint64(c.side)*uint64(c.side) - 1
		if n := len(spans); n > 0 && spans[n-1].last+1 == first {
			spans[n-1].last = last
			continue
		}
		spans = append(spans, span{first, last})
	}
	for len(spans) > mostRanges {
		closest := 1
		for i := 2; i < len(spans); i++ {
			if spans[i].first-spans[i-1].last < spans[closest].first-spans[closest-1].last {
				closest = i
			}
		}
		spans[closest-1].last = spans[closest].last
		spans = slices.Delete(spans, closest, closest+1)
	}
	ranges := make([]KeyRange, len(spans))
	for i, s := range spans {
		ranges[i] = KeyRange{formatKey(s.first), formatKey(s.last)}
	}
	return ranges
}

// cell is a square of the grid.
type cell struct{ x, y, side uint32 }

// cells returns squares, in the order of their keys, that together have all of the
// box.
func (b Box) cells() []cell {
	parts := b.rectangles()
	cells := []cell{{0, 0, 1 << gridBits}}
	for {
		next, cut := cutCells(cells, parts)
		if !cut || len(next) > mostCells {
			return cells
		}
		cells = next
	}
}

// cutCells cuts the squares that are not all in one of the parts into four, and
// keeps of those what has some of the parts.
func cutCells(cells []cell, parts []rectangle) (next []cell, cut bool) {
	for _, c := range cells {
		if slices.ContainsFunc(parts, func(r rectangle) bool { return r.contains(c.x, c.y, c.side) }) {
			next = append(next, c)
			continue
		}
		cut = true
		half := c.side / 2
		for quarter := range uint32(4) {
			q := cell{c.x + quarter&1*half, c.y + quarter>>1*half, half}
			if slices.ContainsFunc(parts, func(r rectangle) bool { return r.overlaps(q.x, q.y, q.side) }) {
				next = append(next, q)
			}
		}
	}
	return next, cut
}

// around returns a box in which everything is that is no farther than a distance,
// in millimetres, from a place.
func around(p Place, distance int64) Box {
	// By a few metres more, so that no rounding matters.
	angle := float64(distance)/earthRadius + 1e-6
	lat := radians(p.Latitude)
	b := Box{South: -90 * Degree, West: -180 * Degree, North: 90 * Degree, East: 180 * Degree}
	if south := lat - angle; south > -math.Pi/2 {
		b.South = degrees(math.Floor, south)
	}
	if north := lat + angle; north < math.Pi/2 {
		b.North = degrees(math.Ceil, north)
	}
	if b.South == -90*Degree || b.North == 90*Degree {
		return b // it goes around a pole
	}
	// Where a meridian touches the circle; farther from the pole than its
	// middle (R. Sinnott's formulas, solved for the longitude).
	half := degrees(math.Ceil, math.Asin(min(1, math.Sin(angle)/math.Cos(lat))))
	if b.West = p.Longitude - half; b.West < -180*Degree {
		b.West += 360 * Degree
	}
	if b.East = p.Longitude + half; b.East > 180*Degree {
		b.East -= 360 * Degree
	}
	return b
}

func degrees(round func(float64) float64, radians float64) Value {
	return Value(round(radians * (180 / math.Pi) * float64(Degree)))
}
