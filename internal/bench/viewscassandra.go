package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
	"github.com/mesonet/mesonet/weather/view"
)

// viewed is the stations of the row of views, and monthSoFar the hours that each has
// observed before.
const (
	viewed     = 100
	monthSoFar = 500
)

// viewsOnCassandra measures what tables for others cost where they are paid for:
// when pages are stored. What is acknowledged does not wait for that.
func viewsOnCassandra(ctx context.Context, s *suite, r *row) error {
	r.Work = fmt.Sprintf("storing a page and its rows in all tables for others, others at once; %s that observe an hour each between two times", counted(viewed, "station"))
	r.Unit = seconds
	r.Limit = &limit{What: "storing the page alone"}
	var all tally
	err := s.between(ctx, r,
		func(ctx context.Context) (float64, error) {
			bare, err := s.storing(ctx, nil)
			if err != nil {
				return 0, err
			}
			return bare.aPage(), nil
		},
		func(ctx context.Context) (_ float64, err error) {
			if all, err = s.storing(ctx, view.All()); err != nil {
				return 0, err
			}
			return all.aPage(), nil
		})
	if err != nil {
		return err
	}
	r.also("rows a page", timesThat, float64(all.rows)/float64(all.pages))
	s.progress.begin(view.Observations + " alone")
	some, err := s.storing(ctx, []string{view.Observations})
	if err != nil {
		return err
	}
	s.progress.result(seconds.format(some.aPage()))
	r.also("with "+view.Observations+" alone", seconds, some.aPage())
	return nil
}

// storing has stations observe an hour each, again and again, and their node store
// all that it has before the next.
func (s *suite) storing(ctx context.Context, tables []string) (_ tally, err error) {
	cfg, done, err := onCassandra(ctx, s, "views")
	if err != nil {
		return tally{}, err
	}
	defer func() { err = errors.Join(err, done()) }()
	stations := station.New(weather.Standard())
	if cfg.Views, err = s.views(ctx, cfg.Store.(*cassandra.Store), stations, tables); err != nil {
		return tally{}, err
	}
	c := newCounting()
	cfg.Listener.PagesStored, cfg.Listener.RowsWritten, cfg.Listener.Checkpointed = c.stored, c.rendered, c.checkpointed
	cfg.CheckpointBytes, cfg.CheckpointEvery = 1, 10*time.Millisecond
	n, err := startNodeOf(ctx, cfg, stations)
	if err != nil {
		return tally{}, err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	hour := 0
	observe := func(hours int) error {
		if err := n.report(ctx, viewed, hours, hour, 1); err != nil {
			return err
		}
		hour += hours
		return c.wait(ctx, func() bool { return n.Stats().TailBytes == 0 })
	}
	keepOn := func(d time.Duration) error {
		for begin := time.Now(); time.Since(begin) < d; {
			if err := observe(1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := observe(monthSoFar); err != nil {
		return tally{}, err
	}
	if err := keepOn(s.serverWarmup()); err != nil {
		return tally{}, err
	}
	before := c.result()
	if err := keepOn(s.opt.time); err != nil {
		return tally{}, err
	}
	t := c.result().since(before)
	if t.pages == 0 {
		return tally{}, fmt.Errorf("no page was stored in %s", s.opt.time)
	}
	return t, nil
}

// views creates tables beside a store.
func (s *suite) views(ctx context.Context, store *cassandra.Store, stations *station.Station, tables []string) ([]*entity.TableView, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	where, err := s.reach(ctx, store.Keyspace())
	if err != nil {
		return nil, err
	}
	vc := view.Beside(store.Keyspace(), "", tables)
	schema := cassandra.ViewSchema{Keyspace: vc.Keyspace, Tables: view.Tables(vc)}
	if _, err := schema.Apply(ctx, where); err != nil {
		return nil, err
	}
	in, err := store.Views(ctx, vc.Keyspace, schema.Tables)
	if err != nil {
		return nil, err
	}
	return view.New(stations, in, vc)
}
