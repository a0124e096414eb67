package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/internal/config"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
)

// stopTime is how long a node may take to stop: half of it to store its pages, so
// that the next start has nothing to read, the rest to end. It is less than the 90
// seconds after which systemd kills by default, which would lose nothing either.
const stopTime = 80 * time.Second

func serverCommand(a *app) *cobra.Command {
	o := configured{defaults: serverDefaults()}
	c := &cobra.Command{
		Use:   "server --data DIR | --store URL",
		Short: "Run a node that keeps its data in a folder, or in Cassandra",
		Long: `Runs a node until Ctrl-C or SIGTERM: calls under way end, what was decided is
written. A second signal ends it at once and loses nothing acknowledged. Logs go to
stderr; --admin has health, metrics and profiles, --http the API as JSON. Flags may
stand in a file or the environment, see mesonet config. With --store the data is in
a keyspace of Cassandra (mesonet schema apply creates it); several servers may use
it, each with a --node of its own: a shard is served by one of them at a time.`,
		Example: `  mesonet server --data ./mesonet-data
  mesonet server --store "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1"
  mesonet server --data /var/lib/mesonet --memory 2GiB --log-format json
  mesonet server --config mesonet.yaml
  mesonet server --data ./second --listen 127.0.0.1:7211 --admin "" --http ""`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := o.load()
			if err != nil {
				return err
			}
			if loaded.Data == "" && loaded.Store == "" {
				return misuse("mesonet server needs a folder for its data, or a keyspace of Cassandra; for example: mesonet server --data ./mesonet-data")
			}
			if loaded.Cluster.Gossip != "" && loaded.Store == "" {
				return misuse("nodes of a cluster use one store that all reach, and a folder is a node's own; give --store URL, or leave --cluster-gossip away")
			}
			cfg := daemonConfig(loaded.Config)
			cfg.Logger = newLogger(a.err, loaded.Log)
			if err := secrets(loaded.Cluster, cfg.Cluster, cfg.Logger); err != nil {
				return err
			}
			mesonet.LimitMemory(cfg.Memory)
			return a.serve(cmd.Context(), cfg)
		},
	}
	o.declare(c)
	return c
}

func newLogger(w io.Writer, log config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: log.Level}
	if log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// serve runs a node until ctx ends or the node fails.
func (a *app) serve(ctx context.Context, cfg daemon.Config) error {
	d, err := daemon.Start(ctx, cfg)
	if err != nil {
		return startError(ctx, cfg, err)
	}
	self := program()
	with := withAddr(d.Addr())
	fmt.Fprintf(a.out, "mesonet %s listens on %s, its data is in %s\n", build().Version, d.Addr(), where(cfg))
	fmt.Fprintf(a.out, "fill it:  %s load%s --stations STATIONS.csv READINGS.csv.gz\n", self, with)
	fmt.Fprintf(a.out, "ask it:   %s station list%s\n", self, with)
	if addr := d.HTTPAddr(); addr != "" {
		fmt.Fprintf(a.out, "as JSON:  curl http://%s/v1/stations, described by http://%s/openapi.yaml\n", addr, addr)
	}
	if addr := d.AdminAddr(); addr != "" {
		fmt.Fprintf(a.out, "watch it: http://%s/metrics, http://%s/readyz\n", addr, addr)
	}
	if cfg.Cluster != nil {
		fmt.Fprintf(a.out, "join it:  %s server --store ... --cluster-gossip ADDRESS --cluster-join %s\n", self, d.GossipAddr())
		fmt.Fprintf(a.out, "its part: %s cluster members%s\n", self, with)
	}
	cfg.Logger.Info("serving", "addr", d.Addr(), "http", d.HTTPAddr(), "admin", d.AdminAddr(), "data", where(cfg), "version", build().Version)
	return wait(ctx, d, cfg.Logger)
}

// where says where the data of a node is.
func where(cfg daemon.Config) string {
	if cfg.Store == "" {
		return cfg.Dir
	}
	if c, err := cassandra.ParseURL(cfg.Store); err == nil {
		return c.String() // without what is no part of the place
	}
	return cfg.Store
}

// node is what is needed of a daemon that runs.
type node interface {
	Done() <-chan struct{}
	Err() error
	Stop(ctx context.Context) error
}

// wait waits for the end of ctx or of the node, and stops it.
func wait(ctx context.Context, d node, logger *slog.Logger) error {
	var failed error
	select {
	case <-ctx.Done():
		logger.Info("stopping; a second signal stops at once")
	case <-d.Done():
		failed = d.Err()
	}
	if err := stop(ctx, d); failed == nil { // else stopping fails too, for the same reason
		failed = err
	}
	if failed != nil {
		return fail(exitFailed, "the node failed: %w", failed)
	}
	logger.Info("stopped")
	return nil
}

// stop stops a node in order, also when ctx has ended.
func stop(ctx context.Context, d node) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return d.Stop(ctx)
}

// startError says why a node did not start, and what to do.
func startError(ctx context.Context, cfg daemon.Config, err error) error {
	var listening *daemon.ListenError
	var store *daemon.StoreError
	switch {
	case ctx.Err() != nil:
		return fail(exitInterrupted, "interrupted while starting")
	case errors.As(err, &store) && store.Away:
		return fail(exitUnavailable, "the store %s can't be used now: %s", store.URL, causes(store))
	case errors.As(err, &store):
		return fail(exitFailed, "the store %s is not fit: %s", store.URL, causes(store))
	case errors.As(err, &listening):
		return listenError(listening)
	case errors.Is(err, persistence.ErrLocked):
		return fail(exitFailed, "the folder %s is in use by another mesonet; stop that one, or choose another folder with --data", cfg.Dir)
	}
	return err
}

// causes are what is wrong with a store, in one line.
func causes(err error) string {
	var all []string
	for line := range strings.Lines(err.Error()) {
		all = append(all, withoutPackage(oneLine(line)))
	}
	return strings.Join(all, "; ")
}

// listenError says why a node can't listen at an address, and where it could.
func listenError(err *daemon.ListenError) error {
	flag, usual, next, where := "--listen", daemon.DefaultListen, "127.0.0.1:7211", ""
	switch err.Surface {
	case daemon.SurfaceAdmin:
		flag, usual, next, where = "--admin", daemon.DefaultAdmin, "127.0.0.1:7311", ", where metrics and health would be,"
	case daemon.SurfaceHTTP:
		flag, usual, next, where = "--http", daemon.DefaultHTTP, "127.0.0.1:7411", ", where the JSON of the API would be,"
	case daemon.SurfaceAPI:
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && err.Surface == daemon.SurfaceAPI:
		return fail(exitFailed, "%s is in use, perhaps by another mesonet; choose another with %s %s, or %[2]s 127.0.0.1:0 for any that is free", err.Addr, flag, next)
	case errors.Is(err, syscall.EADDRINUSE):
		return fail(exitFailed, "%s%s is in use, perhaps by another mesonet; choose another with %s %s, %[3]s 127.0.0.1:0 for any that is free, or %[3]s \"\" for none", err.Addr, where, flag, next)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail(exitFailed, "%s is not an address of this machine; choose another with %s, such as %s", err.Addr, flag, usual)
	}
	return err
}

// withAddr returns the flag that a client of the node at addr needs: none for
// the address that they ask by default.
func withAddr(addr string) string {
	if addr == defaultAddr {
		return ""
	}
	return " --addr " + addr
}
