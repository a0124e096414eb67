package api

import (
	"context"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// ListMeasures returns the catalogue.
func (s *Server) ListMeasures(context.Context, *mesonetv1.ListMeasuresRequest) (*mesonetv1.ListMeasuresResponse, error) {
	response := &mesonetv1.ListMeasuresResponse{}
	catalogue := s.stations.Catalogue()
	for i := range catalogue {
		m := &catalogue[i]
		measure := &mesonetv1.Measure{
			Name: m.Name, Unit: m.Unit, Decimals: uint32(m.Decimals), Aggregate: aggregates[m.Aggregate], Trace: m.Trace,
			Low: s.fixed(m.ID, int64(m.Low)), High: s.fixed(m.ID, int64(m.High)),
		}
		if m.Usual != (weather.Range{}) {
			measure.UsualLow = proto.Float64(s.fixed(m.ID, int64(m.Usual.Low)))
			measure.UsualHigh = proto.Float64(s.fixed(m.ID, int64(m.Usual.High)))
		}
		response.Measures = append(response.Measures, measure)
	}
	return response, nil
}

var aggregates = map[weather.Aggregate]mesonetv1.Aggregate{
	weather.AggregateMean:     mesonetv1.Aggregate_AGGREGATE_MEAN,
	weather.AggregateSum:      mesonetv1.Aggregate_AGGREGATE_SUM,
	weather.AggregateMaximum:  mesonetv1.Aggregate_AGGREGATE_MAXIMUM,
	weather.AggregateCircular: mesonetv1.Aggregate_AGGREGATE_CIRCULAR,
	weather.AggregateCode:     mesonetv1.Aggregate_AGGREGATE_CODE,
}

// measure finds a measure by its name.
func (s *Server) measure(name string) (*weather.Measure, error) {
	id, ok := s.stations.Catalogue().Lookup(name)
	if !ok {
		return nil, invalid(fmt.Sprintf("there is no measure %q; see the list of measures", name))
	}
	return &s.stations.Catalogue()[id], nil
}

// GetStatistics describes a measure over a period.
func (s *Server) GetStatistics(ctx context.Context, r *mesonetv1.GetStatisticsRequest) (*mesonetv1.GetStatisticsResponse, error) {
	m, err := s.measure(r.GetMeasure())
	if err != nil {
		return nil, err
	}
	d, token, err := ask(ctx, s, s.stations.Statistics, r.GetStation(),
		&station.Statistics{Measure: m.ID, Period: periodOf(r), All: r.GetIncludeErroneous()}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetStatisticsResponse{Station: r.GetStation(), Statistics: s.toStatistics(m, d), Token: token}, nil
}

func (s *Server) toStatistics(m *weather.Measure, d *station.Described) *mesonetv1.Statistics {
	stats := &mesonetv1.Statistics{
		Measure: m.Name, Unit: m.Unit, Aggregate: aggregates[m.Aggregate],
		Observations: uint32(d.N), MissingHours: uint32(d.MissingHours), Days: uint32(d.Days),
	}
	switch m.Aggregate {
	case weather.AggregateMean, weather.AggregateMaximum:
		sum := &d.Summary
		stats.High, stats.HighTime = proto.Float64(s.fixed(m.ID, int64(sum.High))), timestamppb.New(sum.HighAt.Time())
		stats.Low, stats.LowTime = proto.Float64(s.fixed(m.ID, int64(sum.Low))), timestamppb.New(sum.LowAt.Time())
		stats.Mean, stats.Variance, stats.Stdev = &sum.Mean, &sum.Variance, &sum.Stdev
		stats.MeanHigh, stats.MeanLow = &sum.MeanHigh, &sum.MeanLow
	case weather.AggregateSum:
		stats.Sum, stats.Traces = proto.Float64(s.fixed(m.ID, d.Total.Sum)), uint32(d.Total.Traces)
	case weather.AggregateCircular:
		stats.Steadiness = &d.Direction.Concentration
		if !math.IsNaN(d.Direction.Mean) {
			stats.Direction = &d.Direction.Mean
		}
	case weather.AggregateCode:
		stats.Counts = make(map[int32]uint32, len(d.Counts))
		for code, n := range d.Counts {
			stats.Counts[int32(code)] = uint32(n)
		}
	}
	return stats
}

// GetTop ranks hours or days by a measure.
func (s *Server) GetTop(ctx context.Context, r *mesonetv1.GetTopRequest) (*mesonetv1.GetTopResponse, error) {
	m, err := s.measure(r.GetMeasure())
	if err != nil {
		return nil, err
	}
	days, err := byDays(r.GetSpan())
	if err != nil {
		return nil, err
	}
	ranking, token, err := ask(ctx, s, s.stations.Top, r.GetStation(), &station.Top{
		Measure: m.ID, Period: station.Period{Year: int(r.GetYear()), Month: int(r.GetMonth())},
		K: places(r.K), Days: days, Lowest: r.GetLowest(), All: r.GetIncludeErroneous(),
	}, r.GetRead())
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.GetTopResponse{
		Station: r.GetStation(), Measure: m.Name, Unit: m.Unit,
		Observations: uint32(ranking.N), MissingHours: uint32(ranking.MissingHours), Token: token,
	}
	for _, rank := range ranking.Ranks {
		response.Ranks = append(response.Ranks, &mesonetv1.Rank{Time: timestamppb.New(rank.At.Time()), Value: s.fixed(m.ID, rank.Value)})
	}
	return response, nil
}

// defaultPlaces is how many places a ranking has that nobody gave a number of.
const defaultPlaces = 10

func places(k *int32) int {
	if k == nil {
		return defaultPlaces
	}
	return int(*k)
}

func byDays(span mesonetv1.Span) (bool, error) {
	switch span {
	case mesonetv1.Span_SPAN_UNSPECIFIED, mesonetv1.Span_SPAN_HOUR:
		return false, nil
	case mesonetv1.Span_SPAN_DAY:
		return true, nil
	}
	return false, invalid(fmt.Sprintf("a ranking is of hours or of days; there is no span %d", span))
}

// dated is what requests about a period have in common.
type dated interface {
	GetYear() int32
	GetMonth() int32
	GetDay() int32
}

func periodOf(r dated) station.Period {
	return station.Period{Year: int(r.GetYear()), Month: int(r.GetMonth()), Day: int(r.GetDay())}
}

// fixed returns n, a count of a measure's last decimal, in the measure's unit: the
// float64 nearest to it.
func (s *Server) fixed(m weather.MeasureID, n int64) float64 {
	one := 1.0
	for range s.stations.Catalogue()[m].Decimals {
		one *= 10
	}
	return float64(n) / one
}
