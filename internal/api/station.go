package api

import (
	"context"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mesonet/mesonet/actors/entity"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

const maxRegistrations = 10_000

// RegisterStations registers stations, each by itself.
func (s *Server) RegisterStations(ctx context.Context, r *mesonetv1.RegisterStationsRequest) (*mesonetv1.RegisterStationsResponse, error) {
	if n := len(r.GetStations()); n > maxRegistrations {
		return nil, invalid(fmt.Sprintf("%d stations are too many for one call; send at most %d", n, maxRegistrations))
	}
	response := &mesonetv1.RegisterStationsResponse{Outcomes: make([]*mesonetv1.RegistrationOutcome, len(r.GetStations()))}
	described := make([]*station.Register, len(r.GetStations()))
	for i, m := range r.GetStations() {
		response.Outcomes[i] = &mesonetv1.RegistrationOutcome{Station: m.GetId(), Status: mesonetv1.RegistrationOutcome_STATUS_REFUSED}
		st, err := fromStation(m)
		if err != nil {
			response.Outcomes[i].Failure = failure(err)
			continue
		}
		described[i] = &station.Register{Station: st}
	}
	err := askEach(ctx, s, s.stations.Register, described, func(i int) string { return r.GetStations()[i].GetId() }, nil,
		func(i int, r station.Registration, t entity.Token, err error) {
			o := response.GetOutcomes()[i]
			if o.Failure = failure(err); err == nil {
				o.Status, o.Token = registrations[r], s.token(t)
			}
		})
	if err != nil {
		return nil, Status(fmt.Errorf("%w: the registrations did not end in time: %w", entity.ErrUnknown, err))
	}
	return response, nil
}

var registrations = map[station.Registration]mesonetv1.RegistrationOutcome_Status{
	station.Registered: mesonetv1.RegistrationOutcome_STATUS_REGISTERED,
	station.Updated:    mesonetv1.RegistrationOutcome_STATUS_UPDATED,
	station.Unchanged:  mesonetv1.RegistrationOutcome_STATUS_UNCHANGED,
}

// GetStation returns one station.
func (s *Server) GetStation(ctx context.Context, r *mesonetv1.GetStationRequest) (*mesonetv1.GetStationResponse, error) {
	head, token, err := ask(ctx, s, s.stations.Head, r.GetStation(), &station.GetHead{}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetStationResponse{Station: toStation(head), Token: token}, nil
}

// DeleteStation deletes one station.
func (s *Server) DeleteStation(ctx context.Context, r *mesonetv1.DeleteStationRequest) (*mesonetv1.DeleteStationResponse, error) {
	observations, token, err := ask(ctx, s, s.stations.Remove, r.GetStation(), &station.Remove{}, nil)
	if err != nil {
		return nil, err
	}
	return &mesonetv1.DeleteStationResponse{Observations: uint32(observations), Token: token}, nil
}

func toStation(h *station.Head) *mesonetv1.Station {
	s := h.Station
	m := &mesonetv1.Station{
		Id: s.ID, Name: s.Name, Country: s.Country, State: s.State, CallSign: s.CallSign, Observations: uint32(h.Observations),
	}
	if s.Latitude != weather.Missing {
		m.Latitude = proto.Float64(s.Latitude.Float(weather.CoordinateDecimals))
		m.Longitude = proto.Float64(s.Longitude.Float(weather.CoordinateDecimals))
	}
	if s.Elevation != weather.Missing {
		m.ElevationM = proto.Float64(s.Elevation.Float(weather.ElevationDecimals))
	}
	if h.Observations > 0 {
		m.LatestObservation = timestamppb.New(h.Latest.Time())
		first, _ := h.Months.After(weather.YearMonth{Year: weather.MinYear, Month: 1}) // there, as observations are
		last, _ := h.Months.Before(weather.YearMonth{Year: weather.MaxYear, Month: 12})
		m.FirstMonth, m.LastMonth = first.String(), last.String()
	}
	return m
}

func fromStation(m *mesonetv1.Station) (weather.Station, error) {
	s := weather.NewStation(m.GetId())
	s.Name, s.Country, s.State, s.CallSign = m.GetName(), m.GetCountry(), m.GetState(), m.GetCallSign()
	for _, f := range []struct {
		name     string
		from     *float64
		to       *weather.Value
		decimals int
	}{
		{"latitude", m.Latitude, &s.Latitude, weather.CoordinateDecimals},
		{"longitude", m.Longitude, &s.Longitude, weather.CoordinateDecimals},
		{"elevation_m", m.ElevationM, &s.Elevation, weather.ElevationDecimals},
	} {
		if f.from == nil {
			continue
		}
		v, ok := toValue(*f.from, f.decimals)
		if !ok {
			return s, entity.RejectInvalid("%s %g of station %q can't be", f.name, *f.from, m.GetId()).Because(station.BadStation)
		}
		*f.to = v
	}
	return s, nil
}

// toValue rounds a number to what a Value holds; false when none holds it.
func toValue(f float64, decimals int) (weather.Value, bool) {
	n := math.Round(f * math.Pow10(decimals))
	if !(math.Abs(n) <= float64(weather.MaxValue)) { // NaN is not either
		return 0, false
	}
	return weather.Value(n), true
}
