package shard

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/persistence"
)

func startAll(w *world, n int) {
	for i := range n {
		w.start(DefaultConfig(persistence.NodeID(fmt.Sprintf("n%d", i+1)), w.shards))
	}
	w.run(10_000)
	w.checkSettled()
}

// A node that is lost costs one fence, and a claim for each shard it had, and its
// shards are served again as soon as gossip has found out. Mutations: no wait by rank;
// a fence of which nobody is told; no grace or no reset of the pause for what is
// freed.
func TestLostNodeCostsOneFence(t *testing.T) {
	for n := 2; n <= 9; n++ {
		w := newWorld(t, 1, 32)
		startAll(w, n)
		for _, id := range w.ids()[1:] {
			p, before := w.procs[id], w.store
			had := len(p.open)
			p.kill()
			w.run(2500) // 1.5 s of it is gossip's
			for i := range w.shards {
				if got := w.servers(persistence.Shard(i)); len(got) != 1 {
					t.Fatalf("%d nodes: %s died 2.5 s ago, and shard %d is served by %v\n%s", n, id, i, got, w)
				}
			}
			if fences, claims := w.store.fences-before.fences, w.store.claims-before.claims; fences != 1 || claims != had {
				t.Fatalf("%d nodes: %d fences and %d claims for %s, which had %d shards", n, fences, claims, id, had)
			}
			w.start(p.cfg)
			w.run(20_000)
			w.checkSettled()
		}
	}
}

// A member that comes and goes for one of the others moves nothing there. Mutation:
// hand over at once (no StableFor).
func TestFlappingMemberMovesNothing(t *testing.T) {
	w := newWorld(t, 1, 32)
	startAll(w, 2)
	before := len(w.acts)
	w.start(DefaultConfig("n3", w.shards))
	pair := [2]persistence.NodeID{"n1", "n3"}
	for range 10 {
		w.run(400)
		w.blind[pair] = true
		w.run(2500)
		w.blind[pair] = false
	}
	for _, act := range w.acts[before:] {
		if strings.Contains(act, "n1: hand over") {
			t.Fatalf("a shard was moved:\n%s", strings.Join(w.acts[before:], "\n"))
		}
	}
	w.run(5000)
	w.checkSettled()
}

// A rolling restart moves what each node has away and back, and nothing else is done.
// Mutation: a shard that has just come is handed over as if it had been here for
// long (since instead of the later of since and opened).
func TestRollingRestart(t *testing.T) {
	w := newWorld(t, 1, 32)
	startAll(w, 3)
	for _, id := range w.ids() {
		p, before := w.procs[id], w.store
		p.stop()
		w.run(2000)
		if p.up {
			t.Fatalf("%s has not drained", id)
		}
		w.start(p.cfg)
		w.run(10_000)
		w.checkSettled()
		claims, changes := w.store.claims-before.claims, w.store.changes-before.changes
		if w.store.fences != 0 || claims > 2*changes || changes > 2*12+4 {
			t.Fatalf("%s: %d conditional changes of shards for %d of owner, %d fences", id, claims, changes, w.store.fences)
		}
	}
}

// Whatever a machine is told, the epoch of a route only rises. Mutation: learn words
// of other epochs than the known, lower or higher.
func TestRouteEpochOnlyRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(DefaultConfig("n1", 1))
		if err != nil {
			t.Fatal(err)
		}
		m.Step(JoinedStore{1})
		m.Step(JoinedGossip{})
		for _, id := range []persistence.NodeID{"n2", "n3"} {
			m.Step(Seen{Member{id, 1, Serving, 100}})
		}
		highest := persistence.Epoch(0)
		for range 30 {
			w := Owner{
				Node:        rapid.SampledFrom([]persistence.NodeID{"n1", "n2", "n3"}).Draw(t, "node"),
				Incarnation: persistence.Incarnation(rapid.IntRange(0, 2).Draw(t, "incarnation")),
				Epoch:       persistence.Epoch(rapid.IntRange(1, 9).Draw(t, "epoch")),
			}
			in := rapid.SampledFrom([]Input{
				w,
				Refused{w},
				Owns{[]Owner{w}},
				Opened{0, w.Epoch},
				Lost{0},
				HandedOver{0, w.Node, Given, w.Incarnation, w.Epoch},
				Seen{Member{w.Node, w.Incarnation, Serving, 100}},
				Gone{w.Node, w.Incarnation, false},
			}).Draw(t, "input")
			for _, e := range m.Step(in) {
				if r, ok := e.(Route); ok && r.Node != "" {
					if r.Epoch < highest {
						t.Fatalf("%s after epoch %d", r, highest)
					}
					highest = r.Epoch
				}
			}
		}
	})
}

// A machine takes anything in any order. Its time may stand still, and nodes may be
// named that nobody knows. Mutation: index the shards without looking how many there
// are.
func TestAnyInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(DefaultConfig("a", 4))
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "joined") {
			m.Step(JoinedStore{1})
			m.Step(JoinedGossip{})
		}
		for range 40 {
			node := rapid.SampledFrom([]persistence.NodeID{"", "a", "b", "c"}).Draw(t, "node")
			shard := persistence.Shard(rapid.Uint32Range(0, 5).Draw(t, "shard"))
			inc := persistence.Incarnation(rapid.IntRange(0, 3).Draw(t, "incarnation"))
			epoch := persistence.Epoch(rapid.IntRange(0, 3).Draw(t, "epoch"))
			yes := rapid.Bool().Draw(t, "yes")
			n := rapid.IntRange(-10, 100_000).Draw(t, "n")
			owner := Owner{shard, node, inc, epoch, yes}
			in := rapid.SampledFrom([]Input{
				Tick{Millis(n)},
				JoinedStore{inc},
				JoinedGossip{},
				Seen{Member{node, inc, State(n % 7), uint32(n)}},
				Gone{node, inc, yes},
				Link{node, yes},
				Beats{[]Beat{{node, inc, uint64(n), []persistence.NodeID{"a", "b"}}}},
				Checked{yes},
				Raised{node, inc},
				FenceFailed{node},
				Opened{shard, epoch},
				Refused{owner},
				TakeFailed{shard},
				Lost{shard},
				HandedOver{shard, node, Outcome(n % 5), inc, epoch},
				owner,
				Owns{[]Owner{owner}},
				Move{shard, node},
				Drain{},
			}).Draw(t, "input")
			if in.String() == "" {
				t.Fatal("an input without words")
			}
			for _, e := range m.Step(in) {
				switch e := e.(type) {
				case Take:
					if m.state != Serving {
						t.Fatalf("%s while %s", e, m.state)
					}
				case HandOver:
					if e.To == "a" || m.state != Serving && m.state != Draining {
						t.Fatalf("%s while %s", e, m.state)
					}
				}
			}
			_ = m.Snapshot().String()
		}
	})
}

func TestValidate(t *testing.T) {
	if err := DefaultConfig("n1", 32).Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no node":           func(c *Config) { c.Node = "" },
		"33 shards":         func(c *Config) { c.Shards = 33 },
		"a wait below none": func(c *Config) { c.StableFor = -1 },
		"no takes":          func(c *Config) { c.Takes = 0 },
		"pauses that fall":  func(c *Config) { c.RetryMost = c.Retry - 1 },
	} {
		c := DefaultConfig("n1", 32)
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkTick(b *testing.B) {
	for _, shards := range []uint32{32, 1024, persistence.MaxShards} {
		b.Run(fmt.Sprint(shards), func(b *testing.B) {
			m, err := New(DefaultConfig("node-0", shards))
			if err != nil {
				b.Fatal(err)
			}
			m.Step(JoinedStore{1})
			m.Step(JoinedGossip{})
			for _, w := range someMembers(100)[1:] {
				m.Step(Seen{w})
			}
			for s, n := range Table(someMembers(100), shards) {
				m.Step(Owner{persistence.Shard(s), n, 1, persistence.FirstEpoch, false})
			}
			now := Millis(0)
			for b.Loop() {
				now += 100
				m.Step(Tick{now})
			}
		})
	}
}
