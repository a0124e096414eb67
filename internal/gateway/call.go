package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func dialer(l *bufconn.Listener) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }
}

// unary sees every call that is no stream, between grpc-gateway and the server.
func (g *Gateway) unary(ctx context.Context, method string, request, response any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := g.prepare(ctx, request); err != nil {
		return err
	}
	return call(ctx, method, request, response, cc, opts...)
}

// prepare gives a request its tokens, and refuses one that the server would
// refuse for its size: with words that say so.
func (g *Gateway) prepare(ctx context.Context, request any) error {
	m, ok := request.(proto.Message)
	if !ok {
		return fmt.Errorf("gateway: %T is not a message", request)
	}
	askAfter(m.ProtoReflect(), tokensFrom(ctx))
	if n := proto.Size(m); n > g.cfg.MaxMessage {
		return refuse(codes.InvalidArgument, ReasonTooLarge, "the request takes %d bytes, and at most %d can be taken; send it in parts", n, g.cfg.MaxMessage)
	}
	return nil
}

// stream sees every stream.
func (g *Gateway) stream(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, d, cc, method, opts...)
	if err != nil || d.ClientStreams {
		return s, err
	}
	response, err := responseOf(method)
	if err != nil {
		return nil, err
	}
	return &peekedStream{ClientStream: s, g: g, first: response}, nil
}

// responseOf returns an empty response of a call.
func responseOf(method string) (proto.Message, error) {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	call, ok := d.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, fmt.Errorf("gateway: %s is not a call", name)
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(call.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return t.New().Interface(), nil
}

// peekedStream is a stream of answers whose first one is there with its header.
// grpc-gateway decides on the status when it has the header, which comes before
// an error does: so a question that fails at once gets a status that says so.
type peekedStream struct {
	grpc.ClientStream
	g      *Gateway
	first  proto.Message // the first answer, where it has been received; nil when it has been taken
	peeked bool
	err    error // of receiving it
}

// SendMsg sends the question.
func (s *peekedStream) SendMsg(m any) error {
	if err := s.g.prepare(s.Context(), m); err != nil {
		return err
	}
	return s.ClientStream.SendMsg(m)
}

// Header returns the header when the first answer is there.
func (s *peekedStream) Header() (metadata.MD, error) {
	if !s.peeked {
		s.peeked = true
		s.err = s.ClientStream.RecvMsg(s.first)
	}
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return nil, s.err
	}
	return s.ClientStream.Header()
}

// RecvMsg receives an answer.
func (s *peekedStream) RecvMsg(m any) error {
	switch {
	case !s.peeked || s.first == nil:
		return s.ClientStream.RecvMsg(m)
	case s.err != nil:
		return s.err
	}
	to, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("gateway: %T is not a message", m)
	}
	proto.Merge(to, s.first)
	s.first = nil
	return nil
}
