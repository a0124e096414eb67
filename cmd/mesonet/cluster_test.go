package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Three servers on one Cassandra, under load, of which one is killed, each is stopped
// and started again in turn, one stands still, one is started a second time with the
// same name at other addresses, and two that don't belong to them call. Every station
// answers again by itself, nothing that a client asked for fails while the nodes are
// restarted in order, and in the end every reading that was acknowledged is there once.
func TestClusterOfServers(t *testing.T) {
	t.Parallel() // it mostly waits
	c := newClusterNodes(t, newClusterSeed())
	c.begin()

	c.killed(c.all[c.rng.IntN(3)])
	c.rolling()
	c.standsStill(c.all[c.rng.IntN(3)], 5*time.Second)
	c.doubled(c.all[2])
	c.strangers()
	c.finish()
}

// begin starts the nodes, loads the sample through the first, and begins the load.
func (c *clusterNodes) begin() {
	c.t.Helper()
	c.all[0].start()
	loadSample(c.t, c.all[0].listen)
	c.say("the sample is loaded")
	c.all[1].start()
	c.all[2].start()
	c.whole()
	c.asks = newAskers(c.t, c.addrs())
	c.load = newClusterLoad(c.t, c.addrs())
	c.asks.start(c.t.Context())
	c.load.start(c.t.Context(), c.rng.Uint64())
	if c.on != nil {
		c.local = newLocalLoad(c.t, c.all)
		c.local.start(c.t.Context(), c.rng.Uint64())
	}
	c.rises("at the beginning")
}

// killed kills a node, and starts it again when every station answers. It returns
// how long that took.
func (c *clusterNodes) killed(n *clusterNode) time.Duration {
	c.t.Helper()
	n.kill()
	outage := c.asks.outage(c.t, c.others(n))
	c.say(fmt.Sprintf("every station answers %.2f s after %s was killed", outage.Seconds(), n.id))
	n.start()
	c.whole()
	c.rises("with the node back")
	return outage
}

// others are the addresses of the other nodes.
func (c *clusterNodes) others(than ...*clusterNode) (addrs []string) {
	for _, n := range c.all {
		if !slices.Contains(than, n) {
			addrs = append(addrs, n.listen)
		}
	}
	return addrs
}

// rolling stops and starts each node in turn. Nobody's request fails.
func (c *clusterNodes) rolling() {
	c.t.Helper()
	for _, n := range c.all {
		c.restarted(n)
	}
}

func (c *clusterNodes) restarted(n *clusterNode) time.Duration {
	c.t.Helper()
	c.asks.mark()
	unknown, unavailable := c.load.unknown.Load(), c.load.unavailable.Load()
	n.stop()
	n.start()
	c.whole()
	c.rises("with " + n.id + " restarted")
	fails, failed, worst := c.asks.mark()
	unknown, unavailable = c.load.unknown.Load()-unknown, c.load.unavailable.Load()-unavailable
	c.say(fmt.Sprintf("%s was restarted: %d questions and %d readings failed, the longest wait for an answer was %.2f s",
		n.id, fails, unknown+unavailable, worst.Seconds()))
	if fails > 0 || unknown+unavailable > 0 {
		c.t.Errorf("while %s was restarted %d questions failed, and readings %d times, of which %d were unknown: %s",
			n.id, fails, unknown+unavailable, unknown, strings.Join(failed, "\n"))
	}
	return worst
}

// standsStill stops a node for a while, and lets it go on: it finds that its place was
// taken, and joins again.
func (c *clusterNodes) standsStill(n *clusterNode, long time.Duration) {
	c.t.Helper()
	n.signal(syscall.SIGSTOP)
	over := time.After(long)
	outage := c.asks.outage(c.t, c.others(n))
	c.say(fmt.Sprintf("every station answers %.2f s after %s stood still", outage.Seconds(), n.id))
	select {
	case <-over:
	case <-c.t.Context().Done():
	}
	n.signal(syscall.SIGCONT)
	c.within(n.id+" finds that it was fenced", func() bool { return strings.Contains(n.log(), "it has joined again") })
	c.whole()
	c.rises("with the node going on")
}

// doubled starts a node again while it runs, at other addresses. The older process
// ends and says why; the others find the new one.
func (c *clusterNodes) doubled(n *clusterNode) {
	c.t.Helper()
	old := n.process
	n.move()
	n.start()
	code, rest := old.end(c.t)
	if log := old.stderr.String(); code != exitFailed || !strings.Contains(log, "runs as node \""+n.id+"\"") {
		c.t.Fatalf("the older of two processes of %s ends with %d: %s\n%s", n.id, code, rest, log)
	}
	c.say("the older process has ended")
	c.whole()
	c.asks.outage(c.t, c.addrs())
	c.rises("with the node at other addresses")
}

// strangers start nodes of another cluster and of another store that ask to join.
// Both sides say why they don't, and nothing is disturbed.
func (c *clusterNodes) strangers() {
	c.t.Helper()
	stranger := func(id, url string, more ...string) *clusterNode {
		n := &clusterNode{c: &clusterNodes{t: c.t, begun: c.begun, url: url, all: c.all}, id: id}
		n.move()
		n.process = runProcess(c.t, append(n.args(), more...)...)
		return n
	}
	ends := func(n *clusterNode, says, heard string) {
		c.t.Helper()
		c.within(n.id+" says that it is refused", func() bool { return strings.Contains(n.log(), says) })
		c.within("somebody says that "+n.id+" is", func() bool {
			for _, other := range c.all {
				if strings.Contains(other.log(), heard) {
					return true
				}
			}
			return false
		})
		n.signal(syscall.SIGTERM)
		// One that has found no shard yet is still starting.
		if code, rest := n.process.end(c.t); code != exitOK && code != exitInterrupted {
			c.t.Fatalf("%s ends with %d: %s\n%s", n.id, code, rest, n.log())
		}
	}
	ends(stranger("elsewhere", newKeyspace(c.t)), "reason=store", "reason=store")
	// It uses the same store: were it not told apart, it would take shards.
	ends(stranger("other", c.url, "--cluster-name", "other"), "reason=cluster", "reason=cluster")
	c.whole()
	c.rises("after strangers have called")
}
