package main

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// statistics has the fields of mesonet.v1.GetStatisticsResponse.
type statistics struct {
	Station    string  `json:"station"`
	Period     string  `json:"period"`
	Statistics figures `json:"statistics" csv:"inline"`

	decimals int
}

// figures has the fields of mesonet.v1.Statistics. What makes no sense for a
// measure is null.
type figures struct {
	Measure      string           `json:"measure"`
	Unit         string           `json:"unit"`
	Aggregate    string           `json:"aggregate"`
	Observations uint32           `json:"observations"`
	MissingHours uint32           `json:"missing_hours"`
	Days         uint32           `json:"days"`
	High         *float64         `json:"high"`
	HighTime     *time.Time       `json:"high_time"`
	Low          *float64         `json:"low"`
	LowTime      *time.Time       `json:"low_time"`
	Mean         *float64         `json:"mean"`
	Variance     *float64         `json:"variance"`
	Stdev        *float64         `json:"stdev"`
	MeanHigh     *float64         `json:"mean_high"`
	MeanLow      *float64         `json:"mean_low"`
	Sum          *float64         `json:"sum"`
	Traces       uint32           `json:"traces"`
	Direction    *float64         `json:"direction"`
	Steadiness   *float64         `json:"steadiness"`
	Counts       map[int32]uint32 `json:"counts"`
}

func (c *client) statistics(ctx context.Context, station, name string, p period, erroneous bool) (*statistics, error) {
	all, err := c.measures(ctx)
	if err != nil {
		return nil, err
	}
	m, err := all.find(name)
	if err != nil {
		return nil, err
	}
	r, err := c.GetStatistics(ctx, &mesonetv1.GetStatisticsRequest{
		Station: station, Measure: name, Year: p.year, Month: p.month, Day: p.day, IncludeErroneous: erroneous,
	})
	if err != nil {
		return nil, err
	}
	s := r.GetStatistics()
	return &statistics{
		Station: r.GetStation(), Period: p.String(), decimals: int(m.Decimals),
		Statistics: figures{
			Measure: s.GetMeasure(), Unit: s.GetUnit(), Aggregate: aggregateName(s.GetAggregate()),
			Observations: s.GetObservations(), MissingHours: s.GetMissingHours(), Days: s.GetDays(),
			High: s.High, HighTime: jsonTime(s.GetHighTime()), Low: s.Low, LowTime: jsonTime(s.GetLowTime()),
			Mean: s.Mean, Variance: s.Variance, Stdev: s.Stdev, MeanHigh: s.MeanHigh, MeanLow: s.MeanLow,
			Sum: s.Sum, Traces: s.GetTraces(), Direction: s.Direction, Steadiness: s.Steadiness, Counts: s.GetCounts(),
		},
	}, nil
}

func (s *statistics) table(w io.Writer) {
	of := &s.Statistics
	f := fields{{"station", s.Station}, {"period", s.Period + " (UTC)"}, {"measure", spaced(of.Measure)}}
	u := unit(of.Unit)
	// add shows what there is: a mean has more decimals than what it is of.
	add := func(name string, v *float64, decimals int, after string) {
		if v != nil {
			f.add(name, number(*v, decimals)+after)
		}
	}
	add("high", of.High, s.decimals, u+at(of.HighTime))
	add("low", of.Low, s.decimals, u+at(of.LowTime))
	add("mean", of.Mean, s.decimals+1, u)
	add("mean high", of.MeanHigh, s.decimals+1, u)
	add("mean low", of.MeanLow, s.decimals+1, u)
	add("stdev", of.Stdev, s.decimals+1, u)
	if u != "" {
		u += "²"
	}
	add("variance", of.Variance, s.decimals+1, u)
	add("sum", of.Sum, s.decimals, unit(of.Unit))
	if of.Sum != nil {
		f.add("trace", counted(of.Traces, "observation", "observations")+" of too little to measure")
	}
	if of.Steadiness != nil {
		if of.Direction == nil {
			f.add("direction", unknown+" (they cancel each other out)")
		}
		add("direction", of.Direction, 0, unit(of.Unit))
		add("steadiness", of.Steadiness, 2, " of 1")
	}
	f.add("observations", restsOn(of.Observations, of.MissingHours))
	f.add("days", counted(of.Days, "day with data", "days with data"))
	writeFields(w, f...)
	t := table{header: []string{">CODE", ">OBSERVATIONS", ">SHARE"}}
	for _, code := range slices.Sorted(maps.Keys(of.Counts)) {
		t.add(count(int(code)), count(of.Counts[code]), share(of.Counts[code], of.Observations))
	}
	t.below(w)
}

func statisticsCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "statistics STATION MEASURE PERIOD",
		Short: "What describes a measure over a day, a month or a year",
		Long: `Describes any measure over a year (2008), a month (2008-12) or a day (2008-12-01) of
UTC: its high, low, mean and spread, its sum, its mean direction, or how often each
of its codes was observed, whichever makes sense. mesonet measures lists them.`,
		Example: `  mesonet statistics 725030:14732 sea_level_pressure 2008
  mesonet statistics 725030:14732 wind_direction 2008-07 -o json`,
		Args: arguments("STATION", "MEASURE", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, p, err := parseAsked(args[0], args[2])
			if err != nil {
				return err
			}
			return q.answer(a, func(server *client) (answer, error) {
				return server.statistics(cmd.Context(), station, args[1], p, q.erroneous)
			})
		},
		ValidArgsFunction: measureArgument(&q.connection, 1),
	}
	q.figureFlags(c)
	return c
}
