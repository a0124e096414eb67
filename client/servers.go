package client

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// servers are those of a client. All calls go to one of them, until that is left
// for the next: a call that knows better tells the others.
//
// Rejected: gRPC's own choice among addresses, which changes only when a connection
// breaks. A node that answers that it is unavailable, or nothing at all, would be
// asked again and again while the next could answer.
type servers struct {
	list    []server
	current atomic.Int32 // index of the one that calls begin with
}

// server is one of them, with its connection.
type server struct {
	addr string
	conn interface {
		grpc.ClientConnInterface
		Close() error
	}
}

// leave says that the server of that index is away, and returns the index of
// another to go on with: where the others are by now, or else the next.
func (s *servers) leave(at int) int {
	next := (at + 1) % len(s.list)
	if s.current.CompareAndSwap(int32(at), int32(next)) {
		return next
	}
	if now := int(s.current.Load()); now != at {
		return now
	}
	return next
}

// connect returns a connection to the server at addr, which is made with the first
// call.
func connect(addr string, cfg Config) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent(cfg.UserAgent),
		// The policy is that of this package, wherever the name leads.
		grpc.WithDisableServiceConfig(),
		// A server that restarts is found again within two seconds, where
		// gRPC's own default lets up to two minutes pass.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	conn, err := grpc.NewClient(addr, append(options, cfg.DialOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("client: the address %q is none (%w); write host:port, such as 127.0.0.1:%s", addr, err, DefaultPort)
	}
	return conn, nil
}

// connection is what generated clients call: whichever server it is, with all that
// this package does.
type connection struct{ c *Client }

func (n connection) Invoke(ctx context.Context, method string, request, reply any, options ...grpc.CallOption) error {
	return n.c.call(ctx, method, request, reply, options...)
}

func (n connection) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := n.c.stream(ctx, desc, method, options...)
	if err != nil {
		return nil, err // not a nil *stream
	}
	return s, nil
}
