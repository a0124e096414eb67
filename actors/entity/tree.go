package entity

import (
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// ShardTree is what runs in a shard that a host serves.
type ShardTree struct {
	Shard persistence.Shard
	Epoch persistence.Epoch
	// TailBytes is how much of its log a recovery would read.
	TailBytes int
	// Kinds are those of which entities are awake, in the order of their names.
	Kinds []KindTree
}

// KindTree are the entities of a kind that are awake in a shard.
type KindTree struct {
	Kind  string
	Awake int
	// IDs are some of them, in order.
	IDs []string
}

// Tree returns what runs in each shard that the host serves, in order, and names up
// to so many entities of each shard, kind after kind, those whose ids come first. It
// walks over the entities that are awake, and wakes none.
func (h *Host) Tree(names int) []ShardTree {
	var all []ShardTree
	for n, s := range h.shards {
		o := s.open.Load()
		if o == nil {
			continue
		}
		t := ShardTree{Shard: persistence.Shard(n), Epoch: o.log.Epoch(), TailBytes: o.log.TailBytes()}
		for _, table := range o.tables {
			if k := table.awake(); k.Awake > 0 {
				t.Kinds = append(t.Kinds, k)
			}
		}
		slices.SortFunc(t.Kinds, func(a, b KindTree) int {
			if a.Kind < b.Kind {
				return -1
			}
			return 1
		})
		left := names
		for i := range t.Kinds {
			k := &t.Kinds[i]
			k.IDs = slices.Clone(k.IDs[:min(left, len(k.IDs))]) // the rest is let go
			left -= len(k.IDs)
		}
		all = append(all, t)
	}
	return all
}

// awake returns the entities of the table that are awake, all of them in order.
func (t *table) awake() KindTree {
	k := KindTree{Kind: t.kind.name}
	t.mu.RLock()
	for _, e := range t.entries {
		if e.ref.Load() != nil {
			k.IDs = append(k.IDs, e.id)
		}
	}
	t.mu.RUnlock()
	k.Awake = len(k.IDs)
	slices.Sort(k.IDs)
	return k
}
