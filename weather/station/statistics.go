package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Statistics asks to describe any measure over a period.
type Statistics struct {
	Measure weather.MeasureID
	Period  Period
	// All counts erroneous values in.
	All bool
}

// Described is the answer to Statistics: what makes sense for the way in which
// the measure aggregates, the rest is zero.
type Described struct {
	// N is the number of values that all rests on, on so many days, and
	// MissingHours those of the period without one.
	N, Days, MissingHours int
	// Summary, of means and maxima.
	Summary weather.Summary
	// Total, of sums.
	Total weather.Total
	// Direction, of directions.
	Direction weather.Direction
	// Counts of each code.
	Counts map[weather.Value]int
}

func (s *Station) statistics(v *entity.View, q *Statistics) (*Described, error) {
	c, err := s.scope(v, q.Period, q.All)
	if err != nil {
		return nil, err
	}
	m, err := s.measureOf(q.Measure)
	if err != nil {
		return nil, err
	}
	year, err := c.year()
	if err != nil {
		return nil, err
	}
	d := &Described{}
	if year != nil {
		first, last := c.period.days()
		d.N, d.Days, d.MissingHours = year.Presence(m.ID, first, last)
	}
	if d.N == 0 {
		return nil, noData(v, said(m), c.period)
	}
	from, to := c.period.span()
	switch m.Aggregate {
	case weather.AggregateMean, weather.AggregateMaximum:
		d.Summary, err = c.summary(year, m)
	case weather.AggregateSum:
		d.Total, err = c.total(year, m)
	case weather.AggregateCircular:
		var months []*weather.Month
		if months, err = c.months(0); err == nil {
			d.Direction, _ = weather.DirectionOf(months, from, to, m.ID, s.speedOf(m)) // there, as N is above 0
		}
	case weather.AggregateCode:
		var months []*weather.Month
		if months, err = c.months(0); err == nil {
			d.Counts = weather.CountsOf(months, from, to, m.ID, c.all)
		}
	}
	return d, err
}

// speedOf returns the measure that says how strong what has a direction is: of the
// wind its speed, else one that no observation has.
func (s *Station) speedOf(direction *weather.Measure) weather.MeasureID {
	if id, ok := s.catalogue.Lookup("wind_speed"); ok && direction.Name == "wind_direction" {
		return id
	}
	return weather.MaxMeasures
}

// SkyConditions asks how often each sky condition was observed in a period.
type SkyConditions struct{ Period Period }

func (s *Station) skyConditions(v *entity.View, q *SkyConditions) (*Described, error) {
	m, err := s.measure("sky_condition")
	if err != nil {
		return nil, err
	}
	return s.statistics(v, &Statistics{Measure: m.ID, Period: q.Period})
}
