package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// sink is an ingest.Sink that sends batches over the Ingest stream of a server.
//
// Batches go over one stream, in order. When it breaks, everything sent over it
// and not acknowledged is answered with ingest.ErrRetry, which leaves the order
// and the pauses of the second attempt to the loader; the next batch opens a
// new stream. The new one is opened only when the goroutine that received from
// the old one has ended: no late acknowledgement can meet a number of the new.
//
// Send belongs to one goroutine, as the loader's.
type sink struct {
	ctx       context.Context // streams outlive the call that opens them
	client    *client
	catalogue weather.Catalogue
	// silence is the longest that batches may wait without one being
	// acknowledged before the stream counts as broken.
	silence time.Duration
	// onBreak, when set, is told of each break.
	onBreak func(error)

	number uint64  // of the last batch
	up     *uplink // nil until the first batch
}

// newSink returns a sink whose streams end with ctx. Close waits for them.
func newSink(ctx context.Context, c *client, catalogue weather.Catalogue) *sink {
	return &sink{ctx: ctx, client: c, catalogue: catalogue, silence: max(c.timeout, 30*time.Second)}
}

// Send implements ingest.Sink.
func (s *sink) Send(_ context.Context, batch []ingest.StationRun, done func([]ingest.Outcome)) error {
	if s.up != nil && s.up.broken() {
		err := s.up.close()
		s.up = nil
		if !isTransient(err) {
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
func (s *sink) Close() {
	if s.up != nil {
		_ = s.up.close() // whoever waited for an outcome has been told
		s.up = nil
	}
}

func (s *sink) open() (*uplink, error) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	stream, err := s.client.Ingest(ctx)
	if err != nil {
		cancel(nil)
		err = newRPCError(s.client.addr, s.client.timeout, err)
		if isTransient(err) {
			return nil, retry(err)
		}
		return nil, err
	}
	up := &uplink{
		client: s.client, stream: stream, cancel: cancel, silence: s.silence,
		onBreak: s.onBreak, ended: make(chan struct{}), pending: make(map[uint64]*pendingBatch),
	}
	up.watchdog = time.AfterFunc(s.silence, func() {
		cancel(fmt.Errorf("nothing was acknowledged for %v", s.silence))
	})
	up.watchdog.Stop() // until there is something to wait for
	go up.receive(ctx)
	return up, nil
}

// request puts a batch into the form of the API.
func (s *sink) request(batch []ingest.StationRun) *mesonetv1.IngestRequest {
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

// refusal is the failure of one station's readings.
type refusal struct{ failure *mesonetv1.Failure }

// newRefusal returns the error of a failure, marked if it may pass.
func newRefusal(f *mesonetv1.Failure) error {
	r := &refusal{f}
	switch codes.Code(f.GetCode()) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Canceled, codes.Unknown:
		return retry(r)
	default: // CRASHED too: what one station's code can't take must not end the load
		return r
	}
}

// Error begins with the reason, by which the summary groups.
func (r *refusal) Error() string {
	if r.failure.GetReason() == "" {
		return codes.Code(r.failure.GetCode()).String() + ": " + r.failure.GetMessage()
	}
	return r.failure.GetReason() + ": " + r.failure.GetMessage()
}

// GRPCStatus lets status.Code see the code.
func (r *refusal) GRPCStatus() *status.Status {
	return status.New(codes.Code(r.failure.GetCode()), r.failure.GetMessage())
}

// retry marks an error as one that another attempt may not meet.
func retry(err error) error { return fmt.Errorf("%w: %w", ingest.ErrRetry, err) }

// isTransient reports whether a call that failed may succeed another time. What
// the server refuses as wrong, forbidden or corrupt it will refuse again.
func isTransient(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented, codes.DataLoss:
		return false
	case codes.ResourceExhausted:
		// From the server: overloaded. From gRPC itself: a message too large,
		// which it will be again.
		var r *rpcError
		return !errors.As(err, &r) || r.reason == reasonOverloaded
	default:
		return true
	}
}
