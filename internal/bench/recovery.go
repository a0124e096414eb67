package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
)

// recoveries is how often a recovery is measured, each time on a copy of the
// folder.
const recoveries = 3

// recovery measures how long a node takes to come back after kill -9, with
// everything that it knew in the tails of the logs: from Start until every
// station has answered.
func recovery(ctx context.Context, s *suite, r *row) (err error) {
	r.Work = fmt.Sprintf("recovery after kill -9 of %s with %s each, all in the tail, until each has answered its annual precipitation; median of %d",
		counted(network, "station"), counted(s.opt.recoverEach, "observation"), recoveries)
	r.Unit, r.Goal = seconds, &goal{Of: ofHere, Must: below, Value: 1}
	r.Limit = &limit{What: "reading and decoding the same frames, a goroutine a shard"}
	killed := s.places.fresh("killed")
	defer func() { err = errors.Join(err, s.places.done(killed)) }()
	s.progress.begin("loading, and kill -9")
	if err := s.loadAndKill(ctx, killed); err != nil {
		return err
	}
	var bare, here attempts
	on := func(all *attempts, one func(context.Context, string) (attempt, error)) measurement {
		return func(ctx context.Context) (float64, error) {
			some, err := s.onCopies(ctx, killed, one)
			*all = append(*all, some...)
			return some.median(attempt.whole), err
		}
	}
	if err := s.between(ctx, r, on(&bare, s.decode), on(&here, s.comeBack)); err != nil {
		return err
	}
	r.also("until all shards were open, median", seconds, here.median(attempt.start))
	r.also("opening the store, part of ours and not of the limit, median", seconds, bare.median(attempt.start))
	r.also("events read", count, float64(here[0].events))
	r.also("frames", count, float64(bare[0].frames))
	r.also("bytes of frames", bytesEach, float64(bare[0].bytes))
	return nil
}

// attempt is one recovery, or one reading of the limit.
type attempt struct {
	opened, done          time.Duration // until it was
	events, frames, bytes int
}

func (a attempt) start() time.Duration { return a.opened }
func (a attempt) whole() time.Duration { return a.done }

type attempts []attempt

// median returns the middle of some time of the attempts, in seconds.
func (a attempts) median(of func(attempt) time.Duration) float64 {
	var values []float64
	for _, one := range a {
		values = append(values, of(one).Seconds())
	}
	return median(values...)
}

// loadAndKill has a process load the stations, and kills it.
func (s *suite) loadAndKill(ctx context.Context, dir string) error {
	var loaded int
	err := killedAfter(ctx, job{Role: "load", Dir: dir, Shards: s.opt.shards, Stations: network, Each: s.opt.recoverEach}, &loaded)
	if err != nil {
		return err
	}
	if want := network * s.opt.recoverEach; loaded != want {
		return fmt.Errorf("%d observations were loaded, not %d", loaded, want)
	}
	return nil
}

// loadToBeKilled is a process that loads, says so, and waits for its end. Its
// node never stores a page.
func loadToBeKilled(ctx context.Context, s *suite, j job, send func(any) error) (err error) {
	cfg, done, err := s.ofJob(ctx, j)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	cfg.CheckpointBytes = math.MaxInt
	var stored atomic.Int64
	cfg.Listener.PagesStored = func(f entity.PageFlush) { stored.Add(int64(f.Pages)) }
	n, err := startNode(ctx, cfg)
	if err != nil {
		return err
	}
	if err := n.register(ctx, j.Stations); err != nil {
		return err
	}
	load, err := newRounds(j.Stations)
	if err != nil {
		return err
	}
	all := j.Stations * j.Each
	loaded, err := feed(ctx, n, stream{rows: 1, inFlight: inFlight, fill: func(m *message) bool {
		return load.next < all && load.fill(m)
	}})
	if err != nil {
		return err
	}
	if n := stored.Load(); n > 0 {
		return fmt.Errorf("%d pages were stored, so that not all is in the tail", n)
	}
	if err := send(loaded); err != nil {
		return err
	}
	<-ctx.Done() // the parent is gone: nobody kills this process, and nobody needs its folder
	return n.Stop(context.WithoutCancel(ctx))
}

// onCopies does something on fresh copies of a folder.
func (s *suite) onCopies(ctx context.Context, original string, one func(context.Context, string) (attempt, error)) (attempts, error) {
	var all attempts
	for range recoveries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dir := s.places.fresh("copy")
		err := copyFolder(original, dir)
		if err == nil {
			var a attempt
			a, err = one(ctx, dir)
			all = append(all, a)
		}
		if err := errors.Join(err, s.places.done(dir)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// comeBack starts a node and asks every station.
func (s *suite) comeBack(ctx context.Context, dir string) (attempt, error) {
	n, a, err := answering(ctx, s.config(dir), s.opt.recoverEach)
	if n != nil {
		err = errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
	}
	return a, err
}

// answering starts a node and asks every station, which has so many observations.
func answering(ctx context.Context, cfg mesonet.Config, observations int) (n *node, a attempt, err error) {
	var events atomic.Int64
	cfg.Listener.ShardOpened = func(o entity.ShardOpening) { events.Add(int64(o.Events)) }
	names := stationIDs(network)
	begin := time.Now()
	if n, err = startNode(ctx, cfg); err != nil {
		return nil, a, err
	}
	a.opened = time.Since(begin)
	var next atomic.Int64
	var group errgroup.Group
	for range asking {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= network {
					return nil
				}
				if err := n.askRain(ctx, names[i], observations); err != nil {
					return err
				}
			}
		})
	}
	err = group.Wait()
	a.done, a.events = time.Since(begin), int(events.Load())
	return n, a, err
}

// decode is the limit: it opens the store, and then reads and decodes all frames
// of all shards. What that takes is from when the store is open.
func (s *suite) decode(ctx context.Context, dir string) (a attempt, err error) {
	cfg := pebble.DefaultConfig(dir)
	cfg.Logger = s.config(dir).Logger
	begin := time.Now()
	store, err := pebble.Open(ctx, cfg)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	a.opened = time.Since(begin)
	return a, a.decodeAll(ctx, store)
}

// decodeShard decodes the frames of a shard's first epoch, which has them all.
func decodeShard(ctx context.Context, store persistence.Store, shard persistence.Shard) (a attempt, err error) {
	for f, err := range store.Log().Read(ctx, shard, persistence.At(persistence.FirstEpoch, 0)) {
		if err != nil {
			return a, err
		}
		events, err := persistence.DecodeFrame(shard, f.Position, f.Data)
		if err != nil {
			return a, err
		}
		a.events, a.frames, a.bytes = a.events+len(events), a.frames+1, a.bytes+len(f.Data)
	}
	return a, nil
}
