package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// KindName is the name of the kind in stores.
const KindName = "station"

// Reasons of rejections.
const (
	// UnknownStation: nothing was registered under the id.
	UnknownStation = "UNKNOWN_STATION"
	// NoData: there are no observations to answer from.
	NoData = "NO_DATA"
	// BadStation: what was to be registered is malformed.
	BadStation = "BAD_STATION"
	// BadObservation: an observation can't be.
	BadObservation = "BAD_OBSERVATION"
	// BadPeriod: a period does not exist.
	BadPeriod = "BAD_PERIOD"
)

// Station is the kind of weather stations that keep the measures of a
// catalogue, and what they can be asked.
type Station struct {
	*entity.Kind
	catalogue weather.Catalogue
	stored    weather.Catalogue // for what is read back: limits may have changed since

	heads  entity.PageSet[*Head]
	years  entity.PageSet[*weather.Year]
	months entity.PageSet[*weather.Month]
	places *entity.Index

	// Register makes a station known, or changes what is known of it.
	Register *entity.Handle[*Register, Registration]
	// Observe takes observations.
	Observe *entity.Handle[*Observe, Observed]
	// Remove deletes the station with all of its observations.
	Remove *entity.Handle[*Remove, uint64]
	// Head answers what the station is.
	Head *entity.Handle[*GetHead, *Head]
	// Temperature describes the temperature of a day, a month or a year.
	Temperature *entity.Handle[*Temperature, weather.Summary]
	// Precipitation sums the one-hour amounts of a day, a month or a year.
	Precipitation *entity.Handle[*Precipitation, weather.Total]
	// Readings returns the observations of a month.
	Readings *entity.Handle[*Readings, *weather.Run]
}

// New returns the kind for a catalogue.
func New(catalogue weather.Catalogue) *Station {
	s := &Station{Kind: entity.NewKind(KindName), catalogue: catalogue, stored: catalogue.Widest()}
	s.declareEvents()
	s.declarePages()
	s.declarePlaces()
	s.Register = entity.CommandOn(s.Kind, needHead[*Register](s), s.register)
	s.Observe = entity.CommandOn(s.Kind, s.observeNeeds, s.observe).Together(s.observeTogether)
	s.Remove = entity.CommandOn(s.Kind, needHead[*Remove](s), s.remove)
	s.Head = entity.QueryOn(s.Kind, needHead[*GetHead](s), s.head)
	s.Temperature = entity.QueryOn(s.Kind, s.temperatureNeeds, s.temperature)
	s.Precipitation = entity.QueryOn(s.Kind, s.precipitationNeeds, s.precipitation)
	s.Readings = entity.QueryOn(s.Kind, s.readingsNeeds, s.readings)
	return s
}

// Catalogue returns the measures that the stations keep.
func (s *Station) Catalogue() weather.Catalogue { return s.catalogue }

func needHead[C any](s *Station) func(dst []entity.PageRef, _ C) []entity.PageRef {
	return func(dst []entity.PageRef, _ C) []entity.PageRef { return append(dst, s.heads.At("")) }
}

// known returns the head of a registered station, or the refusal.
func (s *Station) known(v *entity.View) (*Head, error) {
	if head, ok := s.heads.In(v, ""); ok && head.Registered {
		return head, nil
	}
	return nil, entity.RejectNotFound("station %s is not registered; register it, or check its id", v.ID()).Because(UnknownStation)
}
