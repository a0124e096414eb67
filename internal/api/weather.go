package api

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// GetDailyTemperature describes the temperature of one day.
func (s *Server) GetDailyTemperature(ctx context.Context, r *mesonetv1.GetDailyTemperatureRequest) (*mesonetv1.GetDailyTemperatureResponse, error) {
	p := station.Period{Year: int(r.GetYear()), Month: int(r.GetMonth()), Day: int(r.GetDay())}
	if p.Month == 0 || p.Day == 0 {
		return nil, invalid(fmt.Sprintf("a day has a year, a month and a day; %d-%d-%d is none", p.Year, p.Month, p.Day))
	}
	sum, token, err := ask(ctx, s, s.stations.Temperature, r.GetStation(), &station.Temperature{Period: p}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetDailyTemperatureResponse{Station: r.GetStation(), Temperature: s.temperature(sum), Token: token}, nil
}

// GetMonthlyTemperature describes the temperature of one month.
func (s *Server) GetMonthlyTemperature(ctx context.Context, r *mesonetv1.GetMonthlyTemperatureRequest) (*mesonetv1.GetMonthlyTemperatureResponse, error) {
	p := station.Period{Year: int(r.GetYear()), Month: int(r.GetMonth())}
	if p.Month == 0 {
		return nil, invalid(fmt.Sprintf("a month has a year and a month; %d-%d is none", p.Year, p.Month))
	}
	sum, token, err := ask(ctx, s, s.stations.Temperature, r.GetStation(), &station.Temperature{Period: p}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetMonthlyTemperatureResponse{
		Station: r.GetStation(), Temperature: s.temperature(sum),
		MeanHigh: sum.MeanHigh, MeanLow: sum.MeanLow, Days: uint32(sum.Days),
		Token: token,
	}, nil
}

// GetPrecipitation sums the precipitation of a period.
func (s *Server) GetPrecipitation(ctx context.Context, r *mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
	p := station.Period{Year: int(r.GetYear()), Month: int(r.GetMonth()), Day: int(r.GetDay())}
	total, token, err := ask(ctx, s, s.stations.Precipitation, r.GetStation(), &station.Precipitation{Period: p}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetPrecipitationResponse{
		Station:      r.GetStation(),
		Observations: uint32(total.N), MissingHours: uint32(total.MissingHours), TraceHours: uint32(total.Traces),
		Millimetres: s.fixed(weather.Precipitation1h, total.Sum),
		Token:       token,
	}, nil
}

func (s *Server) temperature(sum weather.Summary) *mesonetv1.Temperature {
	return &mesonetv1.Temperature{
		Observations: uint32(sum.N), MissingHours: uint32(sum.MissingHours),
		High: s.fixed(weather.Temperature, int64(sum.High)), HighTime: timestamppb.New(sum.HighAt.Time()),
		Low: s.fixed(weather.Temperature, int64(sum.Low)), LowTime: timestamppb.New(sum.LowAt.Time()),
		Mean: sum.Mean, Variance: sum.Variance, Stdev: sum.Stdev,
	}
}

// fixed returns n, a count of a measure's last decimal, in the measure's unit.
func (s *Server) fixed(m weather.MeasureID, n int64) float64 {
	one := 1.0
	for range s.stations.Catalogue()[m].Decimals {
		one *= 10
	}
	return float64(n) / one
}
