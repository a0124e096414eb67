package station

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// observed is the event of observations that are new: of times that the station
// had none for, each once.
type observed struct {
	run *weather.Run
	// within says that no index changes. It is not stored: of what is read back,
	// that is not known.
	within bool
}

// corrected is the event of observations that take other values. old and new
// stand side by side.
type corrected struct {
	old, new *weather.Run
	days     []restated
	at       int64 // seconds since 1970
}

// retracted is the event of observations that are taken back.
type retracted struct {
	old     *weather.Run
	days    []restated
	latest  *weather.Run // the newest of what is left, if the newest went
	emptied []weather.YearMonth
	at      int64 // seconds since 1970
	reason  string
}

// restated is a day's aggregate after a correction or a retraction.
type restated struct {
	measure   weather.MeasureID
	day       weather.Day
	aggregate weather.DayAggregate
}

func (s *Station) declareEvents() {
	entity.Event(s.Kind, "observed", entity.EventCodec[*observed]{
		Version: 1,
		Append:  func(dst []byte, e *observed) []byte { return weather.AppendRun(dst, e.run) },
		Decode: func(_ uint32, b []byte) (*observed, error) {
			run, err := s.decodeRun(b)
			return &observed{run: run}, err
		},
		Join: func(into *observed, _ uint32, b []byte) (*observed, bool, error) {
			if into.run.Len() >= joinedObservations {
				return nil, false, nil
			}
			before := into.run.Len()
			if err := weather.JoinRun(into.run, b); err != nil {
				return nil, false, err
			}
			return into, true, into.run.CheckStoredFrom(s.stored, before)
		},
	})
	entity.Event(s.Kind, "corrected", entity.EventCodec[*corrected]{
		Version: 1, Append: appendCorrected, Decode: s.decodeCorrected,
	})
	entity.Event(s.Kind, "retracted", entity.EventCodec[*retracted]{
		Version: 1, Append: appendRetracted, Decode: s.decodeRetracted,
	})
}

// joinedObservations is how many observations are replayed at once: five months
// of hours. More of them is no faster.
const joinedObservations = 4096

// decodeRun reads a run and checks that it fits the catalogue: a page would
// take anything. The limits of its day were perhaps wider than those of today.
func (s *Station) decodeRun(b []byte) (*weather.Run, error) {
	run, err := weather.DecodeRun(b)
	if err != nil {
		return nil, err
	}
	return run, run.CheckStored(s.stored)
}

func appendCorrected(dst []byte, e *corrected) []byte {
	return appendProto(dst, &storagev1.ObservationsCorrected{
		Old: weather.AppendRun(nil, e.old), New: weather.AppendRun(nil, e.new), Days: storeDays(e.days), At: e.at,
	})
}

func (s *Station) decodeCorrected(_ uint32, b []byte) (*corrected, error) {
	m := &storagev1.ObservationsCorrected{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("station: correction: %w", err)
	}
	e := &corrected{at: m.GetAt()}
	var err error
	if e.old, err = s.decodeRun(m.GetOld()); err != nil {
		return nil, fmt.Errorf("station: correction, before: %w", err)
	}
	if e.new, err = s.decodeRun(m.GetNew()); err != nil {
		return nil, fmt.Errorf("station: correction, after: %w", err)
	}
	if e.old.Len() != e.new.Len() {
		return nil, fmt.Errorf("station: correction of %d observations into %d", e.old.Len(), e.new.Len())
	}
	if e.days, err = s.readDays(m.GetDays()); err != nil {
		return nil, fmt.Errorf("station: correction: %w", err)
	}
	return e, nil
}

func appendRetracted(dst []byte, e *retracted) []byte {
	m := &storagev1.ObservationsRetracted{
		Old: weather.AppendRun(nil, e.old), Days: storeDays(e.days), At: e.at, Reason: e.reason,
	}
	if e.latest.Len() > 0 {
		m.Latest = weather.AppendRun(nil, e.latest)
	}
	for _, month := range e.emptied {
		m.Emptied = append(m.Emptied, int32(12*month.Year+month.Month-1))
	}
	return appendProto(dst, m)
}

func (s *Station) decodeRetracted(_ uint32, b []byte) (*retracted, error) {
	m := &storagev1.ObservationsRetracted{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("station: retraction: %w", err)
	}
	e := &retracted{at: m.GetAt(), reason: m.GetReason(), latest: &weather.Run{}}
	var err error
	if e.old, err = s.decodeRun(m.GetOld()); err != nil {
		return nil, fmt.Errorf("station: retraction: %w", err)
	}
	if len(m.GetLatest()) > 0 {
		if e.latest, err = s.decodeRun(m.GetLatest()); err != nil {
			return nil, fmt.Errorf("station: retraction, the latest that is left: %w", err)
		}
	}
	if e.latest.Len() > 1 {
		return nil, fmt.Errorf("station: retraction that leaves %d latest observations", e.latest.Len())
	}
	if e.days, err = s.readDays(m.GetDays()); err != nil {
		return nil, fmt.Errorf("station: retraction: %w", err)
	}
	for _, n := range m.GetEmptied() {
		month := weather.YearMonth{Year: int(n / 12), Month: int(n%12) + 1}
		if !month.Valid() {
			return nil, fmt.Errorf("station: retraction: there is no month %d", n)
		}
		e.emptied = append(e.emptied, month)
	}
	return e, nil
}

func storeDays(days []restated) (stored []*storagev1.RestatedDay) {
	for _, d := range days {
		a := d.aggregate
		r := &storagev1.RestatedDay{
			Measure: uint32(d.measure), Day: int32(d.day), N: uint32(a.N),
			Sum: a.Sum, Squares: a.Squares, LowAt: int32(a.LowAt), HighAt: int32(a.HighAt),
			Traces: uint32(a.Traces), Hours: a.Hours,
		}
		if a.Low != weather.Missing {
			r.Low = proto.Int32(int32(a.Low))
		}
		if a.High != weather.Missing {
			r.High = proto.Int32(int32(a.High))
		}
		stored = append(stored, r)
	}
	return stored
}

func (s *Station) readDays(stored []*storagev1.RestatedDay) (days []restated, err error) {
	for _, r := range stored {
		a := weather.DayAggregate{
			N: int(r.GetN()), Sum: r.GetSum(), Squares: r.GetSquares(), Low: weather.Missing, High: weather.Missing,
			LowAt: weather.Minute(r.GetLowAt()), HighAt: weather.Minute(r.GetHighAt()),
			Traces: int(r.GetTraces()), Hours: r.GetHours(),
		}
		if r.Low != nil {
			a.Low = weather.Value(r.GetLow())
		}
		if r.High != nil {
			a.High = weather.Value(r.GetHigh())
		}
		if int(r.GetMeasure()) >= len(s.catalogue) {
			return nil, fmt.Errorf("it restates measure %d, and the catalogue has %d", r.GetMeasure(), len(s.catalogue))
		}
		days = append(days, restated{weather.MeasureID(r.GetMeasure()), weather.Day(r.GetDay()), a})
	}
	return days, nil
}
