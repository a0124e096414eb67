package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
)

// recoveryOnCassandra is recovery from real Cassandra on the same machine. Each
// recovery is a process that stores no page and is killed like the one that
// loaded, so that the next one finds the same tail.
func recoveryOnCassandra(ctx context.Context, s *suite, r *row) error {
	r.Work = fmt.Sprintf("recovery after kill -9 of %s with %s each, all in the tail, until each has answered its annual precipitation; median of %d",
		counted(network, "station"), counted(s.opt.recoverEach, "observation"), recoveries)
	r.Unit, r.Goal = seconds, &goal{Of: ofHere, Must: below, Value: 2}
	r.Limit = &limit{What: "reading and decoding the same frames, a goroutine a shard"}
	where, err := s.keyspace(ctx)
	if err != nil {
		return err
	}
	work := job{
		Role: "load", Shards: s.opt.shards, Stations: network, Each: s.opt.recoverEach,
		Hosts: where.Hosts, Keyspace: where.Keyspace,
	}
	s.progress.begin("loading, and kill -9")
	var loaded int
	if err := killedAfter(ctx, work, &loaded); err != nil {
		return err
	}
	if want := network * s.opt.recoverEach; loaded != want {
		return fmt.Errorf("%d observations were loaded, not %d", loaded, want)
	}
	work.Role = "recover"
	var bare, here attempts
	err = s.between(ctx, r,
		func(ctx context.Context) (float64, error) {
			var some attempts
			for range recoveries {
				a, err := decodeFrom(ctx, where)
				if err != nil {
					return 0, err
				}
				some = append(some, a)
			}
			bare = append(bare, some...)
			return some.median(attempt.whole), nil
		},
		func(ctx context.Context) (float64, error) {
			for range recoveries {
				var a recovered
				if err := killedAfter(ctx, work, &a); err != nil {
					return 0, err
				}
				here = append(here, attempt{opened: a.Opened, done: a.Done, events: a.Events})
			}
			return here.median(attempt.whole), nil
		})
	if err != nil {
		return err
	}
	r.also("until all shards were open, median", seconds, here.median(attempt.start))
	r.also("events read", count, float64(here[0].events))
	r.also("frames", count, float64(bare[0].frames))
	r.also("bytes of frames", bytesEach, float64(bare[0].bytes))
	return nil
}

// killedAfter has a process do a job and kills it once it has a result.
func killedAfter(ctx context.Context, j job, result any) error {
	c, err := startChild(ctx, j)
	if err != nil {
		return err
	}
	if err := c.result(result); err != nil {
		return err
	}
	return c.kill()
}

// recovered is what a process that has recovered says.
type recovered struct {
	Opened, Done time.Duration
	Events       int
}

// recoverToBeKilled is a process that starts a node, has every station answer, says
// how long that took, and waits for its end.
func recoverToBeKilled(ctx context.Context, s *suite, j job, send func(any) error) (err error) {
	cfg, done, err := s.ofJob(ctx, j)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	cfg.CheckpointBytes = math.MaxInt
	n, a, err := answering(ctx, cfg, j.Each)
	if err == nil {
		err = send(recovered{Opened: a.opened, Done: a.done, Events: a.events})
	}
	if err == nil {
		<-ctx.Done()
	}
	if n != nil {
		err = errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
	}
	return err
}

// ofJob is the configuration of a node on a job's store.
func (s *suite) ofJob(ctx context.Context, j job) (cfg mesonet.Config, done func() error, err error) {
	cfg = s.config(j.Dir)
	if j.Keyspace == "" {
		return cfg, func() error { return nil }, nil
	}
	where := cassandra.DefaultConfig()
	where.Hosts, where.Keyspace, where.Logger = j.Hosts, j.Keyspace, cfg.Logger
	store, err := cassandra.Open(ctx, where)
	if err != nil {
		return cfg, nil, err
	}
	cfg.Store = store
	return cfg, store.Close, nil
}

// decodeFrom reads and decodes all frames of a keyspace. What that takes is from
// when the store is open.
func decodeFrom(ctx context.Context, where cassandra.Config) (a attempt, err error) {
	begin := time.Now()
	store, err := cassandra.Open(ctx, where)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	a.opened = time.Since(begin)
	return a, a.decodeAll(ctx, store)
}

// decodeAll reads and decodes all frames of a store, a goroutine a shard.
func (a *attempt) decodeAll(ctx context.Context, store persistence.Store) error {
	begin := time.Now()
	shards := make([]attempt, store.Info().Shards)
	var group errgroup.Group
	for shard := range shards {
		group.Go(func() (err error) {
			shards[shard], err = decodeShard(ctx, store, persistence.Shard(shard))
			return err
		})
	}
	err := group.Wait()
	a.done = time.Since(begin)
	for _, s := range shards {
		a.events, a.frames, a.bytes = a.events+s.events, a.frames+s.frames, a.bytes+s.bytes
	}
	return err
}
