package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet/internal/servers"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

// rounds of TestThreeNodes are random faults after those of the script; `make
// chaos` asks for some.
var (
	rounds    = flag.Int("rounds", 0, "random faults of TestThreeNodes")
	roundSeed = flag.Uint64("rounds.seed", 0, "seed of the random faults; 0 for a new one")
)

// A server on three nodes of Cassandra, under load. One of them is killed and comes
// back, one stands still for 10 s, then all are away and come back; the server is
// killed and started again. No acknowledged reading is lost, what was said not to
// have happened did not, and who was told neither heard that it is unknown or
// unavailable. Readings are acknowledged while a minority is away, none while a
// majority is, and again by themselves after that.
//
// Nodes of Cassandra give no hints to each other here, so that one has nothing of
// what it missed but what reads repair.
//
// Mutations seen to fail: reading and writing at ONE ("waits:2 has 12 mm of 12
// readings in 2008, and 1008 were acknowledged" after all were away); acknowledging a
// frame when it is sent ("4604 readings were acknowledged without a majority"); not
// repeating a write that failed, and calling it stored (store verify: "the log goes to
// 4096:13").
func TestThreeNodes(t *testing.T) {
	t.Parallel() // it mostly waits
	serverstest.Require(t)
	seed := *roundSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	config := servers.DefaultCassandraConfig()
	config.Nodes, config.HeapMB = 3, 384
	config.Settings = map[string]any{"hinted_handoff_enabled": false}
	begun := time.Now()
	cluster, err := servers.StartCassandra(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	}()
	c := &threeNodes{
		t: t, begun: begun, cluster: cluster, rng: rand.New(rand.NewPCG(seed, 0)),
		url: fmt.Sprintf("cassandra://%s/%s", strings.Join(cluster.Addresses(), ","), serverstest.Name(t)),
	}
	c.say("three nodes are up")
	// Said, as a node that is up may not know all others yet, and would count two.
	c.run("schema", "apply", c.url+"?timeout=20s&connect_timeout=20s", "--shards", "8", "--replication", "datacenter1=3")
	c.serve("127.0.0.1:0")
	c.load = newLoad(t, c.server.addr)

	c.load.start(t.Context(), seed)
	c.rises("at the beginning")
	c.killNode()
	c.pauseNode()
	c.allAway()
	c.load.stop()
	c.verify()

	c.serve(c.server.addr)
	c.load.start(t.Context(), seed+1)
	c.rises("when it has started again")
	c.killServer()
	faults := []func(){c.killNode, c.pauseNode, c.allAway, c.killServer, c.pauseAndKill, c.allAwayAndServer}
	for round := range *rounds {
		faults[c.rng.IntN(len(faults))]()
		if round%5 == 4 {
			c.load.stop()
			c.verify()
			c.serve(c.server.addr)
			c.load.start(t.Context(), c.rng.Uint64())
		}
	}
	c.load.stop()
	c.verify()
	t.Logf("summary: seed %d: %d rounds after the first, of one fault or two; %d readings acknowledged, each there once", seed, *rounds, c.load.acked.Load())
}

// threeNodes is a server on three nodes of Cassandra, and its load.
type threeNodes struct {
	t       *testing.T
	begun   time.Time
	cluster *servers.Cassandra
	url     string
	rng     *rand.Rand
	server  *process
	load    *load
}

// say logs what has come to pass, and ends the test if anything has gone wrong.
func (c *threeNodes) say(what string) {
	c.t.Helper()
	n := int64(0)
	if c.load != nil {
		n = c.load.acked.Load()
		if failed := c.load.failures(); failed != nil {
			c.giveUp("%s", strings.Join(failed, "\n"))
		}
	}
	c.t.Logf("%5.1f s: %s; %d acknowledged", time.Since(c.begun).Seconds(), what, n)
}

func (c *threeNodes) must(err error) {
	c.t.Helper()
	if err != nil {
		c.giveUp("%v", err)
	}
}

func (c *threeNodes) giveUp(format string, args ...any) {
	c.t.Helper()
	log := ""
	if c.server != nil {
		log = c.server.stderr.String()
	}
	c.t.Fatalf(format+"\nthe server's log ends with\n%s", append(args, log[max(0, len(log)-4000):])...)
}

// run runs a command that ends well.
func (c *threeNodes) run(args ...string) {
	c.t.Helper()
	if got := runArgs(c.t, args...); got.code != exitOK {
		c.giveUp("mesonet %s ends with %d: %s%s", strings.Join(args, " "), got.code, got.stdout, got.stderr)
	}
}

func (c *threeNodes) serve(addr string) {
	c.t.Helper()
	c.server = startProcess(c.t, "watch it", "server", "--store", c.url, "--node", "a",
		"--listen", addr, "--http", "none", "--admin", "127.0.0.1:0", "--auto-register")
	c.say("the server serves")
}

// within calls so until it is, for as long as a very busy machine may need.
func (c *threeNodes) within(what string, so func() bool) {
	c.t.Helper()
	give := time.After(3 * time.Minute)
	for !so() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-give:
			c.giveUp("%s: not in three minutes", what)
		}
	}
	c.say(what)
}

// rises waits until readings go on being acknowledged: to each of those who load.
func (c *threeNodes) rises(when string) {
	c.t.Helper()
	c.within("readings are acknowledged "+when, c.load.more(10*perLoader))
}

func (c *threeNodes) anyNode() *servers.Node { return c.cluster.Nodes()[c.rng.IntN(3)] }

// killNode kills a node of Cassandra, and starts it again.
func (c *threeNodes) killNode() {
	node := c.anyNode()
	c.must(node.Kill())
	c.say(node.Address() + " is killed")
	c.rises("while a node is down")
	c.must(node.Start(c.t.Context()))
	c.rises("with the node back")
}

// pauseNode stops a node of Cassandra for 10 s.
func (c *threeNodes) pauseNode() {
	node := c.anyNode()
	c.must(node.Pause())
	c.say(node.Address() + " stands still")
	long := time.After(10 * time.Second)
	c.rises("while a node stands still")
	select {
	case <-long:
	case <-c.t.Context().Done():
	}
	c.rises("at the end of that")
	c.must(node.Resume())
	c.rises("with the node going on")
}

// allAway kills two nodes of Cassandra, then the third, and starts all again.
func (c *threeNodes) allAway() {
	nodes := c.shuffled()
	c.must(nodes[0].Kill())
	c.must(nodes[1].Kill())
	c.noneAcked(func() { c.must(nodes[2].Kill()) })
	c.start(nodes)
	c.rises("when all are back")
	c.ready()
}

// allAwayAndServer is the same, and the server is killed meanwhile, with all that it
// had under way.
func (c *threeNodes) allAwayAndServer() {
	nodes := c.shuffled()
	c.must(nodes[0].Kill())
	c.must(nodes[1].Kill())
	c.noneAcked(func() {
		c.must(nodes[2].Kill())
		c.must(c.server.Process.Signal(syscall.SIGKILL))
		c.server.end(c.t)
	})
	c.start(nodes)
	c.serve(c.server.addr)
	c.rises("when all are back")
}

// pauseAndKill stops one node of Cassandra and kills another.
func (c *threeNodes) pauseAndKill() {
	nodes := c.shuffled()
	c.must(nodes[0].Pause())
	c.must(nodes[1].Kill())
	c.noneAcked(func() { c.must(nodes[0].Resume()) })
	c.rises("with two of three again")
	c.start(nodes)
	c.ready()
}

func (c *threeNodes) shuffled() []*servers.Node {
	nodes := c.cluster.Nodes()
	c.rng.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return nodes
}

// noneAcked looks whether anything is acknowledged now that the store has lost its
// majority, beyond what was on its way, until the server misses the store and some
// time more, and then does do.
func (c *threeNodes) noneAcked(do func()) {
	const onTheWay = 100 // there are 4 loaders with 4 readings each
	most := c.load.acked.Load() + onTheWay
	waits := func(what string, so func() bool) {
		c.within(what, func() bool {
			if now := c.load.acked.Load(); now > most {
				c.giveUp("%d readings or more were acknowledged without a majority", now-most)
			}
			return so()
		})
	}
	refused := func() {
		n := c.load.unanswered.Load()
		waits("a question was not answered", func() bool { return c.load.unanswered.Load() > n })
	}
	waits("the store is away", func() bool {
		return strings.Contains(httpGet(c.t, "http://"+c.server.admin+"/readyz"), "the store does not answer")
	})
	refused() // what was on its way before that has come
	most = c.load.acked.Load()
	answered := c.load.answered.Load()
	refused()
	if now := c.load.answered.Load(); now != answered {
		c.giveUp("%d questions were answered without a majority", now-answered)
	}
	do()
}

// start starts those of the nodes that don't run.
func (c *threeNodes) start(nodes []*servers.Node) {
	var starting errgroup.Group
	for _, node := range nodes {
		starting.Go(func() error { return node.Start(c.t.Context()) })
	}
	c.must(starting.Wait())
	c.say("all nodes are up again")
}

func (c *threeNodes) ready() {
	c.within("the server is ready", func() bool { return httpGet(c.t, "http://"+c.server.admin+"/readyz") == "ok\n" })
}

// killServer kills the server, and starts it again.
func (c *threeNodes) killServer() {
	c.must(c.server.Process.Signal(syscall.SIGKILL))
	c.server.end(c.t)
	c.say("the server is killed")
	c.serve(c.server.addr)
	c.rises("by the new server")
}

// verify looks for what was acknowledged, stops the server, and has the store
// verified.
func (c *threeNodes) verify() {
	c.t.Helper()
	c.load.check(c.t, c.server.addr)
	c.must(c.server.Process.Signal(syscall.SIGTERM))
	code, rest := c.server.end(c.t)
	c.t.Logf("the server's log:\n%s", c.server.stderr.String())
	if code != exitOK {
		c.giveUp("the server ends with %d: %s", code, rest)
	}
	c.run("store", "verify", c.url+"?timeout=20s&connect_timeout=20s")
	c.say("the store is verified")
}
