package transfer

import (
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// The events of a source in the target, in the order in which they are written.
// Within each section they are in their order, and each entity has its events in
// order over all sections.
const (
	history   = iota // from below the checkpoint
	setAside         // events that were set aside, before a deletion
	ended            // from behind the checkpoint, before a deletion
	setAsideT        // events that were set aside and that a start replays
	tail             // from behind the checkpoint
	sections
)

// places says where positions of a source are in one shard of the target: for each
// that is needed, the place of the first event of a section that is not before it.
// As the order within a section is kept, an event of the section lies below a
// position if and only if it lies below its place in the target.
type places struct {
	needed []persistence.Position // in order
	found  [sections][]persistence.Position
	// kept are the places of events that were set aside, by entity, in their
	// order.
	kept map[persistence.Owner][]moved
}

func newPlaces(needed []persistence.Position) *places {
	return &places{needed: needed, kept: make(map[persistence.Owner][]moved)}
}

// moved is the place of one event.
type moved struct{ from, to persistence.Position }

// see takes note of an event that is written at a place.
func (p *places) see(section int, from, to persistence.Position) {
	for n := len(p.found[section]); n < len(p.needed) && p.needed[n] <= from; n++ {
		p.found[section] = append(p.found[section], to)
	}
}

// end takes note of where a section ends.
func (p *places) end(section int, to persistence.Position) {
	for len(p.found[section]) < len(p.needed) {
		p.found[section] = append(p.found[section], to)
	}
}

// in returns the place of a position among the events of a section.
func (p *places) in(section int, at persistence.Position) persistence.Position {
	n, _ := slices.BinarySearch(p.needed, at)
	return p.found[section][n]
}

// of returns the place of a position among the events of an entity: those that are
// below it in the source are below its place in the target, and no others.
func (p *places) of(o persistence.Owner, sp split, checkpoint, at persistence.Position) persistence.Position {
	switch {
	case sp.last != 0 && at <= sp.first:
		return p.in(history, at)
	case sp.last != 0 && at <= sp.last:
		kept := p.kept[o]
		n, _ := slices.BinarySearchFunc(kept, at, func(m moved, at persistence.Position) int {
			if m.from < at {
				return -1
			}
			return 1
		})
		return kept[n].to
	case at > sp.at:
		return p.in(tail, at)
	case at <= checkpoint && sp.last == 0:
		return p.in(history, at)
	}
	return p.in(ended, at)
}
