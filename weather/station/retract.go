package station

import (
	"time"
	"unicode/utf8"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Retract is the command that takes an observation back, as if it had never been.
type Retract struct {
	// Time of the observation.
	Time weather.Minute
	// Reason, for those who look at the history; up to 200 characters.
	Reason string
	// At is when it was asked for.
	At time.Time
}

// Retracted is the reply to a Retract: the observation that went, one row, or
// nothing when it had been retracted before.
type Retracted struct{ Run *weather.Run }

// mostReason is the most characters of a reason.
const mostReason = 200

func (s *Station) retract(v *entity.View, c *Retract) (entity.Events, Retracted, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, Retracted{}, err
	}
	if err := checkTime(c.Time); err != nil {
		return nil, Retracted{}, err
	}
	if n := utf8.RuneCountInString(c.Reason); n > mostReason || !utf8.ValidString(c.Reason) {
		return nil, Retracted{}, entity.RejectInvalid("a reason is a text of up to %d characters, and this one has %d", mostReason, n).Because(BadObservation)
	}
	id := weather.MonthOf(c.Time)
	month, ok := s.months.In(v, monthName(id))
	row := 0
	if ok {
		row, ok = month.Find(c.Time)
	}
	if !ok {
		if history, there := s.histories.In(v, monthName(id)); there && history.retracted(c.Time) {
			return nil, Retracted{}, nil
		}
		return nil, Retracted{}, entity.RejectNotFound("station %s has no observation at %s", v.ID(), c.Time).Because(NoData)
	}
	e := &retracted{old: month.Run(row, row+1), latest: &weather.Run{}, at: seconds(c.At), reason: c.Reason}
	if month.Len() == 1 {
		e.emptied = append(e.emptied, id)
	}
	left := weather.NewMonth(id)
	left.Put(month.Run(0, month.Len()))
	left.Remove(c.Time)
	e.days = s.restate(left, c.Time.Day())
	if c.Time == head.Latest && head.Observations > 1 {
		if e.latest, err = s.newestBelow(v, head, month, row); err != nil {
			return nil, Retracted{}, err
		}
	}
	return entity.Persist(e), Retracted{e.old}, nil
}

// newestBelow returns the newest observation before a row of a month.
func (s *Station) newestBelow(v *entity.View, head *Head, month *weather.Month, row int) (*weather.Run, error) {
	for row == 0 {
		id, ok := head.Months.Before(monthBefore(month.ID()))
		if !ok {
			return &weather.Run{}, nil
		}
		earlier, ok, err := s.months.Look(v, monthName(id))
		if err != nil {
			return nil, err
		}
		if !ok {
			return &weather.Run{}, nil
		}
		month, row = earlier, earlier.Len()
	}
	return month.Run(row-1, row), nil
}

func monthBefore(m weather.YearMonth) weather.YearMonth {
	if m.Month == 1 {
		return weather.YearMonth{Year: m.Year - 1, Month: 12}
	}
	return weather.YearMonth{Year: m.Year, Month: m.Month - 1}
}

// restate returns the aggregates of a day of a month, for all measures.
func (s *Station) restate(month *weather.Month, day weather.Day) []restated {
	all := make([]restated, len(s.catalogue))
	for i := range s.catalogue {
		all[i] = restated{s.catalogue[i].ID, day, weather.DayOf(month, day, &s.catalogue[i])}
	}
	return all
}

// checkTime refuses a time that no observation can have.
func checkTime(t weather.Minute) error {
	if !t.Valid() {
		return entity.RejectInvalid("there are no observations at %s; years go from %d to %d", t, weather.MinYear, weather.MaxYear).Because(BadPeriod)
	}
	return nil
}

// seconds returns a time as events keep it, 0 for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
