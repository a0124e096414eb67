package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Method says from which reports precipitation is summed.
type Method uint8

// The methods.
const (
	// OneHour sums the one-hour amounts.
	OneHour Method = iota
	// SixHour sums the six-hour amounts.
	SixHour
	// Best sums the one-hour amounts, and what six-hour amounts have beyond
	// them; see weather.BestTotal.
	Best
)

// Precipitation asks how much fell in a period.
type Precipitation struct {
	Period Period
	Method Method
	// Until, unless it is 0, ends the period before its end: with a year, the
	// year to date. What was observed at or after it does not count.
	Until weather.Minute
	// All counts erroneous values in.
	All bool
}

func (s *Station) precipitation(v *entity.View, q *Precipitation) (weather.Total, error) {
	c, err := s.scope(v, q.Period, q.All)
	if err != nil {
		return weather.Total{}, err
	}
	name := "precipitation_1h"
	if q.Method == SixHour {
		name = "precipitation_6h"
	}
	m, err := s.measure(name)
	if err != nil {
		return weather.Total{}, err
	}
	from, to := q.Period.span()
	if q.Until != 0 {
		if q.Until <= from {
			return weather.Total{}, entity.RejectInvalid("%s is not after the begin of %s", q.Until, q.Period).Because(BadPeriod)
		}
		to = min(to, q.Until)
	}
	if q.Method == Best {
		return c.best(m, from, to)
	}
	year, err := c.year()
	if err != nil {
		return weather.Total{}, err
	}
	if _, end := q.Period.span(); to < end {
		return c.totalUntil(year, m, from, to)
	}
	return c.total(year, m)
}

// best is the sum of one-hour amounts and of what six-hour amounts have beyond.
func (c *scope) best(m *weather.Measure, from, to weather.Minute) (weather.Total, error) {
	six, err := c.s.measure("precipitation_6h")
	if err != nil {
		return weather.Total{}, err
	}
	months, err := c.months(1)
	if err != nil {
		return weather.Total{}, err
	}
	sum, ok := weather.BestTotal(months, from, to, m.ID, six.ID, c.all)
	if !ok {
		return sum, noData(c.v, "precipitation", c.period)
	}
	return sum, nil
}

// totalUntil is the sum of whole days, from the year, and of the day that is not
// over, from its month.
func (c *scope) totalUntil(year *weather.Year, m *weather.Measure, from, to weather.Minute) (weather.Total, error) {
	var sum weather.Total
	found := false
	today := to.Day()
	if days := today - from.Day(); days > 0 {
		sum.MissingHours = 24 * int(days)
		if year != nil {
			if whole, ok := year.Total(m.ID, from.Day(), today-1); ok {
				sum, found = whole, true
			}
		}
	}
	if to > today.Start() {
		rest, ok, err := c.today(m, max(from, today.Start()), to)
		if err != nil {
			return sum, err
		}
		sum.N += rest.N
		sum.MissingHours += rest.MissingHours
		sum.Sum += rest.Sum
		sum.Traces += rest.Traces
		found = found || ok
	}
	if !found {
		return sum, entity.RejectNotFound("station %s has no %s in %s before %s", c.v.ID(), said(m), c.period, to).Because(NoData)
	}
	return sum, nil
}

// today sums a measure over a part of one day.
func (c *scope) today(m *weather.Measure, from, to weather.Minute) (weather.Total, bool, error) {
	var months []*weather.Month
	if id := weather.MonthOf(from); c.head.Months.Has(id) {
		month, held, err := c.s.months.Look(c.v, monthName(id))
		if err != nil {
			return weather.Total{}, false, err
		}
		if held {
			months = append(months, month)
		}
	}
	sum, ok := weather.TotalOf(months, from, to, m.ID, c.all)
	if !ok {
		sum.MissingHours = int(to-from+59) / 60 // those that have begun
	}
	return sum, ok, nil
}
