package weather

import (
	"fmt"
	"slices"
)

// Range bounds values, both ends included. The zero Range bounds nothing.
type Range struct{ Low, High Value }

// Has reports whether a plain value is within the range.
func (r Range) Has(v Value) bool { return r == Range{} || v >= r.Low && v <= r.High }

// validate checks a range against the limits of its measure.
func (r Range) validate(m *Measure) error {
	switch {
	case r == Range{}:
		return nil
	case r.Low > r.High:
		return fmt.Errorf("usual from %s to %s: the low is above the high", r.Low.Format(m.Decimals), m.Format(r.High))
	case r.Low < m.Low || r.High > m.High:
		return fmt.Errorf("usual from %s to %s: that is beyond the limits %s to %s", r.Low.Format(m.Decimals), m.Format(r.High), m.Low.Format(m.Decimals), m.Format(m.High))
	}
	return nil
}

// Profile is what is usual at one station, where that is something else than in
// the network: by measure, in ascending order, each once. Where the profile says
// nothing, the catalogue's Usual holds. The zero Profile says nothing.
type Profile []MeasureRange

// MeasureRange is the range of a measure.
type MeasureRange struct {
	Measure MeasureID
	Range   Range
}

// With returns a profile that says r of a measure, and of others what p says. A
// zero Range leaves the measure to the catalogue; for one that no value of the
// station is to be measured by, use the limits of the measure. p does not change.
func (p Profile) With(measure MeasureID, r Range) Profile {
	i, ok := p.find(measure)
	changed := slices.Clone(p)
	switch {
	case r == Range{} && ok:
		changed = slices.Delete(changed, i, i+1)
	case r == Range{}:
	case ok:
		changed[i].Range = r
	default:
		changed = slices.Insert(changed, i, MeasureRange{measure, r})
	}
	return slices.Clip(changed)
}

// Range returns what the profile says of a measure; false when it says nothing.
func (p Profile) Range(measure MeasureID) (Range, bool) {
	if i, ok := p.find(measure); ok {
		return p[i].Range, true
	}
	return Range{}, false
}

func (p Profile) find(measure MeasureID) (int, bool) {
	return slices.BinarySearchFunc(p, measure, func(m MeasureRange, id MeasureID) int { return int(m.Measure) - int(id) })
}

// Validate returns an error that names the first range that is wrong.
func (p Profile) Validate(c Catalogue) error {
	before := MeasureID(-1)
	for _, m := range p {
		switch {
		case m.Measure < 0 || int(m.Measure) >= len(c):
			return fmt.Errorf("weather: profile: there is no measure %d in a catalogue of %d", m.Measure, len(c))
		case m.Measure <= before:
			return fmt.Errorf("weather: profile: %s comes after measure %d: they must ascend, each once", c[m.Measure].Name, before)
		case m.Range == Range{}:
			return fmt.Errorf("weather: profile: %s has no range: leave it out", c[m.Measure].Name)
		}
		if err := m.Range.validate(&c[m.Measure]); err != nil {
			return fmt.Errorf("weather: profile: %s: %w", c[m.Measure].Name, err)
		}
		before = m.Measure
	}
	return nil
}

// usual returns the range that holds for a measure at the station.
func (p Profile) usual(m *Measure) Range {
	r, ok := p.Range(m.ID)
	if !ok {
		r = m.Usual
	}
	if r == (Range{}) {
		return Range{-MaxValue, MaxValue}
	}
	return r
}

// Judge returns r with the values marked that are not usual for the station, and
// no others: itself when that is so already, as it nearly always is, and else a
// copy of its own memory. r must have passed Run.Check or Run.CheckStored.
func Judge(c Catalogue, p Profile, r *Run) *Run {
	judged := r
	for id, column := range r.Columns[:min(len(r.Columns), len(c))] {
		usual := p.usual(&c[id])
		if usual.holdAll(column) {
			continue
		}
		for i, v := range column {
			j := usual.judge(v)
			if j == v {
				continue
			}
			if judged == r {
				judged = r.clone()
			}
			judged.Columns[id][i] = j
		}
	}
	return judged
}

// holdAll reports whether every number is within the range, without a mark.
func (r Range) holdAll(column []Value) bool { return within(column, r.Low, r.High, Trace) }

// within reports whether every value is from low to high or a state: Missing, or with
// Trace as the last state a trace too. It counts, as a loop that branches would lose
// time on what is now and then missing.
func within(column []Value, low, high, lastState Value) bool {
	width := uint32(high) - uint32(low)
	outside, states := 0, 0
	for _, v := range column {
		outside += one(uint32(v)-uint32(low) > width)
		states += one(v <= lastState)
	}
	return outside == states // which are outside of any range
}

// judge returns v with a mark if it is outside the range, else without.
func (r Range) judge(v Value) Value {
	if measured := v.Measured(); v.number() && measured >= r.Low && measured <= r.High {
		return measured
	}
	return v.Mark()
}

// clone returns a copy of r of its own memory.
func (r *Run) clone() *Run {
	c := &Run{Times: slices.Clone(r.Times), Columns: make([][]Value, len(r.Columns))}
	for m, column := range r.Columns {
		c.Columns[m] = slices.Clone(column)
	}
	return c
}
