package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
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
	var all *stored
	err := s.between(ctx, r,
		func(ctx context.Context) (float64, error) {
			bare, err := s.storing(ctx, nil)
			return bare.aPage(), err
		},
		func(ctx context.Context) (_ float64, err error) {
			all, err = s.storing(ctx, view.All())
			return all.aPage(), err
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

// stored is what a node has stored, and how long the pages were under way together.
type stored struct {
	mu          sync.Mutex
	on          bool // it counts
	pages, rows int
	took        time.Duration
	tails       chan struct{} // a tail has become shorter
}

// aPage is how long a page took.
func (s *stored) aPage() float64 {
	if s == nil || s.pages == 0 {
		return 0
	}
	return s.took.Seconds() / float64(s.pages)
}

func (s *stored) listen(l *entity.Listener) {
	l.PagesStored = func(f entity.PageFlush) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.on && f.Err == nil {
			s.pages, s.took = s.pages+f.Pages, s.took+f.Took
		}
	}
	l.RowsWritten = func(f entity.ViewFlush) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.on {
			s.rows += f.Rows
		}
	}
	l.Checkpointed = func(persistence.Shard, persistence.Position) {
		select {
		case s.tails <- struct{}{}:
		default:
		}
	}
}

func (s *stored) count(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
}

// storing has stations observe an hour each, again and again, and their node store
// all that it has before the next.
func (s *suite) storing(ctx context.Context, tables []string) (_ *stored, err error) {
	cfg, done, err := onCassandra(ctx, s, "views")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	stations := station.New(weather.Standard())
	if cfg.Views, err = s.views(ctx, cfg.Store.(*cassandra.Store), stations, tables); err != nil {
		return nil, err
	}
	counted := &stored{tails: make(chan struct{}, 1)}
	counted.listen(&cfg.Listener)
	cfg.CheckpointBytes, cfg.CheckpointEvery = 1, 10*time.Millisecond
	n, err := startNodeOf(ctx, cfg, stations)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	hour := 0
	observe := func(hours int) error {
		if err := n.report(ctx, viewed, hours, hour, 1); err != nil {
			return err
		}
		hour += hours
		for n.Stats().TailBytes > 0 {
			select {
			case <-counted.tails:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	if err := observe(monthSoFar); err != nil {
		return nil, err
	}
	for _, on := range []bool{false, true} {
		counted.count(on)
		d := s.serverWarmup()
		if on {
			d = s.opt.time
		}
		for begin := time.Now(); time.Since(begin) < d; {
			if err := observe(1); err != nil {
				return nil, err
			}
		}
	}
	counted.count(false)
	if counted.pages == 0 {
		return nil, fmt.Errorf("no page was stored in %s", s.opt.time)
	}
	return counted, nil
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
	vc := view.Config{Keyspace: store.Keyspace() + "_views", Tables: tables}
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
