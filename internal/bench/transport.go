package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/cluster/transport"
	"github.com/mesonet/mesonet/persistence"
)

const (
	asksBetweenNodes = 256 // in flight
	askedBytes       = 100 // of a request, and of its reply
)

// asksOverTransport measures asks from a node to another, both in this process, over
// loopback: what the transport between them makes of it, with nothing behind it.
func asksOverTransport(ctx context.Context, s *suite, r *row) error {
	r.Work = fmt.Sprintf("requests of %d bytes to another node and as long replies, over the transport between nodes on loopback; %d in flight", askedBytes, asksBetweenNodes)
	r.Unit, r.Goal = asksPerSecond, &goal{Of: ofRatio, Must: atLeast, Value: 0.7}
	r.Limit = &limit{What: "a stream of grpc-go with batches of as many, that is not bounded, closed, or checked"}
	return s.inTurn(ctx, r, turns, s.bareTransportAsks, s.transportAsks)
}

// transportAsks returns the replies a second between two transports.
func (s *suite) transportAsks(ctx context.Context) (_ float64, err error) {
	answer := make([]byte, askedBytes)
	from, err := s.startTransport(ctx, "a", nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := s.startTransport(ctx, "b", func(_ persistence.NodeID, _ cluster.Request, reply func([]byte)) { reply(answer) })
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	peer := cluster.Peer{Node: "b", Address: to.Address()}
	return s.askedBetween(ctx, func(body []byte, done func([]byte, error)) {
		from.Send(peer, cluster.Request{Body: body}, done)
	})
}

func (s *suite) startTransport(ctx context.Context, node persistence.NodeID, handler cluster.Handler) (*transport.Transport, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if handler == nil {
		handler = func(_ persistence.NodeID, _ cluster.Request, reply func([]byte)) { reply(nil) }
	}
	cfg := transport.DefaultConfig(cluster.Identity{Cluster: "bench", Store: "bench", Shards: 1}, node, cluster.Protocol{Least: 1, Most: 1}, listener)
	cfg.Logger = s.config("").Logger
	t, err := transport.New(cfg, handler)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return t, nil
}

// askedBetween asks for a while and returns the replies a second.
func (s *suite) askedBetween(ctx context.Context, send func(body []byte, done func([]byte, error))) (float64, error) {
	bodies, results := make([][]byte, asksBetweenNodes), make([]chan error, asksBetweenNodes)
	for i := range bodies {
		bodies[i], results[i] = make([]byte, askedBytes), make(chan error, 1)
	}
	ask := func(i int) error {
		result := results[i%asksBetweenNodes] // of the goroutine that asks
		send(bodies[i%asksBetweenNodes], func(reply []byte, err error) {
			if err == nil && len(reply) != askedBytes {
				err = fmt.Errorf("a reply of %d bytes, not %d", len(reply), askedBytes)
			}
			result <- err
		})
		return <-result
	}
	if _, err := hammerBy(ctx, asksBetweenNodes, s.warmup(), ask); err != nil {
		return 0, err
	}
	return hammerBy(ctx, asksBetweenNodes, s.opt.time, ask)
}
