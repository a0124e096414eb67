package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	remote "github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/servers/hosts"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Three servers on hosts of their own, under load, and links between them that are cut.
// What answered goes on to be answered through whoever is not cut off; who is says that
// it has lost touch and answers nothing; when the links are back all is as before, by
// itself. In the end every reading that was acknowledged is there once.
//
// Mutations seen to fail: acknowledging a frame when it is sent, without a check
// ("beside-n2-4:2 has 290 mm of 290 readings in 2008, and 293 were acknowledged", of a
// loader beside a node that was cut off; those that know all nodes did not notice); a
// client that stays at a node that has lost touch (readings were not acknowledged by the
// others in two minutes); a node that has lost touch and
// goes on to answer from memory, for which four safeguards had to go: its shards not
// given up, its routes kept, its calls not refused, and any check, however old, enough
// ("n2, which is cut off, is asked for asked:10 and says <nil>").
func TestClusterOnHosts(t *testing.T) {
	t.Parallel() // it mostly waits
	c := newClusterHosts(t, newClusterSeed())
	c.begin()
	steps := []func(*clusterNode){c.cutOff, c.cutOneWay, c.cutFromGossip, c.readdressed}
	c.rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for _, step := range steps {
		step(c.all[c.rng.IntN(3)])
	}
	c.finish()
}

// cutOff cuts a node off from everything. The others have its shards; it says that it
// has lost touch, and answers nothing.
func (c *clusterNodes) cutOff(n *clusterNode) {
	c.t.Helper()
	joins := n.joins()
	heal := c.cut(c.ofAll(n)...)
	outage := c.asks.outage(c.t, c.others(n))
	c.say(fmt.Sprintf("every station answers %.2f s after %s was cut off", outage.Seconds(), n.id))
	c.losesTouch(n)
	c.rises("by the others")
	c.answersNothing(n)
	heal()
	c.isBack(n, joins)
}

// cutFromGossip takes from a node what the others say of themselves. It is the smaller
// side of a split, and gives way though it reaches the store.
func (c *clusterNodes) cutFromGossip(n *clusterNode) {
	c.t.Helper()
	joins := n.joins()
	heal := c.cut(c.withOthers(n, portOfGossip)...)
	c.losesTouch(n)
	outage := c.asks.outage(c.t, c.others(n))
	c.say(fmt.Sprintf("every station answers %.2f s after %s has lost touch with the others", outage.Seconds(), n.id))
	c.rises("by the others")
	heal()
	c.isBack(n, joins)
}

// cutOneWay has all get lost that a node sends to another, for longer than nodes take to
// find a split. Both are seen by the third, through which every station answers. A load
// that is at one of the two may have to wait, ten seconds at each, before it comes to
// the third, which is not waited for here.
func (c *clusterNodes) cutOneWay(n *clusterNode) {
	c.t.Helper()
	to := c.another(n)
	heal := c.cut(hosts.Way{From: n.host.Load(), To: to.host.Load()})
	c.say(fmt.Sprintf("nothing comes from %s to %s", n.id, to.id))
	outage := c.asks.outage(c.t, c.others(n, to))
	c.say(fmt.Sprintf("every station answers through the third, after %.2f s", outage.Seconds()))
	c.lasts(6 * time.Second)
	c.asks.outage(c.t, c.others(n, to))
	heal()
	c.whole()
	c.rises("with the link whole")
}

// readdressed stops a node and starts it again at another address.
func (c *clusterNodes) readdressed(n *clusterNode) {
	c.t.Helper()
	n.stop()
	old := n.gossip
	n.readdress()
	n.start()
	c.say(fmt.Sprintf("%s is at %s, no more at %s", n.id, n.gossip, old))
	c.whole()
	c.asks.outage(c.t, c.addrs())
	c.rises("with the node at another address")
}

// another is any of the other nodes.
func (c *clusterNodes) another(n *clusterNode) *clusterNode {
	others := slices.DeleteFunc(slices.Clone(c.all), func(o *clusterNode) bool { return o == n })
	return others[c.rng.IntN(len(others))]
}

// ofAll are all ways from and to a node.
func (c *clusterNodes) ofAll(n *clusterNode) []hosts.Way {
	h := n.host.Load()
	return []hosts.Way{{From: h}, {To: h}}
}

// withOthers are the ways between a node and the others for what belongs to a port.
func (c *clusterNodes) withOthers(n *clusterNode, port uint16) (ways []hosts.Way) {
	for _, o := range c.all {
		if o != n {
			ways = append(ways, hosts.Both(n.host.Load(), o.host.Load(), port)...)
		}
	}
	return ways
}

// withStore are the ways between a node and the store, both or one: what it writes
// comes and it never hears, or it asks and is not heard.
func (c *clusterNodes) withStore(n *clusterNode) []hosts.Way {
	both := hosts.Both(n.host.Load(), c.on.store, 0)
	return [][]hosts.Way{both, both[:1], both[1:]}[c.rng.IntN(3)]
}

// losesTouch waits until a node says that it has.
func (c *clusterNodes) losesTouch(n *clusterNode) {
	c.t.Helper()
	c.within(n.id+" says that it has lost touch", func() bool { return strings.Contains(n.ready(), "the node has lost touch") })
}

// answersNothing asks a node alone for a station of every shard.
func (c *clusterNodes) answersNothing(n *clusterNode) {
	c.t.Helper()
	alone := clientOf(c.t, n.listen)
	for i, station := range c.asks.stations {
		ctx, cancel := context.WithTimeout(c.t.Context(), 200*time.Millisecond)
		err := c.asks.ask(ctx, alone, station, mesonetv1.Consistency(1+i%2))
		cancel()
		if !errors.Is(err, remote.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			c.t.Errorf("%s, which is cut off, is asked for %s and says %v", n.id, station, err)
		}
	}
	c.say(n.id + " answers nothing")
}

// joins is how often a node has found that it was fenced, and joined again.
func (n *clusterNode) joins() int { return strings.Count(n.log(), "it has joined again") }

// isBack waits until a node has joined again that had done so before as often, and all
// is whole.
func (c *clusterNodes) isBack(n *clusterNode, before int) {
	c.t.Helper()
	c.within(n.id+" finds that it was fenced", func() bool { return n.joins() > before })
	c.whole()
	c.rises("with the node back")
}
