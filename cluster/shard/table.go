package shard

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mesonet/mesonet/persistence"
)

// The table is weighted rendezvous hashing (Thaler and Ravishankar, "A name-based
// mapping scheme for rendezvous", 1996; the weights as in Schindelhauer and
// Schomaker, "Weighted distributed hash tables", 2005): a node with weight w that
// draws h, uniform in (0,1), for a shard bids w / -ln(h), and the highest bid has it.
// Two things make it even enough for few shards:
//
// Draws are spread. What a node draws for all shards is one number from each of m
// equal slices of (0,1), in an order of its own, instead of m independent numbers. So
// no node is lucky with many shards at once. A bid still depends on node and shard
// alone: a join moves shards to the newcomer only.
//
// Nobody has more than a tenth above its share, rounded up (as in Mirrokni, Thorup
// and Zadimoghaddam, "Consistent hashing with bounded loads", 2018). A node
// that is full keeps the shards it bids most for, and the others go to the next
// bidder that has room or bids more for them than for one it has. That is Gale and
// Shapley's stable matching, of which there is one, whatever the order of
// proposals, as both sides go by the same bids. The price is some moves
// between the others when one joins or leaves; the design page has the figures.
//
// All arithmetic is on integers, so that nodes of different processors agree.

// slack is how much a node may have above its share, as a fraction of 10.
const slack = 1

// Table returns the node that each shard belongs to: its index among nodes is the
// shard. Only members that are serving and have a weight count; "" stands for nobody
// when there are none. Members with the same ids, states and weights make the same
// table, in whatever order, on any node.
func Table(members []Member, shards uint32) []persistence.NodeID {
	return new(allocator).table(members, shards)
}

// allocator makes tables, and keeps what it has computed about nodes for the next.
type allocator struct {
	draws map[persistence.NodeID][]uint32
}

func (a *allocator) table(members []Member, shards uint32) []persistence.NodeID {
	bidders := a.bidders(members, shards)
	table := make([]persistence.NodeID, shards)
	if len(bidders) == 0 {
		return table
	}
	for s := range shards {
		// A shard that is pushed out looks for another place at once; each push raises
		// what the node it was pushed from asks for, so that this ends.
		for homeless := s; ; {
			next, pushed := best(bidders, homeless).accept(homeless)
			if !pushed {
				break
			}
			homeless = next
		}
	}
	for _, b := range bidders {
		for _, s := range b.has {
			table[s] = b.node
		}
	}
	return table
}

// bidders returns who may have shards, and how many each.
func (a *allocator) bidders(members []Member, shards uint32) []*bidder {
	var bidders []*bidder
	var total uint64
	for _, m := range members {
		if m.State == Serving && m.Weight > 0 {
			bidders = append(bidders, &bidder{node: m.Node, weight: uint64(m.Weight), draws: a.drawsOf(m.Node, shards)})
			total += uint64(m.Weight)
		}
	}
	slices.SortFunc(bidders, func(x, y *bidder) int { return cmp.Compare(x.node, y.node) })
	for _, b := range bidders {
		b.most = int(((10+slack)*uint64(shards)*b.weight + 10*total - 1) / (10 * total))
	}
	return bidders
}

// bidder is a node that shards belong to.
type bidder struct {
	node   persistence.NodeID
	weight uint64
	draws  []uint32 // by shard, see drawsOf
	most   int
	has    []uint32 // at most that many shards, the one that it bids most for first
}

// best returns the highest bidder that has room for a shard, or would push another
// out for it. There is one, as there is room for all.
func best(bidders []*bidder, s uint32) *bidder {
	var best *bidder
	for _, b := range bidders {
		// w/d against w'/d', and the first by id of two that are equal
		if (best == nil || b.weight*uint64(best.draws[s]) > best.weight*uint64(b.draws[s])) && b.wants(s) {
			best = b
		}
	}
	return best
}

func (b *bidder) wants(s uint32) bool {
	return len(b.has) < b.most || b.prefers(s, b.has[len(b.has)-1])
}

func (b *bidder) prefers(s, o uint32) bool { return b.compare(s, o) < 0 }

func (b *bidder) compare(s, o uint32) int {
	return cmp.Or(cmp.Compare(b.draws[s], b.draws[o]), cmp.Compare(s, o))
}

// accept takes a shard, and returns the one that is pushed out for it, if any.
func (b *bidder) accept(s uint32) (out uint32, pushed bool) {
	at, _ := slices.BinarySearchFunc(b.has, s, b.compare)
	b.has = slices.Insert(b.has, at, s)
	if len(b.has) <= b.most {
		return 0, false
	}
	out = b.has[b.most]
	b.has = b.has[:b.most]
	return out, true
}

// drawsOf returns -log2 of what the node draws for each shard, in units of 2^-25: a
// bid is higher the lower it is.
func (a *allocator) drawsOf(node persistence.NodeID, shards uint32) []uint32 {
	if draws, ok := a.draws[node]; ok && len(draws) == int(shards) {
		return draws
	}
	type drawn struct {
		hash  uint64
		shard uint32
	}
	order := make([]drawn, shards)
	key := append([]byte(node), 0, 0, 0, 0, 0)
	for s := range shards {
		binary.LittleEndian.PutUint32(key[len(node)+1:], s)
		order[s] = drawn{xxhash.Sum64(key), s}
	}
	slices.SortFunc(order, func(x, y drawn) int {
		return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.shard, y.shard))
	})
	draws := make([]uint32, shards)
	for rank, d := range order {
		// the slice of that rank, and the hash again for where in it
		h, _ := bits.Div64(uint64(rank), d.hash, uint64(shards))
		draws[d.shard] = negLog2(max(h, 1))
	}
	if a.draws == nil {
		a.draws = make(map[persistence.NodeID][]uint32)
	}
	a.draws[node] = draws
	return draws
}

// first returns who of members, at least one, bids most for a shard.
func (a *allocator) first(members []Member, shards uint32, s persistence.Shard) persistence.NodeID {
	bidders := a.bidders(members, shards)
	return best(bidders, uint32(s)).node // they have nothing, so all have room
}

// forget drops what is kept of nodes that are not among members.
func (a *allocator) forget(members []Member) {
	for node := range a.draws {
		if !slices.ContainsFunc(members, func(m Member) bool { return m.Node == node }) {
			delete(a.draws, node)
		}
	}
}

// negLog2 returns -log2(h/2^64) in units of 2^-25, for h above 0: the bits of the
// logarithm of a number between 1 and 2 come out by squaring it.
func negLog2(h uint64) uint32 {
	const fraction = 25 // with 7 bits before the point
	zeros := bits.LeadingZeros64(h)
	var log uint32
	x := h << zeros
	for range fraction {
		hi, lo := bits.Mul64(x, x)
		log <<= 1
		if hi>>63 == 1 {
			log |= 1
			x = hi
		} else {
			x = hi<<1 | lo>>63
		}
	}
	return uint32(zeros+1)<<fraction - log
}

// rankOf returns how many of others come before self in the order in which they are
// to do something about node; each node has an order of its own.
func rankOf(node, self persistence.NodeID, others []persistence.NodeID) int {
	bid := func(n persistence.NodeID) uint64 { return xxhash.Sum64String(string(node) + "\x00" + string(n)) }
	mine, rank := bid(self), 0
	for _, n := range others {
		if b := bid(n); n != self && (b > mine || b == mine && n < self) {
			rank++
		}
	}
	return rank
}
