package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	"github.com/mesonet/mesonet/actors/entity"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// Ingest takes batches of readings and acknowledges each, in order, when all of
// it is durable.
func (s *Server) Ingest(stream grpc.BidiStreamingServer[mesonetv1.IngestRequest, mesonetv1.IngestResponse]) error {
	in := &ingest{
		s: s, stream: stream,
		room: semaphore.NewWeighted(int64(s.cfg.StreamObservations)),
		runs: semaphore.NewWeighted(int64(s.cfg.StreamRuns)),
		// Batches wait here for their answers; each has at least one run, or
		// is answered at once.
		batches: make(chan *batch, s.cfg.StreamRuns),
	}
	g, ctx := errgroup.WithContext(stream.Context())
	g.Go(func() error { return in.receive(ctx) })
	g.Go(func() error { return in.acknowledge(ctx) })
	return g.Wait()
}

// ingest is one stream: one goroutine receives and sends to the stations, one
// acknowledges in the order received.
type ingest struct {
	s       *Server
	stream  grpc.BidiStreamingServer[mesonetv1.IngestRequest, mesonetv1.IngestResponse]
	room    *semaphore.Weighted // observations under way
	runs    *semaphore.Weighted // runs under way
	batches chan *batch
}

// batch is a request whose stations have not all answered.
type batch struct {
	response *mesonetv1.IngestResponse
	pending  sync.WaitGroup
}

func (in *ingest) receive(ctx context.Context) error {
	defer close(in.batches)
	for {
		r, err := in.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b := &batch{response: &mesonetv1.IngestResponse{
			Number: r.GetNumber(), Outcomes: make([]*mesonetv1.IngestOutcome, len(r.GetReadings())),
		}}
		for i, readings := range r.GetReadings() {
			o := &mesonetv1.IngestOutcome{Station: readings.GetStation()}
			b.response.Outcomes[i] = o
			if err := in.observe(ctx, b, o, readings); err != nil {
				return err
			}
		}
		select {
		case in.batches <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// observe sends readings to their station, when there is room.
func (in *ingest) observe(ctx context.Context, b *batch, o *mesonetv1.IngestOutcome, r *mesonetv1.Readings) error {
	run, err := toRun(in.s.stations.Catalogue(), r)
	if err != nil {
		o.Failure = failure(err)
		in.s.observed(Observed{Refused: len(r.GetMinutes())})
		return nil
	}
	// A run beyond the limit goes alone.
	weight := min(int64(max(run.Len(), 1)), int64(in.s.cfg.StreamObservations))
	if err := in.room.Acquire(ctx, weight); err != nil {
		return err
	}
	if err := in.runs.Acquire(ctx, 1); err != nil {
		return err
	}
	b.pending.Add(1)
	command := &station.Observe{Run: run, AutoRegister: in.s.cfg.AutoRegister}
	in.s.stations.Observe.Send(ctx, in.s.node, r.GetStation(), command, func(done station.Observed, t entity.Token, err error) {
		if o.Failure = failure(err); err == nil {
			o.Stored, o.Duplicates, o.Corrected = uint32(done.Stored), uint32(done.Duplicates), uint32(done.Corrected)
			o.Token = in.s.token(t)
		}
		in.s.observed(observedOf(run.Len(), done, err))
		in.runs.Release(1)
		in.room.Release(weight)
		b.pending.Done()
	})
	return nil
}

func (in *ingest) acknowledge(ctx context.Context) error {
	for b := range in.batches {
		// Every call ends, also when the node stops; so does this wait.
		b.pending.Wait()
		if ctx.Err() != nil {
			continue // drain, so that receive never blocks
		}
		if err := in.stream.Send(b.response); err != nil {
			return err
		}
	}
	return nil
}

// toRun returns readings as a run of the catalogue.
func toRun(catalogue weather.Catalogue, r *mesonetv1.Readings) (*weather.Run, error) {
	refuse := func(format string, args ...any) (*weather.Run, error) {
		return nil, entity.RejectInvalid("readings of station %q: %s", r.GetStation(), fmt.Sprintf(format, args...)).Because(station.BadObservation)
	}
	n := len(r.GetMinutes())
	if n > weather.MaxRun {
		return refuse("%d observations are too many at once; send at most %d", n, weather.MaxRun)
	}
	run := &weather.Run{Times: make([]weather.Minute, n), Columns: make([][]weather.Value, len(catalogue))}
	for i, t := range r.GetMinutes() {
		if t < math.MinInt32 || t > math.MaxInt32 {
			return refuse("there is no minute %d", t)
		}
		run.Times[i] = weather.Minute(t)
	}
	for _, column := range r.GetColumns() {
		id, ok := catalogue.Lookup(column.GetMeasure())
		switch {
		case !ok:
			return refuse("there is no measure %q", column.GetMeasure())
		case len(column.GetValues()) != n:
			return refuse("%d values of %s for %d times", len(column.GetValues()), column.GetMeasure(), n)
		case run.Columns[id] != nil:
			return refuse("measure %s comes twice", column.GetMeasure())
		}
		values := make([]weather.Value, n)
		for i, v := range column.GetValues() {
			values[i] = weather.Value(v)
		}
		run.Columns[id] = values
	}
	return run, nil
}
