package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// observing measures durable observations: from a parsed reading to its
// acknowledgement, compared with what the station holds, evolved into its pages,
// encoded, synced to disk, ownership checked. Messages of one observation come
// from another station each; of more, they are runs of a station.
func observing(rows int, goal goal) func(context.Context, *suite, *row) error {
	return func(ctx context.Context, s *suite, r *row) error {
		r.Goal = &goal
		r.Limit = &limit{What: "a log file with group commit, 40 bytes and a goroutine an event"}
		return s.observing(ctx, r, embedded, rows, s.rawLog)
	}
}

// observingOnCassandra is the same on one real node of Cassandra on the same
// machine. The limit writes 256 of our own encoded observations a row.
func observingOnCassandra(rows int, ratio float64) func(context.Context, *suite, *row) error {
	return func(ctx context.Context, s *suite, r *row) error {
		r.Goal = &goal{Of: ofRatio, Must: atLeast, Value: ratio}
		r.Limit = &limit{What: fmt.Sprintf("a bare writer of rows with %d of our encoded observations, 32 under way", bareRow)}
		if err := s.observing(ctx, r, onCassandra, rows, s.bareWriter(rows)); err != nil {
			return err
		}
		p99 := &r.Also[len(r.Also)-1]
		p99.Goal = &goal{Of: ofHere, Must: below, Value: 0.1}
		s.progress.begin("a row an event")
		single, err := s.rowAnEvent(ctx)
		if err != nil {
			return fmt.Errorf("a row an event: %w", err)
		}
		s.progress.result(r.Unit.format(single))
		r.also("a bare writer of a row an event, 512 under way", r.Unit, single)
		r.also("ours to that", timesThat, r.Here/single).Goal = &goal{Of: ofHere, Must: atLeast, Value: 25}
		return nil
	}
}

// observing measures a row of either.
func (s *suite) observing(ctx context.Context, r *row, on backing, rows int, bare measurement) error {
	r.Work = fmt.Sprintf("durable observations, every message another station; %s, %s in flight",
		counted(network, "station"), thousands(inFlight))
	if rows > 1 {
		r.Work = fmt.Sprintf("durable observations in runs of %d a station; %s, %s in flight",
			rows, counted(network, "station"), thousands(inFlight))
	}
	r.Unit = observationsPerSecond
	if err := s.between(ctx, r, bare, func(ctx context.Context) (float64, error) { return s.throughput(ctx, on, rows) }); err != nil {
		return err
	}
	s.progress.begin("half load")
	acks, err := s.halfLoad(ctx, on, rows, r.Here/2)
	if err != nil {
		return fmt.Errorf("half load: %w", err)
	}
	at := fmt.Sprintf("time to acknowledgement at half load (%s)", r.Unit.format(r.Here/2))
	r.also(at+", p50", seconds, acks.quantile(0.5))
	r.also(at+", p99", seconds, acks.quantile(0.99))
	return nil
}

// settle is how long a node is fed before it is measured: one with a server as long as
// the limit is, so that both meet the server's compiler warm.
func (s *suite) settle(n *node) time.Duration {
	if n.Store().Local {
		return s.warmup()
	}
	return s.serverWarmup()
}

// throughput returns the observations acknowledged a second when as many are
// sent as there is room for.
func (s *suite) throughput(ctx context.Context, on backing, rows int) (_ float64, err error) {
	n, stop, err := s.startNetwork(ctx, on, "observe")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	load, err := newRounds(network)
	if err != nil {
		return 0, err
	}
	observe := func(d time.Duration) (float64, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		begin := time.Now()
		observations, err := feed(ctx, n, stream{rows: rows, inFlight: inFlight, fill: load.fill})
		return perSecond(observations, time.Since(begin)), err
	}
	if _, err := observe(s.settle(n)); err != nil {
		return 0, err
	}
	rate, err := observe(s.opt.time)
	if err == nil && rate == 0 {
		err = fmt.Errorf("nothing was acknowledged in %s", s.opt.time)
	}
	return rate, err
}

// tick is how often a paced load sends what is due.
const tick = time.Millisecond

// pace is the schedule of messages that are sent at a steady rate: those of a
// tick are due at its beginning.
type pace struct {
	begin   time.Time
	perTick float64
}

// due returns when a message is, counted from 0.
func (p pace) due(message int) time.Time {
	return p.begin.Add(time.Duration(float64(message)/p.perTick) * tick)
}

// within returns how many messages are due in a time from the beginning on.
func (p pace) within(d time.Duration) int { return int(p.perTick * float64(d) / float64(tick)) }

// halfLoad sends a number of observations a second, whatever becomes of them,
// and returns how long each message took from when it was due: one that could
// not be sent in time has waited as well.
func (s *suite) halfLoad(ctx context.Context, on backing, rows int, rate float64) (_ latencies, err error) {
	n, stop, err := s.startNetwork(ctx, on, "half-load")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	load, err := newRounds(network)
	if err != nil {
		return nil, err
	}
	p := pace{time.Now(), rate / float64(rows) * tick.Seconds()}
	warm := p.within(s.settle(n))
	all := max(warm+1, p.within(s.settle(n)+s.opt.time))
	took := make(latencies, all)
	timer := time.NewTimer(0)
	defer timer.Stop()
	sent := 0
	_, err = feed(ctx, n, stream{
		rows: rows, inFlight: inFlight,
		batch: max(1, int(p.perTick)), // what is due is sent, and doesn't wait for more
		fill: func(m *message) bool {
			if sent == all || ctx.Err() != nil {
				return false
			}
			m.number, m.due = sent, p.due(sent)
			if wait := time.Until(m.due); wait > 0 {
				timer.Reset(wait)
				select {
				case <-timer.C:
				case <-ctx.Done():
					return false
				}
			}
			sent++
			return load.fill(m)
		},
		acked: func(m *message) { took[m.number] = time.Since(m.due) },
	})
	return took[warm:].sorted(), err
}
