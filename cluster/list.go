package cluster

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
)

// firstEntries is how many entries are asked for first of each shard: many lists
// are short, and there are many shards.
const firstEntries = 64

// FindIn yields the entries of an index in one shard from one on, wherever that is.
// While nobody serves it this waits, for Config.ListWait at most.
func (n *Node) FindIn(ctx context.Context, s persistence.Shard, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error] {
	return func(yield func(entity.Entry, error) bool) {
		first, err := n.find(ctx, s, i, from, firstEntries)
		if err != nil {
			yield(entity.Entry{}, err)
			return
		}
		n.rest(ctx, s, i, first)(yield)
	}
}

// find asks whoever has a shard for a page.
func (n *Node) find(ctx context.Context, s persistence.Shard, i *entity.Index, from entity.Entry, most int) (findPage, error) {
	r := findRequest{Kind: i.Kind().Name(), Index: i.Name(), Shard: s, From: from, Most: most}
	return request(ctx, n, s, kindFind, r, func(ctx context.Context) (findPage, error) { return n.page(ctx, r, i) })
}

// rest yields a page and those after it.
func (n *Node) rest(ctx context.Context, s persistence.Shard, i *entity.Index, page findPage) iter.Seq2[entity.Entry, error] {
	return func(yield func(entity.Entry, error) bool) {
		for {
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if !page.More || len(page.Entries) == 0 {
				return
			}
			var err error
			if page, err = n.find(ctx, s, i, page.Entries[len(page.Entries)-1].Next(), mostEntries); err != nil {
				yield(entity.Entry{}, err)
				return
			}
		}
	}
}

// Find yields the entries of an index from one on, in order of key and id, over all
// shards of the cluster, as entity.Host does over those of one node. It waits for
// shards as FindIn does; the error says which one can't answer.
func (n *Node) Find(ctx context.Context, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error] {
	return func(yield func(entity.Entry, error) bool) {
		pages := make([]findPage, n.cfg.Shards)
		all, ctx := errgroup.WithContext(ctx)
		for s := range pages { // at once: one after the other would take as many times as long
			all.Go(func() (err error) {
				pages[s], err = n.find(ctx, persistence.Shard(s), i, from, firstEntries)
				return err
			})
		}
		if err := all.Wait(); err != nil {
			yield(entity.Entry{}, err)
			return
		}
		parts := make([]iter.Seq2[entity.Entry, error], n.cfg.Shards)
		for s := range parts {
			parts[s] = n.rest(ctx, persistence.Shard(s), i, pages[s])
		}
		entity.Merge(parts)(yield)
	}
}

// List returns ids of a kind's entities that have events, in order, the first limit
// after an id, over the whole cluster.
func (n *Node) List(ctx context.Context, kind, after string, limit int) ([]string, error) {
	ids := n.host.Index(kind, "id")
	if ids == nil {
		return nil, fmt.Errorf("%w %q", entity.ErrUnknownKind, kind)
	}
	return entity.FirstIDs(n.Find(ctx, ids, entity.Entry{ID: after}.Next()), limit)
}

// Describe describes an entity as the runtime of its node sees it.
func (n *Node) Describe(ctx context.Context, id entity.ID) (entity.Description, error) {
	if !slices.Contains(n.host.Kinds(), id.Kind) {
		return entity.Description{ID: id}, fmt.Errorf("%w %q", entity.ErrUnknownKind, id.Kind)
	}
	if err := entity.CheckID(id.ID); err != nil {
		return entity.Description{ID: id}, err
	}
	d, err := request(ctx, n, n.ShardOf(id), kindDescribe, id, func(ctx context.Context) (described, error) { return n.describeHere(ctx, id) })
	if len(d.Damage) > 0 {
		_, _, d.Corrupt = entity.DecodeOutcome(d.Damage)
	}
	return d.Description, err
}

// Skip leaves out the event by which an entity is corrupt, for ever.
func (n *Node) Skip(ctx context.Context, id entity.ID, position persistence.Position) error {
	ids := n.host.Index(id.Kind, "id")
	if ids == nil {
		return fmt.Errorf("%w %q", entity.ErrUnknownKind, id.Kind)
	}
	return ids.Kind().Skip(ctx, n, id.ID, position)
}

// Kinds returns the names of the kinds that this node serves, in order.
func (n *Node) Kinds() []string { return n.host.Kinds() }

// Bulk is this node's credit for bulk that is under way.
func (n *Node) Bulk() *entity.Credit { return n.host.Bulk() }
