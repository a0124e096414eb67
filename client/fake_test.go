package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// fake is a server that can be made to fail. Its store is a set of readings.
type fake struct {
	mesonetv1.UnimplementedStationServiceServer
	mesonetv1.UnimplementedWeatherServiceServer
	mesonetv1.UnimplementedIngestServiceServer
	mesonetv1.UnimplementedMeasureServiceServer

	addr   string
	server *grpc.Server
	served sync.WaitGroup

	// answer answers all calls but streams.
	answer func(ctx context.Context, method string, request any) (any, error)
	// stream serves streams of methods that are none of the API's.
	stream func(grpc.ServerStream) error
	// batch is told each batch of readings, counted from 1 over all streams,
	// and says what to do with it.
	batch func(n int) verdict

	mu       sync.Mutex
	batches  int
	streams  int
	readings map[reading]string // to what was read last
}

type reading struct {
	station string
	minute  int64
}

// verdict is what becomes of a batch.
type verdict struct {
	lose    bool               // forget it, as if it had never come
	silent  bool               // store it and say nothing
	failure *mesonetv1.Failure // refuse each of its runs
	number  uint64             // acknowledge that one instead
	end     error              // then end the stream; with io.EOF in order
}

// newFake starts a fake server on a port of its own.
func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{readings: make(map[reading]string)}
	f.start(t, "127.0.0.1:0")
	t.Cleanup(func() { f.stop() })
	return f
}

func (f *fake) start(t testing.TB, addr string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("the fake server can't listen: %v", err)
	}
	f.addr = listener.Addr().String()
	f.serve(listener)
}

func (f *fake) serve(listener net.Listener) {
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		return f.answer(ctx, info.FullMethod, request)
	}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error { return f.stream(s) }))
	mesonetv1.RegisterStationServiceServer(server, f)
	mesonetv1.RegisterWeatherServiceServer(server, f)
	mesonetv1.RegisterIngestServiceServer(server, f)
	mesonetv1.RegisterMeasureServiceServer(server, f)
	f.server = server
	f.served.Go(func() { _ = server.Serve(listener) })
}

// dial returns a client of the fake, closed when the test ends.
func (f *fake) dial(t testing.TB, set func(*Config)) *Client {
	t.Helper()
	cfg := DefaultConfig(f.addr)
	if set != nil {
		set(&cfg)
	}
	c, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// stop cuts all connections.
func (f *fake) stop() {
	f.server.Stop()
	f.served.Wait()
}

func (f *fake) Ingest(stream grpc.BidiStreamingServer[mesonetv1.IngestRequest, mesonetv1.IngestResponse]) error {
	f.mu.Lock()
	f.streams++
	f.mu.Unlock()
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		response, v := f.take(r)
		if response != nil {
			if err := stream.Send(response); err != nil {
				return err
			}
		}
		if errors.Is(v.end, io.EOF) {
			return nil
		}
		if v.end != nil {
			return v.end
		}
	}
}

// take stores a batch, or does what the verdict says instead.
func (f *fake) take(r *mesonetv1.IngestRequest) (*mesonetv1.IngestResponse, verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches++
	var v verdict
	if f.batch != nil {
		v = f.batch(f.batches)
	}
	if v.lose {
		return nil, v
	}
	response := &mesonetv1.IngestResponse{Number: r.GetNumber()}
	if v.number != 0 {
		response.Number = v.number
	}
	for _, readings := range r.GetReadings() {
		o := &mesonetv1.IngestOutcome{Station: readings.GetStation(), Failure: v.failure}
		if v.failure == nil {
			f.store(readings, o)
		}
		response.Outcomes = append(response.Outcomes, o)
	}
	if v.silent {
		return nil, v
	}
	return response, v
}

// store does what a station does: a reading that is known is a duplicate, or a
// correction.
func (f *fake) store(r *mesonetv1.Readings, o *mesonetv1.IngestOutcome) {
	for i, minute := range r.GetMinutes() {
		text := ""
		for _, column := range r.GetColumns() {
			text += column.GetMeasure() + fmt.Sprint(column.GetValues()[i]) + " "
		}
		key := reading{r.GetStation(), minute}
		known, found := f.readings[key]
		switch {
		case !found:
			o.Stored++
		case known == text:
			o.Duplicates++
		default:
			o.Corrected++
		}
		f.readings[key] = text
	}
}

func (f *fake) counts() (readings, streams int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readings), f.streams
}

// refused is an error as the server makes it.
func refused(code codes.Code, reason, message string, more ...protoadapt.MessageV1) error {
	details := append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: domain}}, more...)
	s, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		return err
	}
	return s.Err()
}
