package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// busy measures how long a question takes while observations are loaded as fast
// as they can be.
func busy(ctx context.Context, s *suite, r *row) (err error) {
	r.Work = fmt.Sprintf("time of an answer, p50: annual precipitation, 1 ask in flight, while %s observations are; %s",
		thousands(inFlight), counted(network, "station"))
	r.Unit = seconds
	r.Limit = &limit{What: "the same without the load"}
	n, stop, err := s.startNetwork(ctx, embedded, "busy")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	load, err := newRounds(network)
	if err != nil {
		return err
	}
	names := stationIDs(network)
	observe := func(ctx context.Context) error {
		_, err := feed(ctx, n, stream{rows: 1, inFlight: inFlight, fill: load.fill})
		return err
	}
	ask := func(i int) error {
		_, err := n.stations.Precipitation.Ask(always, n, names[i%network], &rain2008)
		return err
	}
	if err := n.observeHours(ctx); err != nil { // so that there is something to sum
		return err
	}
	load.next = network * observedHours
	var quiet, loaded latencies
	err = s.between(ctx, r,
		func(ctx context.Context) (float64, error) {
			quiet, err = alone(ctx, s.opt.time/3, ask)
			return quiet.quantile(0.5), err
		},
		func(ctx context.Context) (float64, error) {
			loaded, err = during(ctx, s, observe, ask)
			return loaded.quantile(0.5), err
		})
	r.also("the same, p99", seconds, loaded.quantile(0.99))
	r.also("without the load, after it, p99", seconds, quiet.quantile(0.99))
	return err
}

// during asks while something else goes on, once that has begun in earnest.
func during(ctx context.Context, s *suite, other func(context.Context) error, ask func(i int) error) (took latencies, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var failure error // of the other, until it ends
	var going sync.WaitGroup
	going.Go(func() { failure = other(ctx) })
	defer func() {
		cancel()
		going.Wait()
		err = errors.Join(err, failure)
	}()
	if _, err := alone(ctx, s.warmup(), ask); err != nil {
		return nil, err
	}
	return alone(ctx, s.opt.time, ask)
}
