package station

import (
	"slices"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// Head is the page of what is known of a station at any time.
type Head struct {
	// Station is its description.
	Station weather.Station
	// Registered says that it is known; observations alone don't make it so.
	Registered bool
	// Observations is the number of observations held.
	Observations uint64
	// Latest is the time of the newest observation, if there is any, and Values
	// are what it measured, by measure; those beyond their end are missing.
	Latest weather.Minute
	Values []weather.Value
	// Months are those of which observations are held.
	Months weather.MonthSet
	// Profile has the ranges that are the station's own.
	Profile weather.Profile
}

// Register is the command that makes a station known. Its id is the entity's.
type Register struct{ Station weather.Station }

// Registration says what a Register did.
type Registration int

// What a Register did.
const (
	Registered Registration = iota + 1 // the station is new
	Updated                            // something that was known of it has changed
	Unchanged                          // it was known just so
)

// Remove is the command that deletes a station; its reply is how many
// observations went.
type Remove struct{}

// GetHead asks for the head.
type GetHead struct{}

func (s *Station) register(v *entity.View, c *Register) (entity.Events, Registration, error) {
	c.Station.ID = v.ID()
	if err := c.Station.Validate(); err != nil {
		return nil, 0, entity.RejectInvalid("%v", err).Because(BadStation)
	}
	outcome := Registered
	if head, ok := s.heads.In(v, ""); ok && head.Registered {
		if head.Station == c.Station {
			return nil, Unchanged, nil
		}
		outcome = Updated
	}
	return entity.Persist(&storagev1.StationRegistered{Description: describe(c.Station)}), outcome, nil
}

func (s *Station) remove(v *entity.View, _ *Remove) (entity.Events, uint64, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, 0, err
	}
	return entity.Persist(entity.Delete()), head.Observations, nil
}

func (s *Station) head(v *entity.View, _ *GetHead) (*Head, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, err
	}
	reply := *head // the page goes on changing
	reply.Values, reply.Months, reply.Profile = slices.Clone(head.Values), head.Months.Clone(), slices.Clone(head.Profile)
	return &reply, nil
}

func touchesHead(dst []string, event any) []string {
	switch event.(type) {
	case *storagev1.StationRegistered, *storagev1.QualityProfileSet, *observed, *corrected, *retracted:
		return append(dst, "")
	}
	return dst
}

func evolveHead(h *Head, event any) {
	switch e := event.(type) {
	case *storagev1.StationRegistered:
		h.Registered = true
		h.Station = station(e.GetDescription())
	case *storagev1.QualityProfileSet:
		h.Profile = profileOf(e.GetRanges())
	case *observed:
		h.take(e.run)
	case *corrected:
		if row := slices.Index(e.new.Times, h.Latest); row >= 0 && h.Observations > 0 {
			h.show(e.new, row)
		}
	case *retracted:
		h.giveBack(e)
	}
}

// take counts observations that are new.
func (h *Head) take(run *weather.Run) {
	if run.Len() == 0 {
		return
	}
	var some [4]weather.YearMonth // enough to stay off the heap, most often
	for _, month := range run.AppendMonths(some[:0]) {
		h.Months.Add(month)
	}
	newest := 0
	for row, t := range run.Times {
		if t >= run.Times[newest] {
			newest = row
		}
	}
	if t := run.Times[newest]; h.Observations == 0 || t > h.Latest {
		h.Latest = t
		h.show(run, newest)
	}
	h.Observations += uint64(run.Len())
}

// show makes a row of a run the newest observation's values.
func (h *Head) show(run *weather.Run, row int) {
	measures := len(run.Columns)
	for measures > 0 && run.Value(row, weather.MeasureID(measures-1)) == weather.Missing {
		measures--
	}
	if cap(h.Values) < measures || cap(h.Values) > 2*measures {
		h.Values = make([]weather.Value, 0, measures) // heads are many: no room to grow into
	}
	h.Values = h.Values[:measures]
	for m := range h.Values {
		h.Values[m] = run.Value(row, weather.MeasureID(m))
	}
}

// giveBack takes observations out again.
func (h *Head) giveBack(e *retracted) {
	h.Observations -= uint64(e.old.Len())
	for _, month := range e.emptied {
		h.Months.Remove(month)
	}
	switch {
	case h.Observations == 0:
		h.Latest, h.Values = 0, nil
	case e.latest.Len() == 1:
		h.Latest = e.latest.Times[0]
		h.show(e.latest, 0)
	}
}
