package main

import (
	"strings"
	"time"

	remote "github.com/mesonet/mesonet/client"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// client is the server that a command asks.
type client struct {
	*remote.Client
	mesonetv1.StationServiceClient
	mesonetv1.WeatherServiceClient
	mesonetv1.EntityServiceClient
	mesonetv1.ObservationServiceClient
	mesonetv1.MeasureServiceClient
	mesonetv1.QuarantineServiceClient
	mesonetv1.ClusterServiceClient

	addr    string
	timeout time.Duration // of a call
}

// dial returns a client of the server at addr, or of several with commas between
// them. It connects with the first call.
func dial(addr string, timeout time.Duration, linearizable bool) (*client, error) {
	cfg := remote.DefaultConfig(strings.Split(addr, ",")...)
	cfg.Timeout, cfg.AttemptTimeout = timeout, 0
	// Whoever is at a terminal wants to know at once; what goes on for long tries
	// again by itself, and says so.
	cfg.Retry.Attempts = len(cfg.Addrs)
	cfg.Linearizable = linearizable
	cfg.Silence = max(timeout, cfg.Silence)
	cfg.UserAgent = "mesonet/" + build().Version
	c, err := remote.Dial(cfg)
	if err != nil {
		return nil, misuse("%w", err)
	}
	return newClient(c, timeout), nil
}

// newClient returns c with all services.
func newClient(c *remote.Client, timeout time.Duration) *client {
	return &client{
		Client: c, StationServiceClient: c.Stations(), WeatherServiceClient: c.Weather(), EntityServiceClient: c.Entities(),
		ObservationServiceClient: c.Observations(),
		MeasureServiceClient:     c.Measures(),
		QuarantineServiceClient:  c.Quarantine(),
		ClusterServiceClient:     mesonetv1.NewClusterServiceClient(c.Conn()),
		addr:                     c.Addr(), timeout: timeout,
	}
}

// close ends the connection. What closing may say is of no use to anybody: all
// answers are there.
func (c *client) close() { _ = c.Close() }
