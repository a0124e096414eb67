package client

import (
	"errors"
	"math/rand/v2"
	"strings"

	"google.golang.org/grpc"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Client is a session on a server, or on several that serve the same data, and a
// connection to each. Its methods may be called from several goroutines.
type Client struct {
	cfg     Config
	addr    string // for people: that of cfg, or all of them
	servers servers
	session session
	random  func() float64 // from [0, 1), for pauses
}

// Dial returns a client of the servers that cfg names. It connects with the first
// call, so a server that is not there is an error of that.
func Dial(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, random: rand.Float64}
	addrs := make([]string, len(cfg.Addrs))
	for i, addr := range cfg.Addrs {
		addrs[i], _ = withPort(addr) // Validate has seen them
		conn, err := connect(addrs[i], cfg)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.servers.list = append(c.servers.list, server{addrs[i], conn})
	}
	c.addr = strings.Join(addrs, ", ")
	return c, nil
}

// Addr is where the client goes, for people.
func (c *Client) Addr() string { return c.addr }

// Close ends the connections, and with them all calls and streams.
func (c *Client) Close() error {
	var errs []error
	for _, s := range c.servers.list {
		errs = append(errs, s.conn.Close())
	}
	return errors.Join(errs...)
}

// Conn is the way to the servers with all that this package does, for constructors
// of generated clients.
func (c *Client) Conn() grpc.ClientConnInterface { return connection{c} }

// Stations is the catalogue of stations.
func (c *Client) Stations() mesonetv1.StationServiceClient {
	return mesonetv1.NewStationServiceClient(c.Conn())
}

// Weather answers questions about the weather at a station.
func (c *Client) Weather() mesonetv1.WeatherServiceClient {
	return mesonetv1.NewWeatherServiceClient(c.Conn())
}

// Measures answers questions about any measure that the network keeps.
func (c *Client) Measures() mesonetv1.MeasureServiceClient {
	return mesonetv1.NewMeasureServiceClient(c.Conn())
}

// Observations takes single observations in, and shows those that are held. Loads
// go through Ingest.
func (c *Client) Observations() mesonetv1.ObservationServiceClient {
	return mesonetv1.NewObservationServiceClient(c.Conn())
}

// Quarantine keeps what could not be taken in.
func (c *Client) Quarantine() mesonetv1.QuarantineServiceClient {
	return mesonetv1.NewQuarantineServiceClient(c.Conn())
}

// Entities shows what the runtime keeps; it is for operators.
func (c *Client) Entities() mesonetv1.EntityServiceClient {
	return mesonetv1.NewEntityServiceClient(c.Conn())
}
