package api

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// GetTopStations ranks all stations by a measure. What can't be asked is named beside
// the ranking of the rest; when nothing can be, that is the error.
func (s *Server) GetTopStations(ctx context.Context, r *mesonetv1.GetTopStationsRequest) (*mesonetv1.GetTopStationsResponse, error) {
	m, err := s.measure(r.GetMeasure())
	if err != nil {
		return nil, err
	}
	opts, err := s.after(r.GetRead())
	if err != nil {
		return nil, err
	}
	q := &station.Leaders{
		Measure: m.ID, Bucket: station.Bucket{Period: periodOf(r)},
		K: places(r.K), Lowest: r.GetLowest(), All: r.GetIncludeErroneous(),
	}
	if r.Hour != nil {
		q.Bucket.Hourly, q.Bucket.Hour = true, int(r.GetHour())
	}
	shards := make([]persistence.Shard, s.node.Store().Shards)
	for n := range shards {
		shards[n] = persistence.Shard(n)
	}
	led, err := s.stations.Leaders(ctx, s.node, shards, q, opts...)
	if err != nil {
		return nil, Status(err)
	}
	if led.Found == 0 {
		if len(led.Unanswered) > 0 {
			return nil, Status(fmt.Errorf("%w: nothing was found, and %d shards or stations could not be asked: %w", entity.ErrUnavailable, len(led.Unanswered), led.Unanswered[0].Err))
		}
		return nil, Status(entity.RejectNotFound("no station has %s in %s", m.Name, q.Bucket).Because(station.NoData))
	}
	return s.toTopStations(m, led), nil
}

func (s *Server) toTopStations(m *weather.Measure, led *station.Led) *mesonetv1.GetTopStationsResponse {
	response := &mesonetv1.GetTopStationsResponse{
		Measure: m.Name, Unit: m.Unit, StationsAsked: uint32(led.Asked), StationsWithData: uint32(led.Found),
	}
	for _, place := range led.Places {
		rank := &mesonetv1.StationRank{
			Station: place.ID, Value: s.fixed(m.ID, place.Value),
			Observations: uint32(place.N), MissingHours: uint32(place.MissingHours),
		}
		if m.Aggregate != weather.AggregateSum {
			rank.Time = timestamppb.New(place.At.Time())
		}
		response.Ranks = append(response.Ranks, rank)
	}
	for _, u := range led.Unanswered {
		response.Unanswered = append(response.Unanswered, &mesonetv1.UnansweredShard{Shard: uint32(u.Shard), Station: u.Station, Message: u.Err.Error()})
	}
	for _, t := range led.Tokens {
		response.Tokens = append(response.Tokens, s.token(t))
	}
	return response
}
