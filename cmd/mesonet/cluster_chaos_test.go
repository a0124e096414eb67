package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/sampledata"
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
	t.Logf("kill -9 to every station answering: %s", spread(killed))
	t.Logf("longest wait for an answer while a node is restarted in order: %s; requests that failed are errors above", spread(restarted))
}

// spread says what durations there were.
func spread(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("worst %.2f s, p50 %.2f s, best %.2f s of %d",
		all[len(all)-1].Seconds(), all[len(all)/2].Seconds(), all[0].Seconds(), len(all))
}

// TestClusterChaos kills, stops, pauses for half a second to a minute, and starts
// nodes at random, also several at a time, and looks again and again whether every
// reading that was acknowledged is there once.
func TestClusterChaos(t *testing.T) {
	if *clusterChaos == 0 {
		t.Skip("it goes on for as long as -cluster-chaos says; TestClusterOfServers is its short form")
	}
	seed := newClusterSeed()
	c := newClusterNodes(t, seed)
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
	t.Logf("seed %d: %v; every station answers after: %s", seed, counts, spread(away))
	t.Logf("%d readings acknowledged, told unknown %d times and unavailable %d; %d questions answered, %d not in their minute (%s), the longest wait %.1f s",
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
	for _, n := range nodes {
		name, heal := c.fault(n)
		names, back = append(names, name), append(back, heal)
	}
	outage = c.asks.outage(c.t, c.others(nodes...))
	slices.Sort(names)
	what = strings.Join(names, " and ")
	c.say(fmt.Sprintf("%s: every station answers after %.2f s", what, outage.Seconds()))
	c.rng.Shuffle(len(back), func(i, j int) { back[i], back[j] = back[j], back[i] })
	for _, heal := range back {
		heal()
	}
	c.whole()
	c.rises("after " + what)
	return what, outage
}

// fault does something to a node, and returns what sets it right.
func (c *clusterNodes) fault(n *clusterNode) (name string, heal func()) {
	c.t.Helper()
	switch c.rng.IntN(4) {
	case 0:
		n.kill()
		return "kill", n.start
	case 1:
		n.stop()
		return "stop", n.start
	case 2:
		old := n.process
		n.move()
		n.start()
		if code, rest := old.end(c.t); code != exitFailed {
			c.giveUp("the older of two processes of %s ends with %d: %s\n%s", n.id, code, rest, old.stderr.String())
		}
		return "double", func() {}
	default:
		// Most pauses are short: those that end just when the others act are the
		// telling ones.
		long := 500*time.Millisecond + time.Duration(c.rng.Float64()*c.rng.Float64()*c.rng.Float64()*float64(59*time.Second))
		n.signal(syscall.SIGSTOP)
		over := time.After(long)
		c.say(fmt.Sprintf("%s stands still for %.1f s", n.id, long.Seconds()))
		return "pause", func() {
			select {
			case <-over:
			case <-c.t.Context().Done():
			}
			n.signal(syscall.SIGCONT)
		}
	}
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
		c.giveUp("the load ended with %v", err)
	}
	c.say(fmt.Sprintf("%d readings are loaded, %d stored and %d duplicates", summary.Readings, summary.Stored, summary.Duplicates))
	c.whole()
	for _, n := range c.all {
		byGRPC(t, clientOf(t, n.listen)).check(t, want)
	}
	byCommand(t, strings.Join(c.addrs(), ",")).check(t, want)
	c.finish()
}
