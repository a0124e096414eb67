package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// MostRanked is the most places of a ranking.
const MostRanked = 1000

// Top asks for a ranking of the hours or the days of a year or a month by a
// measure.
type Top struct {
	Measure weather.MeasureID
	Period  Period
	// K is the number of places, 1 to MostRanked.
	K int
	// Days ranks days: by their sum, or else by their high, or low with Lowest.
	// Otherwise observations are ranked.
	Days bool
	// Lowest ranks from below; it is not for amounts.
	Lowest bool
	// All counts erroneous values in.
	All bool
}

// Ranking is the answer to a Top.
type Ranking struct {
	// Ranks are the places, the first first.
	Ranks []weather.Ranked
	// N is the number of values that were ranked, and MissingHours those of the
	// period without one.
	N, MissingHours int
}

// TopPrecipitation asks for the wettest hours or days of a year or a month.
type TopPrecipitation struct {
	Period Period
	// K is the number of places, 1 to MostRanked.
	K int
	// Days ranks days by the sum of their one-hour amounts.
	Days bool
	// All counts erroneous values in.
	All bool
}

func (s *Station) topPrecipitation(v *entity.View, q *TopPrecipitation) (*Ranking, error) {
	m, err := s.measure("precipitation_1h")
	if err != nil {
		return nil, err
	}
	return s.top(v, &Top{Measure: m.ID, Period: q.Period, K: q.K, Days: q.Days, All: q.All})
}

func (s *Station) top(v *entity.View, q *Top) (*Ranking, error) {
	if q.K < 1 || q.K > MostRanked {
		return nil, entity.RejectInvalid("a ranking has 1 to %d places, not %d", MostRanked, q.K).Because(BadRanking)
	}
	if q.Period.Day != 0 {
		return nil, entity.RejectInvalid("a ranking is of a year or of a month, not of %s", q.Period).Because(BadPeriod)
	}
	c, err := s.scope(v, q.Period, q.All)
	if err != nil {
		return nil, err
	}
	m, err := s.measureOf(q.Measure)
	if err != nil {
		return nil, err
	}
	switch m.Aggregate {
	case weather.AggregateCircular, weather.AggregateCode:
		return nil, entity.RejectInvalid("%s has no ranking: its values are not more or less than others", m.Name).Because(BadRanking)
	case weather.AggregateSum:
		if q.Lowest {
			return nil, entity.RejectInvalid("amounts of %s are ranked from the highest: of most hours there is none", m.Name).Because(BadRanking)
		}
	case weather.AggregateMean, weather.AggregateMaximum:
	}
	year, err := c.year()
	if err != nil {
		return nil, err
	}
	answer := &Ranking{}
	first, last := c.period.days()
	if year != nil && m.Aggregate == weather.AggregateSum {
		total, _ := totalOf(year, m.ID, c.period) // known, without a look at the days
		answer.N, answer.MissingHours = total.N, total.MissingHours
	} else if year != nil {
		answer.N, _, answer.MissingHours = year.Presence(m.ID, first, last)
	}
	if answer.N == 0 {
		return nil, noData(v, said(m), c.period)
	}
	ranking := weather.NewTop(q.K)
	if q.Lowest {
		ranking = weather.NewBottom(q.K)
	}
	floor := weather.Trace // below all values
	by := weather.ByHigh
	switch {
	case m.Aggregate == weather.AggregateSum:
		floor, by = 0, weather.BySum // a dry hour is none of the wettest
	case q.Lowest:
		by = weather.ByLow
	}
	if q.Days {
		year.RankDaysBy(ranking, m.ID, by, first, last, int64(floor))
		answer.Ranks = ranking.List()
		return answer, nil
	}
	months, err := c.months(0)
	if err != nil {
		return nil, err
	}
	if !q.All {
		year.RankTimes(ranking, months, m.ID, floor)
		months = nil
	}
	for _, month := range months { // the page of the year does not have what is erroneous
		month.RankAll(ranking, m.ID, floor)
	}
	answer.Ranks = ranking.List()
	return answer, nil
}
