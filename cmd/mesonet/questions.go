package main

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	remote "github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/sampledata"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// ask asks the questions of the demo and shows the answers.
func (d *demo) ask(ctx context.Context) error {
	for _, ask := range []func(context.Context) error{d.askYears, d.askMonths, d.askWettest, d.askStations, d.askTemperatures, d.askSky, d.askLatest, d.askNothing} {
		if err := ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

// askYears: the precipitation of the year at each station.
func (d *demo) askYears(ctx context.Context) error {
	d.heading("How much rain fell in 2008?")
	t := table{header: []string{"  ", "", ">", ">", ">", ">"}}
	t.add("", "", "rain", "observations", "missing", "")
	for _, s := range demoStations {
		begun := time.Now()
		sum, err := d.server.precipitation(ctx, s.id, period{year: 2008})
		if err != nil {
			return err
		}
		t.add("  "+s.name, s.id, number(sum.Millimetres, 1)+" mm", count(sum.Observations),
			counted(sum.MissingHours, "hour", "hours"), took(time.Since(begun)))
	}
	t.write(d.app.out)
	return nil
}

// askMonths: the same by month, all in one call, as a chart.
func (d *demo) askMonths(ctx context.Context) error {
	d.heading("When did it fall?")
	var questions []*mesonetv1.Question
	for _, s := range demoStations {
		for m := range 12 {
			questions = append(questions, &mesonetv1.Question{Question: &mesonetv1.Question_Precipitation{
				Precipitation: &mesonetv1.GetPrecipitationRequest{Station: s.id, Year: 2008, Month: int32(m + 1)},
			}})
		}
	}
	begun := time.Now()
	all, err := d.server.Ask(ctx, &mesonetv1.AskRequest{Questions: questions})
	if err != nil {
		return err
	}
	elapsed := time.Since(begun)
	sums := make([][12]*mesonetv1.GetPrecipitationResponse, len(demoStations)) // nil where there is no data
	most, observations, missing := 0.0, uint32(0), uint32(0)
	for i, a := range all.GetAnswers() {
		sum := a.GetPrecipitation()
		switch failure := a.GetFailure(); {
		case failure.GetReason() == reasonNoData:
			continue
		case failure != nil:
			return remote.OfFailure(failure)
		}
		sums[i/12][i%12] = sum
		most = max(most, sum.GetMillimetres())
		observations += sum.GetObservations()
		missing += sum.GetMissingHours()
	}
	t := table{header: []string{"  "}}
	titles := []string{"  "}
	for _, s := range demoStations {
		t.header = append(t.header, "", ">")
		titles = append(titles, s.short, "mm")
	}
	t.add(titles...)
	for m := range 12 {
		row := []string{"  " + time.Month(m + 1).String()[:3]}
		for i := range demoStations {
			if sum := sums[i][m]; sum == nil {
				row = append(row, "no data"+strings.Repeat(" ", chartWidth-len("no data")), unknown)
			} else {
				row = append(row, d.pen.bar(sum.GetMillimetres()/most, chartWidth), number(sum.GetMillimetres(), 1))
			}
		}
		t.add(row...)
	}
	t.write(d.app.out)
	d.printf("  24 questions in one call, %s, %s missing, %s\n", counted(observations, "observation", "observations"),
		counted(missing, "hour", "hours"), took(elapsed))
	return nil
}

// askWettest: the hours and the days with most of it.
func (d *demo) askWettest(ctx context.Context) error {
	d.heading("When was it wettest at LaGuardia?")
	const places = 3
	begun := time.Now()
	var lists [2]*mesonetv1.GetTopPrecipitationResponse
	for i, span := range []mesonetv1.Span{mesonetv1.Span_SPAN_HOUR, mesonetv1.Span_SPAN_DAY} {
		var err error
		lists[i], err = d.server.GetTopPrecipitation(ctx, &mesonetv1.GetTopPrecipitationRequest{
			Station: sampledata.NewYork, Year: 2008, K: proto.Int32(places), Span: span,
		})
		if err != nil {
			return err
		}
	}
	elapsed := time.Since(begun)
	t := table{header: []string{"  ", "", ">", "", "", ">"}}
	t.add("  ", "hour until", "mm", "", "day", "mm")
	for i := range places {
		row := []string{"  " + count(i+1)}
		for k, layout := range []string{"2006-01-02 15:04Z", time.DateOnly} {
			if k > 0 {
				row = append(row, "")
			}
			if wettest := lists[k].GetWettest(); i < len(wettest) {
				row = append(row, wettest[i].GetTime().AsTime().Format(layout), number(wettest[i].GetMillimetres(), 1))
			} else {
				row = append(row, "", "")
			}
		}
		t.add(row...)
	}
	t.write(d.app.out)
	d.printf("  of %s, 2 questions, %s\n", counted(lists[0].GetObservations(), "observation", "observations"), took(elapsed))
	return nil
}

// askStations: which station leads, by what there is most of.
func (d *demo) askStations(ctx context.Context) error {
	d.heading("Which station leads in 2008, of all there are?")
	t := table{header: []string{"  ", "", ">", "", ">"}}
	for _, q := range []struct {
		what   string
		decide topStationsAsked
	}{
		{"wettest", topStationsAsked{measure: rain}},
		{"hottest", topStationsAsked{measure: "temperature"}},
		{"coldest", topStationsAsked{measure: "temperature", lowest: true}},
		{"windiest", topStationsAsked{measure: "wind_speed"}},
	} {
		q.decide.of, q.decide.k = bucket{period{year: 2008}, -1}, 1
		begun := time.Now()
		found, err := d.server.topStations(ctx, &q.decide)
		if err != nil {
			return err
		}
		for _, s := range found.Ranks {
			at := ""
			if s.Time != nil {
				at = s.Time.Format(minuteLayout)
			}
			t.add("  "+q.what, s.Station, number(s.Value, found.decimals)+" "+found.Unit, at, took(time.Since(begun)))
		}
	}
	t.write(d.app.out)
	return nil
}

// askSky: what the sky was like, as a chart.
func (d *demo) askSky(ctx context.Context) error {
	d.heading("What was the sky like at San Francisco?")
	begun := time.Now()
	sky, err := d.server.skyCounts(ctx, sampledata.SanFrancisco, period{year: 2008})
	if err != nil {
		return err
	}
	elapsed := time.Since(begun)
	var lines []barLine
	for _, c := range sky.Counts {
		lines = append(lines, barLine{label: c.SkyCondition.Text, value: float64(c.Observations), text: share(c.Observations, sky.Observations)})
	}
	d.pen.bars(d.app.out, chartWidth, lines)
	d.printf("  of %s, %s\n", counted(sky.Observations, "observation", "observations"), took(elapsed))
	return nil
}

// askLatest: the latest observation.
func (d *demo) askLatest(ctx context.Context) error {
	d.heading("And the latest that is known of LaGuardia?")
	begun := time.Now()
	now, err := d.server.GetCurrentWeather(ctx, &mesonetv1.GetCurrentWeatherRequest{Station: sampledata.NewYork})
	if err != nil {
		return err
	}
	elapsed := time.Since(begun)
	o := now.GetObservation()
	d.printf("  %s  %s °C, wind %s m/s from %s°, %s hPa   %s\n", o.GetTime().AsTime().Format("2006-01-02 15:04Z"),
		d.shown(o, "temperature", 1), d.shown(o, "wind_speed", 1), d.shown(o, "wind_direction", 0), d.shown(o, "sea_level_pressure", 1), took(elapsed))
	return nil
}

// shown is a value of an observation, if it has it.
func (d *demo) shown(o *mesonetv1.Observation, measure string, decimals int) string {
	if v, ok := o.GetValues()[measure]; ok {
		return number(v, decimals)
	}
	return unknown
}

// askTemperatures: a day and a month.
func (d *demo) askTemperatures(ctx context.Context) error {
	d.heading("How warm was it, in °C?")
	t := table{header: []string{"  ", "", ">", ">", ">", ">", ">", ">"}}
	t.add("", "", "high", "low", "mean", "observations", "missing", "")
	for _, p := range []period{{2008, 12, 1}, {2008, 7, 0}} {
		for _, s := range demoStations {
			begun := time.Now()
			answer, err := d.server.temperature(ctx, s.id, p)
			if err != nil {
				return err
			}
			elapsed := time.Since(begun)
			sum := &answer.Temperature
			t.add("  "+s.short, p.String(), number(sum.High, 1), number(sum.Low, 1), number(sum.Mean, 1),
				count(sum.Observations), counted(sum.MissingHours, "hour", "hours"), took(elapsed))
		}
	}
	t.write(d.app.out)
	return nil
}

// askNothing: a period without data has an answer of its own.
func (d *demo) askNothing(ctx context.Context) error {
	d.heading("And how much rain fell at LaGuardia in 2009?")
	begun := time.Now()
	_, err := d.server.precipitation(ctx, sampledata.NewYork, period{year: 2009})
	switch {
	case isReason(err, reasonNoData):
		d.printf("  no data, which is not the same as 0 mm   %s\n", took(time.Since(begun)))
		return nil
	case err != nil:
		return err
	}
	d.printf("  somebody has loaded 2009 since: ask with mesonet precip\n")
	return nil
}
