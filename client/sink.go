package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// Sink is an ingest.Sink that sends batches over the Ingest stream of a server.
//
// Batches go over one stream, in order. When it breaks, everything sent over it
// and not acknowledged is answered with ingest.ErrRetry, which leaves the order
// and the pauses of the second attempt to the loader; the next batch opens a
// new stream. The new one is opened only when the goroutine that received from
// the old one has ended: no late acknowledgement can meet a number of the new.
//
// Of several servers a stream goes to the one that calls go to. One that breaks it,
// leaves it unanswered, or can store nothing of a batch, is left for the next.
//
// Send and Close belong to one goroutine, as the loader's.
type Sink struct {
	// OnBreak, when set, is told why each stream broke that left batches
	// unacknowledged, from the goroutine of that stream. Set it before the first
	// batch.
	OnBreak func(error)

	ctx       context.Context // streams outlive the call that opens them
	client    *Client
	catalogue weather.Catalogue
	number    uint64  // of the last batch
	up        *uplink // nil until the first batch
}

// Ingest returns a sink whose streams end with ctx, for readings whose columns
// are those of the catalogue. Close waits for its stream.
func (c *Client) Ingest(ctx context.Context, catalogue weather.Catalogue) *Sink {
	return &Sink{ctx: ctx, client: c, catalogue: catalogue}
}

// Send implements ingest.Sink. What ends a load is an *Error, as is what a run
// was refused for.
func (s *Sink) Send(_ context.Context, batch []ingest.StationRun, done func([]ingest.Outcome)) error {
	if s.up != nil && s.up.broken() {
		err := s.up.close()
		s.up = nil
		if !breaks(err) {
			return err
		}
	}
	if s.up == nil {
		up, err := s.open()
		if err != nil {
			return err
		}
		s.up = up
	}
	s.number++
	s.up.send(s.request(batch), done)
	return nil
}

// Close ends the stream and waits for its goroutine.
func (s *Sink) Close() {
	if s.up != nil {
		_ = s.up.close() // whoever waited for an outcome has been told
		s.up = nil
	}
}

func (s *Sink) open() (*uplink, error) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	stream, err := s.client.stream(ctx, &mesonetv1.IngestService_ServiceDesc.Streams[0], mesonetv1.IngestService_Ingest_FullMethodName)
	if err != nil {
		cancel(nil)
		if breaks(err) {
			return nil, retry(err)
		}
		return nil, err
	}
	silence := s.client.cfg.Silence
	up := &uplink{
		stream: stream, cancel: cancel, silence: silence,
		onBreak: s.OnBreak, ended: make(chan struct{}), pending: make(map[uint64]*pendingBatch),
	}
	up.watchdog = time.AfterFunc(silence, func() {
		cancel(fmt.Errorf("nothing was acknowledged for %v", silence))
	})
	up.watchdog.Stop() // until there is something to wait for
	go up.receive(ctx)
	return up, nil
}

// request puts a batch into the form of the API.
func (s *Sink) request(batch []ingest.StationRun) *mesonetv1.IngestRequest {
	r := &mesonetv1.IngestRequest{Number: s.number, Readings: make([]*mesonetv1.Readings, len(batch))}
	for i, run := range batch {
		r.Readings[i] = newReadings(s.catalogue, run)
	}
	return r
}

func newReadings(catalogue weather.Catalogue, run ingest.StationRun) *mesonetv1.Readings {
	m := &mesonetv1.Readings{Station: run.Station, Minutes: make([]int64, run.Run.Len())}
	for i, t := range run.Run.Times {
		m.Minutes[i] = int64(t)
	}
	for id, values := range run.Run.Columns {
		if values == nil {
			continue
		}
		column := &mesonetv1.Column{Measure: catalogue[id].Name, Values: make([]int32, len(values))}
		for i, v := range values {
			column.Values[i] = int32(v) // Missing and Trace have the same numbers here and there
		}
		m.Columns = append(m.Columns, column)
	}
	return m
}

// refusal returns the error of one station's readings, marked if it may pass.
// What one station's code can't take must not end the load, nor hold it up.
func refusal(f *mesonetv1.Failure) error {
	err := OfFailure(f)
	if passes(err) {
		return retry(err)
	}
	return err
}

// retry marks an error as one that another attempt may not meet.
func retry(err error) error { return fmt.Errorf("%w: %w", ingest.ErrRetry, err) }

// passes reports whether readings that met an error may be sent again: for them
// that is always safe.
func passes(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Transient()
}

// breaks reports whether a stream that ended with an error may be opened again.
// To gRPC the failures of a network and those of a server look alike, so these
// count as passing too: the loader gives up in time.
func breaks(err error) bool {
	var e *Error
	return passes(err) || errors.As(err, &e) && (e.Code == codes.Internal || e.Code == codes.Unknown)
}
