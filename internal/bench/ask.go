package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/weather/station"
)

// observedHours is what each station has observed when it is asked: two days.
const observedHours = 48

// asks measures the annual precipitation of live stations, asked in process.
func asks(ctx context.Context, s *suite, r *row) error {
	r.Work = fmt.Sprintf("annual precipitation of a live station, in process; %s, %d asks in flight", counted(network, "station"), asking)
	r.Unit, r.Goal = asksPerSecond, &goal{Of: ofRatio, Must: atLeast, Value: 0.5}
	r.Limit = &limit{What: "an actor that answers a one-shot ask, as many of them"}
	var here, bare latencies
	err := s.inTurn(ctx, r, turns,
		func(ctx context.Context) (rate float64, err error) {
			rate, bare, err = s.bareAsks(ctx)
			return rate, err
		},
		func(ctx context.Context) (rate float64, err error) {
			rate, here, err = s.stationAsks(ctx)
			return rate, err
		})
	r.also("time of an answer at 1 in flight, p50", seconds, here.quantile(0.5))
	r.also("the same of the limit, p50", seconds, bare.quantile(0.5))
	return err
}

// stationAsks returns the answers a second of live stations, and how long one
// takes alone.
func (s *suite) stationAsks(ctx context.Context) (_ float64, _ latencies, err error) {
	n, stop, err := s.startNetwork(ctx, embedded, "ask")
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := n.observeHours(ctx); err != nil {
		return 0, nil, err
	}
	names := stationIDs(network)
	return s.asked(ctx, func(i int) error { return n.askRain(always, names[i%network], observedHours) })
}

// bareAsks is the limit: actors that know the answer.
func (s *suite) bareAsks(ctx context.Context) (_ float64, _ latencies, err error) {
	type question struct{ *actors.Reply[int] }
	system, err := actors.NewSystem(actors.DefaultConfig())
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, system.Stop(context.WithoutCancel(ctx))) }()
	props := &actors.Props{New: func() actors.Actor {
		return actors.Func(func(_ *actors.Context, msg any) {
			if q, ok := msg.(question); ok {
				q.Resolve(observedHours)
			}
		})
	}}
	refs := make([]*actors.Ref, network)
	for i := range refs {
		if refs[i], err = system.Spawn(stationID(i), props); err != nil {
			return 0, nil, err
		}
	}
	return s.asked(ctx, func(i int) error {
		n, err := actors.Ask(always, refs[i%network], func(r *actors.Reply[int]) any { return question{r} })
		if err == nil && n != observedHours {
			err = fmt.Errorf("an actor answered %d, not %d", n, observedHours)
		}
		return err
	})
}

// asked asks with many in flight, and then with one.
func (s *suite) asked(ctx context.Context, ask func(i int) error) (rate float64, single latencies, err error) {
	if _, err = hammer(ctx, s.warmup(), ask); err != nil {
		return 0, nil, err
	}
	if rate, err = hammer(ctx, s.opt.time, ask); err != nil {
		return 0, nil, err
	}
	single, err = alone(ctx, s.opt.time/3, ask)
	return rate, single, err
}

// observeHours gives each of the stations observedHours observations, one an hour from
// firstHour on.
func (n *node) observeHours(ctx context.Context) error {
	const stations = network
	load, err := newRounds(stations)
	if err != nil {
		return err
	}
	_, err = feed(ctx, n, stream{rows: observedHours, inFlight: inFlight, fill: func(m *message) bool {
		return load.next < stations && load.fill(m)
	}})
	return err
}

// askRain asks a station for its precipitation in 2008 and checks that it rests
// on so many amounts.
func (n *node) askRain(ctx context.Context, id string, amounts int) error {
	total, err := n.stations.Precipitation.Ask(ctx, n, id, &rain2008)
	if err != nil {
		return err
	}
	if total.N != amounts {
		return fmt.Errorf("station %s sums %d amounts, and observed %d", id, total.N, amounts)
	}
	return nil
}

var rain2008 = station.Precipitation{Period: station.Period{Year: 2008}}
