// Package daemon wires a node that serves the weather: a store, the actors of
// stations and the quarantine on it, and the gRPC API in front of them, with health and reflection.
//
//	d, err := daemon.Start(ctx, daemon.DefaultConfig("./mesonet-data"))
//	if err != nil { … }
//	<-d.Done()          // only when the store has failed
//	err = d.Stop(ctx)
//
// Start returns when every shard has been recovered and questions are answered.
// Stop lets the calls under way end, writes what was decided, and closes the
// store. A Daemon may be used by many goroutines.
//
// # The admin listener
//
// Those who run the node ask it over HTTP at another address, from before the
// store is opened until after it is closed:
//
//	/livez          200 while the process works
//	/readyz         200 when every question can be answered; else 503 and why
//	/metrics        for Prometheus, see package telemetry
//	/debug/pprof/   profiles
//
// The daemon is ready when it has started and is not stopping, its store works
// and answers, and every shard is open that is not another node's: at least one.
// A node of a cluster is ready when it serves in it and every shard is open that is
// its to serve, be there any or not; a node that has lost touch with the others, or
// drains, is not. gRPC health says the same.
//
// # A store that other nodes use
//
// With Config.Store the store is a keyspace of Cassandra. Start fails when that is
// not fit or can't be reached, see [StoreError]. Later the daemon waits for it:
// calls fail, and the shards open again by themselves. Shards that another node
// owns are waited for too. Once a second the daemon leaves a sign of life in the
// store, by which people can tell that it runs.
//
// # JSON over HTTP
//
// At a third address the API is served as JSON, see package gateway. From before
// the store is opened until the node can answer, every request there is answered
// 503 with what /readyz says.
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
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/internal/api"
	"github.com/mesonet/mesonet/internal/gateway"
	"github.com/mesonet/mesonet/internal/telemetry"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
	"github.com/mesonet/mesonet/weather/quarantine"
	"github.com/mesonet/mesonet/weather/station"
)

// Config says what a daemon serves and where.
type Config struct {
	// Dir is the folder of the store. It is ignored when Store is set.
	Dir string
	// Store is the URL of a store that other nodes use too, as
	// cassandra.ParseURL reads it.
	Store string
	// Node is the node's name in the store, see mesonet.Config; "" for the
	// host's where Store is set, and for "local" in a folder.
	Node string
	// Views are the tables that are kept beside a store on Cassandra, names of
	// package weather/view, and ViewsKeyspace where, "" for the default.
	Views         []string
	ViewsKeyspace string
	// Cluster, when set, makes the node one of a cluster whose nodes all use Store.
	Cluster *mesonet.Cluster
	// Listen is the address of the API, host:port. Port 0 takes a free one.
	Listen string
	// Admin is the address of health, metrics and profiles over HTTP, "" for
	// none. Port 0 takes a free one.
	Admin string
	// HTTP is the address of the API as JSON over HTTP, "" for none. Port 0
	// takes a free one.
	HTTP string
	// Catalogue is what stations measure. A store that was filled with another
	// refuses it, see package weather/network.
	Catalogue weather.Catalogue
	// Shards is the number of shards of a store that is created.
	Shards uint32
	// AutoRegister registers stations whose observations come first, instead
	// of refusing them.
	AutoRegister bool
	// CheckpointBytes is how long the tail of a shard's log may grow before
	// pages are stored, see mesonet.Config.
	CheckpointBytes int
	// Memory is about how many bytes the node may take, 0 for no limit;
	// PassivateAfter is when what nobody needed leaves memory, and DropHistory
	// deletes what no start needs. See mesonet.Config.
	Memory         int64
	PassivateAfter time.Duration
	// CheckpointEvery and MemoryEvery are how often both are looked at.
	CheckpointEvery, MemoryEvery time.Duration
	DropHistory                  bool
	// Grace is how long calls under way may take to end by themselves when
	// the daemon stops; an ingest stream goes on until its client ends it.
	Grace time.Duration
	// Version of the program, which the metrics tell.
	Version string
	// Logger gets what operators should know of.
	Logger *slog.Logger

	// store, when set, is used instead of a folder; see OnStore.
	store persistence.Store
}

// DefaultConfig returns the configuration of a node on its own with its store
// in dir.
func DefaultConfig(dir string) Config {
	node := mesonet.DefaultConfig(dir)
	return Config{
		Dir: dir, Listen: DefaultListen, Admin: DefaultAdmin, HTTP: DefaultHTTP, Catalogue: weather.Standard(), Shards: node.Shards, CheckpointBytes: node.CheckpointBytes,
		PassivateAfter: node.PassivateAfter, CheckpointEvery: node.CheckpointEvery, MemoryEvery: node.MemoryEvery, Grace: 5 * time.Second, Logger: slog.Default(),
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	if err := checkAddr(c.Listen, DefaultListen); err != nil {
		return err
	}
	if c.Admin != "" {
		if err := checkAddr(c.Admin, DefaultAdmin); err != nil {
			return err
		}
	}
	if c.HTTP != "" {
		if err := checkAddr(c.HTTP, DefaultHTTP); err != nil {
			return err
		}
	}
	if err := c.Catalogue.Validate(); err != nil {
		return err
	}
	if err := c.checkStore(); err != nil {
		return err
	}
	if c.Cluster != nil {
		if err := c.Cluster.Validate(); err != nil {
			return err
		}
	}
	alone := c
	alone.Cluster = nil
	return alone.node().Validate()
}

func (c Config) node() mesonet.Config {
	cfg := mesonet.DefaultConfig(c.Dir)
	if c.Store != "" && cfg.Dir == "" {
		cfg.Dir = "." // for Validate; there is no folder
	}
	if c.Node != "" {
		cfg.Node = persistence.NodeID(c.Node)
	}
	cfg.Shards, cfg.CheckpointBytes, cfg.Logger, cfg.Store = c.Shards, c.CheckpointBytes, c.Logger, c.store
	cfg.CheckpointEvery, cfg.MemoryEvery = c.CheckpointEvery, c.MemoryEvery
	cfg.Memory, cfg.PassivateAfter, cfg.DropHistory = c.Memory, c.PassivateAfter, c.DropHistory
	cfg.Cluster = c.Cluster
	return cfg
}

// Daemon is a node that serves.
type Daemon struct {
	grace  time.Duration
	node   *mesonet.Node
	server *grpc.Server
	api    *api.Server
	ready  *readiness
	admin  *admin // nil for none
	front  *front // nil for none
	addr   string
	store  *cassandra.Store // nil for a folder
	beats  *heartbeat       // nil for a folder

	serving sync.WaitGroup
	once    sync.Once
	done    chan struct{}
	err     error
}

// Start opens the store and serves. Nothing of it is left when it fails. That an
// address is taken is found out first, before the store is touched, and is a
// [ListenError]. That the catalogue contradicts what is stored is found out before
// any page is, and is a rejection of package actors/entity with the reason
// [network.Contradiction].
func Start(ctx context.Context, cfg Config) (*Daemon, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	ls, err := listenAll(ctx, cfg)
	if err != nil {
		return nil, err
	}
	metrics := telemetry.New(cfg.Version)
	d := &Daemon{
		grace: cfg.Grace, server: grpc.NewServer(metrics.ServerOptions()...), ready: newReadiness(cfg.Logger),
		addr: ls.api.Addr().String(), done: make(chan struct{}),
	}
	// Both from here on, so that a recovery that takes long is seen.
	if ls.admin != nil {
		d.admin = serveAdmin(ls.admin, d.ready, metrics.Handler(cfg.Logger), cfg.Logger, d.fail)
		cfg.Logger.Info("health and metrics are served", "admin", d.admin.addr)
	}
	if ls.http != nil {
		d.front = serveJSON(ls.http, d.ready, cfg.Logger, d.fail)
		cfg.Logger.Info("the API is served as JSON", "http", d.front.addr)
	}
	if err := d.open(ctx, cfg, metrics); err != nil {
		ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancel() // nothing is under way that is worth waiting for
		return nil, errors.Join(err, ls.api.Close(), d.front.stop(ended), d.admin.stop(context.WithoutCancel(ctx)))
	}
	d.serve(ls.api)
	return d, nil
}

// open starts the node and puts the API before it.
func (d *Daemon) open(ctx context.Context, cfg Config, metrics *telemetry.Metrics) error {
	stations := station.New(cfg.Catalogue)
	kept, err := quarantine.New(quarantine.DefaultConfig())
	if err != nil {
		return err
	}
	if err := d.openStore(ctx, &cfg); err != nil {
		return err
	}
	node, err := d.startNode(ctx, cfg, metrics, stations, kept)
	if err != nil {
		return errors.Join(err, d.closeStore())
	}
	if err := d.openAPI(cfg, metrics, node, stations, kept); err != nil {
		return errors.Join(err, node.Stop(context.WithoutCancel(ctx)), d.closeStore())
	}
	d.node = node
	metrics.Watch(node)
	if part := node.Cluster(); part != nil {
		metrics.WatchCluster(part)
	}
	return nil
}

func (d *Daemon) startNode(ctx context.Context, cfg Config, metrics *telemetry.Metrics, stations *station.Station, kept *quarantine.Quarantine) (*mesonet.Node, error) {
	nc := cfg.node()
	nc.Address = d.addr
	rule := &declaration{catalogue: cfg.Catalogue, logger: cfg.Logger, together: cfg.Cluster != nil}
	if cfg.store != nil && (rule.together || !cfg.store.Info().Local) {
		rule.recorded = network.NewReader(cfg.store)
	}
	nc.Before = rule.begin
	nc.BeforeShard = func(ctx context.Context, _ persistence.Shard) error {
		err := rule.again(ctx)
		if errors.Is(err, errOtherCatalogue) {
			d.fail(err)
		}
		return err
	}
	nc.Listener, nc.LogListener = d.ready.entities(metrics.EntityListener()), d.ready.log(metrics.LogListener())
	nc.Listener = d.beats.entities(nc.Listener)
	if cfg.Cluster != nil {
		part := *cfg.Cluster // the caller's stays as it is
		part.Listener = d.ready.among(metrics.ClusterListener())
		part.GossipListener, part.RequestListener = metrics.GossipListener(), metrics.RequestListener()
		nc.Cluster = &part
	}
	var err error
	if nc.Views, err = d.openViews(ctx, cfg, stations); err != nil {
		return nil, err
	}
	node, err := mesonet.Start(ctx, nc, stations, kept, network.Kind)
	if err != nil || cfg.Cluster == nil {
		return node, err
	}
	if err := rule.declareAnywhere(ctx, node); err != nil {
		return nil, errors.Join(err, node.Stop(context.WithoutCancel(ctx)))
	}
	return node, nil
}

// openAPI puts the API before a node.
func (d *Daemon) openAPI(cfg Config, metrics *telemetry.Metrics, node *mesonet.Node, stations *station.Station, kept *quarantine.Quarantine) error {
	ac := api.DefaultConfig()
	ac.AutoRegister, ac.Listener, ac.Version = cfg.AutoRegister, metrics.APIListener(), cfg.Version
	handlers, err := api.New(ac, node, stations, kept)
	if err != nil {
		return err
	}
	if err := d.openFront(handlers, metrics); err != nil {
		return err
	}
	handlers.Register(d.server)
	d.api = handlers
	healthv1.RegisterHealthServer(d.server, d.ready.health)
	reflection.Register(d.server)
	return nil
}

// openFront puts the JSON of the API before it.
func (d *Daemon) openFront(handlers *api.Server, metrics *telemetry.Metrics) error {
	if d.front == nil {
		return nil
	}
	inner := grpc.NewServer(metrics.ServerOptions()...)
	handlers.Register(inner)
	g, err := gateway.New(gateway.DefaultConfig(), inner)
	if err != nil {
		return err
	}
	d.front.open(g)
	return nil
}

func (d *Daemon) serve(listener net.Listener) {
	d.serving.Go(func() {
		if err := d.server.Serve(listener); err != nil {
			d.fail(fmt.Errorf("daemon: serving on %s: %w", d.addr, err))
		}
	})
	d.serving.Go(func() {
		select {
		case <-d.node.Done():
			d.fail(d.node.Err())
		case <-d.done:
		}
	})
	d.ready.started(d.node, d.node.Store().Shards)
}

// Addr is the address of the API.
func (d *Daemon) Addr() string { return d.addr }

// AdminAddr is the address of health and metrics, "" when there is none.
func (d *Daemon) AdminAddr() string {
	if d.admin == nil {
		return ""
	}
	return d.admin.addr
}

// HTTPAddr is the address of the API as JSON, "" when there is none.
func (d *Daemon) HTTPAddr() string {
	if d.front == nil {
		return ""
	}
	return d.front.addr
}

// GossipAddr is where other nodes of the cluster join, "" when there is none.
func (d *Daemon) GossipAddr() string { return d.node.GossipAddress() }

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
		d.ready.end(err)
		close(d.done)
	})
}

// Shards is how many the store has.
func (d *Daemon) Shards() uint32 { return d.node.Store().Shards }

// Cluster is the node's part in its cluster, nil when it has none.
func (d *Daemon) Cluster() *cluster.Node { return d.node.Cluster() }

// Stop takes no more calls, ends streams of readings when what they have sent is
// acknowledged, lets calls under way end, cuts off those that don't in time, writes
// what was decided and closes the store. ctx bounds all of it.
// Health says from the beginning that the daemon is not ready, and metrics are
// served until the end.
func (d *Daemon) Stop(ctx context.Context) error {
	d.fail(nil)
	d.node.Drain(ctx) // calls go on meanwhile, here and elsewhere
	grace, cancel := context.WithTimeout(ctx, d.grace)
	defer cancel()
	// gRPC and JSON end side by side: each has all of the time.
	var frontErr error
	d.serving.Go(func() { frontErr = d.front.stop(grace) })
	cut := context.AfterFunc(grace, d.server.Stop)
	d.api.EndStreams()
	d.server.GracefulStop()
	cut()
	d.serving.Wait()
	d.api.Wait()
	return errors.Join(frontErr, d.node.Stop(ctx), d.closeStore(), d.admin.stop(ctx))
}
