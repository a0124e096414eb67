package main

import (
	"context"
	"net"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// fake is a server that can be made to fail. It stores nothing.
type fake struct {
	mesonetv1.UnimplementedStationServiceServer
	mesonetv1.UnimplementedWeatherServiceServer
	mesonetv1.UnimplementedIngestServiceServer
	mesonetv1.UnimplementedMeasureServiceServer
	mesonetv1.UnimplementedQuarantineServiceServer

	addr   string
	server *grpc.Server
	served sync.WaitGroup

	// rain and list answer questions when they are set.
	rain func(*mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error)
	list func(*mesonetv1.ListStationsRequest) (*mesonetv1.ListStationsResponse, error)
	// batch is told of each batch of readings, which is never acknowledged; an
	// error ends the stream.
	batch func() error
	// keep, when it is set, is the quarantine.
	keep func(*mesonetv1.QuarantineRequest) (*mesonetv1.QuarantineResponse, error)
}

// newFake starts a fake server on a port of its own.
func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	f.start(t, "127.0.0.1:0")
	t.Cleanup(func() { f.stop() })
	return f
}

func (f *fake) start(t *testing.T, addr string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("the fake server can't listen: %v", err)
	}
	f.addr = listener.Addr().String()
	server := grpc.NewServer()
	mesonetv1.RegisterStationServiceServer(server, f)
	mesonetv1.RegisterWeatherServiceServer(server, f)
	mesonetv1.RegisterIngestServiceServer(server, f)
	mesonetv1.RegisterMeasureServiceServer(server, f)
	mesonetv1.RegisterQuarantineServiceServer(server, f)
	f.server = server
	f.served.Go(func() { _ = server.Serve(listener) })
}

// stop cuts all connections.
func (f *fake) stop() {
	f.server.Stop()
	f.served.Wait()
}

func (f *fake) GetPrecipitation(_ context.Context, r *mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
	if f.rain == nil {
		return nil, status.Error(codes.Unimplemented, "not here")
	}
	return f.rain(r)
}

func (f *fake) ListStations(_ context.Context, r *mesonetv1.ListStationsRequest) (*mesonetv1.ListStationsResponse, error) {
	if f.list == nil {
		return &mesonetv1.ListStationsResponse{}, nil
	}
	return f.list(r)
}

// ListMeasures returns as much of the standard catalogue as readings need.
func (f *fake) ListMeasures(context.Context, *mesonetv1.ListMeasuresRequest) (*mesonetv1.ListMeasuresResponse, error) {
	aggregates := map[weather.Aggregate]mesonetv1.Aggregate{
		weather.AggregateMean: mesonetv1.Aggregate_AGGREGATE_MEAN, weather.AggregateSum: mesonetv1.Aggregate_AGGREGATE_SUM,
		weather.AggregateMaximum: mesonetv1.Aggregate_AGGREGATE_MAXIMUM, weather.AggregateCircular: mesonetv1.Aggregate_AGGREGATE_CIRCULAR,
		weather.AggregateCode: mesonetv1.Aggregate_AGGREGATE_CODE,
	}
	r := &mesonetv1.ListMeasuresResponse{}
	for _, m := range weather.Standard() {
		r.Measures = append(r.Measures, &mesonetv1.Measure{
			Name: m.Name, Unit: m.Unit, Decimals: uint32(m.Decimals), Aggregate: aggregates[m.Aggregate], Trace: m.Trace,
			Low: m.Low.Float(m.Decimals), High: m.High.Float(m.Decimals),
		})
	}
	return r, nil
}

// GetStation knows no station, but the store.
func (f *fake) GetStation(context.Context, *mesonetv1.GetStationRequest) (*mesonetv1.GetStationResponse, error) {
	return &mesonetv1.GetStationResponse{Token: &mesonetv1.Token{Store: 7}}, nil
}

func (f *fake) Quarantine(_ context.Context, r *mesonetv1.QuarantineRequest) (*mesonetv1.QuarantineResponse, error) {
	if f.keep == nil {
		return nil, status.Error(codes.Unimplemented, "not here")
	}
	return f.keep(r)
}

func (f *fake) Ingest(stream grpc.BidiStreamingServer[mesonetv1.IngestRequest, mesonetv1.IngestResponse]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := f.batch(); err != nil {
			return err
		}
	}
}

// failed is an error as the server makes it.
func failed(code codes.Code, reason, message string, more ...protoadapt.MessageV1) error {
	details := append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: "mesonet"}}, more...)
	s, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		return err
	}
	return s.Err()
}
