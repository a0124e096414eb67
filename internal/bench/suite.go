package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/mesonet/mesonet"
)

const (
	network  = 1000      // stations of most rows
	million  = 1_000_000 // stations that a node is made for
	inFlight = 64 << 10  // observations under way
)

// benchmark is what gives one row.
type benchmark struct {
	id  string
	run func(ctx context.Context, s *suite, r *row) error
}

// benchmarks are all rows in their order: the ones with a large heap come last.
func benchmarks() []benchmark {
	return []benchmark{
		{"observe-interleaved", observing(1, goal{Of: ofRatio, Must: atLeast, Value: 1})},
		{"observe-runs", observing(64, goal{Of: ofRatio, Must: atLeast, Value: 2.5})},
		{"ask", asks},
		{"top-hours", tops(false)},
		{"top-days", tops(true)},
		{"grpc-1", calls(1)},
		{"grpc-4", calls(4)},
		{"stream", streams},
		{"files-killrweather", files(killrWeather)},
		{"files-isd-lite", files(isdLite)},
		{"recovery", recovery},
		{"busy", busy},
		{"memory", memory},
		{"pages", pages},
	}
}

// ids are the names of all rows.
func ids() []string {
	var names []string
	for _, b := range benchmarks() {
		names = append(names, b.id)
	}
	return names
}

// suite is one run of the program.
type suite struct {
	opt      options
	places   *workplace
	progress progress
}

// run measures the rows that are chosen, one after the other.
func (s *suite) run(ctx context.Context) (*report, error) {
	rep := &report{Machine: describeMachine(), Settings: s.settings()}
	if err := rep.Machine.describeDisk(s.places.root); err != nil {
		return nil, err
	}
	for _, line := range rep.Machine.head() {
		s.progress.say(line + "\n")
	}
	defer s.progress.end()
	for _, b := range s.opt.rows {
		r := row{ID: b.id}
		s.progress.row = b.id
		debug.FreeOSMemory() // what the row before took is not this one's
		if err := b.run(ctx, s, &r); err != nil {
			return nil, fmt.Errorf("row %s: %w", b.id, err)
		}
		if err := ctx.Err(); err != nil { // what was cut short is no figure
			return nil, fmt.Errorf("row %s: %w", b.id, err)
		}
		r.conclude()
		rep.Rows = append(rep.Rows, r)
	}
	return rep, nil
}

// settings are the flags that change figures.
func (s *suite) settings() settings {
	o := s.opt
	return settings{
		Time: o.time.Seconds(), Shards: o.shards, Quick: o.quick,
		Stations: o.live, HourlyStations: o.hourly, Days: o.days, RecoverEach: o.recoverEach,
	}
}

// measurement is something that gives one figure.
type measurement func(ctx context.Context) (float64, error)

// between measures the limit, ours, and the limit again.
func (s *suite) between(ctx context.Context, r *row, bare, ours measurement) error {
	var values [3]float64
	for i, m := range []struct {
		what    string
		measure measurement
	}{{"limit, before", bare}, {"here", ours}, {"limit, after", bare}} {
		s.progress.begin(m.what)
		v, err := m.measure(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
		s.progress.result(r.Unit.format(v))
		values[i] = v
	}
	r.between(values[0], values[1], values[2])
	return nil
}

// config is that of a node in dir: the defaults, but for what a flag says.
func (s *suite) config(dir string) mesonet.Config {
	cfg := mesonet.DefaultConfig(dir)
	cfg.Shards = s.opt.shards
	cfg.Logger = slog.New(slog.DiscardHandler)
	return cfg
}

// warmup is how long something runs before it is measured.
func (s *suite) warmup() time.Duration { return s.opt.time / 10 }
