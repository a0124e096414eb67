package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mesonet/mesonet/actors/entity"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

const (
	maxRecorded             = 1_000
	defaultObservationsPage = 100
	maxObservationsPage     = 10_000
)

// RecordObservations stores observations, each by itself. Those of one station are
// sent to it in their order, and so take effect in it.
func (s *Server) RecordObservations(ctx context.Context, r *mesonetv1.RecordObservationsRequest) (*mesonetv1.RecordObservationsResponse, error) {
	all := r.GetObservations()
	if n := len(all); n > maxRecorded {
		return nil, invalid(fmt.Sprintf("%d observations are too many for one call; send at most %d, or a stream to IngestService", n, maxRecorded))
	}
	response := &mesonetv1.RecordObservationsResponse{Outcomes: make([]*mesonetv1.RecordOutcome, len(all))}
	commands := make([]*station.Observe, len(all))
	now := s.cfg.Now()
	for i, o := range all {
		response.Outcomes[i] = &mesonetv1.RecordOutcome{Status: mesonetv1.RecordOutcome_STATUS_FAILED}
		run, err := s.fromObservation(o)
		if err != nil {
			response.Outcomes[i].Failure = failure(err)
			s.observed(Observed{Refused: 1})
			continue
		}
		commands[i] = &station.Observe{Run: run, AutoRegister: s.cfg.AutoRegister, At: now}
	}
	err := askEach(ctx, s, s.stations.Observe, commands, func(i int) string { return all[i].GetStation() }, nil,
		func(i int, done station.Observed, t entity.Token, err error) {
			o := response.GetOutcomes()[i]
			if o.Failure = failure(err); err == nil {
				o.Status, o.Token = recorded(done), s.token(t)
			}
			s.observed(observedOf(1, done, err))
		})
	if err != nil {
		return nil, Status(fmt.Errorf("%w: the observations were not all stored in time: %w", entity.ErrUnknown, err))
	}
	return response, nil
}

// recorded is what became of one observation.
func recorded(done station.Observed) mesonetv1.RecordOutcome_Status {
	switch {
	case done.Stored > 0:
		return mesonetv1.RecordOutcome_STATUS_STORED
	case done.Corrected > 0:
		return mesonetv1.RecordOutcome_STATUS_CORRECTED
	}
	return mesonetv1.RecordOutcome_STATUS_DUPLICATE
}

// RetractObservation takes an observation back.
func (s *Server) RetractObservation(ctx context.Context, r *mesonetv1.RetractObservationRequest) (*mesonetv1.RetractObservationResponse, error) {
	at, err := toMinute("time", r.GetTime())
	if err != nil {
		return nil, err
	}
	done, token, err := ask(ctx, s, s.stations.Retract, r.GetStation(), &station.Retract{Time: at, Reason: r.GetReason(), At: s.cfg.Now()}, nil)
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.RetractObservationResponse{Token: token}
	if done.Run != nil {
		response.Retracted = s.toObservation(r.GetStation(), done.Run, 0, nil)
	}
	return response, nil
}

// ListObservations returns a page of observations.
func (s *Server) ListObservations(ctx context.Context, r *mesonetv1.ListObservationsRequest) (*mesonetv1.ListObservationsResponse, error) {
	size, err := pageSizeOf(r.GetPageSize(), defaultObservationsPage, maxObservationsPage)
	if err != nil {
		return nil, err
	}
	from, to, err := toSpan(r.GetFrom(), r.GetTo())
	if err != nil {
		return nil, err
	}
	list := observationList{r.GetStation(), from, to}
	first := true
	if text := r.GetPageToken(); text != "" {
		first = false
		if from, err = list.parse(text); err != nil {
			return nil, invalid(err.Error())
		}
	}
	response := &mesonetv1.ListObservationsResponse{}
	for len(response.GetObservations()) < size {
		some, token, err := ask(ctx, s, s.stations.Range, r.GetStation(), &station.Range{From: from, To: to, Limit: size - len(response.GetObservations()), Flags: true}, r.GetRead())
		if !first && hasReason(err, station.NoData) {
			return response, nil // they went meanwhile
		}
		if err != nil {
			return nil, err
		}
		first = false
		response.Token = token
		for row := range some.Run.Times {
			response.Observations = append(response.Observations, s.toObservation(r.GetStation(), some.Run, row, some.Flags[row]))
		}
		if !some.More {
			return response, nil
		}
		from = some.Next
	}
	response.NextPageToken = list.token(from)
	return response, nil
}

// StreamObservations sends the observations of a time, a month a message.
func (s *Server) StreamObservations(r *mesonetv1.StreamObservationsRequest, stream grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
	from, to, err := toSpan(r.GetFrom(), r.GetTo())
	if err != nil {
		return err
	}
	for {
		some, token, err := ask(stream.Context(), s, s.stations.Range, r.GetStation(), &station.Range{From: from, To: to}, r.GetRead())
		if hasReason(err, station.NoData) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&mesonetv1.StreamObservationsResponse{Readings: s.toReadings(r.GetStation(), some.Run), Token: token}); err != nil || !some.More {
			return err
		}
		from = some.Next
	}
}

// toReadings returns a run as columns of the API.
func (s *Server) toReadings(id string, run *weather.Run) *mesonetv1.Readings {
	m := &mesonetv1.Readings{Station: id, Minutes: make([]int64, run.Len())}
	for i, t := range run.Times {
		m.Minutes[i] = int64(t)
	}
	for measure, values := range run.Columns {
		if values == nil {
			continue
		}
		column := &mesonetv1.Column{Measure: s.stations.Catalogue()[measure].Name, Values: make([]int32, len(values))}
		for i, v := range values {
			column.Values[i] = int32(v) // Missing and Trace have the same numbers here and there
		}
		m.Columns = append(m.Columns, column)
	}
	return m
}

// GetObservationHistory returns what became of one observation.
func (s *Server) GetObservationHistory(ctx context.Context, r *mesonetv1.GetObservationHistoryRequest) (*mesonetv1.GetObservationHistoryResponse, error) {
	at, err := toMinute("time", r.GetTime())
	if err != nil {
		return nil, err
	}
	past, token, err := ask(ctx, s, s.stations.History, r.GetStation(), &station.History{Time: at}, r.GetRead())
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.GetObservationHistoryResponse{Dropped: past.Dropped, Token: token}
	if past.Current.Len() > 0 {
		response.Current = s.toObservation(r.GetStation(), past.Current, 0, nil)
	}
	for _, c := range past.Changes {
		change := &mesonetv1.ObservationChange{Before: s.toObservation(r.GetStation(), c.Before, 0, nil), Reason: c.Reason}
		if !c.At.IsZero() {
			change.Time = timestamppb.New(c.At)
		}
		if c.After != nil {
			change.After = s.toObservation(r.GetStation(), c.After, 0, nil)
		}
		response.Changes = append(response.Changes, change)
	}
	return response, nil
}

// toObservation returns a row of a run; flags may be nil.
func (s *Server) toObservation(id string, run *weather.Run, row int, flags []weather.Flag) *mesonetv1.Observation {
	o := &mesonetv1.Observation{Station: id, Time: timestamppb.New(run.Times[row].Time()), Values: make(map[string]float64)}
	catalogue := s.stations.Catalogue()
	for i := range catalogue {
		m := &catalogue[i]
		v := run.Value(row, m.ID)
		switch v {
		case weather.Missing:
		case weather.Trace:
			o.Traces = append(o.Traces, m.Name)
		default:
			o.Values[m.Name] = s.fixed(m.ID, int64(v.Measured()))
		}
		if v.Erroneous() {
			o.Erroneous = append(o.Erroneous, m.Name)
		}
		if i < len(flags) && flags[i].Suspect() {
			o.Suspect = append(o.Suspect, &mesonetv1.Suspicion{Measure: m.Name, Reasons: reasonsOf(flags[i])})
		}
	}
	return o
}

func reasonsOf(f weather.Flag) (reasons []mesonetv1.Suspicion_Reason) {
	for _, one := range []struct {
		flag   weather.Flag
		reason mesonetv1.Suspicion_Reason
	}{
		{weather.FlagStep, mesonetv1.Suspicion_REASON_STEP},
		{weather.FlagStuck, mesonetv1.Suspicion_REASON_STUCK},
		{weather.FlagInconsistent, mesonetv1.Suspicion_REASON_INCONSISTENT},
	} {
		if f&one.flag != 0 {
			reasons = append(reasons, one.reason)
		}
	}
	return reasons
}

// fromObservation returns an observation as a run of one row. What the server sets
// is not looked at, so that what was read can be changed and sent back.
func (s *Server) fromObservation(o *mesonetv1.Observation) (*weather.Run, error) {
	refuse := func(format string, args ...any) error {
		return entity.RejectInvalid("observation of station %q: %s", o.GetStation(), fmt.Sprintf(format, args...)).Because(station.BadObservation)
	}
	if o.GetTime() == nil {
		return nil, refuse("it has no time")
	}
	at, err := minuteOf(o.GetTime())
	if err != nil {
		return nil, refuse("%v", err)
	}
	if len(o.GetValues())+len(o.GetTraces()) == 0 {
		return nil, refuse("it has no values")
	}
	catalogue := s.stations.Catalogue()
	values := make([]weather.Value, len(catalogue))
	for i := range values {
		values[i] = weather.Missing
	}
	for _, name := range slices.Sorted(maps.Keys(o.GetValues())) { // the same error each time
		id, ok := catalogue.Lookup(name)
		if !ok {
			return nil, refuse("there is no measure %q; see the list of measures", name)
		}
		if values[id], err = fixedOf(&catalogue[id], o.GetValues()[name]); err != nil {
			return nil, refuse("%v", err)
		}
	}
	for _, name := range o.GetTraces() {
		id, ok := catalogue.Lookup(name)
		switch {
		case !ok:
			return nil, refuse("there is no measure %q; see the list of measures", name)
		case values[id] != weather.Missing:
			return nil, refuse("%s is both a trace and %g", name, o.GetValues()[name])
		}
		values[id] = weather.Trace
	}
	run := &weather.Run{}
	run.Append(at, values...)
	if err := run.Check(catalogue); err != nil {
		return nil, refuse("%v", err)
	}
	return run, nil
}

// fixedOf returns a number in the fixed point of a measure. It has to be there:
// nothing is rounded, but for what binary fractions make of decimal ones.
func fixedOf(m *weather.Measure, f float64) (weather.Value, error) {
	scaled := f * math.Pow10(m.Decimals)
	n := math.Round(scaled)
	switch {
	case !(math.Abs(n) <= float64(weather.MaxValue)): // NaN is not either
		return weather.Missing, fmt.Errorf("%s can't be %g", m.Name, f)
	case math.Abs(scaled-n) > 1e-6*max(1, math.Abs(n)*1e-6):
		return weather.Missing, fmt.Errorf("%s %g has more than the %d decimals that are kept; round it", m.Name, f, m.Decimals)
	}
	v := weather.Value(n)
	if !m.Possible(v) {
		return weather.Missing, m.Refuse(v)
	}
	return v, nil
}

// toMinute returns a time of the API that has to be there.
func toMinute(name string, t *timestamppb.Timestamp) (weather.Minute, error) {
	if t == nil {
		return 0, invalid(fmt.Sprintf("%s is missing; write one such as 2008-08-11T16:00:00Z", name))
	}
	at, err := minuteOf(t)
	if err != nil {
		return 0, invalid(fmt.Sprintf("%s: %v", name, err))
	}
	return at, nil
}

// minuteOf returns a time that falls on a minute.
func minuteOf(t *timestamppb.Timestamp) (weather.Minute, error) {
	if err := t.CheckValid(); err != nil {
		return 0, err
	}
	if t.GetSeconds()%60 != 0 || t.GetNanos() != 0 {
		return 0, fmt.Errorf("%s is not on a minute, and observations are kept to the minute", t.AsTime().Format("2006-01-02T15:04:05.999999999Z"))
	}
	return weather.MinuteAt(t.AsTime())
}

// toSpan returns the times from which and before which observations are asked for.
func toSpan(from, to *timestamppb.Timestamp) (first, end weather.Minute, err error) {
	first, end = math.MinInt32, station.Always
	if from != nil {
		if first, err = toMinute("from", from); err != nil {
			return 0, 0, err
		}
	}
	if to != nil {
		if end, err = toMinute("to", to); err != nil {
			return 0, 0, err
		}
	}
	if first >= end {
		return 0, 0, invalid(fmt.Sprintf("the time from %s to %s ends before it begins", first, end))
	}
	return first, end, nil
}

// observationList is the list of the observations of a station from a time to
// another. Its page tokens say at which time it goes on.
type observationList struct {
	station  string
	from, to weather.Minute
}

func (l observationList) list() pagedList {
	return pagedList{of: fmt.Sprintf("observations %s %d %d", l.station, l.from, l.to), by: "station and the time"}
}

func (l observationList) token(next weather.Minute) string {
	return l.list().token(binary.BigEndian.AppendUint32(nil, uint32(next)))
}

func (l observationList) parse(token string) (weather.Minute, error) {
	b, err := l.list().parse(token)
	if err != nil {
		return 0, err
	}
	if len(b) != 4 {
		return 0, errForeignToken
	}
	next := weather.Minute(binary.BigEndian.Uint32(b))
	if next < l.from || next >= l.to {
		return 0, errForeignToken
	}
	return next, nil
}

// hasReason reports whether a status has one.
func hasReason(err error, reason string) bool {
	return err != nil && status.Code(err) == codes.NotFound && reasonOf(err) == reason
}
