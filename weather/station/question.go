package station

import (
	"fmt"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Period is a UTC year, a month of it when Month is set, a day of that when Day
// is set too.
type Period struct{ Year, Month, Day int }

// String returns the period as 2008, 2008-12 or 2008-12-01.
func (p Period) String() string {
	switch {
	case p.Month == 0:
		return fmt.Sprintf("%04d", p.Year)
	case p.Day == 0:
		return fmt.Sprintf("%04d-%02d", p.Year, p.Month)
	}
	return fmt.Sprintf("%04d-%02d-%02d", p.Year, p.Month, p.Day)
}

// Validate returns an error unless the period exists.
func (p Period) Validate() error {
	month, day := p.Month, p.Day
	if month == 0 && day == 0 {
		month = 1
	}
	if day == 0 {
		day = 1
	}
	if _, err := weather.DayOfDate(p.Year, month, day); err != nil || p.Month == 0 && p.Day != 0 {
		return entity.RejectInvalid("there is no %s; a period is a year from %d to %d, a month of it, or a day",
			p, weather.MinYear, weather.MaxYear).Because(BadPeriod)
	}
	return nil
}

// Temperature asks to describe the temperature of a period.
type Temperature struct{ Period Period }

// Precipitation asks for the sum of a period's one-hour amounts.
type Precipitation struct{ Period Period }

// Readings asks for the observations of a month.
type Readings struct{ Month weather.YearMonth }

func (s *Station) periodNeeds(dst []entity.PageRef, p Period) []entity.PageRef {
	return append(dst, s.heads.At(""), s.years.At(yearName(p.Year)))
}

func (s *Station) temperatureNeeds(dst []entity.PageRef, q *Temperature) []entity.PageRef {
	return s.periodNeeds(dst, q.Period)
}

func (s *Station) precipitationNeeds(dst []entity.PageRef, q *Precipitation) []entity.PageRef {
	return s.periodNeeds(dst, q.Period)
}

// year returns the page that a period is answered from.
func (s *Station) year(v *entity.View, p Period) (*weather.Year, bool, error) {
	if err := p.Validate(); err != nil {
		return nil, false, err
	}
	if _, err := s.known(v); err != nil {
		return nil, false, err
	}
	year, ok := s.years.In(v, yearName(p.Year))
	return year, ok, nil
}

func (s *Station) temperature(v *entity.View, q *Temperature) (weather.Summary, error) {
	const measure = weather.Temperature
	year, ok, err := s.year(v, q.Period)
	if err != nil {
		return weather.Summary{}, err
	}
	var sum weather.Summary
	switch {
	case !ok:
	case q.Period.Month == 0:
		sum, ok = year.YearSummary(measure)
	case q.Period.Day == 0:
		sum, ok = year.MonthSummary(measure, q.Period.Month)
	default:
		sum, ok = year.DaySummary(measure, dayOf(q.Period))
	}
	if !ok {
		return sum, noData(v, "temperature", q.Period)
	}
	return sum, nil
}

func (s *Station) precipitation(v *entity.View, q *Precipitation) (weather.Total, error) {
	const measure = weather.Precipitation1h
	year, ok, err := s.year(v, q.Period)
	if err != nil {
		return weather.Total{}, err
	}
	var total weather.Total
	switch {
	case !ok:
	case q.Period.Month == 0:
		total, ok = year.YearTotal(measure)
	case q.Period.Day == 0:
		total, ok = year.MonthTotal(measure, q.Period.Month)
	default:
		total, ok = year.DayTotal(measure, dayOf(q.Period))
	}
	if !ok {
		return total, noData(v, "precipitation", q.Period)
	}
	return total, nil
}

func (s *Station) readingsNeeds(dst []entity.PageRef, q *Readings) []entity.PageRef {
	return append(dst, s.heads.At(""), s.months.At(monthName(q.Month)))
}

func (s *Station) readings(v *entity.View, q *Readings) (*weather.Run, error) {
	if err := (Period{Year: q.Month.Year, Month: q.Month.Month}).Validate(); err != nil {
		return nil, err
	}
	if _, err := s.known(v); err != nil {
		return nil, err
	}
	month, ok := s.months.In(v, monthName(q.Month))
	if !ok {
		return nil, noData(v, "observations", Period{Year: q.Month.Year, Month: q.Month.Month})
	}
	return month.Run(0, month.Len()), nil
}

func dayOf(p Period) weather.Day {
	day, _ := weather.DayOfDate(p.Year, p.Month, p.Day) // the period was validated
	return day
}

func noData(v *entity.View, what string, p Period) error {
	return entity.RejectNotFound("station %s has no %s in %s", v.ID(), what, p).Because(NoData)
}
