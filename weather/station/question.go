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

// answer asks a year's page about a measure over the period: of the whole year,
// of a month or of a day.
func answer[T any](s *Station, v *entity.View, p Period, measure weather.MeasureID, what string,
	ofYear func(*weather.Year, weather.MeasureID) (T, bool),
	ofMonth func(*weather.Year, weather.MeasureID, int) (T, bool),
	ofDay func(*weather.Year, weather.MeasureID, weather.Day) (T, bool),
) (T, error) {
	var a T
	year, ok, err := s.year(v, p)
	if err != nil {
		return a, err
	}
	switch {
	case !ok:
	case p.Month == 0:
		a, ok = ofYear(year, measure)
	case p.Day == 0:
		a, ok = ofMonth(year, measure, p.Month)
	default:
		a, ok = ofDay(year, measure, dayOf(p))
	}
	if !ok {
		return a, noData(v, what, p)
	}
	return a, nil
}

func (s *Station) temperature(v *entity.View, q *Temperature) (weather.Summary, error) {
	return answer(s, v, q.Period, weather.Temperature, "temperature",
		(*weather.Year).YearSummary, (*weather.Year).MonthSummary, (*weather.Year).DaySummary)
}

func (s *Station) precipitation(v *entity.View, q *Precipitation) (weather.Total, error) {
	return answer(s, v, q.Period, weather.Precipitation1h, "precipitation",
		(*weather.Year).YearTotal, (*weather.Year).MonthTotal, (*weather.Year).DayTotal)
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
