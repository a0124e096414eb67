package shard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/persistence"
)

func someMembers(n int) []Member {
	var members []Member
	for i := range n {
		members = append(members, Member{persistence.NodeID(fmt.Sprintf("node-%d", i)), 1, Serving, 100})
	}
	return members
}

func drawMembers(t *rapid.T) []Member {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}-?[0-9]?`), 1, 9, rapid.ID).Draw(t, "ids")
	alike := rapid.Bool().Draw(t, "alike")
	var members []Member
	for _, id := range ids {
		if alike {
			members = append(members, Member{persistence.NodeID(id), 1, Serving, 100})
			continue
		}
		members = append(members, Member{persistence.NodeID(id), 1, Serving, rapid.SampledFrom([]uint32{1, 50, 100, 100, 100, 200, math.MaxUint32}).Draw(t, "weight")})
	}
	return members
}

func drawShards(t *rapid.T) uint32 { return 1 << rapid.IntRange(0, 9).Draw(t, "bits") }

// Mutation: count the weights of members that don't serve among the total.
func TestTableIsTheSameEverywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, shards := drawMembers(t), drawShards(t)
		table := Table(members, shards)
		others := append(slices.Clone(members), Member{"zz", 1, Draining, 100}, Member{"yy", 1, Serving, 0}, Member{"xx", 1, LostTouch, 100})
		if got := Table(rapid.Permutation(others).Draw(t, "order"), shards); !slices.Equal(got, table) {
			t.Fatalf("%v is\n%v, and in another order\n%v", members, table, got)
		}
		var kept allocator
		for range 2 {
			if got := kept.table(members, shards); !slices.Equal(got, table) {
				t.Fatalf("from what was kept %v, anew %v", got, table)
			}
		}
	})
}

// Mutation: no bound (most = shards).
func TestTableBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, shards := drawMembers(t), drawShards(t)
		has, total := make(map[persistence.NodeID]int), 0.0
		for _, n := range Table(members, shards) {
			has[n]++
		}
		for _, m := range members {
			total += float64(m.Weight)
		}
		for _, m := range members {
			most := int(math.Ceil(1.1 * float64(shards) * float64(m.Weight) / total * (1 + 1e-12)))
			if has[m.Node] > most {
				t.Fatalf("%s has %d of %d shards; its share allows %d", m.Node, has[m.Node], shards, most)
			}
		}
		if has[""] > 0 {
			t.Fatalf("%d shards are nobody's", has[""])
		}
	})
}

// Without the bound a join moves shards to the newcomer only, and a leave only those
// of the one who left. Mutation: let what is drawn depend on how many members there
// are.
func TestBidsMoveNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, shards := drawMembers(t), drawShards(t)
		var a allocator
		for s := range shards {
			all := a.first(members, shards, persistence.Shard(s))
			for i, m := range members {
				if len(members) == 1 {
					break
				}
				without := a.first(slices.Delete(slices.Clone(members), i, i+1), shards, persistence.Shard(s))
				if all != m.Node && without != all {
					t.Fatalf("shard %d moves from %s to %s when %s leaves", s, all, without, m.Node)
				}
			}
		}
	})
}

// The table against the sentence that it is made by, read literally: go through all
// pairs from the highest bid down. With equal weights that is the stable matching.
func TestTableIsGreedy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, shards := drawMembers(t), drawShards(t)
		for i := range members {
			members[i].Weight = 7
		}
		var a allocator
		type pair struct {
			bidder *bidder
			shard  uint32
		}
		var pairs []pair
		bidders := a.bidders(members, shards)
		for _, b := range bidders { // in order of ids
			for s := range shards {
				pairs = append(pairs, pair{b, s})
			}
		}
		slices.SortStableFunc(pairs, func(x, y pair) int {
			return int(int64(x.bidder.draws[x.shard]) - int64(y.bidder.draws[y.shard]))
		})
		want, has := make([]persistence.NodeID, shards), make(map[*bidder]int)
		for _, p := range pairs {
			if want[p.shard] == "" && has[p.bidder] < p.bidder.most {
				want[p.shard] = p.bidder.node
				has[p.bidder]++
			}
		}
		if got := Table(members, shards); !slices.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

// How even the table is, and what a join costs. The bounds are what the design page
// says. Mutations: no bound; draws that are not spread.
func TestSpread(t *testing.T) {
	for _, test := range []struct {
		nodes, shards, most int
		least               float64 // has the poorest, on average
	}{{3, 32, 12, 9}, {8, 128, 18, 12}, {30, 1024, 38, 25}, {100, 1024, 12, 4.5}} {
		r := rand.New(rand.NewPCG(1, uint64(test.nodes)))
		rounds := 900 / test.nodes
		if test.nodes > 50 {
			rounds = 3
		}
		var high, low, moved, aside float64
		for range rounds {
			members := someMembers(test.nodes + 1)
			for i := range members {
				members[i].Node += persistence.NodeID(fmt.Sprint("-", r.Uint32()))
			}
			before, after := Table(members[1:], uint32(test.shards)), Table(members, uint32(test.shards))
			has := make(map[persistence.NodeID]int)
			for s := range before {
				has[before[s]]++
				if before[s] != after[s] {
					moved++
					if after[s] != members[0].Node {
						aside++
					}
				}
			}
			most, least := 0, test.shards
			for _, m := range members[1:] {
				most, least = max(most, has[m.Node]), min(least, has[m.Node])
			}
			if most > test.most {
				t.Errorf("%d nodes, %d shards: %d at one", test.nodes, test.shards, most)
			}
			high, low = high+float64(most), low+float64(least)
		}
		n := float64(rounds)
		if low/n < test.least {
			t.Errorf("%d nodes, %d shards: the poorest has %.1f on average, less than %.1f", test.nodes, test.shards, low/n, test.least)
		}
		share := float64(test.shards) / float64(test.nodes+1)
		t.Logf("%3d nodes, %4d shards: %.1f each, %.1f to %.1f; a join moves %.1f, %.1f of them between others, where %.1f have to",
			test.nodes, test.shards, float64(test.shards)/float64(test.nodes), low/n, high/n, moved/n, aside/n, share)
		if aside/n > 0.3*share {
			t.Errorf("%d nodes, %d shards: %.1f shards move between others, of %.1f that have to move", test.nodes, test.shards, aside/n, share)
		}
	}
}

// Shards go by weight.
func TestWeights(t *testing.T) {
	members := someMembers(4)
	for i, w := range []uint32{100, 200, 300, 400} {
		members[i].Weight = w
	}
	has := make(map[persistence.NodeID]int)
	for _, n := range Table(members, 1024) {
		has[n]++
	}
	for i, m := range members {
		want := 1024 * float64(i+1) / 10
		if got := float64(has[m.Node]); math.Abs(got-want) > 0.15*want {
			t.Errorf("%s has %v shards, of %v by its weight", m.Node, got, want)
		}
	}
}

func TestNegLog2(t *testing.T) {
	for _, h := range []uint64{1, 2, 3, 1 << 40, 1<<63 - 1, 1 << 63, 0xc000_0000_0000_0000, math.MaxUint64} {
		want := 64 - math.Log2(float64(h))
		if got := float64(negLog2(h)) / (1 << 25); math.Abs(got-want) > 1e-6 {
			t.Errorf("-log2(%d/2^64) is %v, not %v", h, got, want)
		}
	}
}

// Of two bids that are equal, that of the lower id is the higher. Mutation: bidders in
// the order of the members.
func TestTies(t *testing.T) {
	a := allocator{draws: map[persistence.NodeID][]uint32{"a": {1, 2, 3, 3}, "b": {1, 2, 3, 3}}}
	members := []Member{{"a", 1, Serving, 1}, {"b", 1, Serving, 1}}
	want := []persistence.NodeID{"a", "a", "a", "b"}
	for range 2 {
		if got := a.table(members, 4); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		slices.Reverse(members)
	}
}

// The table is part of what nodes of two versions have to agree on.
func TestTableIsFixed(t *testing.T) {
	var got string
	for _, n := range Table(someMembers(4), 32) {
		got += string(n[len(n)-1])
	}
	if want := "03230031021023332132321122231101"; got != want {
		t.Errorf("got %s, want %s: nodes of two versions would differ for as long as both run", got, want)
	}
}

func BenchmarkTable(b *testing.B) {
	for _, size := range []struct{ nodes, shards int }{{3, 32}, {100, 1024}, {100, persistence.MaxShards}} {
		b.Run(fmt.Sprintf("%d-%d", size.nodes, size.shards), func(b *testing.B) {
			var a allocator
			members := someMembers(size.nodes)
			a.table(members, uint32(size.shards))
			for b.Loop() {
				a.table(members, uint32(size.shards))
			}
		})
	}
}
