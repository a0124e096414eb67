package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mesonet/mesonet/internal/gateway"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server that answers what the test wants and remembers what it was
// asked.
type fake struct {
	mesonetv1.UnimplementedStationServiceServer
	mesonetv1.UnimplementedWeatherServiceServer
	mesonetv1.UnimplementedMeasureServiceServer
	mesonetv1.UnimplementedObservationServiceServer
	mesonetv1.UnimplementedIngestServiceServer
	mesonetv1.UnimplementedQuarantineServiceServer
	mesonetv1.UnimplementedEntityServiceServer
	mesonetv1.UnimplementedClusterServiceServer

	mu       sync.Mutex
	err      error // what GetStation and the streams answer
	station  *mesonetv1.GetStationRequest
	list     *mesonetv1.ListStationsRequest
	rain     *mesonetv1.GetPrecipitationRequest
	quality  *mesonetv1.SetStationQualityRequest
	asked    *mesonetv1.AskRequest
	skipped  *mesonetv1.SkipEventRequest
	streamed *mesonetv1.StreamObservationsRequest
	recorded *mesonetv1.RecordObservationsRequest

	chunks int           // of StreamObservations, before err
	hang   chan struct{} // GetStation and the streams wait for it, or for their end
	slow   chan struct{} // Ingest acknowledges when it is closed
	ended  chan struct{} // told when a call that hung has ended
}

func (f *fake) wait(ctx context.Context) error {
	if f.hang == nil {
		return nil
	}
	select {
	case <-f.hang:
		return nil
	case <-ctx.Done():
		f.ended <- struct{}{}
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (f *fake) GetStation(ctx context.Context, r *mesonetv1.GetStationRequest) (*mesonetv1.GetStationResponse, error) {
	f.mu.Lock()
	f.station = r
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	return &mesonetv1.GetStationResponse{
		Station: &mesonetv1.Station{Id: r.GetStation(), Name: strings.Repeat("name ", 1000)},
		Token:   &mesonetv1.Token{Store: 1<<64 - 1, Shard: 3, Position: 1<<40 | 7},
	}, nil
}

func (f *fake) RegisterStations(ctx context.Context, _ *mesonetv1.RegisterStationsRequest) (*mesonetv1.RegisterStationsResponse, error) {
	return &mesonetv1.RegisterStationsResponse{}, f.wait(ctx)
}

func (f *fake) ListStations(_ context.Context, r *mesonetv1.ListStationsRequest) (*mesonetv1.ListStationsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = r
	return &mesonetv1.ListStationsResponse{Tokens: []*mesonetv1.Token{{Store: 9, Shard: 2, Position: 5}, {Store: 9, Shard: 1, Position: 4}}}, nil
}

func (f *fake) GetPrecipitation(_ context.Context, r *mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rain = r
	return &mesonetv1.GetPrecipitationResponse{Station: r.GetStation()}, nil
}

func (f *fake) SetStationQuality(_ context.Context, r *mesonetv1.SetStationQualityRequest) (*mesonetv1.SetStationQualityResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quality = r
	return &mesonetv1.SetStationQualityResponse{}, nil
}

func (f *fake) Ask(_ context.Context, r *mesonetv1.AskRequest) (*mesonetv1.AskResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = r
	return &mesonetv1.AskResponse{}, nil
}

func (f *fake) SkipEvent(_ context.Context, r *mesonetv1.SkipEventRequest) (*mesonetv1.SkipEventResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skipped = r
	return &mesonetv1.SkipEventResponse{}, nil
}

func (f *fake) RecordObservations(_ context.Context, r *mesonetv1.RecordObservationsRequest) (*mesonetv1.RecordObservationsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recorded = r
	response := &mesonetv1.RecordObservationsResponse{}
	for i := range r.GetObservations() {
		response.Outcomes = append(response.Outcomes, &mesonetv1.RecordOutcome{
			Status: mesonetv1.RecordOutcome_STATUS_STORED, Token: &mesonetv1.Token{Store: 9, Shard: 4, Position: uint64(10 + i)},
		})
	}
	return response, nil
}

func (f *fake) StreamObservations(r *mesonetv1.StreamObservationsRequest, s grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
	f.mu.Lock()
	f.streamed = r
	chunks, err := f.chunks, f.err
	f.mu.Unlock()
	for i := range chunks {
		if err := s.Send(&mesonetv1.StreamObservationsResponse{Readings: &mesonetv1.Readings{Station: r.GetStation(), Minutes: []int64{int64(i)}}}); err != nil {
			f.ended <- struct{}{}
			return err
		}
	}
	if err := f.wait(s.Context()); err != nil {
		return err
	}
	return err
}

func (f *fake) Ingest(s grpc.BidiStreamingServer[mesonetv1.IngestRequest, mesonetv1.IngestResponse]) error {
	for {
		r, err := s.Recv()
		if err != nil {
			if f.ended != nil {
				f.ended <- struct{}{}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		f.mu.Lock()
		failing := f.err
		f.mu.Unlock()
		if f.slow != nil {
			<-f.slow
		}
		if failing != nil {
			return failing
		}
		if err := s.Send(&mesonetv1.IngestResponse{Number: r.GetNumber(), Outcomes: make([]*mesonetv1.IngestOutcome, 0)}); err != nil {
			return err
		}
	}
}

// world is a gateway to a fake, served over HTTP.
type world struct {
	*fake
	gateway *gateway.Gateway
	http    *httptest.Server
	once    sync.Once
}

// close closes the gateway, once.
func (w *world) close(t testing.TB) {
	t.Helper()
	w.once.Do(func() {
		if err := w.gateway.Close(); err != nil {
			t.Error(err)
		}
	})
}

func start(t testing.TB, f *fake, cfg gateway.Config) *world {
	t.Helper()
	server := grpc.NewServer()
	mesonetv1.RegisterStationServiceServer(server, f)
	mesonetv1.RegisterWeatherServiceServer(server, f)
	mesonetv1.RegisterMeasureServiceServer(server, f)
	mesonetv1.RegisterObservationServiceServer(server, f)
	mesonetv1.RegisterIngestServiceServer(server, f)
	mesonetv1.RegisterQuarantineServiceServer(server, f)
	mesonetv1.RegisterEntityServiceServer(server, f)
	mesonetv1.RegisterClusterServiceServer(server, f)
	g, err := gateway.New(cfg, server)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{fake: f, gateway: g, http: httptest.NewServer(g)}
	t.Cleanup(func() {
		w.http.Close()
		w.close(t)
	})
	return w
}

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	text   string
}

func (w *world) do(t testing.TB, method, target, body string, headers ...string) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.http.URL+target, reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return w.send(t, r)
}

func (w *world) send(t testing.TB, r *http.Request) answer {
	t.Helper()
	response, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// fails is an error as the API gives it.
func fails(code codes.Code, reason string, more ...any) error {
	st, _ := status.New(code, "because").WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "mesonet"})
	for _, m := range more {
		switch m := m.(type) {
		case time.Duration:
			st, _ = st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(m)})
		case *mesonetv1.Token:
			st, _ = st.WithDetails(m)
		}
	}
	return st.Err()
}
