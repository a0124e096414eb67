package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/rollcall"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// mostDemoNodes is how many nodes a demo may have: all share one machine.
const mostDemoNodes = 9

// demoNode is one node of the cluster of a demo.
type demoNode struct {
	name   string
	cfg    daemon.Config
	daemon *daemon.Daemon // nil while it does not run
	client *client
}

// demoCluster is a demo of several nodes in one process. They talk over sockets, as
// nodes on machines of their own do.
type demoCluster struct {
	*demo
	store *pebble.Store // nil when the data is in Cassandra
	nodes []*demoNode
}

// runCluster is run of several nodes.
func (d *demo) runCluster(ctx context.Context, nodes int) (err error) {
	if d.create {
		if err := d.createStore(ctx); err != nil {
			return err
		}
	}
	c := &demoCluster{demo: d}
	defer func() { err = errors.Join(err, c.stop(ctx)) }()
	begun := time.Now()
	if err := c.start(ctx, nodes); err != nil {
		return err
	}
	first, second := c.nodes[0], c.nodes[1]
	d.server = first.client
	d.heading(fmt.Sprintf("mesonet: weather stations that remember, on %d nodes", nodes))
	d.where(first.daemon)
	err = d.while(ctx, first.daemon, func(ctx context.Context) error {
		owners, err := c.owners(ctx)
		if err != nil {
			return err
		}
		c.sayShards(owners, time.Since(begun))
		if err := d.fill(ctx); err != nil {
			return err
		}
		d.printf("  loaded through %s, and asked through %s, whoever has the station:\n", first.name, second.name)
		d.server = second.client
		if err := d.ask(ctx); err != nil {
			return err
		}
		return c.survive(ctx)
	})
	if err != nil {
		return err
	}
	if d.exit {
		d.printf("\nTo ask more, start it without --exit: %s demo --nodes %d%s\n", program(), nodes, d.withData())
		return nil
	}
	d.invite(first.daemon.Addr(), first.daemon.HTTPAddr())
	return c.wait(ctx)
}

// start starts the nodes, one after the other: each is told where those before are.
func (c *demoCluster) start(ctx context.Context, nodes int) error {
	if c.cfg.Store == "" {
		if err := c.open(ctx); err != nil {
			return err
		}
	}
	for i := range nodes {
		n := &demoNode{name: fmt.Sprintf("node-%d", i+1), cfg: c.cfg}
		n.cfg.Node = n.name
		if i > 0 {
			n.cfg.Listen, n.cfg.Admin, n.cfg.HTTP = freePort, "", ""
		}
		n.cfg.Cluster = mesonet.DefaultCluster()
		n.cfg.Cluster.Gossip, n.cfg.Cluster.Requests, n.cfg.Cluster.Version = freePort, freePort, build().Version
		if err := c.startNode(ctx, n); err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
	}
	return nil
}

func (c *demoCluster) startNode(ctx context.Context, n *demoNode) (err error) {
	n.cfg.Cluster.Join = nil
	for _, other := range c.nodes {
		if other.daemon != nil {
			n.cfg.Cluster.Join = append(n.cfg.Cluster.Join, other.daemon.GossipAddr())
		}
	}
	// start takes another port where this one is taken, of a node that is asked for
	// by its address.
	starting := *c.demo
	starting.cfg, starting.fixed = n.cfg, c.fixed && len(c.nodes) == 0
	if n.daemon, err = starting.start(ctx); err != nil {
		return err
	}
	n.cfg.Listen = n.daemon.Addr() // also when it is started again
	if n.client != nil && n.client.addr != n.daemon.Addr() {
		n.client.close()
		n.client = nil
	}
	if n.client == nil {
		n.client, err = dial(n.daemon.Addr(), time.Minute, false)
	}
	return err
}

// open opens the folder for all nodes. Whoever had shards in an earlier run is gone,
// since nobody else has the folder: that is said in the store, so that nobody waits.
func (c *demoCluster) open(ctx context.Context) error {
	cfg := pebble.DefaultConfig(c.cfg.Dir)
	cfg.Shards, cfg.Logger = c.cfg.Shards, c.cfg.Logger
	var err error
	if c.store, err = pebble.Open(ctx, cfg); err != nil {
		return c.startError(ctx, err)
	}
	c.cfg = c.cfg.OnStore(cluster.Share(c.store))
	owners := c.store.Ownership()
	fenced := make(map[persistence.NodeID]bool)
	for s := range c.store.Info().Shards {
		row, err := owners.Shard(ctx, persistence.Shard(s))
		if err != nil {
			return err
		}
		if row.Owner == "" || fenced[row.Owner] {
			continue
		}
		node, err := owners.Node(ctx, row.Owner)
		if err != nil {
			return err
		}
		if _, err := owners.Fence(ctx, row.Owner, node.Incarnation); err != nil {
			return err
		}
		fenced[row.Owner] = true
	}
	return nil
}

// stop stops the nodes that run, all at once: nobody hands shards to those that stop
// next.
func (c *demoCluster) stop(ctx context.Context) error {
	var errs []error
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, n := range c.nodes {
		if n.client != nil {
			n.client.close()
		}
		if n.daemon != nil {
			all.Go(func() {
				err := stop(ctx, n.daemon)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
	}
	all.Wait()
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	return errors.Join(errs...)
}

// wait waits for the end of ctx or of a node.
func (c *demoCluster) wait(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, n := range c.nodes {
		if n.daemon == nil {
			continue
		}
		watching.Go(func() {
			select {
			case <-n.daemon.Done():
				cancel(fail(exitFailed, "node %s failed: %w", n.name, n.daemon.Err()))
			case <-watched.Done():
			}
		})
	}
	<-watched.Done()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(watched)
}

// owners waits until each shard is served by the node that it belongs to, and says
// whose they are.
func (c *demoCluster) owners(ctx context.Context) ([]string, error) {
	return rollcall.Owners(ctx, c.nodes[0].client)
}

// sayShards says who has how many shards.
func (c *demoCluster) sayShards(owners []string, elapsed time.Duration) {
	var each []string
	for _, n := range c.nodes {
		each = append(each, fmt.Sprintf("%s %d", n.name, len(rollcall.Of(owners, n.name))))
	}
	c.printf("  shards      %s; shared out %s after the start\n", strings.Join(each, ", "), took(elapsed))
}

// stationIDs are those of all stations that the nodes know.
func (c *demoCluster) stationIDs(ctx context.Context) ([]string, error) {
	list, err := c.nodes[0].client.stations(ctx, &mesonetv1.ListStationsRequest{}, math.MaxInt)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(list.Stations))
	for _, s := range list.Stations {
		ids = append(ids, s.ID)
	}
	return ids, nil
}
