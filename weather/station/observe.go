package station

import (
	"slices"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// Observe is the command that takes observations, in any order. The run must
// not change until the command is answered.
type Observe struct {
	Run *weather.Run
	// AutoRegister makes a station known by its id alone, instead of refusing
	// observations of one that is not registered.
	AutoRegister bool
	// At is when they came, for the history of those that are corrected.
	At time.Time
}

// Observed says what an Observe did with its observations.
type Observed struct {
	Stored     int // new
	Duplicates int // known already
	Corrected  int // another value was known for the time
}

func (s *Station) observeNeeds(dst []entity.PageRef, c *Observe) []entity.PageRef {
	var some [4]weather.YearMonth // enough to stay off the heap, most often
	return s.needMonths(dst, c.Run.AppendMonths(some[:0]))
}

// observeNeedsTogether is observeNeeds of several commands.
func (s *Station) observeNeedsTogether(dst []entity.PageRef, commands []*Observe) []entity.PageRef {
	var some [4]weather.YearMonth
	var all [entity.RunCalls]*weather.Run
	runs := all[:0]
	for _, c := range commands {
		runs = append(runs, c.Run)
	}
	return s.needMonths(dst, weather.AppendMonths(some[:0], runs...))
}

// needMonths appends the pages that observations of those months touch.
func (s *Station) needMonths(dst []entity.PageRef, months []weather.YearMonth) []entity.PageRef {
	dst = append(dst, s.heads.At(""))
	for _, month := range months {
		if month.Valid() { // what isn't is refused
			dst = append(dst, s.months.At(monthName(month)))
			if year := s.years.At(yearName(month.Year)); dst[len(dst)-2] != year && !slices.Contains(dst, year) {
				dst = append(dst, year)
			}
		}
	}
	return dst
}

func (s *Station) observe(v *entity.View, c *Observe) (entity.Events, Observed, error) {
	var events entity.Events
	var profile weather.Profile
	head, err := s.known(v)
	switch {
	case err == nil:
		profile = head.Profile
	case !c.AutoRegister:
		return nil, Observed{}, err
	default:
		events = append(events, &storagev1.StationRegistered{Description: describe(weather.NewStation(v.ID()))})
	}
	if err := c.Run.Check(s.catalogue); err != nil {
		return nil, Observed{}, entity.RejectInvalid("%v", err).Because(BadObservation)
	}
	run := weather.Judge(s.catalogue, profile, c.Run)
	changes := s.compare(v, run)
	outcome := Observed{Stored: changes.Stored, Duplicates: changes.Duplicates, Corrected: changes.Replaced}
	fresh := changes.FreshOf(run)
	if fresh.Len() > 0 {
		events = append(events, &observed{fresh, s.within(v, fresh)})
	}
	if len(changes.Corrected) > 0 {
		e := s.correct(v, fresh, run.Select(changes.Corrected))
		e.at = seconds(c.At)
		events = append(events, e)
	}
	if fresh.Len() == 0 && len(changes.Corrected) == 0 {
		events = nil // an empty run registers nobody
	}
	return events, outcome, nil
}

// observeTogether takes the observations of several commands as one run, where
// all of them are new.
func (s *Station) observeTogether(v *entity.View, commands []*Observe, outcomes []Observed) (entity.Events, bool) {
	head, err := s.known(v)
	if err != nil {
		return nil, false
	}
	rows := 0
	var some [entity.RunCalls]*weather.Run
	runs := some[:0]
	for i, c := range commands {
		if !c.Run.Even() {
			return nil, false
		}
		rows += c.Run.Len()
		runs, outcomes[i] = append(runs, c.Run), Observed{Stored: c.Run.Len()}
	}
	if rows == 0 || rows > weather.MaxRun {
		return nil, false
	}
	run := weather.Concat(runs...)
	if run.Check(s.catalogue) != nil { // whose it is shows when each is decided on by itself
		return nil, false
	}
	run = weather.Judge(s.catalogue, head.Profile, run)
	changes := s.compare(v, run)
	if changes.Stored < rows {
		return nil, false
	}
	fresh := changes.FreshOf(run)
	return entity.Persist(&observed{fresh, s.within(v, fresh)}), true
}

// compare finds what is new in a run.
func (s *Station) compare(v *entity.View, run *weather.Run) weather.Changes {
	return weather.Compare(run, func(id weather.YearMonth) *weather.Month {
		month, _ := s.months.In(v, monthName(id))
		return month
	})
}

// correct makes the event of observations that take the place of others: what
// was, what is, and the aggregates that each day has then, fresh observations of
// the same command included. It plays them through on copies of the months.
func (s *Station) correct(v *entity.View, fresh, better *weather.Run) *corrected {
	e := &corrected{old: &weather.Run{}, new: better}
	var days []weather.Day
	var month *weather.Month
	for _, t := range better.Times {
		if id := weather.MonthOf(t); month == nil || month.ID() != id {
			month, _ = s.months.In(v, monthName(id))
		}
		row, _ := month.Find(t)
		e.old.Append(t, month.Row(nil, row)...)
		if day := t.Day(); !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	month = nil
	for _, day := range days {
		if id := weather.MonthOf(day.Start()); month == nil || month.ID() != id {
			held, _ := s.months.In(v, monthName(id))
			month = weather.NewMonth(id)
			month.Put(held.Run(0, held.Len()))
			month.Put(fresh)
			month.Put(better)
		}
		e.days = append(e.days, s.restate(month, day)...)
	}
	return e
}
