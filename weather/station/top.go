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
	c, err := s.scope(v, q.Period, q.All)
	if err != nil {
		return nil, err
	}
	if err := checkPlaces(q.K); err != nil {
		return nil, err
	}
	if q.Period.Day != 0 {
		return nil, entity.RejectInvalid("a ranking is of a year or of a month, not of %s", q.Period).Because(BadPeriod)
	}
	m, err := s.rankable(q.Measure, q.Lowest)
	if err != nil {
		return nil, err
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
	floor, by := weather.Trace, weather.ByHigh // the floor is below all values
	switch {
	case m.Aggregate == weather.AggregateSum:
		floor, by = 0, weather.BySum // a dry hour is none of the wettest
	case q.Lowest:
		ranking, by = weather.NewBottom(q.K), weather.ByLow
	}
	if q.Days {
		year.RankDaysBy(ranking, m.ID, by, first, last, int64(floor))
	} else if err := c.rankTimes(ranking, m, floor); err != nil {
		return nil, err
	}
	answer.Ranks = ranking.Take()
	return answer, nil
}

// checkPlaces refuses a number of places that no ranking has.
func checkPlaces(k int) error {
	if k < 1 || k > MostRanked {
		return entity.RejectInvalid("a ranking has 1 to %d places, not %d", MostRanked, k).Because(BadRanking)
	}
	return nil
}

// rankable returns a measure, unless it has no ranking.
func (s *Station) rankable(id weather.MeasureID, lowest bool) (*weather.Measure, error) {
	m, err := s.measureOf(id)
	if err != nil {
		return nil, err
	}
	switch m.Aggregate {
	case weather.AggregateCircular, weather.AggregateCode:
		return nil, entity.RejectInvalid("%s has no ranking: its values are not more or less than others", m.Name).Because(BadRanking)
	case weather.AggregateSum:
		if lowest {
			return nil, entity.RejectInvalid("amounts of %s are ranked from the highest: of most hours there is none", m.Name).Because(BadRanking)
		}
	case weather.AggregateMean, weather.AggregateMaximum:
	}
	return m, nil
}

// rankTimes offers the observations of the period. The page of the year says which
// days to look at, but does not know what is erroneous.
func (c *scope) rankTimes(ranking *weather.Top, m *weather.Measure, floor weather.Value) error {
	if c.all {
		months, err := c.months(0)
		for _, month := range months {
			month.RankAll(ranking, m.ID, floor)
		}
		return err
	}
	year, err := c.year()
	if err != nil {
		return err
	}
	first, last := c.period.days()
	var lacking error
	year.RankTimes(ranking, m.ID, first, last, floor, func(id weather.YearMonth) *weather.Month {
		month, _, err := c.s.months.Look(c.v, monthName(id))
		if err != nil {
			lacking = err // and look for the others, so that they are read at once
		}
		return month
	})
	return lacking
}
