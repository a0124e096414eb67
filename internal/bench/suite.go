package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/internal/servers"
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
	// server: it needs a real server beside us.
	server bool
}

// benchmarks are all rows in their order: the ones with a large heap come last.
func benchmarks() []benchmark {
	return []benchmark{
		{id: "observe-interleaved", run: observing(1, goal{Of: ofRatio, Must: atLeast, Value: 1})},
		{id: "observe-runs", run: observing(64, goal{Of: ofRatio, Must: atLeast, Value: 2.5})},
		{id: "ask", run: asks},
		{id: "top-hours", run: tops(false)},
		{id: "top-days", run: tops(true)},
		{id: "grpc-1", run: calls(1)},
		{id: "grpc-4", run: calls(4)},
		{id: "stream", run: streams},
		{id: "transport", run: asksOverTransport},
		{id: "across", run: asksAcross},
		{id: "files-killrweather", run: files(killrWeather)},
		{id: "files-isd-lite", run: files(isdLite)},
		{id: "recovery", run: recovery},
		{id: "busy", run: busy},
		{id: "memory", run: memory},
		{id: "pages", run: pages},
		{id: "cassandra-interleaved", run: observingOnCassandra(1, 0.5), server: true},
		{id: "cassandra-recovery", run: recoveryOnCassandra, server: true},
		{id: "cassandra-runs", run: observingOnCassandra(64, 0.6), server: true},
		{id: "cassandra-views", run: viewsOnCassandra, server: true},
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

	cassandra *servers.Cassandra // nil until a row needs it
	keyspaces int                // that were made on it
}

// run measures the rows that are chosen, one after the other.
func (s *suite) run(ctx context.Context) (_ *report, err error) {
	rep := &report{Machine: describeMachine(), Settings: s.settings()}
	if err := rep.Machine.describeDisk(s.places.root); err != nil {
		return nil, err
	}
	for _, line := range rep.Machine.head() {
		s.progress.say(line + "\n")
	}
	defer s.progress.end()
	defer func() { err = errors.Join(err, s.stopServers()) }()
	for _, b := range s.opt.rows {
		if b.server && !s.opt.named && !canServe(ctx) {
			s.progress.say(b.id + ": left out, as no server can be started here\n")
			continue
		}
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
	return s.inTurn(ctx, r, 1, bare, ours)
}

// turns is how often rows are measured in turn that take little time and move much:
// the machine may be another from one second to the next.
const turns = 3

// inTurn measures the limit and ours so many times in turn, the limit at both ends. The
// one of ours that is in the middle, as a part of the limit around it, is the row's.
func (s *suite) inTurn(ctx context.Context, r *row, times int, bare, ours measurement) error {
	if s.opt.quick {
		times = 1
	}
	measure := func(what string, of measurement) (float64, error) {
		s.progress.begin(what)
		v, err := of(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", what, err)
		}
		s.progress.result(r.Unit.format(v))
		return v, nil
	}
	before, err := measure("limit, before", bare)
	if err != nil {
		return err
	}
	var all []turn
	for range times {
		here, err := measure("here", ours)
		if err != nil {
			return err
		}
		after, err := measure("limit, after", bare)
		if err != nil {
			return err
		}
		all = append(all, turn{before, here, after})
		before = after
	}
	slices.SortFunc(all, func(a, b turn) int { return cmp.Compare(a.ratio(), b.ratio()) })
	r.between(all[len(all)/2])
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

// serverWarmup is the same where a server in Java is in it, whose compiler needs more.
func (s *suite) serverWarmup() time.Duration { return s.warmup() + s.opt.time }
