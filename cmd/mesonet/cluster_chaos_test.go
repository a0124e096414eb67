package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/internal/servers/hosts"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// The long forms, which `make chaos` asks for.
var (
	clusterKills = flag.Int("cluster-kills", 0, "how often TestClusterOutages kills a node, and restarts one in order")
	clusterChaos = flag.Duration("cluster-chaos", 0, "how long TestClusterChaos goes on")
	clusterSeed  = flag.Uint64("cluster-seed", 0, "seed of the tests of three servers; 0 for a new one")
)

// newClusterSeed returns the seed that was asked for, or a new one.
func newClusterSeed() uint64 {
	if *clusterSeed != 0 {
		return *clusterSeed
	}
	return rand.Uint64()
}

// TestClusterOutages measures how long stations are away when a node is killed, and
// whoever asks waits when one is restarted in order, again and again.
func TestClusterOutages(t *testing.T) {
	if *clusterKills == 0 {
		t.Skip("it measures, with -cluster-kills=30; TestClusterOfServers checks")
	}
	c := newClusterNodes(t, newClusterSeed())
	c.begin()
	var killed, restarted []time.Duration
	for range *clusterKills {
		killed = append(killed, c.killed(c.all[c.rng.IntN(3)]))
	}
	for range *clusterKills {
		restarted = append(restarted, c.restarted(c.all[c.rng.IntN(3)]))
	}
	c.finish()
	t.Logf("summary: kill -9 to every station answering: %s", spread(killed))
	t.Logf("summary: longest wait for an answer while a node is restarted in order: %s; requests that failed are errors above", spread(restarted))
}

// spread says what durations there were.
func spread(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("worst %.2f s, p50 %.2f s, best %.2f s of %d",
		all[len(all)-1].Seconds(), all[len(all)/2].Seconds(), all[0].Seconds(), len(all))
}

// TestClusterChaos kills, stops, pauses for half a second to a minute, moves, and starts
// nodes at random, and where it can have hosts of their own for them, cuts the links
// between them and to the store, also several at a time. It looks again and again
// whether every reading that was acknowledged is there once.
func TestClusterChaos(t *testing.T) {
	if *clusterChaos == 0 {
		t.Skip("it goes on for as long as -cluster-chaos says; TestClusterOfServers and TestClusterOnHosts are its short forms")
	}
	seed := newClusterSeed()
	var c *clusterNodes
	if err := hosts.Check(); err != nil {
		t.Logf("no link is cut: %v", err)
		c = newClusterNodes(t, seed)
	} else {
		c = newClusterHosts(t, seed)
	}
	c.begin()
	counts := make(map[string]int)
	var away []time.Duration
	for end := time.Now().Add(*clusterChaos); time.Now().Before(end); {
		what, outage := c.anyFault()
		counts[what]++
		away = append(away, outage)
	}
	answered := c.asks.count()
	fails, failed, worst := c.asks.mark()
	c.finish()
	t.Logf("summary: seed %d: %d times something happened; every station answers after: %s", seed, len(away), spread(away))
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("summary: %4d %s", counts[what], what)
	}
	if c.local != nil {
		t.Logf("summary: %d more readings acknowledged to who knows one node alone", c.local.acked.Load())
	}
	t.Logf("summary: %d readings acknowledged, told unknown %d times and unavailable %d; %d questions answered, %d not in their minute (%s), the longest wait %.1f s",
		c.load.acked.Load(), c.load.unknown.Load(), c.load.unavailable.Load(), answered, fails, strings.Join(failed, "; "), worst.Seconds())
}

// anyFault does something to one node or two, waits until every station answers
// through whoever is there, and sets things right.
func (c *clusterNodes) anyFault() (what string, outage time.Duration) {
	c.t.Helper()
	nodes := slices.Clone(c.all)
	c.rng.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	nodes = nodes[:1+c.rng.IntN(2)]
	var names []string
	var back []func()
	through, lasts := c.others(nodes...), false
	for _, n := range nodes {
		f := c.fault(n)
		lasts = lasts || f.link
		names, back = append(names, f.name), append(back, f.heal)
		if f.any || f.link && len(nodes) > 1 {
			through = c.addrs()
		}
	}
	slices.Sort(names)
	what = strings.Join(names, " and ")
	c.say(what)
	outage = c.asks.outage(c.t, through)
	c.say(fmt.Sprintf("%s: every station answers after %.2f s", what, outage.Seconds()))
	if lasts {
		long := c.anyTime()
		c.lasts(long)
		c.asks.outage(c.t, through)
		c.say(fmt.Sprintf("and %.1f s later", long.Seconds()))
	}
	c.rng.Shuffle(len(back), func(i, j int) { back[i], back[j] = back[j], back[i] })
	for _, heal := range back {
		heal()
	}
	c.whole()
	c.rises("after " + what)
	return what, outage
}

// clusterFault is what was done to a node.
type clusterFault struct {
	name string
	heal func()
	// link says that the node runs, and what it is cut off from; of two such, who goes
	// on is for the nodes to settle, and it may be one of them. any says that some
	// stations answer only through the node itself.
	link, any bool
}

// fault does something to a node.
func (c *clusterNodes) fault(n *clusterNode) clusterFault {
	c.t.Helper()
	faults := []func(*clusterNode) clusterFault{c.faultKill, c.faultStop, c.faultDouble, c.faultPause}
	if c.on != nil {
		faults = append(faults, c.faultLink, c.faultLink, c.faultLink, c.faultLink, c.faultReaddress)
	}
	return faults[c.rng.IntN(len(faults))](n)
}

func (c *clusterNodes) faultKill(n *clusterNode) clusterFault {
	n.kill()
	return clusterFault{name: "kill", heal: n.start}
}

func (c *clusterNodes) faultStop(n *clusterNode) clusterFault {
	n.stop()
	return clusterFault{name: "stop", heal: n.start}
}

func (c *clusterNodes) faultDouble(n *clusterNode) clusterFault {
	c.t.Helper()
	old := n.process
	n.move()
	n.start()
	if code, rest := old.end(c.t); code != exitFailed {
		c.t.Fatalf("the older of two processes of %s ends with %d: %s\n%s", n.id, code, rest, old.stderr.String())
	}
	return clusterFault{name: "double", heal: func() {}}
}

func (c *clusterNodes) faultPause(n *clusterNode) clusterFault {
	c.t.Helper()
	long := c.anyTime()
	n.signal(syscall.SIGSTOP)
	over := time.After(long)
	c.say(fmt.Sprintf("%s stands still for %.1f s", n.id, long.Seconds()))
	return clusterFault{name: "pause", heal: func() {
		select {
		case <-over:
		case <-c.t.Context().Done():
		}
		n.signal(syscall.SIGCONT)
	}}
}

// anyTime is half a second to a minute. Most are short: what ends just when the others
// act is the telling part.
func (c *clusterNodes) anyTime() time.Duration {
	return 500*time.Millisecond + time.Duration(c.rng.Float64()*c.rng.Float64()*c.rng.Float64()*float64(59*time.Second))
}

// lasts lets a fault last.
func (c *clusterNodes) lasts(long time.Duration) {
	select {
	case <-time.After(long):
	case <-c.t.Context().Done():
	}
}

// faultReaddress kills or stops a node, and it starts again at another address.
func (c *clusterNodes) faultReaddress(n *clusterNode) clusterFault {
	c.t.Helper()
	end := n.stop
	if c.rng.IntN(2) == 0 {
		end = n.kill
	}
	end()
	return clusterFault{name: "another address", heal: func() {
		n.readdress()
		n.start()
	}}
}

// faultLink cuts something that leads to a node or away from it.
func (c *clusterNodes) faultLink(n *clusterNode) clusterFault {
	c.t.Helper()
	f := clusterFault{link: true}
	var ways []hosts.Way
	switch c.rng.IntN(5) {
	case 0:
		f.name, ways = "cut off", c.ofAll(n)
	case 1:
		f.name, ways = "no gossip", c.withOthers(n, portOfGossip)
	case 2:
		f.name, ways = "no store", c.withStore(n)
	case 3:
		f.name, ways, f.any = "no requests", c.withOthers(n, portOfRequests), true
	default:
		to := c.another(n)
		f.name, ways, f.any = "one way", []hosts.Way{{From: n.host.Load(), To: to.host.Load()}}, true
	}
	c.say(fmt.Sprintf("%s: %s", n.id, f.name))
	f.heal = c.cut(ways...)
	return f
}

// Every figure of the answers' file comes out of each of three nodes, of the sample
// shuffled and doubled, and loaded while nodes are killed and started again at random.
func TestGoldenAnswersThroughKills(t *testing.T) {
	t.Parallel() // it mostly waits
	seed := newClusterSeed()
	c := newClusterNodes(t, seed)
	want, err := sampledata.Answers()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.all {
		n.start()
	}
	c.whole()
	sample := readSample(t)
	doubled := slices.Concat(sample, sample)
	c.rng.Shuffle(len(doubled), func(i, j int) { doubled[i], doubled[j] = doubled[j], doubled[i] })
	var text bytes.Buffer
	stations := make(map[string]bool)
	for _, r := range doubled {
		text.WriteString(lineOf(r))
		stations[r.Station] = true
	}
	all := clientOfAll(t, c.addrs())
	for station := range stations {
		if _, err := all.RegisterStations(t.Context(), &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{{Id: station}}}); err != nil {
			t.Fatal(err)
		}
	}

	sink := all.Ingest(t.Context(), weather.Standard())
	defer sink.Close()
	cfg := ingest.DefaultConfig()
	cfg.BatchLength, cfg.InFlight = 256, 1024 // so that it is not over before a node is killed
	const kills = 3
	// The load waits for each kill when it has come so far.
	var loading sync.WaitGroup
	at, killed := make(chan int64), make(chan struct{})
	next := int64(len(doubled) / (kills + 1))
	step := next
	cfg.ProgressEvery = time.Millisecond
	cfg.Progress = func(p ingest.Progress) {
		if p.Acknowledged >= next && next < int64(len(doubled)) {
			next += step
			select {
			case at <- p.Acknowledged:
				<-killed
			case <-t.Context().Done():
			}
		}
	}
	var summary ingest.Summary
	loading.Go(func() {
		defer close(at)
		summary, err = ingest.Load(t.Context(), []ingest.Source{ingest.Memory("sample", text.Bytes())}, sink, cfg)
	})
	for acked := range at {
		n := c.all[c.rng.IntN(3)]
		n.kill()
		c.say(fmt.Sprintf("%s was killed when %d of %d readings were acknowledged", n.id, acked, len(doubled)))
		killed <- struct{}{}
		n.start()
	}
	loading.Wait()
	if err != nil {
		c.t.Fatalf("the load ended with %v", err)
	}
	c.say(fmt.Sprintf("%d readings are loaded, %d stored and %d duplicates", summary.Readings, summary.Stored, summary.Duplicates))
	c.whole()
	for _, n := range c.all {
		byGRPC(t, clientOf(t, n.listen)).check(t, want)
	}
	byCommand(t, strings.Join(c.addrs(), ",")).check(t, want)
	c.finish()
}
