package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Temperature asks to describe the temperature of a period.
type Temperature struct {
	Period Period
	// All counts erroneous values in.
	All bool
}

// HiLow asks for the high and low of a month and of each of its days.
type HiLow struct {
	Month weather.YearMonth
	// All counts erroneous values in.
	All bool
}

// HighsAndLows are the answer to a HiLow.
type HighsAndLows struct {
	Month weather.Summary
	// Days that have a value, in their order.
	Days []DayHiLow
}

// DayHiLow is the high and the low of one day.
type DayHiLow struct {
	Day       weather.Day
	High, Low weather.Value
	// N is the number of values that both rest on.
	N int
}

func (s *Station) temperature(v *entity.View, q *Temperature) (weather.Summary, error) {
	c, err := s.scope(v, q.Period, q.All)
	if err != nil {
		return weather.Summary{}, err
	}
	m, err := s.measure("temperature")
	if err != nil {
		return weather.Summary{}, err
	}
	year, err := c.year()
	if err != nil {
		return weather.Summary{}, err
	}
	return c.summary(year, m)
}

func (q *HiLow) period() Period { return Period{Year: q.Month.Year, Month: q.Month.Month} }

func (s *Station) hiLow(v *entity.View, q *HiLow) (*HighsAndLows, error) {
	if q.Month.Month == 0 {
		return nil, entity.RejectInvalid("%s is not a month; write one such as 2008-12", q.period()).Because(BadPeriod)
	}
	c, err := s.scope(v, q.period(), q.All)
	if err != nil {
		return nil, err
	}
	m, err := s.measure("temperature")
	if err != nil {
		return nil, err
	}
	year, err := c.year()
	if err != nil {
		return nil, err
	}
	sum, err := c.summary(year, m)
	if err != nil {
		return nil, err
	}
	answer := &HighsAndLows{Month: sum}
	first, last := c.period.days()
	for day := first; day <= last; day++ {
		if a, ok := year.Day(m.ID, day); ok {
			answer.Days = append(answer.Days, DayHiLow{Day: day, High: a.High, Low: a.Low, N: a.N})
		}
	}
	return answer, nil
}
