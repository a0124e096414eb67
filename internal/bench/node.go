package main

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/quarantine"
	"github.com/mesonet/mesonet/weather/station"
)

// node is a node with stations.
type node struct {
	*mesonet.Node
	stations *station.Station
}

func startNode(ctx context.Context, cfg mesonet.Config) (*node, error) {
	return startNodeOf(ctx, cfg, station.New(weather.Standard()))
}

// startNodeOf is startNode for stations that views are of.
func startNodeOf(ctx context.Context, cfg mesonet.Config, stations *station.Station) (*node, error) {
	kept, err := quarantine.New(quarantine.DefaultConfig())
	if err != nil {
		return nil, err
	}
	started, err := mesonet.Start(ctx, cfg, stations, kept) // the kinds of a server
	if err != nil {
		return nil, err
	}
	return &node{started, stations}, nil
}

// startNetwork starts a node on a new store and registers the stations of the
// network. stop ends the node and removes the store.
func (s *suite) startNetwork(ctx context.Context, on backing, name string) (n *node, stop func() error, err error) {
	cfg, done, err := on(ctx, s, name)
	if err != nil {
		return nil, nil, err
	}
	n, err = startNode(ctx, cfg)
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	stop = func() error {
		return errors.Join(n.Stop(context.WithoutCancel(ctx)), done())
	}
	if err := n.register(ctx, network); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return n, stop, nil
}

// register registers the first stations, and waits until they are.
func (n *node) register(ctx context.Context, stations int) error {
	return each(ctx, 0, stations, func(i int, done func(error)) {
		id := stationID(i)
		n.stations.Register.Send(ctx, n, id, &station.Register{Station: describe(id)},
			func(_ station.Registration, _ entity.Token, err error) { done(err) })
	})
}

// describe makes up what is known of a station: as much as the catalogue knows
// of most.
func describe(id string) weather.Station {
	s := weather.NewStation(id)
	s.Name, s.Country, s.State, s.CallSign = "STATION "+id+" AIRPORT", "US", "NY", "K"+id[:4]
	s.Latitude, s.Longitude, s.Elevation = 4077917, -7388000, 34
	return s
}

// each begins something for every number of a range, some of them at once, and
// waits until all are done. It returns the first error, after which it begins
// nothing more.
func each(ctx context.Context, from, to int, begin func(i int, done func(error))) error {
	const atOnce = 4096
	room := semaphore.NewWeighted(atOnce)
	var failed atomic.Pointer[error]
	done := func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		room.Release(1)
	}
	for i := from; i < to && failed.Load() == nil && ctx.Err() == nil; i++ {
		if room.Acquire(ctx, 1) == nil {
			begin(i, done)
		}
	}
	if err := room.Acquire(context.WithoutCancel(ctx), atOnce); err != nil {
		return err
	}
	if p := failed.Load(); p != nil {
		return *p
	}
	return ctx.Err()
}
