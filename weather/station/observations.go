package station

import (
	"math"
	"slices"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Always is a time that no observation comes after.
const Always weather.Minute = math.MaxInt32

// Current asks for the latest observation at or before a time; Always for the
// latest there is.
type Current struct{ At weather.Minute }

// Range asks for the observations from a time up to before another, in their
// order. What one answer has is of one month; Next says where the rest begins.
type Range struct {
	From, To weather.Minute
	// Limit is the most to return, 0 for as many as the month has.
	Limit int
	// Flags asks for what quality control says of each value.
	Flags bool
}

// Observations are an answer.
type Observations struct {
	// Run has them, in the order of time.
	Run *weather.Run
	// Flags has, if they were asked for, what quality control says of each of
	// them: by row, and in it by measure of the catalogue.
	Flags [][]weather.Flag
	// Next is where the rest begins, if More says that there may be one.
	Next weather.Minute
	More bool
}

func (s *Station) current(v *entity.View, q *Current) (*Observations, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, err
	}
	if q.At != Always {
		if err := checkTime(q.At); err != nil {
			return nil, err
		}
	}
	at := min(q.At, head.Latest)
	for id, ok := head.Months.Before(weather.MonthOf(at)); ok && head.Observations > 0; id, ok = head.Months.Before(monthBefore(id)) {
		month, held, err := s.months.Look(v, monthName(id))
		if err != nil {
			return nil, err
		}
		if !held {
			continue
		}
		row, ok := month.Latest(at)
		if !ok {
			continue
		}
		flags, err := s.flags(v, head, month, row, row+1)
		if err != nil {
			return nil, err
		}
		return &Observations{Run: month.Run(row, row+1), Flags: flags}, nil
	}
	if q.At == Always {
		return nil, entity.RejectNotFound("station %s has no observations yet", v.ID()).Because(NoData)
	}
	return nil, entity.RejectNotFound("station %s has no observation at or before %s", v.ID(), q.At).Because(NoData)
}

func (s *Station) rangeOf(v *entity.View, q *Range) (*Observations, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, err
	}
	if q.From >= q.To {
		return nil, entity.RejectInvalid("a time ends after it begins, and this one from %s to %s does not", q.From, q.To).Because(BadPeriod)
	}
	from := max(q.From, firstMinute)
	for id, ok := head.Months.After(weather.MonthOf(from)); ok && id.First().Start() < q.To; id, ok = head.Months.After(monthAfter(id)) {
		month, held, err := s.months.Look(v, monthName(id))
		if err != nil {
			return nil, err
		}
		if !held {
			continue
		}
		first, last := month.Rows(from, q.To)
		if first == last {
			continue
		}
		answer := &Observations{}
		if q.Limit > 0 && last-first > q.Limit {
			last = first + q.Limit
			answer.Next, answer.More = month.Time(last), true
		} else if next, ok := head.Months.After(monthAfter(id)); ok && next.First().Start() < q.To {
			answer.Next, answer.More = next.First().Start(), true
		}
		answer.Run = month.Run(first, last)
		if q.Flags {
			if answer.Flags, err = s.flags(v, head, month, first, last); err != nil {
				return nil, err
			}
		}
		return answer, nil
	}
	return nil, entity.RejectNotFound("station %s has no observations from %s to before %s", v.ID(), from, min(q.To, lastMinute)).Because(NoData)
}

var (
	firstMinute = weather.YearMonth{Year: weather.MinYear, Month: 1}.First().Start()
	lastMinute  = (weather.YearMonth{Year: weather.MaxYear, Month: 12}.First() + 31).Start() - 1
)

func monthAfter(m weather.YearMonth) weather.YearMonth {
	if m.Month == 12 {
		return weather.YearMonth{Year: m.Year + 1, Month: 1}
	}
	return weather.YearMonth{Year: m.Year, Month: m.Month + 1}
}

// flags returns what quality control says of some rows of a month.
func (s *Station) flags(v *entity.View, head *Head, month *weather.Month, from, to int) ([][]weather.Flag, error) {
	var before *weather.Month
	if id := monthBefore(month.ID()); head.Months.Has(id) {
		var err error
		if before, _, err = s.months.Look(v, monthName(id)); err != nil {
			return nil, err
		}
	}
	all := make([][]weather.Flag, 0, to-from)
	for _, flags := range weather.Inspect(s.catalogue, month, before, from, to) {
		all = append(all, slices.Clone(flags))
	}
	return all, nil
}
