package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// mostDemoNodes is how many nodes a demo has at most: they share a machine.
const mostDemoNodes = 9

// demoCluster is the nodes of a demo, but for the first.
type demoCluster struct {
	demo  *demo
	store *cluster.Shared // nil on Cassandra, where each opens its own
	close func() error

	first *daemon.Daemon
	nodes []*demoNode // the first among them
}

// demoNode is one node of a demo.
type demoNode struct {
	name   string
	daemon *daemon.Daemon // nil while it is away
	client *client
}

// openCluster prepares the store that the nodes of a demo use.
func (d *demo) openCluster(ctx context.Context) error {
	c := &demoCluster{demo: d, close: func() error { return nil }}
	if d.cfg.Store == "" {
		pc := pebble.DefaultConfig(d.cfg.Dir)
		pc.Shards, pc.Logger = d.cfg.Shards, d.cfg.Logger
		store, err := pebble.Open(ctx, pc)
		if errors.Is(err, persistence.ErrLocked) {
			return d.startFailed(ctx, err)
		}
		if err != nil {
			return err
		}
		c.store, c.close = cluster.Share(store), store.Close
		d.cfg = d.cfg.OnStore(c.store)
	}
	d.cfg = c.member(d.cfg, 1)
	d.cluster = c
	return nil
}

// member is the configuration of a node of the demo.
func (c *demoCluster) member(cfg daemon.Config, number int) daemon.Config {
	cfg.Node = fmt.Sprintf("node-%d", number)
	m := mesonet.DefaultCluster()
	m.Name, m.Gossip, m.Requests, m.Version = "mesonet-demo", freePort, freePort, cfg.Version
	for _, n := range c.nodes {
		if n.daemon != nil {
			m.Join = append(m.Join, n.daemon.GossipAddr())
		}
	}
	cfg.Cluster = m
	if number > 1 {
		cfg.Listen, cfg.Admin, cfg.HTTP = freePort, "", ""
	}
	return cfg
}

// startOthers starts the nodes behind the first.
func (c *demoCluster) startOthers(ctx context.Context, first *daemon.Daemon) error {
	c.first = first
	c.nodes = append(c.nodes, &demoNode{name: "node-1", daemon: first, client: c.demo.server})
	for i := 2; i <= c.demo.nodes; i++ {
		n := &demoNode{name: fmt.Sprintf("node-%d", i)}
		c.nodes = append(c.nodes, n)
		if err := c.startNode(ctx, i); err != nil {
			return err
		}
	}
	if err := c.settled(ctx); err != nil {
		return err
	}
	c.demo.printf("  nodes       %s\n", c.shares())
	return nil
}

// startNode starts a node that is away.
func (c *demoCluster) startNode(ctx context.Context, number int) (err error) {
	n := c.nodes[number-1]
	if n.daemon, err = daemon.Start(ctx, c.member(c.demo.cfg, number)); err != nil {
		return err
	}
	n.client, err = dial(n.daemon.Addr(), time.Minute, false)
	return err
}

// settled waits until all nodes have the shards that are theirs.
func (c *demoCluster) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, n := range c.nodes {
		if n.daemon == nil {
			continue
		}
		if err := n.daemon.Cluster().Settled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// shares says how many shards each node serves.
func (c *demoCluster) shares() string {
	var all []string
	for _, n := range c.nodes {
		if n.daemon == nil {
			all = append(all, n.name+" away")
			continue
		}
		all = append(all, fmt.Sprintf("%s %d", n.name, n.daemon.Cluster().Status().Open))
	}
	return strings.Join(all, ", ") + " of " + counted(c.demo.cfg.Shards, "shard", "shards")
}

// stop stops what is left, the first node last.
func (c *demoCluster) stop(ctx context.Context) error {
	var errs []error
	for _, n := range slices.Backward(c.nodes) {
		if n.daemon == c.first {
			continue
		}
		if n.client != nil {
			n.client.close()
		}
		if n.daemon != nil {
			errs = append(errs, stop(ctx, n.daemon))
		}
	}
	return errors.Join(errs...)
}

// show lets the reader see one node killed, come back, and leave, while questions go on.
func (c *demoCluster) show(ctx context.Context) error {
	d := c.demo
	victim := c.nodes[1]
	asked, err := c.oneOfEachShard(ctx)
	if err != nil {
		return err
	}
	d.heading("What if a node dies?")
	served := victim.daemon.Cluster().Status().Open
	watch := c.watch(ctx, asked, victim)
	if err := rest(ctx, 500*time.Millisecond); err != nil {
		return errors.Join(err, watch.end().err)
	}
	watch.begin()
	victim.client.close()
	killed := victim.daemon
	victim.daemon, victim.client = nil, nil
	if err := killed.Kill(context.WithoutCancel(ctx)); err != nil {
		d.cfg.Logger.Debug("the killed node has ended", "error", err)
	}
	d.printf("  killed      %s, which served %s, without a word to anybody\n", victim.name, counted(served, "shard", "shards"))
	err = watch.allAnswer(ctx, 30*time.Second)
	seen := watch.end()
	if err := errors.Join(err, seen.err); err != nil {
		return err
	}
	d.printf("  outage      no station was without an answer for longer than %s\n", took(seen.gap))
	d.printf("  questions   %s asked through the others meanwhile, %s failed; the longest took %s\n", count(seen.asked), count(seen.failed), took(seen.longest))
	d.printf("  nodes       %s\n", c.shares())
	if err := c.same(ctx); err != nil {
		return err
	}

	d.heading("What if it comes back, and another leaves?")
	if err := c.startNode(ctx, 2); err != nil {
		return err
	}
	if err := c.settled(ctx); err != nil {
		return err
	}
	d.printf("  started     %s again, which the others hand its shards\n", victim.name)
	d.printf("  nodes       %s\n", c.shares())
	leaver := c.nodes[len(c.nodes)-1]
	if len(c.nodes) < 3 { // somebody has to be left who is not asked through a node that goes
		leaver = victim
	}
	watch = c.watch(ctx, asked, leaver)
	watch.begin()
	leaver.client.close()
	leaving := leaver.daemon
	leaver.client = nil
	err = stop(ctx, leaving)
	leaver.daemon = nil
	seen = watch.end()
	if err := errors.Join(err, seen.err); err != nil {
		return err
	}
	d.printf("  left        %s, as on SIGTERM: it hands its shards over first\n", leaver.name)
	d.printf("  questions   %s asked through the others meanwhile, %s failed; the longest took %s\n", count(seen.asked), count(seen.failed), took(seen.longest))
	d.printf("  nodes       %s\n", c.shares())
	return c.same(ctx)
}

// same checks that the years are what they were: nothing that was acknowledged is
// lost.
func (c *demoCluster) same(ctx context.Context) error {
	var rain []string
	for _, s := range demoStations {
		sum, err := c.demo.server.precipitation(ctx, s.id, period{year: 2008})
		if err != nil {
			return err
		}
		if sum.Observations != demoHours {
			return fail(exitFailed, "%s has %d observations of %d: some were lost", s.name, sum.Observations, demoHours)
		}
		rain = append(rain, fmt.Sprintf("%s %s mm", s.short, number(sum.Millimetres, 1)))
	}
	c.demo.printf("  rain        %s of %s observations, as before\n", strings.Join(rain, ", "), count(len(demoStations)*demoHours))
	return nil
}

// oneOfEachShard returns a station of each shard that has one.
func (c *demoCluster) oneOfEachShard(ctx context.Context) ([]string, error) {
	shards := c.demo.shards()
	of := make(map[persistence.Shard]string)
	token := ""
	for len(of) < int(shards) {
		page, err := c.demo.server.ListStations(ctx, &mesonetv1.ListStationsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, s := range page.GetStations() {
			n := persistence.ShardOf("station", s.GetId(), shards)
			if of[n] == "" {
				of[n] = s.GetId()
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	var ids []string
	for n := range persistence.Shard(shards) {
		if of[n] != "" {
			ids = append(ids, of[n])
		}
	}
	return ids, nil
}

// shards is how many the demo's store has.
func (d *demo) shards() uint32 { return d.cluster.first.Shards() }

// watching asks stations all the time.
type watching struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu            sync.Mutex
	asked, failed int64
	longest, gap  time.Duration
	last          []time.Time // of each who asks: when it had an answer last
	fresh         []time.Time // when the question was begun that was answered last
	err           error
	news          chan struct{}
}

// seen is what was seen.
type seen struct {
	asked, failed int64
	longest       time.Duration // that a question took
	gap           time.Duration // between two answers of a station to one who asks
	err           error
}

// watch asks each station again and again through each node but one, until the end.
func (c *demoCluster) watch(ctx context.Context, ids []string, but *demoNode) *watching {
	ctx, cancel := context.WithCancel(ctx)
	w := &watching{cancel: cancel, news: make(chan struct{}, 1)}
	var clients []*client
	for _, n := range c.nodes {
		if n != but && n.client != nil {
			clients = append(clients, n.client)
		}
	}
	w.last, w.fresh = make([]time.Time, len(clients)*len(ids)), make([]time.Time, len(clients)*len(ids))
	for i := range w.last { // one who asks for each station: none waits for another's
		w.wg.Go(func() {
			for ctx.Err() == nil {
				w.ask(ctx, i, clients[i%len(clients)], ids[i/len(clients)])
			}
		})
	}
	return w
}

func (w *watching) ask(ctx context.Context, i int, c *client, id string) {
	begin := time.Now()
	_, err := c.GetStation(ctx, &mesonetv1.GetStationRequest{Station: id})
	if ctx.Err() != nil {
		return
	}
	end := time.Now()
	w.mu.Lock()
	w.asked++
	w.longest = max(w.longest, end.Sub(begin))
	if err != nil {
		w.failed++
		w.err = err
	} else {
		if !w.last[i].IsZero() {
			w.gap = max(w.gap, end.Sub(w.last[i]))
		}
		w.last[i], w.fresh[i] = end, begin
	}
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
	_ = rest(ctx, time.Millisecond) // others are at work on this machine
}

// begin counts from now on.
func (w *watching) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest, w.gap, w.asked = 0, 0, 0
}

// allAnswer waits until every station has answered what was asked from now on.
func (w *watching) allAnswer(ctx context.Context, most time.Duration) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		w.mu.Lock()
		missing := 0
		for _, at := range w.fresh {
			if at.Before(begin) {
				missing++
			}
		}
		w.mu.Unlock()
		if missing == 0 {
			return nil
		}
		select {
		case <-w.news:
		case <-ctx.Done():
			return fail(exitUnavailable, "%d of %d who ask have no answer %s after the node was killed", missing, len(w.fresh), most)
		}
	}
}

// end stops asking.
func (w *watching) end() seen {
	w.cancel()
	w.wg.Wait()
	return seen{w.asked, w.failed, w.longest, w.gap, w.err}
}

// rest waits for a while, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
