package station

import (
	"fmt"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Bucket is a period or, when Hourly is set, the Hour, 0 to 23, of one that is a day.
type Bucket struct {
	Period
	Hourly bool
	Hour   int
}

// String returns the bucket as 2008, 2008-12, 2008-12-01 or 2008-12-01T15.
func (b Bucket) String() string {
	if b.Hourly {
		return fmt.Sprintf("%sT%02d", b.Period, b.Hour)
	}
	return b.Period.String()
}

// Validate returns an error unless the bucket exists.
func (b Bucket) Validate() error {
	if err := b.Period.Validate(); err != nil || !b.Hourly {
		return err
	}
	if b.Day == 0 || b.Hour < 0 || b.Hour > 23 {
		return entity.RejectInvalid("there is no hour %d of %s; an hour, 0 to 23, is of a day", b.Hour, b.Period).Because(BadPeriod)
	}
	return nil
}

// begin returns the first minute of an hour that is valid.
func (b Bucket) begin() weather.Minute {
	from, _ := b.span()
	return from + weather.Minute(60*b.Hour)
}

// Score asks what a station has to show in a ranking of stations.
type Score struct {
	Measure weather.MeasureID
	Bucket  Bucket
	// Lowest asks for the low.
	Lowest bool
	// All counts erroneous values in.
	All bool
}

// Scored is the answer to a Score.
type Scored struct {
	// Value is the sum or, of what does not sum, the high or the low.
	Value int64
	// At is when the high or the low was first reached.
	At weather.Minute
	// N is the number of values that it rests on, 0 when there are none, and
	// MissingHours those of the bucket without one.
	N, MissingHours int
}

func (s *Station) scoreNeeds(dst []entity.PageRef, q *Score) []entity.PageRef {
	dst = append(dst, s.heads.At(""), s.years.At(yearName(q.Bucket.Year)))
	if q.Bucket.Hourly {
		dst = append(dst, s.months.At(monthName(weather.YearMonth{Year: q.Bucket.Year, Month: q.Bucket.Month})))
	}
	return dst
}

func (s *Station) score(v *entity.View, q *Score) (Scored, error) {
	c, err := s.scope(v, q.Bucket.Period, q.All)
	if err != nil {
		return Scored{}, err
	}
	m, err := s.measureOf(q.Measure)
	if err != nil {
		return Scored{}, err
	}
	if q.Bucket.Hourly {
		return s.scoreHour(v, q, m), nil
	}
	year, err := c.year()
	if err != nil || year == nil {
		return Scored{}, err
	}
	if m.Aggregate == weather.AggregateSum {
		total, _ := totalOf(year, m.ID, c.period)
		return Scored{Value: total.Sum, N: total.N, MissingHours: total.MissingHours}, nil
	}
	first, last := c.period.days()
	e, _ := year.Extremes(m.ID, first, last)
	found := Scored{Value: int64(e.High), At: e.HighAt, N: e.N, MissingHours: e.MissingHours}
	if q.Lowest {
		found.Value, found.At = int64(e.Low), e.LowAt
	}
	return found, nil
}

func (s *Station) scoreHour(v *entity.View, q *Score, m *weather.Measure) Scored {
	begin := q.Bucket.begin()
	month, ok := s.months.In(v, monthName(weather.MonthOf(begin)))
	if !ok {
		return Scored{}
	}
	a := weather.HourOf(month, begin, m, q.All)
	switch {
	case m.Aggregate == weather.AggregateSum:
		return Scored{Value: a.Sum, N: a.N}
	case q.Lowest:
		return Scored{Value: int64(a.Low), At: a.LowAt, N: a.N}
	}
	return Scored{Value: int64(a.High), At: a.HighAt, N: a.N}
}
