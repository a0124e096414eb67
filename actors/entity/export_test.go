package entity

import (
	"context"

	"github.com/mesonet/mesonet/persistence"
)

// Checkpoint stores the pages of all shards and returns when it is done.
func (h *Host) Checkpoint(ctx context.Context) { h.checkpointShards(ctx, 0) }

// TailBytes returns how many bytes of tail a recovery would read.
func (h *Host) TailBytes() int {
	n := 0
	for _, s := range h.shards {
		if o := s.open.Load(); o != nil {
			n += o.log.TailBytes()
		}
	}
	return n
}

// Clean returns the position that a checkpoint of an entity's shard could have
// now.
func (h *Host) Clean(id ID) persistence.Position { return h.shards[h.ShardOf(id)].open.Load().clean() }

// Acked returns the position that an entity's shard has acknowledged.
func (h *Host) Acked(id ID) persistence.Position {
	return h.shards[h.ShardOf(id)].open.Load().log.Acked()
}

// Next returns the position that an entity's shard will give out next, 0 when
// the shard is not open.
func (h *Host) Next(id ID) persistence.Position {
	o := h.shards[h.ShardOf(id)].open.Load()
	if o == nil {
		return 0
	}
	return o.log.Next()
}
