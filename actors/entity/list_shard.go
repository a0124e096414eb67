package entity

import (
	"context"
	"fmt"
	"iter"

	"github.com/mesonet/mesonet/persistence"
)

// FindIn yields what [Host.Find] does, of one shard alone: for those who want to go
// on where a shard can't answer. A shard that the store does not have is an error.
func (h *Host) FindIn(ctx context.Context, shard persistence.Shard, i *Index, from Entry) iter.Seq2[Entry, error] {
	switch {
	case h.kinds[i.kind.name] != i.kind:
		return func(yield func(Entry, error) bool) { yield(Entry{}, fmt.Errorf("%w %q", ErrUnknownKind, i.kind.name)) }
	case int(shard) >= len(h.shards):
		return func(yield func(Entry, error) bool) {
			yield(Entry{}, fmt.Errorf("%w: there is no shard %d of %d", ErrUnavailable, shard, len(h.shards)))
		}
	}
	return h.shards[shard].find(ctx, i, from)
}
