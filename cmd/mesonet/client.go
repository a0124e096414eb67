package main

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// defaultPort is that of the server when an address names none.
const defaultPort = "7210"

// client is a connection to one server and the session on it. Its methods may
// be called from several goroutines.
type client struct {
	mesonetv1.StationServiceClient
	mesonetv1.WeatherServiceClient
	mesonetv1.IngestServiceClient
	mesonetv1.EntityServiceClient

	addr         string
	timeout      time.Duration // of one call; streams have none
	linearizable bool
	conn         *grpc.ClientConn

	mu sync.Mutex
	// tokens are the highest seen, by shard: with them the session reads what
	// it wrote and never goes back.
	tokens map[uint32]*mesonetv1.Token
}

// dial returns a client of the server at addr. It connects with the first call.
func dial(addr string, timeout time.Duration, linearizable bool) (*client, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		full := net.JoinHostPort(addr, defaultPort)
		if _, _, err := net.SplitHostPort(full); err != nil || addr == "" {
			return nil, misuse("the address %q is none; write host:port, such as 127.0.0.1:%s", addr, defaultPort)
		}
		addr = full
	}
	c := &client{addr: addr, timeout: timeout, linearizable: linearizable, tokens: make(map[uint32]*mesonetv1.Token)}
	conn, err := grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent("mesonet/"+build().Version),
		// A server that restarts is found again within two seconds, where
		// gRPC's own default lets up to two minutes pass.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithChainUnaryInterceptor(c.call))
	if err != nil {
		return nil, misuse("the address %q is none (%w); write host:port, such as 127.0.0.1:%s", addr, err, defaultPort)
	}
	c.conn = conn
	c.StationServiceClient = mesonetv1.NewStationServiceClient(conn)
	c.WeatherServiceClient = mesonetv1.NewWeatherServiceClient(conn)
	c.IngestServiceClient = mesonetv1.NewIngestServiceClient(conn)
	c.EntityServiceClient = mesonetv1.NewEntityServiceClient(conn)
	return c, nil
}

// close ends the connection. What closing may say is of no use to anybody: all
// answers are there.
func (c *client) close() { _ = c.conn.Close() }

// call bounds each call's time, keeps the token of its reply, and makes its
// error one that can be explained.
func (c *client) call(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := invoke(ctx, method, request, reply, conn, options...); err != nil {
		return newRPCError(c.addr, c.timeout, err)
	}
	switch r := reply.(type) {
	case interface{ GetToken() *mesonetv1.Token }:
		c.saw(r.GetToken())
	case interface{ GetTokens() []*mesonetv1.Token }:
		c.saw(r.GetTokens()...)
	}
	return nil
}

// saw keeps the highest token of each shard.
func (c *client) saw(tokens ...*mesonetv1.Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range tokens {
		if t == nil {
			continue
		}
		known := c.tokens[t.GetShard()]
		if known == nil || known.GetStore() != t.GetStore() || known.GetPosition() < t.GetPosition() {
			c.tokens[t.GetShard()] = t
		}
	}
}

// read is what every question carries.
func (c *client) read() *mesonetv1.Read {
	r := &mesonetv1.Read{Consistency: mesonetv1.Consistency_CONSISTENCY_SESSION}
	if c.linearizable {
		r.Consistency = mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tokens {
		r.Tokens = append(r.Tokens, t)
	}
	slices.SortFunc(r.Tokens, func(a, b *mesonetv1.Token) int { return int(a.GetShard()) - int(b.GetShard()) })
	return r
}
