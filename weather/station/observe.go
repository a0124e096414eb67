package station

import (
	"slices"

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
}

// Observed says what an Observe did with its observations.
type Observed struct {
	Stored     int // new
	Duplicates int // known already
	Corrected  int // another value was known for the time
}

func (s *Station) observeNeeds(dst []entity.PageRef, c *Observe) []entity.PageRef {
	dst = append(dst, s.heads.At(""))
	for _, month := range c.Run.Months() {
		if month.Valid() { // what isn't is refused
			dst = append(dst, s.months.At(monthName(month)))
		}
	}
	return dst
}

func (s *Station) observe(v *entity.View, c *Observe) (entity.Events, Observed, error) {
	var events entity.Events
	if _, err := s.known(v); err != nil {
		if !c.AutoRegister {
			return nil, Observed{}, err
		}
		events = append(events, &storagev1.StationRegistered{Description: describe(weather.NewStation(v.ID()))})
	}
	if err := c.Run.Check(s.catalogue); err != nil {
		return nil, Observed{}, entity.RejectInvalid("%v", err).Because(BadObservation)
	}
	d := s.sort(v, c.Run)
	outcome := Observed{Stored: len(d.fresh), Duplicates: d.duplicates, Corrected: len(d.corrections)}
	if outcome.Stored == 0 && outcome.Corrected == 0 {
		return nil, outcome, nil
	}
	fresh := d.run.Select(d.fresh)
	if len(d.fresh) > 0 {
		events = append(events, &observed{fresh})
	}
	if len(d.corrections) > 0 {
		events = append(events, s.correct(v, fresh, d))
	}
	return events, outcome, nil
}

// sorting is the observations of a run by what they are to the station.
type sorting struct {
	run         *weather.Run // in the order of time
	fresh       []int        // rows of the first observation of a new time
	corrections []correction
	duplicates  int
}

// correction is a row of a run that takes the place of another reading: of a
// row of the same run, or of what the month holds.
type correction struct {
	row    int
	before int // row of the run, or -1
}

func (s *Station) sort(v *entity.View, run *weather.Run) sorting {
	d := sorting{run: run}
	if !run.Sorted() {
		// A copy: the run is the caller's.
		d.run = run.Select(sequence(run.Len()))
		d.run.Sort()
	}
	var month *weather.Month
	id := weather.YearMonth{}
	last := -1 // row that holds for the time, -1 for that of the month
	for i, t := range d.run.Times {
		if i == 0 || t != d.run.Times[i-1] {
			last = -1
			if m := weather.MonthOf(t); m != id {
				id = m
				month, _ = s.months.In(v, monthName(m))
			}
			if month == nil {
				d.fresh = append(d.fresh, i)
				last = i
				continue
			}
			row, known := month.Find(t)
			if !known {
				d.fresh = append(d.fresh, i)
				last = i
				continue
			}
			if month.Same(row, d.run, i) {
				d.duplicates++
				continue
			}
			d.corrections = append(d.corrections, correction{i, -1})
			last = i
			continue
		}
		d.again(month, i, &last)
	}
	return d
}

// again sorts a further observation of the same time as the one before.
func (d *sorting) again(month *weather.Month, i int, last *int) {
	same := false
	if *last >= 0 {
		same = sameRow(d.run, *last, i)
	} else if row, ok := month.Find(d.run.Times[i]); ok {
		same = month.Same(row, d.run, i)
	}
	if same {
		d.duplicates++
		return
	}
	d.corrections = append(d.corrections, correction{i, *last})
	*last = i
}

func sameRow(run *weather.Run, a, b int) bool {
	for m := range run.Columns {
		if run.Value(a, weather.MeasureID(m)) != run.Value(b, weather.MeasureID(m)) {
			return false
		}
	}
	return true
}

func sequence(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// correct makes the event of the corrections: what was, what is, and the
// aggregates that each day has then. It plays them through on copies of the
// months.
func (s *Station) correct(v *entity.View, fresh *weather.Run, d sorting) *corrected {
	e := &corrected{old: &weather.Run{}, new: &weather.Run{}}
	months := make(map[weather.YearMonth]*weather.Month)
	monthAt := func(t weather.Minute) *weather.Month {
		id := weather.MonthOf(t)
		m := months[id]
		if m == nil {
			m = weather.NewMonth(id)
			if held, ok := s.months.In(v, monthName(id)); ok {
				m.Put(held.Run(0, held.Len()))
			}
			m.Put(fresh)
			months[id] = m
		}
		return m
	}
	var days []weather.Day
	for _, c := range d.corrections {
		t := d.run.Times[c.row]
		month := monthAt(t)
		row, _ := month.Find(t)
		e.old.Append(t, month.Row(nil, row)...)
		one := d.run.Slice(c.row, c.row+1)
		e.new.Append(t, values(one, 0)...)
		month.Put(one)
		if day := t.Day(); !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	for _, day := range days {
		month := monthAt(day.Start())
		for i := range s.catalogue {
			e.days = append(e.days, restated{s.catalogue[i].ID, day, weather.DayOf(month, day, &s.catalogue[i])})
		}
	}
	return e
}

func values(run *weather.Run, row int) []weather.Value {
	vs := make([]weather.Value, len(run.Columns))
	for m := range vs {
		vs[m] = run.Value(row, weather.MeasureID(m))
	}
	return vs
}
