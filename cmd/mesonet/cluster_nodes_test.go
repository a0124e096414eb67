package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clusterNodes are three servers, processes of their own, on one keyspace of a real
// Cassandra, under load from clients that know all three.
type clusterNodes struct {
	t     *testing.T
	begun time.Time
	url   string // of the store
	rng   *rand.Rand
	all   []*clusterNode
	load  *load
	asks  *askers
	on    *clusterNetwork // nil on loopback
	local *load           // likewise
}

// clusterNode is one of them: its name and addresses stay, its processes come and go.
type clusterNode struct {
	c                        *clusterNodes
	id                       string
	listen, gossip, requests string
	host                     *nodeHost // nil on loopback
	process                  *process  // nil while there is none
}

// shardsOfCluster is how many shards the keyspace has: enough that each node has
// some, whatever the table says.
const shardsOfCluster = 16

// newClusterNodes creates a keyspace, and names three nodes that are still to start, on
// loopback addresses.
func newClusterNodes(t *testing.T, seed uint64) *clusterNodes {
	t.Helper()
	c := newCluster(t, seed)
	for _, n := range c.all {
		n.move()
	}
	return c
}

// newCluster is the same without addresses.
func newCluster(t *testing.T, seed uint64) *clusterNodes {
	t.Helper()
	url := keyspaceURL(t)
	if got := runArgs(t, "schema", "apply", url, "--shards", fmt.Sprint(shardsOfCluster)); got.code != exitOK {
		t.Fatalf("mesonet schema apply ends with %d: %s", got.code, got.stderr)
	}
	t.Logf("seed %d", seed)
	c := &clusterNodes{t: t, begun: time.Now(), url: url, rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range 3 {
		c.all = append(c.all, &clusterNode{c: c, id: fmt.Sprintf("n%d", i+1)})
	}
	return c
}

// move gives a node other addresses for its next process, while one may still run.
func (n *clusterNode) move() {
	if n.host != nil {
		n.changeHosts()
		return
	}
	n.listen, n.gossip, n.requests = freeAddress(n.c.t), freeAddress(n.c.t), freeAddress(n.c.t)
}

// freeAddress returns an address at which nothing listens, by TCP or UDP. Where the
// system lets it, it is not of 127.0.0.1, from where connections come: one of them might
// have the port when the node that is to listen there is started.
func freeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for try := range 100 {
		host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(99), rand.IntN(256), 1+rand.IntN(254))
		if try > 50 {
			host = "127.0.0.1"
		}
		var l net.Listener
		if l, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0")); err != nil {
			continue
		}
		var p net.PacketConn
		if p, err = (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", l.Addr().String()); err == nil {
			_ = p.Close()
		}
		_ = l.Close()
		if err == nil {
			return l.Addr().String()
		}
	}
	t.Fatalf("no port is free: %v", err)
	return ""
}

// addrs are where the nodes serve.
func (c *clusterNodes) addrs() []string {
	var all []string
	for _, n := range c.all {
		all = append(all, n.listen)
	}
	return all
}

func (c *clusterNodes) gossips() string {
	var all []string
	for _, n := range c.all {
		all = append(all, n.gossip)
	}
	return strings.Join(all, ",")
}

// args are those of the node's process.
func (n *clusterNode) args() []string {
	args := []string{
		"server", "--node", n.id, "--memory", "256MiB", "--auto-register",
		"--http", "none", "--admin", "127.0.0.1:0",
		"--cluster-gossip", n.gossip, "--cluster-requests", n.requests, "--cluster-join", n.c.gossips(),
	}
	if n.host != nil {
		return append(args, n.c.on.args()...)
	}
	return append(args, "--store", n.c.url, "--listen", n.listen)
}

// run starts the node's process, and does not wait for it to serve.
func (n *clusterNode) run() {
	n.c.t.Helper()
	start := (*exec.Cmd).Start
	if n.host != nil {
		start = n.host.Start
	}
	n.process = runProcessBy(n.c.t, start, n.args()...)
}

// start starts the node's process, and returns when it serves.
func (n *clusterNode) start() {
	n.c.t.Helper()
	n.run()
	said := make(chan error, 1)
	go func() { // ends with the process, if not before
		for {
			line, err := n.process.stdout.ReadString('\n')
			if found := watchedAt.FindStringSubmatch(line); found != nil {
				n.process.admin = found[1]
				err = errServes
			}
			if err != nil {
				said <- err
				return
			}
		}
	}()
	begun := time.Now()
	select {
	case err := <-said:
		if !errors.Is(err, errServes) {
			n.c.t.Fatalf("%s ends before it serves: %v", n.id, err)
		}
	case <-time.After(startsWithin):
		n.c.t.Fatalf("%s does not serve after %v", n.id, startsWithin)
	}
	n.c.say(fmt.Sprintf("%s serves, after %.1f s", n.id, time.Since(begun).Seconds()))
}

// startsWithin is what a start may take on a very busy machine.
const startsWithin = time.Minute

var errServes = errors.New("it serves")

func (n *clusterNode) signal(s os.Signal) {
	n.c.t.Helper()
	if err := n.process.Process.Signal(s); err != nil {
		n.c.t.Fatalf("%s: %v", n.id, err)
	}
}

// kill ends the node's process without a word.
func (n *clusterNode) kill() {
	n.c.t.Helper()
	n.signal(syscall.SIGKILL)
	n.process.end(n.c.t)
	n.process = nil
	n.c.say(n.id + " is killed")
}

// stop ends the node's process in order.
func (n *clusterNode) stop() {
	n.c.t.Helper()
	n.signal(syscall.SIGTERM)
	begun := time.Now()
	if code, rest := n.process.end(n.c.t); code != exitOK {
		n.c.t.Fatalf("%s ends with %d: %s\n%s", n.id, code, rest, n.process.stderr.String())
	}
	n.process = nil
	n.c.say(fmt.Sprintf("%s has stopped in %.1f s", n.id, time.Since(begun).Seconds()))
}

// log is what the node's process has logged.
func (n *clusterNode) log() string { return n.process.stderr.String() }

var openShards = regexp.MustCompile(`cluster: .*?(\d+) shards open`)

// ready is what the node's process says of how it is doing.
func (n *clusterNode) ready() string {
	n.c.t.Helper()
	dial := new(net.Dialer).DialContext
	if n.host != nil {
		dial = n.host.DialContext
	}
	return httpGetBy(n.c.t, dial, "http://"+n.process.admin+"/readyz?verbose")
}

// open is how many shards the node has open.
func (n *clusterNode) open() int {
	n.c.t.Helper()
	found := openShards.FindStringSubmatch(n.ready())
	if found == nil {
		return 0
	}
	open, err := strconv.Atoi(found[1])
	if err != nil {
		n.c.t.Fatal(err)
	}
	return open
}

// say logs what has come to pass, and ends the test if anything has gone wrong.
func (c *clusterNodes) say(what string) {
	c.t.Helper()
	acked, asked := int64(0), 0
	if c.load != nil {
		acked = c.load.acked.Load()
		if failed := c.load.failures(); failed != nil {
			c.t.Fatalf("%s", strings.Join(failed, "\n"))
		}
	}
	if c.local != nil {
		acked += c.local.acked.Load()
		if failed := c.local.failures(); failed != nil {
			c.t.Fatalf("%s", strings.Join(failed, "\n"))
		}
	}
	if c.asks != nil {
		asked = c.asks.count()
	}
	c.t.Logf("%5.1f s: %s; %d acknowledged, %d answers", time.Since(c.begun).Seconds(), what, acked, asked)
}

// within waits until it is so, for as long as a very busy machine may need.
func (c *clusterNodes) within(what string, so func() bool) time.Duration {
	c.t.Helper()
	begun := time.Now()
	give := time.After(2 * time.Minute)
	for !so() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-give:
			c.t.Fatalf("%s: not in two minutes", what)
		}
	}
	c.say(fmt.Sprintf("%s, after %.1f s", what, time.Since(begun).Seconds()))
	return time.Since(begun)
}

// whole waits until each node that runs has shards, and together they have all.
func (c *clusterNodes) whole() {
	c.t.Helper()
	var have []string
	c.within("every node has shards", func() bool {
		sum := 0
		have = nil
		for _, n := range c.all {
			if n.process == nil {
				continue
			}
			open := n.open()
			if open == 0 {
				return false
			}
			sum += open
			have = append(have, fmt.Sprintf("%s %d", n.id, open))
		}
		return sum == shardsOfCluster
	})
	c.t.Logf("         shards: %s", strings.Join(have, ", "))
}

// rises waits until readings go on being acknowledged, to each of those who load.
func (c *clusterNodes) rises(when string) {
	c.t.Helper()
	c.within("readings are acknowledged "+when, c.load.more(3*perLoader))
}

// finish ends the load, looks for all that was acknowledged, stops the nodes and has
// the store verified.
func (c *clusterNodes) finish() {
	c.t.Helper()
	if c.asks != nil {
		c.asks.stop()
	}
	if c.load != nil {
		c.load.stop()
		c.load.check(c.t, strings.Join(c.addrs(), ","))
		c.say("the load has ended")
	}
	if c.local != nil {
		c.local.stop()
		c.local.check(c.t, strings.Join(c.addrs(), ","))
		c.say("that of single nodes too")
	}
	for _, n := range c.all {
		n.stop()
	}
	if got := runArgs(c.t, "store", "verify", c.url); got.code != exitOK {
		c.t.Fatalf("mesonet store verify ends with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	c.say("the store is verified")
}
