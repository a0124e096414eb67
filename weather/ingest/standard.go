package ingest

import (
	"fmt"

	"github.com/mesonet/mesonet/weather"
)

// standardMeasures is how many measures weather.Standard has.
const standardMeasures = int(weather.Precipitation6h) + 1

// standard is where a network's catalogue has the measures of weather.Standard,
// for the formats that are made for those.
type standard struct {
	list   [standardMeasures]*weather.Measure
	places [standardMeasures]weather.MeasureID
	width  int  // of the catalogue
	same   bool // it begins with them
}

// standardOf finds the measures by name; a gust, which no format here has, need
// not be there. They must be kept as the format has them.
func standardOf(format string, c weather.Catalogue) (*standard, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &standard{width: len(c), same: len(c) == standardMeasures}
	for i, want := range weather.Standard() {
		id, ok := c.Lookup(want.Name)
		if !ok {
			if want.ID == weather.WindGust {
				s.same = false
				s.places[i] = -1
				continue
			}
			return nil, fmt.Errorf("ingest: the format %s holds %s, which this network does not measure: load with a mapping, or declare the measure", format, want.Name)
		}
		measure := &c[id]
		if measure.Unit != want.Unit || measure.Decimals != want.Decimals || want.Trace && !measure.Trace {
			return nil, fmt.Errorf("ingest: the format %s holds %s in %s with %d decimals (trace: %t), which this network keeps in %s with %d (trace: %t): load with a mapping",
				format, want.Name, want.Unit, want.Decimals, want.Trace, measure.Unit, measure.Decimals, measure.Trace)
		}
		s.list[i], s.places[i] = measure, id
		s.same = s.same && id == want.ID
	}
	return s, nil
}

// standardItself is that of weather.Standard.
func standardItself() *standard {
	c := weather.Standard()
	s := &standard{width: len(c), same: true}
	for i := range c {
		s.list[i], s.places[i] = &c[i], c[i].ID
	}
	return s
}

// of returns where the values of a reading go: into it, if it has the same
// measures, or else into room, from where put takes them.
func (s *standard) of(r *Reading, room *[standardMeasures]weather.Value) *[standardMeasures]weather.Value {
	r.widen(s.width)
	if s.same {
		return (*[standardMeasures]weather.Value)(r.Values)
	}
	return room
}

// put gives a reading its values.
func (s *standard) put(v *[standardMeasures]weather.Value, r *Reading) {
	r.clear()
	for i, place := range s.places {
		if place >= 0 {
			r.Values[place] = v[i]
		}
	}
}

// widen makes room for the values of so many measures.
func (r *Reading) widen(measures int) {
	if len(r.Values) != measures {
		r.Values = make([]weather.Value, measures)
	}
}

// clear makes all values missing.
func (r *Reading) clear() {
	for i := range r.Values {
		r.Values[i] = weather.Missing
	}
}
