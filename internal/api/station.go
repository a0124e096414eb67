package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

const (
	maxRegistrations = 10_000
	defaultPage      = 50
	maxPage          = 1_000
)

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
	return &mesonetv1.DeleteStationResponse{Observations: observations, Token: token}, nil
}

// ListStations returns a page of the stations.
func (s *Server) ListStations(ctx context.Context, r *mesonetv1.ListStationsRequest) (*mesonetv1.ListStationsResponse, error) {
	size := int(r.GetPageSize())
	if size == 0 {
		size = defaultPage
	}
	after, err := base64.RawURLEncoding.DecodeString(r.GetPageToken())
	if err != nil {
		return nil, invalid("page_token is not one that this server gave; begin without one")
	}
	if size > maxPage {
		return nil, invalid(fmt.Sprintf("page_size %d is over the limit of %d", size, maxPage))
	}
	l := lister{s: s, read: r.GetRead(), country: r.GetCountry(), size: size, after: string(after), tokens: make(map[persistence.Shard]*mesonetv1.Token)}
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	response := &mesonetv1.ListStationsResponse{Stations: l.found}
	if l.more {
		response.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(l.after))
	}
	for _, t := range l.tokens {
		response.Tokens = append(response.Tokens, t)
	}
	return response, nil
}

// lister collects a page of stations.
type lister struct {
	s       *Server
	read    *mesonetv1.Read
	country string
	size    int

	after  string // the last id looked at
	found  []*mesonetv1.Station
	more   bool
	tokens map[persistence.Shard]*mesonetv1.Token
}

func (l *lister) run(ctx context.Context) error {
	for {
		ids, err := l.s.node.List(ctx, station.KindName, l.after, maxPage)
		if err != nil {
			return Status(err)
		}
		for begin := 0; begin < len(ids); begin += defaultPage {
			chunk := ids[begin:min(begin+defaultPage, len(ids))]
			heads, err := l.heads(ctx, chunk)
			if err != nil {
				return err
			}
			for i, head := range heads {
				if head == nil || l.country != "" && head.Station.Country != l.country {
					l.after = chunk[i]
					continue
				}
				if len(l.found) == l.size {
					l.more = true
					return nil
				}
				l.after = chunk[i]
				l.found = append(l.found, toStation(head))
			}
		}
		if len(ids) < maxPage {
			return nil
		}
	}
}

// heads asks stations what they are; nil for one that is not registered.
func (l *lister) heads(ctx context.Context, ids []string) ([]*station.Head, error) {
	opts, err := l.s.after(l.read)
	if err != nil {
		return nil, err
	}
	heads := make([]*station.Head, len(ids))
	tokens := make([]entity.Token, len(ids))
	errs := make([]error, len(ids))
	questions := make([]*station.GetHead, len(ids))
	for i := range questions {
		questions[i] = &station.GetHead{}
	}
	err = askEach(ctx, l.s, l.s.stations.Head, questions, func(i int) string { return ids[i] }, opts,
		func(i int, h *station.Head, t entity.Token, err error) { heads[i], tokens[i], errs[i] = h, t, err })
	if err != nil {
		return nil, Status(fmt.Errorf("%w: the stations did not answer in time: %w", entity.ErrUnavailable, err))
	}
	for i, err := range errs {
		if err == nil {
			l.see(tokens[i])
		} else if code, _ := outcome(err); code != codes.NotFound {
			return nil, Status(err)
		}
	}
	return heads, nil
}

// see keeps the highest token of each shard.
func (l *lister) see(t entity.Token) {
	if known := l.tokens[t.Shard]; known == nil || known.GetPosition() < uint64(t.Position) {
		l.tokens[t.Shard] = l.s.token(t)
	}
}

func toStation(h *station.Head) *mesonetv1.Station {
	s := h.Station
	m := &mesonetv1.Station{
		Id: s.ID, Name: s.Name, Country: s.Country, State: s.State, CallSign: s.CallSign, Observations: h.Observations,
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
		n := math.Round(*f.from * math.Pow10(f.decimals))
		if !(math.Abs(n) <= float64(weather.MaxValue)) { // NaN is not either
			return s, entity.RejectInvalid("%s %g of station %q can't be", f.name, *f.from, m.GetId()).Because(station.BadStation)
		}
		*f.to = weather.Value(n)
	}
	return s, nil
}
