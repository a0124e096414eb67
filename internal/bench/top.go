package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// topPlaces is the number of places of a ranking.
const topPlaces = 10

// tops measures the ranking of the wettest hours or days of a year, asked in
// process of stations that have observed every hour of it.
func tops(days bool) func(context.Context, *suite, *row) error {
	what := "hours"
	if days {
		what = "days"
	}
	return func(ctx context.Context, s *suite, r *row) error {
		r.Work = fmt.Sprintf("top %d wettest %s of a year, in process; %s with every hour of it, %d asks in flight",
			topPlaces, what, counted(s.opt.yearly, "station"), asking)
		r.Unit, r.Goal = asksPerSecond, &goal{Of: ofRatio, Must: atLeast, Value: 0.25}
		r.Limit = &limit{What: "an actor that answers a one-shot ask, " + counted(network, "actor")}
		var here latencies
		err := s.inTurn(ctx, r, turns,
			func(ctx context.Context) (float64, error) {
				rate, _, err := s.bareAsks(ctx)
				return rate, err
			},
			func(ctx context.Context) (rate float64, err error) {
				rate, here, err = s.topAsks(ctx, days)
				return rate, err
			})
		r.also("time of an answer at 1 in flight, p50", seconds, here.quantile(0.5))
		return err
	}
}

// topAsks returns the rankings a second of stations with a year, and how long
// one takes alone.
func (s *suite) topAsks(ctx context.Context, days bool) (_ float64, _ latencies, err error) {
	sample, err := readings()
	if err != nil {
		return 0, nil, err
	}
	dir := s.places.fresh("top")
	defer func() { err = errors.Join(err, s.places.done(dir)) }()
	if err := s.prepareYear(ctx, dir); err != nil {
		return 0, nil, err
	}
	n, err := startNode(ctx, s.config(dir))
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	names := stationIDs(s.opt.yearly)
	question := &station.TopPrecipitation{Period: rain2008.Period, K: topPlaces, Days: days}
	amounts := make([]int, len(sample))
	for i, year := range sample {
		amounts[i] = year.count(weather.Precipitation1h)
	}
	ask := func(i int) error {
		i %= len(names)
		top, err := n.stations.TopPrecipitation.Ask(always, n, names[i], question)
		if want := amounts[i%len(amounts)]; err == nil && (len(top.Ranks) != topPlaces || top.N != want) {
			err = fmt.Errorf("station %s ranks %d of %d amounts, want %d of %d", names[i], len(top.Ranks), top.N, topPlaces, want)
		}
		return err
	}
	for i := range names { // so that the pages are in memory
		if err := errors.Join(ctx.Err(), ask(i)); err != nil {
			return 0, nil, err
		}
	}
	return s.asked(ctx, ask)
}
