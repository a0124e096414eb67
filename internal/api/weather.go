package api

import (
	"context"
	"fmt"
	"math"

	"google.golang.org/protobuf/types/known/timestamppb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// GetCurrentWeather returns the latest observation at or before a time.
func (s *Server) GetCurrentWeather(ctx context.Context, r *mesonetv1.GetCurrentWeatherRequest) (*mesonetv1.GetCurrentWeatherResponse, error) {
	at := station.Always
	if r.GetAt() != nil {
		if err := r.GetAt().CheckValid(); err != nil {
			return nil, invalid(fmt.Sprintf("at: %v", err))
		}
		var err error
		if at, err = weather.MinuteAt(r.GetAt().AsTime()); err != nil { // any second of its minute
			return nil, invalid(fmt.Sprintf("at: %v", err))
		}
	}
	found, token, err := ask(ctx, s, s.stations.Current, r.GetStation(), &station.Current{At: at}, r.GetRead())
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.GetCurrentWeatherResponse{Observation: s.toObservation(r.GetStation(), found.Run, 0, found.Flags[0]), Token: token}
	if id, ok := s.stations.Catalogue().Lookup("sky_condition"); ok {
		response.SkyCondition, _ = weather.SkyText(found.Run.Value(0, id))
	}
	return response, nil
}

// GetDailyTemperature describes the temperature of one day.
func (s *Server) GetDailyTemperature(ctx context.Context, r *mesonetv1.GetDailyTemperatureRequest) (*mesonetv1.GetDailyTemperatureResponse, error) {
	p := periodOf(r)
	if p.Month == 0 || p.Day == 0 {
		return nil, invalid(fmt.Sprintf("a day has a year, a month and a day; %d-%d-%d is none", p.Year, p.Month, p.Day))
	}
	sum, token, err := ask(ctx, s, s.stations.Temperature, r.GetStation(), &station.Temperature{Period: p, All: r.GetIncludeErroneous()}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetDailyTemperatureResponse{Station: r.GetStation(), Temperature: s.temperature(sum), Token: token}, nil
}

// GetMonthlyTemperature describes the temperature of one month.
func (s *Server) GetMonthlyTemperature(ctx context.Context, r *mesonetv1.GetMonthlyTemperatureRequest) (*mesonetv1.GetMonthlyTemperatureResponse, error) {
	p, err := monthOf(r)
	if err != nil {
		return nil, err
	}
	sum, token, err := ask(ctx, s, s.stations.Temperature, r.GetStation(), &station.Temperature{Period: p, All: r.GetIncludeErroneous()}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetMonthlyTemperatureResponse{
		Station: r.GetStation(), Temperature: s.temperature(sum),
		MeanHigh: sum.MeanHigh, MeanLow: sum.MeanLow, Days: uint32(sum.Days),
		Token: token,
	}, nil
}

// monthOf returns the period of a request about a month.
func monthOf(r interface {
	GetYear() int32
	GetMonth() int32
},
) (station.Period, error) {
	p := station.Period{Year: int(r.GetYear()), Month: int(r.GetMonth())}
	if p.Month == 0 {
		return p, invalid(fmt.Sprintf("a month has a year and a month; %d-%d is none", p.Year, p.Month))
	}
	return p, nil
}

// GetMonthlyHiLow returns the high and the low of a month and its days.
func (s *Server) GetMonthlyHiLow(ctx context.Context, r *mesonetv1.GetMonthlyHiLowRequest) (*mesonetv1.GetMonthlyHiLowResponse, error) {
	p, err := monthOf(r)
	if err != nil {
		return nil, err
	}
	found, token, err := ask(ctx, s, s.stations.HiLow, r.GetStation(),
		&station.HiLow{Month: weather.YearMonth{Year: p.Year, Month: p.Month}, All: r.GetIncludeErroneous()}, r.GetRead())
	if err != nil {
		return nil, err
	}
	month := s.temperature(found.Month)
	response := &mesonetv1.GetMonthlyHiLowResponse{
		Station: r.GetStation(),
		High:    month.GetHigh(), HighTime: month.GetHighTime(), Low: month.GetLow(), LowTime: month.GetLowTime(),
		Observations: month.GetObservations(), MissingHours: month.GetMissingHours(), Token: token,
	}
	for _, d := range found.Days {
		_, _, day := d.Day.Date()
		response.Days = append(response.Days, &mesonetv1.DailyHiLow{
			Day: int32(day), High: s.degrees(d.High), Low: s.degrees(d.Low), Observations: uint32(d.N),
		})
	}
	return response, nil
}

func (s *Server) temperature(sum weather.Summary) *mesonetv1.Temperature {
	return &mesonetv1.Temperature{
		Observations: uint32(sum.N), MissingHours: uint32(sum.MissingHours),
		High: s.degrees(sum.High), HighTime: timestamppb.New(sum.HighAt.Time()),
		Low: s.degrees(sum.Low), LowTime: timestamppb.New(sum.LowAt.Time()),
		Mean: sum.Mean, Variance: sum.Variance, Stdev: sum.Stdev,
	}
}

// degrees returns a temperature in °C.
func (s *Server) degrees(v weather.Value) float64 {
	id, _ := s.stations.Catalogue().Lookup("temperature") // there, as it was answered
	return s.fixed(id, int64(v))
}

// GetPrecipitation sums the precipitation of a period.
func (s *Server) GetPrecipitation(ctx context.Context, r *mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
	method, ok := methods[r.GetMethod()]
	if !ok {
		return nil, invalid(fmt.Sprintf("there is no method %d of summing precipitation", r.GetMethod()))
	}
	q := &station.Precipitation{Period: periodOf(r), Method: method, All: r.GetIncludeErroneous()}
	if r.GetUntil() != nil {
		until, err := toMinute("until", r.GetUntil())
		if err != nil {
			return nil, err
		}
		if year, _, _ := until.Date(); until == 0 || year < q.Period.Year {
			return nil, invalid(fmt.Sprintf("until %s is not in %s", until, q.Period))
		}
		q.Until = until
	}
	total, token, err := ask(ctx, s, s.stations.Precipitation, r.GetStation(), q, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetPrecipitationResponse{
		Station:      r.GetStation(),
		Observations: uint32(total.N), MissingHours: uint32(total.MissingHours), TraceHours: uint32(total.Traces),
		Millimetres: s.millimetres(total.Sum),
		Token:       token,
	}, nil
}

var methods = map[mesonetv1.PrecipitationMethod]station.Method{
	mesonetv1.PrecipitationMethod_PRECIPITATION_METHOD_UNSPECIFIED: station.OneHour,
	mesonetv1.PrecipitationMethod_PRECIPITATION_METHOD_ONE_HOUR:    station.OneHour,
	mesonetv1.PrecipitationMethod_PRECIPITATION_METHOD_SIX_HOUR:    station.SixHour,
	mesonetv1.PrecipitationMethod_PRECIPITATION_METHOD_BEST:        station.Best,
}

// millimetres returns an amount of precipitation in mm. One-hour and six-hour
// amounts keep the same decimals.
func (s *Server) millimetres(n int64) float64 {
	id, _ := s.stations.Catalogue().Lookup("precipitation_1h") // there, as it was answered
	return s.fixed(id, n)
}

// GetTopPrecipitation ranks the wettest hours or days.
func (s *Server) GetTopPrecipitation(ctx context.Context, r *mesonetv1.GetTopPrecipitationRequest) (*mesonetv1.GetTopPrecipitationResponse, error) {
	days, err := byDays(r.GetSpan())
	if err != nil {
		return nil, err
	}
	ranking, token, err := ask(ctx, s, s.stations.TopPrecipitation, r.GetStation(), &station.TopPrecipitation{
		Period: station.Period{Year: int(r.GetYear()), Month: int(r.GetMonth())}, K: places(r.K), Days: days, All: r.GetIncludeErroneous(),
	}, r.GetRead())
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.GetTopPrecipitationResponse{
		Station: r.GetStation(), Wettest: make([]*mesonetv1.WetSpan, 0, len(ranking.Ranks)),
		Observations: uint32(ranking.N), MissingHours: uint32(ranking.MissingHours), Token: token,
	}
	for _, rank := range ranking.Ranks {
		response.Wettest = append(response.Wettest, &mesonetv1.WetSpan{Time: timestamppb.New(rank.At.Time()), Millimetres: s.millimetres(rank.Value)})
	}
	return response, nil
}

// ListSkyConditions returns the codes of sky conditions.
func (s *Server) ListSkyConditions(context.Context, *mesonetv1.ListSkyConditionsRequest) (*mesonetv1.ListSkyConditionsResponse, error) {
	response := &mesonetv1.ListSkyConditionsResponse{}
	for code := range weather.Value(weather.SkyConditions) {
		response.SkyConditions = append(response.SkyConditions, skyCondition(code))
	}
	return response, nil
}

// GetSkyCondition returns the text of a code.
func (s *Server) GetSkyCondition(_ context.Context, r *mesonetv1.GetSkyConditionRequest) (*mesonetv1.GetSkyConditionResponse, error) {
	if r.GetCode() >= weather.SkyConditions {
		return nil, invalid(fmt.Sprintf("there is no sky condition %d; codes go from 0 to %d", r.GetCode(), weather.SkyConditions-1))
	}
	return &mesonetv1.GetSkyConditionResponse{SkyCondition: skyCondition(weather.Value(r.GetCode()))}, nil
}

func skyCondition(code weather.Value) *mesonetv1.SkyCondition {
	text, _ := weather.SkyText(code)
	return &mesonetv1.SkyCondition{Code: uint32(code), Text: text}
}

// CountSkyConditions counts the sky conditions of a period.
func (s *Server) CountSkyConditions(ctx context.Context, r *mesonetv1.CountSkyConditionsRequest) (*mesonetv1.CountSkyConditionsResponse, error) {
	d, token, err := ask(ctx, s, s.stations.SkyConditions, r.GetStation(), &station.SkyConditions{Period: periodOf(r)}, r.GetRead())
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.CountSkyConditionsResponse{
		Station: r.GetStation(), Observations: uint32(d.N), MissingHours: uint32(d.MissingHours), Token: token,
	}
	for code := range weather.Value(weather.SkyConditions) {
		if n := d.Counts[code]; n > 0 {
			response.Counts = append(response.Counts, &mesonetv1.SkyConditionCount{SkyCondition: skyCondition(code), Observations: uint32(n)})
		}
	}
	return response, nil
}

// GetWind describes the wind of a period.
func (s *Server) GetWind(ctx context.Context, r *mesonetv1.GetWindRequest) (*mesonetv1.GetWindResponse, error) {
	w, token, err := ask(ctx, s, s.stations.Wind, r.GetStation(), &station.Wind{Period: periodOf(r)}, r.GetRead())
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.GetWindResponse{
		Station:      r.GetStation(),
		Observations: uint32(w.Rose.N), MissingHours: uint32(w.Rose.MissingHours), Calm: uint32(w.Rose.Calm),
		MeanSpeed: w.Speed.Mean, Steadiness: w.Direction.Concentration, Token: token,
	}
	if !math.IsNaN(w.Direction.Mean) {
		response.Direction = &w.Direction.Mean
	}
	speed, _ := s.stations.Catalogue().Lookup("wind_speed") // there, as it was answered
	for _, bound := range w.Bounds {
		response.SpeedBounds = append(response.SpeedBounds, s.fixed(speed, int64(bound)))
	}
	for sector, counts := range w.Rose.Counts {
		m := &mesonetv1.WindSector{Direction: 360 * float64(sector) / weather.Sectors, Name: weather.SectorName(sector)}
		for _, n := range counts {
			m.Observations = append(m.Observations, uint32(n))
		}
		response.Sectors = append(response.Sectors, m)
	}
	return response, nil
}
