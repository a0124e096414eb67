package weather

import (
	"cmp"
	"iter"
	"slices"
)

// Located is something at a place, a station say.
type Located struct {
	ID    string
	Place Place
}

// Neighbor is something at a distance from a place.
type Neighbor struct {
	Located
	Distance int64 // in millimetres
}

// Compare orders neighbors by distance and id.
func (n Neighbor) Compare(o Neighbor) int {
	return cmp.Or(cmp.Compare(n.Distance, o.Distance), cmp.Compare(n.ID, o.ID))
}

// firstRing is the radius, in millimetres, within which what is near is looked for
// first: that of a small town's surroundings.
const firstRing = 10_000_000

// Nearest returns up to n of what is nearest to a place, by distance and then by
// id, of what comes after a neighbor in that order; the zero Neighbor is before
// all. find yields what has a key in a range, in any order; its errors are
// returned. When it yields one twice, as it moves meanwhile, it is taken once.
//
// It looks within a radius, which doubles until there are enough; what lies in the
// box around the circle and not in the circle waits for the next, since something
// nearer may lie outside the box. It holds n neighbors at a time, however many
// there are.
func Nearest(of Place, after Neighbor, n int, find func(KeyRange) iter.Seq2[Located, error]) ([]Neighbor, error) {
	var near []Neighbor
	for radius := int64(firstRing); ; radius *= 2 {
		if radius >= after.Distance { // else all of it is before
			for _, r := range around(of, radius).KeyRanges() {
				for found, err := range find(r) {
					if err != nil {
						return nil, err
					}
					if o := (Neighbor{found, of.Distance(found.Place)}); o.Distance <= radius && after.Compare(o) < 0 {
						near = keepNearest(near, o, n)
					}
				}
			}
		}
		if len(near) == n || radius >= farthest {
			return near, nil
		}
	}
}

// keepNearest adds a neighbor to the n nearest, unless it is among them.
func keepNearest(near []Neighbor, o Neighbor, n int) []Neighbor {
	at, _ := slices.BinarySearchFunc(near, o, Neighbor.Compare)
	if at == n || slices.ContainsFunc(near, func(known Neighbor) bool { return known.ID == o.ID }) {
		return near
	}
	if len(near) == n {
		near = near[:n-1]
	}
	return slices.Insert(near, at, o)
}
