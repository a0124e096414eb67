package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	remote "github.com/mesonet/mesonet/client"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// snippets have in them, as they stand there, what the pages show of Go. TestDocs
// calls each where its block comes, and compares what it prints with what the block
// says behind fmt.Print….
var snippets = map[string]func(ctx context.Context, c *remote.Client) error{
	"showStations":       showStations,
	"showCurrent":        showCurrent,
	"showObservations":   showObservations,
	"showDayTemperature": showDayTemperature,
	"showMonth":          showMonth,
	"showHiLow":          showHiLow,
	"showPrecipitation":  showPrecipitation,
	"showYearToDate":     showYearToDate,
	"showWettest":        showWettest,
	"showBestStations":   showBestStations,
	"showSky":            showSky,
	"showWind":           showWind,
	"showStatistics":     showStatistics,
	"showTop":            showTop,
	"showMany":           showMany,
	"showRecord":         showRecord,
	"showHistory":        showHistory,
}

func showStations(ctx context.Context, c *remote.Client) error {
	near, err := c.Stations().ListStations(ctx, &mesonetv1.ListStationsRequest{
		Where:    &mesonetv1.ListStationsRequest_Near{Near: &mesonetv1.Place{Latitude: 40.78, Longitude: -73.88}},
		PageSize: 2,
	})
	if err != nil {
		return err
	}
	for i, s := range near.GetStations() {
		fmt.Printf("%s %s, %.1f km\n", s.GetId(), s.GetName(), near.GetDistancesM()[i]/1000) // 725030:14732 NEW YORK LAGUARDIA ARPT, 0.4 km …
	}
	return nil
}

func showCurrent(ctx context.Context, c *remote.Client) error {
	current, err := c.Weather().GetCurrentWeather(ctx, &mesonetv1.GetCurrentWeatherRequest{Station: "725030:14732"})
	if err != nil {
		return err
	}
	temperature, measured := current.GetObservation().GetValues()["temperature"]
	fmt.Println(current.GetObservation().GetTime().AsTime(), temperature, measured) // 2008-12-31 23:00:00 +0000 UTC -4.4 true
	return nil
}

func showObservations(ctx context.Context, c *remote.Client) error {
	stream, err := c.Observations().StreamObservations(ctx, &mesonetv1.StreamObservationsRequest{
		Station: "725030:14732",
		From:    timestamppb.New(time.Date(2008, 8, 11, 0, 0, 0, 0, time.UTC)),
		To:      timestamppb.New(time.Date(2008, 8, 12, 0, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		return err
	}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		fmt.Println(len(part.GetReadings().GetMinutes()), "observations") // 24 observations
	}
	return nil
}

func showDayTemperature(ctx context.Context, c *remote.Client) error {
	day, err := c.Weather().GetDailyTemperature(ctx, &mesonetv1.GetDailyTemperatureRequest{
		Station: "725030:14732", Year: 2008, Month: 12, Day: 1,
	})
	if err != nil {
		return err
	}
	t := day.GetTemperature()
	fmt.Printf("%.1f to %.1f °C, mean %.2f, variance %.2f\n", t.GetLow(), t.GetHigh(), t.GetMean(), t.GetVariance()) // 5.6 to 12.2 °C, mean 9.10, variance 5.28
	return nil
}

func showMonth(ctx context.Context, c *remote.Client) error {
	month, err := c.Weather().GetMonthlyTemperature(ctx, &mesonetv1.GetMonthlyTemperatureRequest{
		Station: "725030:14732", Year: 2008, Month: 12,
	})
	if err != nil {
		return err
	}
	fmt.Printf("mean high %.2f °C, mean low %.2f °C\n", month.GetMeanHigh(), month.GetMeanLow()) // mean high 7.75 °C, mean low 0.87 °C
	return nil
}

func showHiLow(ctx context.Context, c *remote.Client) error {
	month, err := c.Weather().GetMonthlyHiLow(ctx, &mesonetv1.GetMonthlyHiLowRequest{
		Station: "725030:14732", Year: 2008, Month: 12,
	})
	if err != nil {
		return err
	}
	for _, day := range month.GetDays() {
		fmt.Println(day.GetDay(), day.GetHigh(), day.GetLow()) // 1 12.2 5.6 …
	}
	return nil
}

func showPrecipitation(ctx context.Context, c *remote.Client) error {
	rain, err := c.Weather().GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{
		Station: "725030:14732", Year: 2008,
	})
	if err != nil {
		return err
	}
	fmt.Printf("%.1f mm, %d hours missing\n", rain.GetMillimetres(), rain.GetMissingHours()) // 839.0 mm, 0 hours missing
	return nil
}

func showYearToDate(ctx context.Context, c *remote.Client) error {
	rain, err := c.Weather().GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{
		Station: "725030:14732", Year: 2008,
		Method: mesonetv1.PrecipitationMethod_PRECIPITATION_METHOD_BEST,
		Until:  timestamppb.New(time.Date(2008, 7, 1, 0, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		return err
	}
	fmt.Printf("%.1f mm\n", rain.GetMillimetres()) // 532.0 mm
	return nil
}

func showWettest(ctx context.Context, c *remote.Client) error {
	wettest, err := c.Weather().GetTopPrecipitation(ctx, &mesonetv1.GetTopPrecipitationRequest{
		Station: "725030:14732", Year: 2008, K: proto.Int32(3), Span: mesonetv1.Span_SPAN_DAY,
	})
	if err != nil {
		return err
	}
	for _, day := range wettest.GetWettest() {
		fmt.Println(day.GetTime().AsTime().Format(time.DateOnly), day.GetMillimetres()) // 2008-09-06 56 …
	}
	return nil
}

func showBestStations(ctx context.Context, c *remote.Client) error {
	hottest, err := c.Measures().GetTopStations(ctx, &mesonetv1.GetTopStationsRequest{
		Measure: "temperature", Year: 2008, Month: 7, K: proto.Int32(3),
	})
	if err != nil {
		return err
	}
	for _, rank := range hottest.GetRanks() {
		fmt.Println(rank.GetStation(), rank.GetValue(), hottest.GetUnit()) // 725030:14732 35.6 °C …
	}
	return nil
}

func showSky(ctx context.Context, c *remote.Client) error {
	sky, err := c.Weather().CountSkyConditions(ctx, &mesonetv1.CountSkyConditionsRequest{
		Station: "725030:14732", Year: 2008,
	})
	if err != nil {
		return err
	}
	for _, count := range sky.GetCounts() {
		fmt.Println(count.GetSkyCondition().GetText(), count.GetObservations()) // clear (SKC, CLR) 1124 …
	}
	return nil
}

func showWind(ctx context.Context, c *remote.Client) error {
	wind, err := c.Weather().GetWind(ctx, &mesonetv1.GetWindRequest{Station: "725030:14732", Year: 2008})
	if err != nil {
		return err
	}
	fmt.Printf("%.2f m/s from %.0f°, steadiness %.2f\n", wind.GetMeanSpeed(), wind.GetDirection(), wind.GetSteadiness()) // 4.80 m/s from 308°, steadiness 0.17
	return nil
}

func showStatistics(ctx context.Context, c *remote.Client) error {
	pressure, err := c.Measures().GetStatistics(ctx, &mesonetv1.GetStatisticsRequest{
		Station: "725030:14732", Measure: "sea_level_pressure", Year: 2008,
	})
	if err != nil {
		return err
	}
	s := pressure.GetStatistics()
	fmt.Printf("%.1f to %.1f %s\n", s.GetLow(), s.GetHigh(), s.GetUnit()) // 988.7 to 1040.9 hPa
	return nil
}

func showTop(ctx context.Context, c *remote.Client) error {
	coldest, err := c.Measures().GetTop(ctx, &mesonetv1.GetTopRequest{
		Station: "725030:14732", Measure: "temperature", Year: 2008, K: proto.Int32(3), Lowest: true,
	})
	if err != nil {
		return err
	}
	for _, rank := range coldest.GetRanks() {
		fmt.Println(rank.GetTime().AsTime(), rank.GetValue(), coldest.GetUnit()) // 2008-02-11 11:00:00 +0000 UTC -11.1 °C …
	}
	return nil
}

func showMany(ctx context.Context, c *remote.Client) error {
	var questions []*mesonetv1.Question
	for _, station := range []string{"725030:14732", "724940:23234", "1:1"} {
		questions = append(questions, &mesonetv1.Question{Question: &mesonetv1.Question_Precipitation{
			Precipitation: &mesonetv1.GetPrecipitationRequest{Station: station, Year: 2008},
		}})
	}
	reply, err := c.Weather().Ask(ctx, &mesonetv1.AskRequest{Questions: questions})
	if err != nil {
		return err
	}
	for i, answer := range reply.GetAnswers() {
		if rain := answer.GetPrecipitation(); rain != nil {
			fmt.Println(questions[i].GetPrecipitation().GetStation(), rain.GetMillimetres()) // 725030:14732 839 …
		} else {
			fmt.Println(answer.GetFailure().GetReason()) // UNKNOWN_STATION
		}
	}
	return nil
}

func showRecord(ctx context.Context, c *remote.Client) error {
	reply, err := c.Observations().RecordObservations(ctx, &mesonetv1.RecordObservationsRequest{
		Observations: []*mesonetv1.Observation{{
			Station: "725030:14732",
			Time:    timestamppb.New(time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)),
			Values:  map[string]float64{"temperature": -4.5, "wind_speed": 9.8},
			Traces:  []string{"precipitation_1h"},
		}},
	})
	if err != nil {
		return err
	}
	for _, outcome := range reply.GetOutcomes() {
		fmt.Println(outcome.GetStatus(), outcome.GetFailure().GetMessage()) // STATUS_STORED
	}
	return nil
}

func showHistory(ctx context.Context, c *remote.Client) error {
	history, err := c.Observations().GetObservationHistory(ctx, &mesonetv1.GetObservationHistoryRequest{
		Station: "725030:14732",
		Time:    timestamppb.New(time.Date(2008, 12, 31, 22, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		return err
	}
	for _, change := range history.GetChanges() {
		before, after := change.GetBefore().GetValues(), change.GetAfter().GetValues()
		fmt.Println(before["temperature"], after["temperature"], change.GetReason()) // -2.8 -2.7
	}
	return nil
}
