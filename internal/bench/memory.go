package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/weather/station"
)

// memory measures what an idle station takes that is awake: its actor and its
// head page, what the host and the journal keep for it. The stations were
// registered by another process, are known to the store, and have each been
// asked who they are.
func memory(ctx context.Context, s *suite, r *row) (err error) {
	r.Work = fmt.Sprintf("memory of an idle live station, actor and head page; live heap over %s", counted(s.opt.live, "station"))
	r.Unit, r.Goal = bytesEach, &goal{Of: ofHere, Must: below, Value: 2000}
	r.Limit = &limit{What: "an idle actor with the same name, as many of them"}
	dir := s.places.fresh("memory")
	defer func() { err = errors.Join(err, s.places.done(dir)) }()
	of := func(role string) job {
		return job{Role: role, Dir: dir, Shards: s.opt.shards, Stations: s.opt.live}
	}
	s.progress.begin("registering " + counted(s.opt.live, "station"))
	var registered int
	if err := do(ctx, of("register"), &registered); err != nil {
		return err
	}
	var here awake
	bare := func(ctx context.Context) (each float64, err error) {
		err = do(ctx, of("actors"), &each)
		return each, err
	}
	if err := s.between(ctx, r, bare, func(ctx context.Context) (float64, error) {
		err := do(ctx, of("wake"), &here)
		return here.Each, err
	}); err != nil {
		return err
	}
	r.also("live heap of the process", bytesEach, here.Heap)
	r.also("of it the store", bytesEach, here.Store)
	r.also("outside of Go's memory, mostly the store's", bytesEach, here.Outside)
	resident := r.also("resident memory of the process", bytesEach, here.Resident)
	if s.opt.live == million {
		resident.Goal = &goal{Of: ofHere, Must: below, Value: 3 << 30}
	}
	r.also("resident memory at its highest", bytesEach, here.Peak)
	return nil
}

// awake is what a process takes whose stations are awake, in bytes. What the
// system doesn't tell is 0.
type awake struct {
	Each     float64 // of a station
	Heap     float64 // live
	Store    float64 // what of the heap stays when the node has stopped
	Outside  float64 // resident, but not of Go: what the store asks of C
	Resident float64
	Peak     float64 // of Resident
}

// registerStations is a process that registers stations and stops, so that they
// are stored.
func registerStations(ctx context.Context, s *suite, j job, send func(any) error) error {
	n, err := startNode(ctx, s.config(j.Dir))
	if err != nil {
		return err
	}
	err = n.register(ctx, j.Stations)
	if err := errors.Join(err, n.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return send(j.Stations)
}

// wakeStations is a process that wakes stations and looks at its memory. The
// first tenth is not counted: with it maps get their size, and code is used for
// the first time. The store's cache, which may be in Go's heap, is filled before.
func wakeStations(ctx context.Context, s *suite, j job, send func(any) error) (err error) {
	var a awake
	empty, code := liveHeap(), residentOutside()
	cfg := s.config(j.Dir)
	sc := pebble.DefaultConfig(j.Dir)
	sc.Logger = cfg.Logger
	store, err := pebble.Open(ctx, sc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	cfg.Store = store
	n, err := startNode(ctx, cfg)
	if err != nil {
		return err
	}
	first := j.Stations / 10
	err = errors.Join(readPages(ctx, store), n.wake(ctx, 0, first))
	before := liveHeap()
	err = errors.Join(err, n.wake(ctx, first, j.Stations))
	a.Heap = liveHeap()
	a.Each = (a.Heap - before) / float64(j.Stations-first)
	a.Resident, a.Peak = statusBytes("VmRSS"), statusBytes("VmHWM")
	a.Outside = max(0, residentOutside()-code)
	if err := errors.Join(err, n.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	// Nobody uses the node any more: all that it held is gone.
	a.Store = max(0, liveHeap()-empty)
	return send(a)
}

// readPages reads all pages of a store.
func readPages(ctx context.Context, store persistence.Store) error {
	for shard := range persistence.Shard(store.Info().Shards) {
		for _, err := range store.Pages().Scan(ctx, shard, persistence.PageKey{}, false) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// wake asks the stations of a range who they are, each under a name of its own,
// as one that comes with a request is.
func (n *node) wake(ctx context.Context, from, to int) error {
	return each(ctx, from, to, func(i int, done func(error)) {
		n.stations.Head.Send(ctx, n, stationID(i), &station.GetHead{},
			func(_ *station.Head, _ entity.Token, err error) { done(err) })
	})
}

// spawnActors is the limit: a process with idle actors, each of which has
// handled one message.
func spawnActors(ctx context.Context, _ *suite, j job, send func(any) error) (err error) {
	system, err := actors.NewSystem(actors.DefaultConfig())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.Stop(context.WithoutCancel(ctx))) }()
	props := &actors.Props{New: func() actors.Actor { return actors.Func(func(*actors.Context, any) {}) }}
	spawn := func(from, to int) error {
		for i := from; i < to; i++ {
			ref, err := system.Spawn(stationID(i), props)
			if err == nil {
				err = ref.Tell("")
			}
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	first := j.Stations / 10
	err = spawn(0, first)
	before := liveHeap()
	if err := errors.Join(err, spawn(first, j.Stations)); err != nil {
		return err
	}
	return send((liveHeap() - before) / float64(j.Stations-first))
}
