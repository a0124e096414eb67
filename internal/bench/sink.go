package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather/ingest"
	"github.com/mesonet/mesonet/weather/station"
)

// nodeSink is an ingest.Sink that sends to the stations of a node in this process
// what an ingest stream does, with the node's credit.
type nodeSink struct{ n *node }

// Send implements ingest.Sink.
func (s nodeSink) Send(ctx context.Context, batch []ingest.StationRun, done func([]ingest.Outcome)) error {
	ids, commands := make([]string, len(batch)), make([]*station.Observe, len(batch))
	observations := int64(0)
	now := time.Now()
	for i, run := range batch {
		ids[i], commands[i] = run.Station, &station.Observe{Run: run.Run, AutoRegister: true, At: now}
		observations += int64(run.Run.Len())
	}
	if err := s.n.Bulk().Acquire(ctx, observations); err != nil {
		return err
	}
	outcomes := make([]ingest.Outcome, len(batch))
	var left atomic.Int64
	left.Store(int64(len(batch)))
	s.n.stations.Observe.SendAll(ctx, s.n, ids, commands, func(i int, o station.Observed, _ entity.Token, err error) {
		outcomes[i] = ingest.Outcome{Stored: o.Stored, Duplicates: o.Duplicates, Corrected: o.Corrected, Err: err}
		if left.Add(-1) == 0 {
			s.n.Bulk().Release(observations)
			done(outcomes)
		}
	}, entity.Bulk())
	return nil
}
