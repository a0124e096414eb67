package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/internal/config"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather/ingest"
)

// demoDir is in the current folder, where it is found and removed easily, and
// not inside that of a server, which would not take a folder with another in it.
const demoDir = "./mesonet-demo"

// demoStation is a station of the demo. The sample has every hour of 2008, a
// leap year.
type demoStation struct{ id, name, short string }

var demoStations = []demoStation{
	{sampledata.NewYork, "New York LaGuardia", "New York"},
	{sampledata.SanFrancisco, "San Francisco SFO", "San Francisco"},
}

const demoHours = 366 * 24

// checkDemo is checkConfig for a demo, in which --store overrides the folder that
// it has by default.
func checkDemo(c config.Config) error {
	if c.Store != "" {
		c.Data = ""
	}
	return checkConfig(c)
}

func demoCommand(a *app) *cobra.Command {
	defaults := serverDefaults()
	defaults.Data, defaults.Log.Level = demoDir, slog.LevelWarn
	var flags config.Flags
	var exit, create bool
	nodes := 1
	c := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a year of real weather, loaded and asked",
		Long: `Starts a node with a folder of its own, loads 19,703 stations and a year of real
observations of two of them, asks what the weather was, and goes on serving.
Started again, it finds its data. With --nodes 3 it is a cluster in one process, in
which a node is killed, comes back, and another leaves, while a client asks on. With
--store its data is in a keyspace of Cassandra that holds nothing but a demo;
--create creates that when it is missing, as mesonet schema apply does.`,
		Example: `  mesonet demo
  mesonet demo --exit
  mesonet demo --nodes 3 --exit
  mesonet demo --store cassandra://127.0.0.1/demo --create`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The environment and files are a server's: a demo does not load a
			// sample into the folder that they name.
			loaded, err := config.Load(config.Sources{Defaults: defaults, Flags: flags.Given(), Check: checkDemo})
			if err != nil {
				return err
			}
			if loaded.Store != "" && !cmd.Flags().Changed("data") {
				loaded.Data = ""
			}
			switch {
			case loaded.Store != "" && loaded.Data != "":
				return misuse("a demo has its data in a folder or in a keyspace; leave --data or --store away")
			case loaded.Store == "" && create:
				return misuse("--create is for the keyspace that --store names; a folder is made anyway")
			case nodes < 1 || nodes > mostDemoNodes:
				return misuse("a demo has 1 to %d nodes, as all of them are on this machine, not %d; leave --nodes away for one", mostDemoNodes, nodes)
			case loaded.Data == "" && loaded.Store == "":
				return misuse("a demo needs a folder for its data; leave --data away for %s", demoDir)
			}
			cfg := daemonConfig(loaded.Config)
			if nodes > 1 { // what they warn of is what is shown
				loaded.Log.Level = max(loaded.Log.Level, slog.LevelError)
			}
			cfg.Logger = newLogger(a.err, loaded.Log)
			d := demo{app: a, cfg: cfg, exit: exit, create: create, fixed: cmd.Flags().Changed("listen"), style: a.style(a.out), pen: a.pen(a.out)}
			if nodes > 1 {
				return d.runCluster(cmd.Context(), nodes)
			}
			return d.run(cmd.Context())
		},
	}
	flags.Declare(c.Flags(), defaults, "data", "store", "listen")
	c.Flags().BoolVar(&create, "create", false, "create the keyspace and its tables when they are missing")
	c.Flags().IntVar(&nodes, "nodes", nodes, "`number` of nodes, 1 to 9; several are a cluster")
	c.Flags().BoolVar(&exit, "exit", false, "end after the answers")
	return c
}

// demo is one run of mesonet demo.
type demo struct {
	app    *app
	cfg    daemon.Config
	exit   bool
	create bool // the keyspace
	fixed  bool // the address was asked for
	style  style
	pen    pen

	server *client
}

func (d *demo) printf(format string, args ...any) { fmt.Fprintf(d.app.out, format, args...) }

func (d *demo) heading(text string) { d.printf("\n%s\n", d.style.bold(text)) }

func (d *demo) run(ctx context.Context) (err error) {
	if d.create {
		if err := d.createStore(ctx); err != nil {
			return err
		}
	}
	node, err := d.start(ctx)
	if err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, stop(ctx, node))
		}
	}()
	if d.server, err = dial(node.Addr(), time.Minute, false); err != nil {
		return err
	}
	defer d.server.close()
	d.heading("mesonet: weather stations that remember")
	d.where(node)
	if err := d.show(ctx, node); err != nil {
		return err
	}
	if d.exit {
		d.printf("\nTo ask more, start it without --exit: %s demo%s\n", program(), d.withData())
		return nil
	}
	d.invite(node.Addr(), node.HTTPAddr())
	stopped = true
	return wait(ctx, node, d.cfg.Logger)
}

// where says where the demo is.
func (d *demo) where(node *daemon.Daemon) {
	d.printf("  listens on  %s\n", node.Addr())
	d.printf("  as JSON     http://%s/v1/stations\n", node.HTTPAddr())
	d.printf("  metrics     http://%s/metrics\n", node.AdminAddr())
	if d.cfg.Store != "" {
		d.printf("  data in     %s\n", where(d.cfg))
	} else {
		d.printf("  data in     %s (remove it with: rm -r %s)\n", d.cfg.Dir, quoted(d.cfg.Dir))
	}
	d.printf("  sample      NOAA's stations, and every hour of 2008 at two airports\n")
}

// show fills the node and asks it.
func (d *demo) show(ctx context.Context, node node) error {
	return d.while(ctx, node, func(ctx context.Context) error {
		if err := d.fill(ctx); err != nil {
			return err
		}
		return d.ask(ctx)
	})
}

// while does something as long as a node does not fail: what that is asked over the
// network would be tried again and again.
func (d *demo) while(ctx context.Context, node node, do func(ctx context.Context) error) error {
	alive, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-node.Done():
			cancel()
		case <-alive.Done():
		}
	})
	err := do(alive)
	if failed := node.Err(); failed != nil {
		return fail(exitFailed, "the node failed: %w", failed)
	}
	return err
}

// freePort is an address with any port that is free.
const freePort = "127.0.0.1:0"

// start starts the node, on other ports where the usual ones are taken.
func (d *demo) start(ctx context.Context) (*daemon.Daemon, error) {
	usual := d.cfg.Listen
	node, err := daemon.Start(ctx, d.cfg)
	for err != nil && d.moves(err) {
		node, err = daemon.Start(ctx, d.cfg)
	}
	if err == nil && d.cfg.Listen != usual {
		fmt.Fprintf(d.app.err, "%s is in use, so this demo takes %s\n", usual, node.Addr())
	}
	if err != nil {
		return nil, d.startError(ctx, err)
	}
	return node, nil
}

// startError says why the demo did not start, and what to do.
func (d *demo) startError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, persistence.ErrLocked):
		return fail(exitFailed, "a demo with its data in %s is running already; ask that one, stop it, or give this one a folder of its own: %s demo --data %s",
			d.cfg.Dir, program(), quoted(strings.TrimRight(d.cfg.Dir, "/")+"-2"))
	case !d.create && strings.Contains(err.Error(), "schema apply"):
		return fmt.Errorf("%w; or let the demo create it, with --create", startError(ctx, d.cfg, err))
	}
	return startError(ctx, d.cfg, err)
}

// moves takes a free port instead of the one that is in use, unless that was
// asked for.
func (d *demo) moves(err error) bool {
	var taken *daemon.ListenError
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &taken) {
		return false
	}
	addr, fixed := &d.cfg.Listen, d.fixed
	switch taken.Surface { // a demo has no flag for the others
	case daemon.SurfaceAdmin:
		addr, fixed = &d.cfg.Admin, false
	case daemon.SurfaceHTTP:
		addr, fixed = &d.cfg.HTTP, false
	case daemon.SurfaceAPI:
	}
	if fixed || *addr == freePort {
		return false
	}
	*addr = freePort
	return true
}

// fill loads what is not there yet.
func (d *demo) fill(ctx context.Context) error {
	found, complete, err := d.found(ctx)
	if err != nil {
		return err
	}
	if complete {
		d.printf("  found       %s of an earlier run: nothing to load\n", counted(found, "observation", "observations"))
		return nil
	}
	if found > 0 {
		d.printf("  found       %s of an earlier run that broke off: loading the rest\n", counted(found, "observation", "observations"))
	}
	if err := d.alone(ctx, found); err != nil {
		return err
	}
	stations, err := sampledata.Stations()
	if err != nil {
		return err
	}
	readings, err := sampledata.Observations()
	if err != nil {
		return err
	}
	p := d.app.progress()
	defer p.done()
	cfg := loadConfig{Config: ingest.DefaultConfig(), catalogue: d.cfg.Catalogue}
	sum, err := d.server.register(ctx, ingest.Memory(sampledata.StationsName, stations), cfg.RetryFor, p)
	p.done()
	if err != nil {
		return err
	}
	elapsed := time.Duration(sum.Elapsed * float64(time.Second))
	d.printf("  stations    %s registered in %s, %s\n", count(sum.Registered), took(elapsed), perSecond(sum.acknowledged(), elapsed))
	loaded, err := d.server.load(ctx, []ingest.Source{ingest.Memory(sampledata.ObservationsName, readings)}, cfg, p)
	p.done()
	if err != nil {
		return err
	}
	if err := errors.Join(sum.err(), loaded.err()); err != nil {
		return err
	}
	elapsed = time.Duration(loaded.Elapsed * float64(time.Second))
	d.printf("  readings    %s synced to disk in %s, %s\n", count(loaded.Stored), took(elapsed), perSecond(loaded.Readings, elapsed))
	return nil
}

// createStore creates the keyspace, as small clusters have it.
func (d *demo) createStore(ctx context.Context) error {
	cfg, err := cassandra.ParseURL(d.cfg.Store)
	if err != nil {
		return err
	}
	cfg.Logger = d.cfg.Logger
	done, err := cassandra.DefaultSchema(cfg.Keyspace).Apply(ctx, cfg)
	for _, what := range done {
		fmt.Fprintln(d.app.err, what)
	}
	if err != nil {
		return schemaError(ctx, cfg, err)
	}
	return nil
}

// alone makes sure that a keyspace holds nothing that is not a demo's: a sample
// has nothing to look for among the stations of others.
func (d *demo) alone(ctx context.Context, found uint64) error {
	if d.cfg.Store == "" || found > 0 {
		return nil
	}
	some, err := d.server.ListStations(ctx, &mesonetv1.ListStationsRequest{PageSize: 1})
	if err != nil || len(some.GetStations()) == 0 {
		return err
	}
	switch _, err := d.server.station(ctx, demoStations[0].id); {
	case isReason(err, reasonUnknownStation):
		return fail(exitFailed, "%s holds other stations, such as %s, and a demo loads a sample; give it a keyspace of its own: %s demo --store URL --create",
			where(d.cfg), some.GetStations()[0].GetId(), program())
	default:
		return err
	}
}

// found counts the observations of an earlier run. They are complete when every
// station has its year.
func (d *demo) found(ctx context.Context) (observations uint64, complete bool, err error) {
	complete = true
	for _, s := range demoStations {
		known, err := d.server.station(ctx, s.id)
		switch {
		case isReason(err, reasonUnknownStation):
			complete = false
			continue
		case err != nil:
			return 0, false, err
		}
		observations += uint64(known.Observations)
		complete = complete && known.Observations >= demoHours
	}
	return observations, complete, nil
}

// invite says how to go on.
func (d *demo) invite(addr, http string) {
	with := withAddr(addr)
	self := program()
	d.heading("Now you. It goes on serving; in another terminal:")
	d.printf("  %s temperature %s 2008-02%s\n", self, sampledata.SanFrancisco, with)
	d.printf("  %s precip %s 2008-09-06 -o json%s\n", self, sampledata.NewYork, with)
	d.printf("  %s station get %s%s\n", self, sampledata.NewYork, with)
	d.printf("  %s station list --country UK --limit 10%s\n", self, with)
	d.printf("  curl http://%s/v1/stations/%s/precipitation/2008\n", http, sampledata.NewYork)
	d.printf("  grpcurl -plaintext -d '{\"station\":\"%s\",\"year\":2008}' \\\n    %s mesonet.v1.WeatherService/GetPrecipitation\n", sampledata.NewYork, addr)
	d.printf("\nStop it with Ctrl-C, or with kill -9, and start it again: it finds its data.\n")
}

func (d *demo) withData() string {
	if d.cfg.Store != "" {
		return " --store " + quoted(d.cfg.Store)
	}
	if d.cfg.Dir == demoDir {
		return ""
	}
	return " --data " + quoted(d.cfg.Dir)
}
