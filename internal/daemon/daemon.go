// Package daemon wires a node that serves the weather: a store, the actors of
// stations on it, and the gRPC API in front of them, with health and reflection.
//
//	d, err := daemon.Start(ctx, daemon.DefaultConfig("./mesonet-data"))
//	if err != nil { … }
//	<-d.Done()          // only when the store has failed
//	err = d.Stop(ctx)
//
// Start returns when every shard has been recovered and questions are answered.
// Stop lets the calls under way end, writes what was decided, and closes the
// store. A Daemon may be used by many goroutines.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/internal/api"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// Config says what a daemon serves and where.
type Config struct {
	// Dir is the folder of the store.
	Dir string
	// Listen is the address of the API, host:port. Port 0 takes a free one.
	Listen string
	// Shards is the number of shards of a store that is created.
	Shards uint32
	// AutoRegister registers stations whose observations come first, instead
	// of refusing them.
	AutoRegister bool
	// CheckpointBytes is how long the tail of a shard's log may grow before
	// pages are stored, see mesonet.Config.
	CheckpointBytes int
	// Grace is how long calls under way may take to end by themselves when
	// the daemon stops; an ingest stream goes on until its client ends it.
	Grace time.Duration
	// Logger gets what operators should know of.
	Logger *slog.Logger
}

// DefaultListen is where the API is by default: on loopback, as nothing asks
// callers who they are.
const DefaultListen = "127.0.0.1:7210"

// DefaultConfig returns the configuration of a node on its own with its store
// in dir.
func DefaultConfig(dir string) Config {
	node := mesonet.DefaultConfig(dir)
	return Config{
		Dir: dir, Listen: DefaultListen, Shards: node.Shards, CheckpointBytes: node.CheckpointBytes,
		Grace: 5 * time.Second, Logger: slog.Default(),
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("daemon: %q is no address to listen on, such as %s: %w", c.Listen, DefaultListen, err)
	}
	// Plain text and without authentication: not for others to reach.
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("daemon: %q is not a loopback address; the API is neither encrypted nor authenticated yet, so listen on %s", c.Listen, DefaultListen)
	}
	return c.node().Validate()
}

func (c Config) node() mesonet.Config {
	cfg := mesonet.DefaultConfig(c.Dir)
	cfg.Shards, cfg.CheckpointBytes, cfg.Logger = c.Shards, c.CheckpointBytes, c.Logger
	return cfg
}

// Daemon is a node that serves.
type Daemon struct {
	grace  time.Duration
	node   *mesonet.Node
	server *grpc.Server
	health *health.Server
	addr   string

	serving sync.WaitGroup
	once    sync.Once
	done    chan struct{}
	err     error
}

// Start opens the store and serves. Nothing of it is left when it fails.
func Start(ctx context.Context, cfg Config) (_ *Daemon, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// The port first: that it is taken is soon found out, and recovery may
	// take a while.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("daemon: can't listen on %s: %w", cfg.Listen, err)
	}
	stations := station.New(weather.Standard())
	node, err := mesonet.Start(ctx, cfg.node(), stations)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	ac := api.DefaultConfig()
	ac.AutoRegister = cfg.AutoRegister
	handlers, err := api.New(ac, node, stations)
	if err != nil {
		return nil, errors.Join(err, listener.Close(), node.Stop(context.WithoutCancel(ctx)))
	}
	d := &Daemon{
		grace: cfg.Grace, node: node, server: grpc.NewServer(), health: health.NewServer(),
		addr: listener.Addr().String(), done: make(chan struct{}),
	}
	handlers.Register(d.server)
	healthv1.RegisterHealthServer(d.server, d.health)
	reflection.Register(d.server)
	d.serving.Go(func() {
		if err := d.server.Serve(listener); err != nil {
			d.fail(fmt.Errorf("daemon: serving on %s: %w", d.addr, err))
		}
	})
	d.serving.Go(func() {
		select {
		case <-node.Done():
			d.fail(node.Err())
		case <-d.done:
		}
	})
	return d, nil
}

// Addr is the address of the API.
func (d *Daemon) Addr() string { return d.addr }

// Done is closed when the daemon can't go on, or has been stopped.
func (d *Daemon) Done() <-chan struct{} { return d.done }

// Err returns why the daemon can't go on, nil while it can or after Stop.
func (d *Daemon) Err() error {
	select {
	case <-d.done:
		return d.err
	default:
		return nil
	}
}

// fail ends the daemon with a reason, nil for Stop. The first one counts.
func (d *Daemon) fail(err error) {
	d.once.Do(func() {
		d.err = err
		d.health.Shutdown() // says NOT_SERVING from now on
		close(d.done)
	})
}

// Stop takes no more calls, lets those under way end, cuts off those that don't
// in time, writes what was decided and closes the store. ctx bounds all of it.
func (d *Daemon) Stop(ctx context.Context) error {
	d.fail(nil)
	grace, cancel := context.WithTimeout(ctx, d.grace)
	defer cancel()
	cut := context.AfterFunc(grace, d.server.Stop)
	d.server.GracefulStop()
	cut()
	d.serving.Wait()
	return d.node.Stop(ctx)
}
