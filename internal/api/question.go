package api

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/status"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

const (
	maxQuestions = 1_000
	// askedAtOnce is how many questions of a call are under way: enough to wait
	// for the disk together, and no more than an entity's mailbox holds.
	askedAtOnce = 64
)

// Ask answers many questions, each as it would be by itself.
func (s *Server) Ask(ctx context.Context, r *mesonetv1.AskRequest) (*mesonetv1.AskResponse, error) {
	if n := len(r.GetQuestions()); n > maxQuestions {
		return nil, invalid(fmt.Sprintf("%d questions are too many for one call; ask at most %d", n, maxQuestions))
	}
	answers := make([]*mesonetv1.Answer, len(r.GetQuestions()))
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	for i, q := range r.GetQuestions() {
		g.Go(func() error {
			answers[i] = s.answer(ctx, q)
			return nil
		})
	}
	_ = g.Wait() // none fails: a failure is an answer
	if err := ctx.Err(); err != nil {
		return nil, Status(err)
	}
	return &mesonetv1.AskResponse{Answers: answers}, nil
}

// answer answers one question.
func (s *Server) answer(ctx context.Context, question *mesonetv1.Question) *mesonetv1.Answer {
	switch q := question.GetQuestion().(type) {
	case *mesonetv1.Question_Station:
		return answerOf(ctx, s.GetStation, q.Station, func(a *mesonetv1.Answer, r *mesonetv1.GetStationResponse) {
			a.Answer = &mesonetv1.Answer_Station{Station: r}
		})
	case *mesonetv1.Question_CurrentWeather:
		return answerOf(ctx, s.GetCurrentWeather, q.CurrentWeather, func(a *mesonetv1.Answer, r *mesonetv1.GetCurrentWeatherResponse) {
			a.Answer = &mesonetv1.Answer_CurrentWeather{CurrentWeather: r}
		})
	case *mesonetv1.Question_DailyTemperature:
		return answerOf(ctx, s.GetDailyTemperature, q.DailyTemperature, func(a *mesonetv1.Answer, r *mesonetv1.GetDailyTemperatureResponse) {
			a.Answer = &mesonetv1.Answer_DailyTemperature{DailyTemperature: r}
		})
	case *mesonetv1.Question_MonthlyTemperature:
		return answerOf(ctx, s.GetMonthlyTemperature, q.MonthlyTemperature, func(a *mesonetv1.Answer, r *mesonetv1.GetMonthlyTemperatureResponse) {
			a.Answer = &mesonetv1.Answer_MonthlyTemperature{MonthlyTemperature: r}
		})
	case *mesonetv1.Question_MonthlyHiLow:
		return answerOf(ctx, s.GetMonthlyHiLow, q.MonthlyHiLow, func(a *mesonetv1.Answer, r *mesonetv1.GetMonthlyHiLowResponse) {
			a.Answer = &mesonetv1.Answer_MonthlyHiLow{MonthlyHiLow: r}
		})
	case *mesonetv1.Question_Precipitation:
		return answerOf(ctx, s.GetPrecipitation, q.Precipitation, func(a *mesonetv1.Answer, r *mesonetv1.GetPrecipitationResponse) {
			a.Answer = &mesonetv1.Answer_Precipitation{Precipitation: r}
		})
	case *mesonetv1.Question_TopPrecipitation:
		return answerOf(ctx, s.GetTopPrecipitation, q.TopPrecipitation, func(a *mesonetv1.Answer, r *mesonetv1.GetTopPrecipitationResponse) {
			a.Answer = &mesonetv1.Answer_TopPrecipitation{TopPrecipitation: r}
		})
	case *mesonetv1.Question_SkyConditions:
		return answerOf(ctx, s.CountSkyConditions, q.SkyConditions, func(a *mesonetv1.Answer, r *mesonetv1.CountSkyConditionsResponse) {
			a.Answer = &mesonetv1.Answer_SkyConditions{SkyConditions: r}
		})
	case *mesonetv1.Question_Wind:
		return answerOf(ctx, s.GetWind, q.Wind, func(a *mesonetv1.Answer, r *mesonetv1.GetWindResponse) {
			a.Answer = &mesonetv1.Answer_Wind{Wind: r}
		})
	case *mesonetv1.Question_Statistics:
		return answerOf(ctx, s.GetStatistics, q.Statistics, func(a *mesonetv1.Answer, r *mesonetv1.GetStatisticsResponse) {
			a.Answer = &mesonetv1.Answer_Statistics{Statistics: r}
		})
	case *mesonetv1.Question_Top:
		return answerOf(ctx, s.GetTop, q.Top, func(a *mesonetv1.Answer, r *mesonetv1.GetTopResponse) {
			a.Answer = &mesonetv1.Answer_Top{Top: r}
		})
	case *mesonetv1.Question_TopStations:
		return answerOf(ctx, s.GetTopStations, q.TopStations, func(a *mesonetv1.Answer, r *mesonetv1.GetTopStationsResponse) {
			a.Answer = &mesonetv1.Answer_TopStations{TopStations: r}
		})
	}
	return failed(invalid("a question of these is empty, or of a later version of the API"))
}

// answerOf asks one question by the method that answers it alone.
func answerOf[Q, R any](ctx context.Context, method func(context.Context, *Q) (*R, error), q *Q, put func(*mesonetv1.Answer, *R)) *mesonetv1.Answer {
	r, err := method(ctx, q)
	if err != nil {
		return failed(err)
	}
	a := &mesonetv1.Answer{}
	put(a, r)
	return a
}

// failed is the answer that a status makes.
func failed(err error) *mesonetv1.Answer {
	st := status.Convert(err)
	return &mesonetv1.Answer{Answer: &mesonetv1.Answer_Failure{Failure: &mesonetv1.Failure{
		Code: int32(st.Code()), Reason: reasonOf(err), Message: st.Message(),
	}}}
}
