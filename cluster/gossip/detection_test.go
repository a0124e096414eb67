package gossip

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/internal/race"
)

// kills ends a process of three again and again, and returns how long it took until
// both others knew, sorted. Between is for how long the cluster is whole before.
func kills(t *testing.T, n int, between time.Duration) []time.Duration {
	var took []time.Duration
	bubble(t, func(t *testing.T, network *network) {
		nodes := []*node{start(t, network, "a"), start(t, network, "b"), nil}
		nodes[1].join(t, nodes[0])
		for i := range n {
			nodes[2] = start(t, network, "c")
			nodes[2].join(t, nodes[0])
			for _, n := range nodes {
				n.sees(t, "a b c")
			}
			<-time.After(between + time.Duration(i)*37*time.Millisecond) // anywhere between two probes
			died := time.Now()
			nodes[2].die()
			nodes[0].sees(t, "a b")
			nodes[1].sees(t, "a b")
			took = append(took, time.Since(died))
			nodes[2].close()
		}
	})
	slices.Sort(took)
	return took
}

// die makes the node silent at once, as a killed process is.
func (n *node) die() {
	if n.host != nil {
		n.host.end()
	}
	n.wire.shut()
}

// The clock is the bubble's: it has no load.
func TestDetection(t *testing.T) {
	took := kills(t, 30, time.Minute)
	t.Logf("30 kills in a settled cluster of 3: p50 %v, worst %v", took[len(took)/2], took[len(took)-1])
	if worst := took[len(took)-1]; worst > 2*time.Second {
		t.Errorf("a death was known after %v; 2 s at most were promised", worst)
	}
	took = kills(t, 30, 0)
	t.Logf("30 kills in a row: p50 %v, worst %v", took[len(took)/2], took[len(took)-1])
}

// A hundred nodes find each other through one, settle, and then cost little. What they
// send is counted, over minutes of the bubble's clock.
func TestHundredNodes(t *testing.T) {
	const limit = 20_000 // bytes a second and node
	size := 100
	if race.Enabled {
		size = 30 // which takes a tenth of the time, and races are the same
	}
	bubble(t, func(t *testing.T, network *network) {
		var nodes []*node
		for i := range size {
			n := start(t, network, fmt.Sprintf("node-%02d", i))
			if i > 0 {
				n.join(t, nodes[0])
			}
			nodes = append(nodes, n)
		}
		all := func(want int) func() bool {
			return func() bool {
				return !slices.ContainsFunc(nodes, func(n *node) bool { return len(n.Members()) != want })
			}
		}
		began := time.Now()
		eventually(t, "all know all", all(size))
		t.Logf("all know all %v after the last has joined", time.Since(began))

		<-time.After(10 * time.Second) // what was new is told
		const seconds = 90             // every node has exchanged everything twice
		before := make([]int64, size)
		for i, n := range nodes {
			before[i] = n.host.sent.Load()
		}
		<-time.After(seconds * time.Second)
		var sum, most int64
		for i, n := range nodes {
			sent := n.host.sent.Load() - before[i]
			sum, most = sum+sent, max(most, sent)
		}
		t.Logf("settled: %d B/s a node, %d for the busiest", sum/int64(size)/seconds, most/seconds)
		if most > limit*seconds {
			t.Errorf("a node sent %d B/s, %d at most were promised", most/seconds, limit)
		}

		died := time.Now()
		nodes[size-1].die()
		nodes = nodes[:size-1]
		eventually(t, "all miss the one", all(size-1))
		t.Logf("all missed a dead one after %v", time.Since(died))

		began = time.Now()
		m := member("node-20")
		m.State = cluster.Serving
		if err := nodes[20].Announce(m); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all have the change", func() bool {
			return !slices.ContainsFunc(nodes, func(n *node) bool { return n.Members()[20] != m })
		})
		t.Logf("all had a change after %v", time.Since(began))
	})
}

// Real sockets, real time: go test -bench Detection -benchtime 30x.
func BenchmarkDetection(b *testing.B) {
	var took []time.Duration
	for b.Loop() {
		nodes := []*node{start(b, nil, "a"), start(b, nil, "b"), start(b, nil, "c")}
		for _, n := range nodes[1:] {
			n.join(b, nodes[0])
		}
		for _, n := range nodes {
			n.sees(b, "a b c")
		}
		<-time.After(time.Second + time.Duration(len(took))*37*time.Millisecond) // anywhere between two probes
		died := time.Now()
		nodes[2].die()
		_ = nodes[2].list.Shutdown()
		nodes[0].sees(b, "a b")
		nodes[1].sees(b, "a b")
		took = append(took, time.Since(died))
		for _, n := range nodes {
			n.close()
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds(), "s/p50")
	b.ReportMetric(took[len(took)-1].Seconds(), "s/worst")
}
