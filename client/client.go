package client

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Client is a connection to a server and a session on it. Its methods may be
// called from several goroutines.
type Client struct {
	cfg     Config
	addr    string // for people: that of cfg, or all of them
	conn    *grpc.ClientConn
	session session
	random  func() float64 // from [0, 1), for pauses
}

// Dial returns a client of the server that cfg names. It connects with the first
// call, so a server that is not there is an error of that.
func Dial(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	addrs := make([]string, len(cfg.Addrs))
	for i, addr := range cfg.Addrs {
		addrs[i], _ = withPort(addr) // Validate has seen them
	}
	c := &Client{cfg: cfg, addr: strings.Join(addrs, ", "), random: rand.Float64}
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
		grpc.WithChainUnaryInterceptor(c.call),
		grpc.WithChainStreamInterceptor(c.stream),
	}
	target := addrs[0]
	if len(addrs) > 1 {
		target, options = several(addrs, options)
	}
	conn, err := grpc.NewClient(target, append(options, cfg.DialOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("client: the address %q is none (%w); write host:port, such as 127.0.0.1:%s", c.addr, err, DefaultPort)
	}
	c.conn = conn
	return c, nil
}

// several resolves a name of our own to the addresses, of which gRPC connects to
// the first that answers.
func several(addrs []string, options []grpc.DialOption) (target string, _ []grpc.DialOption) {
	var state resolver.State
	for _, addr := range addrs {
		host, _, _ := net.SplitHostPort(addr)
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr, ServerName: host}}})
	}
	r := manual.NewBuilderWithScheme("mesonet")
	r.InitialState(state)
	return "mesonet:///" + addrs[0], append(options, grpc.WithResolvers(r))
}

// Addr is where the client goes, for people.
func (c *Client) Addr() string { return c.addr }

// Close ends the connection, and with it all calls and streams.
func (c *Client) Close() error { return c.conn.Close() }

// Conn is the connection with all that this package does, for constructors of
// generated clients.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Stations is the catalogue of stations.
func (c *Client) Stations() mesonetv1.StationServiceClient {
	return mesonetv1.NewStationServiceClient(c.conn)
}

// Weather answers questions about the weather at a station.
func (c *Client) Weather() mesonetv1.WeatherServiceClient {
	return mesonetv1.NewWeatherServiceClient(c.conn)
}

// Measures answers questions about any measure that the network keeps.
func (c *Client) Measures() mesonetv1.MeasureServiceClient {
	return mesonetv1.NewMeasureServiceClient(c.conn)
}

// Observations takes single observations in, and shows those that are held. Loads
// go through Ingest.
func (c *Client) Observations() mesonetv1.ObservationServiceClient {
	return mesonetv1.NewObservationServiceClient(c.conn)
}

// Quarantine keeps what could not be taken in.
func (c *Client) Quarantine() mesonetv1.QuarantineServiceClient {
	return mesonetv1.NewQuarantineServiceClient(c.conn)
}

// Entities shows what the runtime keeps; it is for operators.
func (c *Client) Entities() mesonetv1.EntityServiceClient {
	return mesonetv1.NewEntityServiceClient(c.conn)
}
