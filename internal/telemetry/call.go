package telemetry

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// callBuckets are for one question or command: 50 µs, a question to an entity
// that is awake, to 26 s, each twice the one before.
var callBuckets = prometheus.ExponentialBuckets(50e-6, 2, 20)

// streamBuckets are for streams, which last as long as a load or a connection.
var streamBuckets = []float64{.01, .1, 1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600}

type callMetrics struct {
	done, messages    *prometheus.CounterVec
	open              *prometheus.GaugeVec
	duration, streams *prometheus.HistogramVec
}

func (c *callMetrics) init(f factory) {
	c.done = f.counters("grpc_requests_total", "Calls that have ended, streams too.", "method", "code")
	c.open = f.gauges("grpc_requests_open", "Calls under way, streams too.", "method")
	c.duration = f.histograms("grpc_request_duration_seconds", "How long a call took that is no stream.", callBuckets, "method")
	c.streams = f.histograms("grpc_stream_duration_seconds", "How long a stream lasted.", streamBuckets, "method")
	c.messages = f.counters("grpc_stream_messages_total", "Messages of streams, received or sent.", "method", "direction")
}

// ServerOptions makes a gRPC server count its calls. Methods that it does not
// have are answered before they are counted, so that callers can't make up
// labels.
func (m *Metrics) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(m.calls.unary), grpc.ChainStreamInterceptor(m.calls.stream)}
}

func (c *callMetrics) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	end := c.begin(info.FullMethod, c.duration)
	response, err := handle(ctx, request)
	end(err)
	return response, err
}

func (c *callMetrics) stream(server any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	end := c.begin(info.FullMethod, c.streams)
	method := methodLabel(info.FullMethod)
	err := handle(server, &countedStream{
		s, c.messages.WithLabelValues(method, "received"), c.messages.WithLabelValues(method, "sent"),
	})
	end(err)
	return err
}

// begin counts a call as open, and returns what to call with its outcome.
func (c *callMetrics) begin(fullMethod string, durations *prometheus.HistogramVec) (end func(err error)) {
	method := methodLabel(fullMethod)
	open := c.open.WithLabelValues(method)
	open.Inc()
	begin := time.Now()
	return func(err error) {
		open.Dec()
		durations.WithLabelValues(method).Observe(time.Since(begin).Seconds())
		c.done.WithLabelValues(method, codeOf(err)).Inc()
	}
}

// methodLabel is a method as grpcurl writes it: mesonet.v1.WeatherService/GetPrecipitation.
func methodLabel(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// codeOf is the code that the caller gets for a handler's error.
func codeOf(err error) string {
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err) // as grpc-go does: a stream that was cut off is Canceled
	}
	return s.Code().String()
}

// countedStream counts the messages of a stream.
type countedStream struct {
	grpc.ServerStream
	received, sent prometheus.Counter
}

// RecvMsg receives a message.
func (s *countedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.received.Inc()
	}
	return err
}

// SendMsg sends a message.
func (s *countedStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		s.sent.Inc()
	}
	return err
}
