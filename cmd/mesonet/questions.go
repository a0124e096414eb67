package main

import (
	"context"
	"strings"
	"time"

	"github.com/mesonet/mesonet/internal/sampledata"
)

// ask asks the questions of the demo and shows the answers.
func (d *demo) ask(ctx context.Context) error {
	for _, ask := range []func(context.Context) error{d.askYears, d.askMonths, d.askTemperatures, d.askNothing} {
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

// askMonths: the same by month, as a chart.
func (d *demo) askMonths(ctx context.Context) error {
	d.heading("When did it fall?")
	begun := time.Now()
	sums := make([][12]*precipitation, len(demoStations)) // nil where there is no data
	most, observations, missing := 0.0, uint32(0), uint32(0)
	for i, s := range demoStations {
		for m := range 12 {
			sum, err := d.server.precipitation(ctx, s.id, period{year: 2008, month: int32(m + 1)})
			switch {
			case isReason(err, reasonNoData):
				continue
			case err != nil:
				return err
			}
			sums[i][m] = sum
			most = max(most, sum.Millimetres)
			observations += sum.Observations
			missing += sum.MissingHours
		}
	}
	elapsed := time.Since(begun)
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
				row = append(row, hbar(sum.Millimetres/most, chartWidth), number(sum.Millimetres, 1))
			}
		}
		t.add(row...)
	}
	t.write(d.app.out)
	d.printf("  24 questions, %s, %s missing, %s in all\n", counted(observations, "observation", "observations"),
		counted(missing, "hour", "hours"), took(elapsed))
	return nil
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
