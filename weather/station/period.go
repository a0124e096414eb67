package station

import (
	"fmt"
	"strings"

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

// days returns the first and the last day of a period that is valid.
func (p Period) days() (first, last weather.Day) {
	switch {
	case p.Month == 0:
		first = weather.YearMonth{Year: p.Year, Month: 1}.First()
		return first, first + weather.Day(weather.DaysInYear(p.Year)) - 1
	case p.Day == 0:
		month := weather.YearMonth{Year: p.Year, Month: p.Month}
		return month.First(), month.First() + weather.Day(month.Days()) - 1
	}
	first, _ = weather.DayOfDate(p.Year, p.Month, p.Day)
	return first, first
}

// span returns the first minute of a period that is valid, and the first after it.
func (p Period) span() (from, to weather.Minute) {
	first, last := p.days()
	return first.Start(), (last + 1).Start()
}

// months returns the first and the last month of a period that is valid.
func (p Period) months() (first, last weather.YearMonth) {
	if p.Month == 0 {
		return weather.YearMonth{Year: p.Year, Month: 1}, weather.YearMonth{Year: p.Year, Month: 12}
	}
	month := weather.YearMonth{Year: p.Year, Month: p.Month}
	return month, month
}

// said is what people call a measure.
func said(m *weather.Measure) string {
	switch m.Name {
	case "precipitation_1h":
		return "precipitation"
	case "precipitation_6h":
		return "six-hour precipitation"
	}
	return strings.ReplaceAll(m.Name, "_", " ")
}

func noData(v *entity.View, what string, p Period) error {
	return entity.RejectNotFound("station %s has no %s in %s", v.ID(), what, p).Because(NoData)
}
