package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

var key = []byte("0123456789abcdef")

// node is a Gossip under test, and all that it has told.
type node struct {
	*Gossip
	host *host4

	mu        sync.Mutex
	sightings []cluster.Sighting
	refused   []Reason
	malformed int
	lines     strings.Builder
}

func (n *node) Write(line []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines.Write(line)
}

func (n *node) seen() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var seen []string
	for _, s := range n.sightings {
		seen = append(seen, tell(s))
	}
	return seen
}

func tell(s cluster.Sighting) string {
	text := fmt.Sprintf("%s/%d %v", s.Member.Node, s.Member.Incarnation, s.Member.State)
	if s.Gone {
		text += " gone"
	}
	return text
}

func (n *node) log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines.String()
}

func (n *node) reasons() []Reason {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.refused)
}

func (n *node) dropped() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.malformed
}

func member(id string) cluster.Member {
	return cluster.Member{
		Node: persistence.NodeID(id), State: cluster.Joining, Weight: 1, Zone: "a", Version: "1.2.3",
		Transport: "10.0.0.1:7947", API: "10.0.0.1:7948", Protocol: cluster.Protocol{Least: 1, Most: 2},
		Levels: persistence.Levels{Least: 1, Most: 1}, Level: 1,
	}
}

var identity = cluster.Identity{Cluster: "plains", Store: "0123456789abcdef0123456789abcdef", Shards: 128}

// start starts a node, on the network or, without one, on a free port of 127.0.0.1. It
// is closed with the test.
func start(t testing.TB, network *network, id string, change ...func(*Config)) *node {
	t.Helper()
	n := &node{}
	c := DefaultConfig()
	c.Self, c.Identity, c.Keys = member(id), identity, [][]byte{key}
	c.Bind = "127.0.0.1:0"
	if network != nil {
		n.host = network.host()
		c.Transport = n.host
	}
	c.Logger = slog.New(slog.NewTextHandler(n, nil))
	c.Sightings = func(s cluster.Sighting) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.sightings = append(n.sightings, s)
	}
	c.Listener = Listener{
		Refused: func(why Reason, _ string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.refused = append(n.refused, why)
		},
		Malformed: func(string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.malformed++
		},
	}
	for _, f := range change {
		f(&c)
	}
	if h, ok := c.Transport.(*host4); ok {
		n.host = h
	}
	g, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	n.Gossip = g
	t.Cleanup(n.close)
	return n
}

func (n *node) close() { _ = n.Close() }

// join joins the others, or fails.
func (n *node) join(t testing.TB, others ...*node) {
	t.Helper()
	for _, other := range others {
		if joined, err := n.Join(t.Context(), []string{other.Address()}); err != nil || joined != 1 {
			t.Fatalf("%s joins %s: %d, %v", n.name, other.name, joined, err)
		}
	}
}

// eventually waits for what another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(5 * time.Millisecond); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func ids(g *Gossip) string {
	var all []string
	for _, m := range g.Members() {
		all = append(all, string(m.Node))
	}
	return strings.Join(all, " ")
}

func (n *node) sees(t testing.TB, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s sees %q", n.name, want), func() bool { return ids(n.Gossip) == want })
}

// hearsOf is hears for what is about one node.
func (n *node) hearsOf(t testing.TB, id string, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s hears %q", n.name, want), func() bool {
		return slices.Equal(slices.DeleteFunc(n.seen(), func(s string) bool { return !strings.HasPrefix(s, id+"/") }), want)
	})
}

func (n *node) hears(t testing.TB, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s hears %q", n.name, want), func() bool { return slices.Equal(n.seen(), want) })
}

// On real sockets: come, change, leave, die.
func TestThreeNodes(t *testing.T) {
	a, b, c := start(t, nil, "a"), start(t, nil, "b"), start(t, nil, "c")
	b.join(t, a)
	c.join(t, b)
	for _, n := range []*node{a, b, c} {
		n.sees(t, "a b c")
	}

	serving := member("b")
	serving.State, serving.Incarnation = cluster.Serving, 7
	if err := b.Announce(serving); err != nil {
		t.Fatal(err)
	}
	a.hears(t, "b/0 joining", "c/0 joining", "b/7 serving")

	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.hears(t, "b/0 joining", "c/0 joining", "b/7 serving", "b/7 left gone")
	if err := b.Announce(serving); !errors.Is(err, ErrClosed) {
		t.Errorf("announcing after leaving: %v", err)
	}
	b.close()

	c.close() // dies without a word
	a.hears(t, "b/0 joining", "c/0 joining", "b/7 serving", "b/7 left gone", "c/0 joining gone")
	a.sees(t, "a")
	if got := a.log(); got != "" {
		t.Errorf("a has something to say to its operator:\n%s", got)
	}
}

// bubble runs the test with a clock of its own.
func bubble(t *testing.T, f func(t *testing.T, network *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newNetwork()) })
}

// clusterOf starts nodes that know each other.
func clusterOf(t *testing.T, network *network, names ...string) []*node {
	t.Helper()
	var nodes []*node
	for _, name := range names {
		n := start(t, network, name)
		if len(nodes) > 0 {
			n.join(t, nodes[0])
		}
		nodes = append(nodes, n)
	}
	all := slices.Clone(names)
	slices.Sort(all)
	for _, n := range nodes {
		n.sees(t, strings.Join(all, " "))
	}
	return nodes
}

// Who leaves is gone at once, and was not taken for dead; nobody looks for it.
//
// Mutation: without the change of state before the farewell the last word is "joining
// gone", as of one that died.
func TestLeaveIsNoDeath(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		names := strings.Fields("a b c d e f g h i j k l")
		nodes := clusterOf(t, network, names...)
		before := time.Now()
		if err := nodes[3].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := time.Since(before)
		nodes[3].close()
		if took > 2*time.Second {
			t.Errorf("leaving took %v", took)
		}
		for i, n := range nodes {
			if i == 3 {
				continue
			}
			seen := n.seen()
			if last := seen[len(seen)-1]; last != "d/0 left gone" {
				t.Errorf("%s heard last of all %q", n.name, last)
			}
			n.mu.Lock()
			n.Gossip.mu.Lock()
			if len(n.missing) > 0 {
				t.Errorf("%s looks for %v", n.name, n.missing)
			}
			n.Gossip.mu.Unlock()
			n.mu.Unlock()
		}
	})
}

// The context ends leaving, and so does being alone.
func TestLeaveEnds(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		nodes := clusterOf(t, network, "a", "b")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := nodes[0].Leave(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("leaving without time: %v", err)
		}
		nodes[0].close()
		nodes[1].sees(t, "b")
		before := time.Now()
		if err := nodes[1].Leave(t.Context()); err != nil {
			t.Errorf("leaving alone: %v", err)
		}
		if took := time.Since(before); took > 0 {
			t.Errorf("leaving alone took %v", took)
		}
		if err := nodes[1].Leave(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("leaving twice: %v", err)
		}
	})
}

// A process joins the store anew: the same name in memberlist, a higher incarnation.
func TestIncarnationRises(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		nodes := clusterOf(t, network, "a", "b")
		m := member("b")
		for inc := range persistence.Incarnation(3) {
			m.Incarnation, m.State = inc+4, cluster.Serving
			if err := nodes[1].Announce(m); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a has it", func() bool { return nodes[0].Members()[1] == m })
		}
		nodes[0].hears(t, "b/0 joining", "b/4 serving", "b/5 serving", "b/6 serving")
		if got := nodes[1].Members()[1]; got != m {
			t.Errorf("of itself b says %+v", got)
		}
	})
}

// A node that died is started again, where it was and elsewhere, before anybody missed
// it: it is there at once.
func TestRestart(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprintf("elsewhere=%v", elsewhere), func(t *testing.T) {
			bubble(t, func(t *testing.T, network *network) {
				nodes := clusterOf(t, network, "a", "b", "c")
				old := member("b")
				old.Incarnation, old.State = 7, cluster.Serving
				if err := nodes[1].Announce(old); err != nil {
					t.Fatal(err)
				}
				nodes[0].hearsOf(t, "b", "b/0 joining", "b/7 serving")
				at := nodes[1].Address()
				nodes[1].die()

				died := time.Now()
				again := start(t, network, "b", func(c *Config) {
					c.Self.Incarnation, c.Self.State = 8, cluster.Serving
					if !elsewhere {
						c.Transport = network.hostAt(at)
					}
				})
				again.join(t, nodes[0])
				nodes[2].hearsOf(t, "b", "b/0 joining", "b/7 serving", "b/8 serving")
				if took := time.Since(died); took > 500*time.Millisecond {
					t.Errorf("c heard of it after %v", took)
				}
				// The old one is missed in silence.
				eventually(t, "one process of b", func() bool { return len(nodes[2].others()) == 2 })
				<-time.After(time.Minute)
				nodes[2].hearsOf(t, "b", "b/0 joining", "b/7 serving", "b/8 serving")
				again.sees(t, "a b c")
			})
		})
	}
}

// A node that hears nothing for a while is believed dead. Then it goes on, and is back.
func TestOneWayCut(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		nodes := clusterOf(t, network, "a", "b", "c")
		network.cutOneWay(nodes[0].host.address, nodes[2].host.address)
		network.cutOneWay(nodes[1].host.address, nodes[2].host.address)
		nodes[0].sees(t, "a b")
		nodes[1].sees(t, "a b")
		network.heal()
		for _, n := range nodes {
			n.sees(t, "a b c")
		}
	})
}

// Where one pair can't speak, others speak for them, and nobody is taken for dead.
func TestOnePairCut(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		nodes := clusterOf(t, network, "a", "b", "c")
		network.split([]string{nodes[0].host.address}, []string{nodes[1].host.address})
		<-time.After(time.Minute)
		for _, n := range nodes {
			if got := ids(n.Gossip); got != "a b c" {
				t.Errorf("%s sees %s", n.name, got)
			}
		}
	})
}

// Two halves that have long forgotten each other meet again, whether they were told
// of each other or have only met.
//
// Mutation: without the rejoin loop both stay alone for ever. (Seen for a split of 10
// minutes; one of 20 s memberlist heals itself.)
func TestHalvesMeetAgain(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		nodes := clusterOf(t, network, "a", "b", "c", "d")
		left := []string{nodes[0].host.address, nodes[1].host.address}
		right := []string{nodes[2].host.address, nodes[3].host.address}
		network.split(left, right)
		nodes[0].sees(t, "a b")
		nodes[1].sees(t, "a b")
		nodes[2].sees(t, "c d")
		nodes[3].sees(t, "c d")
		<-time.After(10 * time.Minute)
		for _, n := range nodes {
			n.Gossip.mu.Lock()
			n.seeds = nil // met only
			n.Gossip.mu.Unlock()
		}
		network.heal()
		before := time.Now()
		for _, n := range nodes {
			n.sees(t, "a b c d")
		}
		t.Logf("met again after %v", time.Since(before))
	})
}

// Nodes that start at a time, each told of the others, and too early.
func TestJoinIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		a := start(t, network, "a")
		if n, err := a.Join(t.Context(), []string{"10.0.0.2:7946", "10.0.0.3"}); n != 0 || err == nil {
			t.Fatalf("joining nobody: %d, %v", n, err)
		}
		b := start(t, network, "b")
		a.sees(t, "a b")
		b.sees(t, "a b")
	})
}

// Everything at a time, for the race detector; and Close ends what is under way.
func TestConcurrentUse(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		nodes := clusterOf(t, network, "a", "b", "c")
		var all sync.WaitGroup
		for _, n := range nodes {
			for i := range 4 {
				all.Go(func() {
					m := member(string(n.config.Self.Node))
					for round := range 50 {
						m.Weight = uint32(i*100 + round)
						if err := n.Announce(m); err != nil && !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						n.Members()
						<-time.After(10 * time.Millisecond)
					}
				})
			}
			all.Go(func() { _, _ = n.Join(t.Context(), []string{"10.0.0.1", "10.0.0.2", "10.0.0.99"}) })
		}
		<-time.After(200 * time.Millisecond)
		all.Go(func() { _ = nodes[2].Leave(t.Context()) })
		all.Go(nodes[1].close)
		all.Go(nodes[1].close)
		all.Wait()
		nodes[0].sees(t, "a")
	})
}

func TestCloseEndsJoin(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		a := start(t, network, "a")
		joined := make(chan error)
		go func() {
			_, err := a.Join(context.Background(), []string{"10.0.0.9"})
			joined <- err
		}()
		synctest.Wait()
		began := time.Now()
		a.close()
		if err := <-joined; err == nil {
			t.Error("somebody has answered")
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("closing took %v", took)
		}
	})
}

// Who wants to hear may be slow: gossip goes on, and nothing is lost or out of order.
func TestSlowSightings(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		var got []string
		a := start(t, network, "a", func(c *Config) {
			c.Sightings = func(s cluster.Sighting) {
				<-time.After(10 * time.Second)
				got = append(got, tell(s))
			}
		})
		b := start(t, network, "b")
		b.join(t, a)
		m := member("b")
		want := []string{"b/0 joining"}
		for inc := range persistence.Incarnation(5) {
			m.Incarnation = inc + 1
			want = append(want, fmt.Sprintf("b/%d joining", inc+1))
			if err := b.Announce(m); err != nil {
				t.Fatal(err)
			}
			before := time.Now()
			eventually(t, "a has it", func() bool { return a.Members()[1] == m })
			if took := time.Since(before); took > time.Second {
				t.Errorf("news took %v", took)
			}
		}
		<-time.After(2 * time.Minute)
		a.close()
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}
