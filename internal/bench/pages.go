package main

import (
	"context"
	"errors"
	"fmt"
)

// The stations of the row pages are in the middle of a month in the middle of a
// year, so that their pages have the size that they have on average. Of the
// months before, a reading a day is known: the page of the year keeps its days,
// however many readings each had.
const (
	daysBefore = 182                        // 2008-01-01 to 2008-06-30
	monthHours = 10 * 24                    // of July, that are known
	hourlyFrom = daysBefore*24 + monthHours // counted from firstHour
)

// mostDays is how long stations report at most.
const mostDays = 365

// hourlyNetwork is stations that report once an hour. How many bytes of pages
// their node stores for each byte of its log is decided by how many hours of
// their readings the tail of a shard holds. So one shard is measured with its
// share of the stations; a smaller share with a shorter tail holds as many hours
// and comes to about the same, in less time.
type hourlyNetwork struct {
	all      int // stations
	days     int // that they report for, at least
	passes   int // and how often pages have to be stored meanwhile, at least
	stations int // in the shard that is measured
	tail     int // bytes of log after which it stores its pages
}

// hourly returns a network of so many stations, with at most so many of them in
// the shard.
func (s *suite) hourly(all, most int) hourlyNetwork {
	share := (all + int(s.opt.shards) - 1) / int(s.opt.shards)
	tail := s.config(".").CheckpointBytes
	stations := min(share, most)
	return hourlyNetwork{all: all, passes: 3, stations: stations, tail: max(1, tail*stations/share)}
}

// String says what is measured.
func (h hourlyNetwork) String() string {
	return fmt.Sprintf("%s reporting hourly for %s or longer; one shard, with %s and a tail of %s",
		counted(h.all, "station"), counted(h.days, "day"), counted(h.stations, "station"), size(float64(h.tail)))
}

// pages measures how many bytes of pages a node stores for each byte of its log
// when every station reports once an hour.
func pages(ctx context.Context, s *suite, r *row) error {
	h := s.hourly(s.opt.hourly, s.opt.share)
	h.days = s.opt.days
	r.Work = "bytes of pages stored a byte of log, " + h.String()
	r.Unit, r.Goal = bytesPerByte, &goal{Of: ofHere, Must: atMost, Value: 30}
	t, err := s.written(ctx, h)
	if err != nil {
		return err
	}
	r.Here = t.perLogByte()
	r.also("hours of readings each time that it stored them", hours, float64(t.hours)/float64(t.passes))
	r.also("times", count, float64(t.passes))
	r.also("bytes a page", bytesEach, float64(t.pageBytes)/float64(t.pages))
	r.also("bytes of log an observation", bytesEach, float64(t.logBytes)/float64(t.events))
	h = s.hourly(million, min(s.opt.share, 1000))
	h.days = 1
	if t, err = s.written(ctx, h); err != nil {
		return err
	}
	r.also("the same, "+h.String(), bytesPerByte, t.perLogByte()).Goal = &goal{Of: ofHere, Must: atMost, Value: 30}
	return nil
}

// written returns what the node of a network writes, in a folder of its own.
func (s *suite) written(ctx context.Context, h hourlyNetwork) (_ tally, err error) {
	dir := s.places.fresh("pages")
	defer func() { err = errors.Join(err, s.places.done(dir)) }()
	s.progress.begin("loading the half year before")
	if err := s.loadHalfYear(ctx, dir, h); err != nil {
		return tally{}, err
	}
	s.progress.begin(h.String())
	t, err := s.reportHourly(ctx, dir, h)
	if err == nil {
		s.progress.result(bytesPerByte.format(t.perLogByte()))
	}
	return t, err
}

// loadHalfYear makes a store of one shard with stations that know what was
// before, all of it in pages.
func (s *suite) loadHalfYear(ctx context.Context, dir string, h hourlyNetwork) (err error) {
	cfg := s.config(dir)
	cfg.Shards = 1
	n, err := startNode(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }() // stores the pages
	const noon, daily, hourly = 12, 24, 1
	if err := n.report(ctx, h.stations, daysBefore, noon, daily); err != nil {
		return err
	}
	return n.report(ctx, h.stations, monthHours, daysBefore*24, hourly)
}

// report sends one run of each station: so many observations, every so many
// hours from one on.
func (n *node) report(ctx context.Context, stations, rows, hour, every int) error {
	sample, err := readings()
	if err != nil {
		return err
	}
	next := 0
	_, err = feed(ctx, n, stream{rows: rows, inFlight: inFlight, register: true, fill: func(m *message) bool {
		if next == stations {
			return false
		}
		m.station = stationID(next)
		sample.fill(&m.run, next, hour, every)
		next++
		return true
	}})
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// reportHourly sends the readings of one hour after the other. The node stores
// pages when it finds it right; the next hour waits for it, as the hours of a
// real network do. What is counted ends with the last time that all was stored:
// no log is counted whose pages are not.
func (s *suite) reportHourly(ctx context.Context, dir string, h hourlyNetwork) (_ tally, err error) {
	c := newCounting()
	cfg := s.config(dir)
	cfg.CheckpointBytes = h.tail
	cfg.Listener.PagesStored, cfg.Listener.Checkpointed = c.stored, c.checkpointed
	cfg.LogListener.FrameDurable = c.durable
	n, err := startNode(ctx, cfg)
	if err != nil {
		return tally{}, err
	}
	for hour := range mostDays * 24 {
		if err = n.report(ctx, h.stations, 1, hourlyFrom+hour, 1); err != nil {
			break
		}
		c.anHour()
		if err = c.wait(ctx, func() bool { return n.Stats().TailBytes < int64(cfg.CheckpointBytes) }); err != nil {
			break
		}
		if hour+1 >= h.days*24 && c.result().passes >= int64(h.passes) {
			break
		}
	}
	t := c.result() // before the stop, which stores whatever there is
	if err := errors.Join(err, n.Stop(context.WithoutCancel(ctx))); err != nil {
		return tally{}, err
	}
	if t.passes == 0 {
		return tally{}, fmt.Errorf("%s: in %d days they make too little log for a page to be stored; name more -hourly-stations", h, mostDays)
	}
	return t, nil
}
