package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// scope is what all questions about a measure over a period share: the page of
// the year answers them, or, where it leaves out what is asked for, the months.
type scope struct {
	s      *Station
	v      *entity.View
	head   *Head
	period Period
	all    bool // erroneous values count
}

// scope checks a question's station and period.
func (s *Station) scope(v *entity.View, p Period, all bool) (scope, error) {
	if err := p.Validate(); err != nil {
		return scope{}, err
	}
	head, err := s.known(v)
	return scope{s, v, head, p, all}, err
}

// year returns the aggregates of the period's year, nil when there are none.
func (c *scope) year() (*weather.Year, error) {
	if !c.all {
		year, _ := c.s.years.In(c.v, yearName(c.period.Year))
		return year, nil
	}
	months, err := c.months(0)
	if err != nil || len(months) == 0 {
		return nil, err
	}
	return weather.NewYearOf(c.s.catalogue, c.period.Year, months, true), nil
}

// months returns the pages of the period's months of which observations are held,
// the earliest first, and of so many before.
func (c *scope) months(before int) (months []*weather.Month, lacking error) {
	first, last := c.period.months()
	for range before {
		first = monthBefore(first)
	}
	for id, ok := c.head.Months.After(first); ok && !monthLess(last, id); id, ok = c.head.Months.After(monthAfter(id)) {
		month, held, err := c.s.months.Look(c.v, monthName(id))
		if err != nil {
			lacking = err // and look for the others, so that all are read at once
		}
		if held {
			months = append(months, month)
		}
	}
	return months, lacking
}

func monthLess(a, b weather.YearMonth) bool {
	return a.Year < b.Year || a.Year == b.Year && a.Month < b.Month
}

// measure finds a measure of the catalogue by its name.
func (s *Station) measure(name string) (*weather.Measure, error) {
	id, ok := s.catalogue.Lookup(name)
	if !ok {
		return nil, entity.Reject("this network does not measure %s; what it does is in the list of measures", name).Because(NotMeasured)
	}
	return &s.catalogue[id], nil
}

// measureOf returns a measure of the catalogue by its number.
func (s *Station) measureOf(id weather.MeasureID) (*weather.Measure, error) {
	if id < 0 || int(id) >= len(s.catalogue) {
		return nil, entity.RejectInvalid("there is no measure %d in a catalogue of %d", id, len(s.catalogue)).Because(NotMeasured)
	}
	return &s.catalogue[id], nil
}

// summary describes a measure that keeps extremes over the period, from what year
// returned.
func (c *scope) summary(year *weather.Year, m *weather.Measure) (weather.Summary, error) {
	if year != nil {
		first, last := c.period.days()
		if sum, ok := year.Summary(m.ID, first, last); ok {
			return sum, nil
		}
	}
	return weather.Summary{}, noData(c.v, said(m), c.period)
}

// total sums a measure over the period, from what year returned.
func (c *scope) total(year *weather.Year, m *weather.Measure) (weather.Total, error) {
	if year != nil {
		if sum, ok := totalOf(year, m.ID, c.period); ok {
			return sum, nil
		}
	}
	return weather.Total{}, noData(c.v, said(m), c.period)
}

// totalOf sums a measure over a period of the year, a month and the year in
// constant time.
func totalOf(year *weather.Year, m weather.MeasureID, p Period) (weather.Total, bool) {
	switch {
	case p.Month == 0:
		return year.YearTotal(m)
	case p.Day == 0:
		return year.MonthTotal(m, p.Month)
	}
	return year.DayTotal(m, dayOf(p))
}

func dayOf(p Period) weather.Day {
	day, _ := p.days()
	return day
}
