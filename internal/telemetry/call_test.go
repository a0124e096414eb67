package telemetry_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/mesonet/mesonet/internal/telemetry"
)

// serveCalls serves a call that succeeds, one that fails, one of a method that
// is not there, and a stream of two messages that its client cuts off.
func serveCalls(t *testing.T, m *telemetry.Metrics) {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(m.ServerOptions()...)
	answers := health.NewServer()
	healthv1.RegisterHealthServer(server, answers)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	client := healthv1.NewHealthClient(conn)
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "725030:14732"}); status.Code(err) != codes.NotFound {
		t.Errorf("a service that is not there: %v", err)
	}
	if err := conn.Invoke(t.Context(), "/made.up/By-725030:14732", &healthv1.HealthCheckRequest{}, &healthv1.HealthCheckResponse{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a method that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		if r, err := stream.Recv(); err != nil || r.GetStatus() != want {
			t.Errorf("the stream says %v, %v; want %v", r, err, want)
		}
		answers.Shutdown()
	}
	cancel()
	server.GracefulStop() // waits for the calls, not only for their answers
	if err := errors.Join(conn.Close(), <-ended); err != nil {
		t.Error(err)
	}
}

// Calls are counted with the code that their caller gets, streams with their
// messages, and what a caller makes up is not.
func TestCalls(t *testing.T) {
	m := telemetry.New("test")
	serveCalls(t, m)
	const want = `
# HELP mesonet_grpc_requests_open Calls under way, streams too.
# TYPE mesonet_grpc_requests_open gauge
mesonet_grpc_requests_open{method="grpc.health.v1.Health/Check"} 0
mesonet_grpc_requests_open{method="grpc.health.v1.Health/Watch"} 0
# HELP mesonet_grpc_requests_total Calls that have ended, streams too.
# TYPE mesonet_grpc_requests_total counter
mesonet_grpc_requests_total{code="Canceled",method="grpc.health.v1.Health/Watch"} 1
mesonet_grpc_requests_total{code="NotFound",method="grpc.health.v1.Health/Check"} 1
mesonet_grpc_requests_total{code="OK",method="grpc.health.v1.Health/Check"} 1
# HELP mesonet_grpc_stream_messages_total Messages of streams, received or sent.
# TYPE mesonet_grpc_stream_messages_total counter
mesonet_grpc_stream_messages_total{direction="received",method="grpc.health.v1.Health/Watch"} 1
mesonet_grpc_stream_messages_total{direction="sent",method="grpc.health.v1.Health/Watch"} 2
`
	err := testutil.GatherAndCompare(m.Gatherer(), strings.NewReader(want),
		"mesonet_grpc_requests_open", "mesonet_grpc_requests_total", "mesonet_grpc_stream_messages_total")
	if err != nil {
		t.Error(err)
	}
	for name, want := range map[string]uint64{"mesonet_grpc_request_duration_seconds": 2, "mesonet_grpc_stream_duration_seconds": 1} {
		all := families(t, m)[name].GetMetric()
		if len(all) != 1 || all[0].GetHistogram().GetSampleCount() != want {
			t.Errorf("%s is %v, want %d values", name, all, want)
		}
	}
}

// What a handler returns that is no status of its own is what grpc-go makes of
// it. Mutation seen to fail: codeOf with status.Code alone.
func TestCodeOfACutStream(t *testing.T) {
	for _, v := range []struct {
		err  error
		want string
	}{
		{nil, "OK"},
		{context.Canceled, "Canceled"},
		{context.DeadlineExceeded, "DeadlineExceeded"},
		{errors.New("x"), "Unknown"},
		{status.Error(codes.ResourceExhausted, "x"), "ResourceExhausted"},
	} {
		if got := telemetry.CodeOf(v.err); got != v.want {
			t.Errorf("%v counts as %s, want %s", v.err, got, v.want)
		}
	}
}
