package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
)

// asksAcross measures the annual precipitation of live stations that another node
// has: the whole way of a question from one node of a cluster to another and back,
// both in this process, over loopback.
func asksAcross(ctx context.Context, s *suite, r *row) error {
	r.Work = fmt.Sprintf("annual precipitation of a live station, asked at another node of the cluster; %s, %d asks in flight, both nodes in this process", counted(network, "station"), asksBetweenNodes)
	r.Unit, r.Goal = asksPerSecond, &goal{Of: ofRatio, Must: atLeast, Value: 0.7}
	r.Limit = &limit{What: fmt.Sprintf("requests of %d bytes and as long replies on a stream of grpc-go with batches, with nothing behind it", askedBytes)}
	var single latencies
	err := s.inTurn(ctx, r, turns, s.bareTransportAsks, func(ctx context.Context) (rate float64, err error) {
		rate, single, err = s.acrossAsks(ctx)
		return rate, err
	})
	r.also("time of an answer at 1 in flight, p50", seconds, single.quantile(0.5))
	return err
}

// acrossAsks returns the answers a second at a node that has no shard.
func (s *suite) acrossAsks(ctx context.Context) (_ float64, _ latencies, err error) {
	dir := s.places.fresh("across")
	defer func() { err = errors.Join(err, s.places.done(dir)) }()
	pc := pebble.DefaultConfig(dir)
	pc.Logger = s.config("").Logger
	embedded, err := pebble.Open(ctx, pc)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, embedded.Close()) }()
	store := cluster.Share(embedded)
	var nodes [2]*node
	var join []string
	for i, id := range []persistence.NodeID{"has", "asks"} {
		cfg := s.config("")
		cfg.Store, cfg.Node = store, id
		cfg.Cluster = mesonet.DefaultCluster()
		cfg.Cluster.Gossip, cfg.Cluster.Requests, cfg.Cluster.Join = "127.0.0.1:0", "127.0.0.1:0", join
		if i == 1 {
			cfg.Cluster.Weight = 0 // it takes requests, and no shards
		}
		if nodes[i], err = startNode(ctx, cfg); err != nil {
			return 0, nil, err
		}
		defer func() { err = errors.Join(err, nodes[i].Stop(context.WithoutCancel(ctx))) }()
		join = append(join, nodes[i].GossipAddress())
	}
	n := nodes[1]
	if err := n.register(ctx, network); err != nil {
		return 0, nil, err
	}
	if err := n.observeHours(ctx); err != nil {
		return 0, nil, err
	}
	names := stationIDs(network)
	ask := func(i int) error { return n.askRain(always, names[i%network], observedHours) }
	if _, err := hammerBy(ctx, asksBetweenNodes, s.warmup(), ask); err != nil {
		return 0, nil, err
	}
	rate, err := hammerBy(ctx, asksBetweenNodes, s.opt.time, ask)
	if err != nil {
		return 0, nil, err
	}
	single, err := alone(ctx, s.opt.time/3, ask)
	return rate, single, err
}
