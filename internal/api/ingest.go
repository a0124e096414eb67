package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	"github.com/mesonet/mesonet/actors/entity"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// errStops ends a stream of a node that stops.
var errStops = fmt.Errorf("%w: the node stops; what it has not acknowledged can be sent to another, or to this one when it is back", entity.ErrUnavailable)

// Ingest takes batches of readings and acknowledges each, in order, when all of
// it is durable.
func (s *Server) Ingest(stream grpc.BidiStreamingServer[mesonetv1.IngestRequest, mesonetv1.IngestResponse]) error {
	in := &ingest{
		s: s, stream: stream,
		requests: make(chan *mesonetv1.IngestRequest), failed: make(chan error, 1),
		runs: semaphore.NewWeighted(int64(s.cfg.StreamRuns)),
		// Batches wait here for their answers; each has at least one run, or
		// is answered at once.
		batches: make(chan *batch, s.cfg.StreamRuns),
	}
	// What receives ends after the handler has returned, when there is nobody to
	// receive for: see EndStreams.
	s.receivers.Go(in.listen)
	g, ctx := errgroup.WithContext(stream.Context())
	g.Go(func() error { return in.receive(ctx) })
	g.Go(func() error { return in.acknowledge(ctx) })
	if err := g.Wait(); err != nil || !in.stopped {
		return err
	}
	return Status(errStops)
}

// ingest is one stream: one goroutine listens to it, one sends to the stations, and
// one acknowledges in the order received.
type ingest struct {
	s        *Server
	stream   grpc.BidiStreamingServer[mesonetv1.IngestRequest, mesonetv1.IngestResponse]
	requests chan *mesonetv1.IngestRequest
	failed   chan error          // why there are no more
	runs     *semaphore.Weighted // runs under way
	batches  chan *batch
	stopped  bool // because the node stops
}

// batch is a request whose stations have not all answered.
type batch struct {
	response *mesonetv1.IngestResponse
	pending  sync.WaitGroup
}

// EndStreams ends the streams of readings, which their clients would keep open: each
// takes no more batches, acknowledges those that it has, and says that the node stops.
func (s *Server) EndStreams() { s.stop() }

// Wait waits for what is left of streams when the gRPC server has ended.
func (s *Server) Wait() { s.receivers.Wait() }

// listen receives until the stream ends.
func (in *ingest) listen() {
	for {
		r, err := in.stream.Recv()
		if err != nil {
			in.failed <- err
			return
		}
		select {
		case in.requests <- r:
		case <-in.stream.Context().Done():
			return
		}
	}
}

func (in *ingest) receive(ctx context.Context) error {
	defer close(in.batches)
	for {
		var r *mesonetv1.IngestRequest
		select {
		case r = <-in.requests:
		case err := <-in.failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-in.s.stopping.Done():
			in.stopped = true
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b := &batch{response: &mesonetv1.IngestResponse{
			Number: r.GetNumber(), Outcomes: make([]*mesonetv1.IngestOutcome, len(r.GetReadings())),
		}}
		if err := in.observe(ctx, b, r.GetReadings()); err != nil {
			return err
		}
		select {
		case in.batches <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// observe sends the readings of a batch to their stations, when there is room
// for them. So a batch that is large for its stream, or the node, goes alone.
func (in *ingest) observe(ctx context.Context, b *batch, all []*mesonetv1.Readings) error {
	ids := make([]string, 0, len(all))
	commands := make([]*station.Observe, 0, len(all))
	outcomes := make([]*mesonetv1.IngestOutcome, 0, len(all))
	observations := int64(0)
	now := in.s.cfg.Now()
	for i, readings := range all {
		o := &mesonetv1.IngestOutcome{Station: readings.GetStation()}
		b.response.Outcomes[i] = o
		run, err := toRun(in.s.stations.Catalogue(), readings)
		if err != nil {
			o.Failure = failure(err)
			in.s.observed(Observed{Refused: len(readings.GetMinutes())})
			continue
		}
		ids = append(ids, readings.GetStation())
		commands = append(commands, &station.Observe{Run: run, AutoRegister: in.s.cfg.AutoRegister, At: now})
		outcomes = append(outcomes, o)
		observations += int64(run.Len())
	}
	if len(commands) == 0 {
		return nil
	}
	runs := min(int64(len(commands)), int64(in.s.cfg.StreamRuns))
	if err := in.runs.Acquire(ctx, runs); err != nil {
		return err
	}
	if err := in.s.node.Bulk().Acquire(ctx, observations); err != nil {
		return err
	}
	b.pending.Add(1)
	var left atomic.Int64
	left.Store(int64(len(commands)))
	in.s.stations.Observe.SendAll(ctx, in.s.node, ids, commands, func(i int, done station.Observed, t entity.Token, err error) {
		o := outcomes[i]
		if o.Failure = failure(err); err == nil {
			o.Stored, o.Duplicates, o.Corrected = uint32(done.Stored), uint32(done.Duplicates), uint32(done.Corrected)
			o.Token = in.s.token(t)
		}
		in.s.observed(observedOf(commands[i].Run.Len(), done, err))
		if left.Add(-1) == 0 {
			in.runs.Release(runs)
			in.s.node.Bulk().Release(observations)
			b.pending.Done()
		}
	}, entity.Bulk())
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
