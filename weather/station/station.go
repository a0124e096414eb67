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
	// BadRanking: a ranking of so many places, or of such a measure, makes no
	// sense.
	BadRanking = "BAD_RANKING"
	// BadProfile: ranges of a station that can't be.
	BadProfile = "BAD_PROFILE"
	// NotMeasured: the network does not have the measure.
	NotMeasured = "NOT_MEASURED"
)

// Station is the kind of weather stations that keep the measures of a
// catalogue, and what they can be asked.
type Station struct {
	*entity.Kind
	catalogue weather.Catalogue
	stored    weather.Catalogue // for what is read back: limits may have changed since

	heads     entity.PageSet[*Head]
	years     entity.PageSet[*weather.Year]
	months    entity.PageSet[*weather.Month]
	histories entity.PageSet[*history]
	places    *entity.Index
	reaches   *entity.Index
	erroneous *entity.Index

	// Register makes a station known, or changes what is known of it.
	Register *entity.Handle[*Register, Registration]
	// Observe takes observations.
	Observe *entity.Handle[*Observe, Observed]
	// Retract takes an observation back.
	Retract *entity.Handle[*Retract, Retracted]
	// SetProfile gives the station ranges of its own.
	SetProfile *entity.Handle[*SetProfile, weather.Profile]
	// Remove deletes the station with all of its observations.
	Remove *entity.Handle[*Remove, uint64]

	// Head answers what the station is.
	Head *entity.Handle[*GetHead, *Head]
	// Profile returns its own ranges.
	Profile *entity.Handle[*GetProfile, weather.Profile]
	// Current returns the latest observation at or before a time.
	Current *entity.Handle[*Current, *Observations]
	// Range returns observations from a time on.
	Range *entity.Handle[*Range, *Observations]
	// History tells what became of an observation.
	History *entity.Handle[*History, *Past]
	// Temperature describes the temperature of a day, a month or a year.
	Temperature *entity.Handle[*Temperature, weather.Summary]
	// HiLow returns the highs and lows of a month.
	HiLow *entity.Handle[*HiLow, *HighsAndLows]
	// Precipitation sums the amounts of a day, a month or a year.
	Precipitation *entity.Handle[*Precipitation, weather.Total]
	// TopPrecipitation ranks the wettest hours or days.
	TopPrecipitation *entity.Handle[*TopPrecipitation, *Ranking]
	// SkyConditions counts the sky conditions of a period.
	SkyConditions *entity.Handle[*SkyConditions, *Described]
	// Wind describes the wind of a period.
	Wind *entity.Handle[*Wind, *Winds]
	// Statistics describes any measure.
	Statistics *entity.Handle[*Statistics, *Described]
	// Top ranks hours or days by any measure.
	Top *entity.Handle[*Top, *Ranking]
	// Score says what the station has to show in a ranking of stations.
	Score *entity.Handle[*Score, Scored]
}

// New returns the kind for a catalogue.
func New(catalogue weather.Catalogue) *Station {
	s := &Station{Kind: entity.NewKind(KindName), catalogue: catalogue, stored: catalogue.Widest()}
	s.declareEvents()
	s.declarePages()
	s.declarePlaces()
	s.declareReaches()
	s.Register = entity.CommandOn(s.Kind, needHead[*Register](s), s.register)
	s.Observe = entity.CommandOn(s.Kind, s.observeNeeds, s.observe).Together(s.observeTogether).NeedTogether(s.observeNeedsTogether)
	s.Retract = entity.CommandOn(s.Kind, needPast(s, func(c *Retract) weather.Minute { return c.Time }), s.retract)
	s.SetProfile = entity.CommandOn(s.Kind, needHead[*SetProfile](s), s.setProfile)
	s.Remove = entity.CommandOn(s.Kind, needHead[*Remove](s), s.remove)
	s.Head = entity.QueryOn(s.Kind, needHead[*GetHead](s), s.head)
	s.Profile = entity.QueryOn(s.Kind, needHead[*GetProfile](s), s.profile)
	s.Current = entity.QueryOn(s.Kind, needHead[*Current](s), s.current)
	s.Range = entity.QueryOn(s.Kind, needHead[*Range](s), s.rangeOf)
	s.History = entity.QueryOn(s.Kind, needPast(s, func(q *History) weather.Minute { return q.Time }), s.history)
	s.Temperature = entity.QueryOn(s.Kind, needYear(s, func(q *Temperature) Period { return q.Period }), s.temperature)
	s.HiLow = entity.QueryOn(s.Kind, needYear(s, (*HiLow).period), s.hiLow)
	s.Precipitation = entity.QueryOn(s.Kind, needYear(s, func(q *Precipitation) Period { return q.Period }), s.precipitation)
	s.TopPrecipitation = entity.QueryOn(s.Kind, needYear(s, func(q *TopPrecipitation) Period { return q.Period }), s.topPrecipitation)
	s.SkyConditions = entity.QueryOn(s.Kind, needYear(s, func(q *SkyConditions) Period { return q.Period }), s.skyConditions)
	s.Wind = entity.QueryOn(s.Kind, needYear(s, func(q *Wind) Period { return q.Period }), s.wind)
	s.Statistics = entity.QueryOn(s.Kind, needYear(s, func(q *Statistics) Period { return q.Period }), s.statistics)
	s.Top = entity.QueryOn(s.Kind, needYear(s, func(q *Top) Period { return q.Period }), s.top)
	s.Score = entity.QueryOn(s.Kind, s.scoreNeeds, s.score)
	s.declareWire()
	return s
}

// Catalogue returns the measures that the stations keep.
func (s *Station) Catalogue() weather.Catalogue { return s.catalogue }

func needHead[C any](s *Station) func(dst []entity.PageRef, _ C) []entity.PageRef {
	return func(dst []entity.PageRef, _ C) []entity.PageRef { return append(dst, s.heads.At("")) }
}

// needYear asks for what nearly every question about a period is answered from.
func needYear[Q any](s *Station, period func(q Q) Period) func(dst []entity.PageRef, q Q) []entity.PageRef {
	return func(dst []entity.PageRef, q Q) []entity.PageRef {
		return append(dst, s.heads.At(""), s.years.At(yearName(period(q).Year)))
	}
}

// known returns the head of a registered station, or the refusal.
func (s *Station) known(v *entity.View) (*Head, error) {
	if head, ok := s.heads.In(v, ""); ok && head.Registered {
		return head, nil
	}
	return nil, entity.RejectNotFound("station %s is not registered; register it, or check its id", v.ID()).Because(UnknownStation)
}
