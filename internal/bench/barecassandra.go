package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/weather"
)

// bareRow is how many observations a row of the limit holds.
const bareRow = 256

// bareWriter is the limit of durable observations on Cassandra: rows of 256
// observations in the encoding of our own frames, made before, each written at
// QUORUM by one of as many writers as a node has frames under way. It does nothing
// else: no stations, no order, no check.
func (s *suite) bareWriter(rows int) measurement {
	return func(ctx context.Context) (float64, error) {
		frames, err := bareFrames(rows)
		if err != nil {
			return 0, err
		}
		rate, err := s.insert(ctx, frames, 32)
		return rate * bareRow, err
	}
}

// rowAnEvent is what an event store does that writes a row an event: 40 bytes,
// at QUORUM, by so many writers that more are no faster.
func (s *suite) rowAnEvent(ctx context.Context) (float64, error) {
	return s.insert(ctx, [][]byte{make([]byte, 40)}, 512)
}

// bareFrames are rows of the sample.
func bareFrames(rows int) (frames [][]byte, err error) {
	load, err := newRounds(network)
	if err != nil {
		return nil, err
	}
	for range 64 {
		var b persistence.FrameBuilder
		kind := b.Kind("station")
		typ := b.Type(kind, "observed", 1)
		messages := newMessages(bareRow/rows, rows)
		for i := range messages {
			m := &messages[i]
			load.fill(m)
			b.Add(b.Entity(kind, m.station), typ, weather.AppendRun(nil, &m.run))
		}
		f, err := b.Build(0, persistence.At(persistence.FirstEpoch, 0))
		if err != nil {
			return nil, err
		}
		frames = append(frames, f.Data)
	}
	return frames, nil
}

// insert writes rows into a table of its own, and returns how many a second.
func (s *suite) insert(ctx context.Context, rows [][]byte, writers int) (_ float64, err error) {
	where, err := s.keyspace(ctx)
	if err != nil {
		return 0, err
	}
	session, err := dial(where)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	if err := session.Query("CREATE TABLE bare (part int, seq bigint, row blob, PRIMARY KEY (part, seq)) WITH compression = {'enabled': false}").ExecContext(ctx); err != nil {
		return 0, err
	}
	var seq atomic.Int64
	write := func(d time.Duration) (float64, error) {
		timed, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		var ended atomic.Bool
		defer context.AfterFunc(timed, func() { ended.Store(true) })()
		var group sync.WaitGroup
		var failed atomic.Pointer[error]
		var written atomic.Int64
		begin := time.Now()
		for w := range writers {
			group.Go(func() {
				for i := 0; !ended.Load(); i++ {
					n := seq.Add(1)
					err := session.Query("INSERT INTO bare (part, seq, row) VALUES (?, ?, ?)", int(n>>16)*64+w%64, n, rows[(i+w)%len(rows)]).ExecContext(ctx)
					if err != nil {
						failed.CompareAndSwap(nil, &err)
						return
					}
					written.Add(1)
				}
			})
		}
		group.Wait()
		if p := failed.Load(); p != nil {
			return 0, *p
		}
		return perSecond(int(written.Load()), time.Since(begin)), nil
	}
	if _, err := write(s.serverWarmup()); err != nil {
		return 0, err
	}
	rate, err := write(s.opt.time)
	return rate, errors.Join(err, ctx.Err())
}
