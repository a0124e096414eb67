package entity

import (
	"context"

	"github.com/mesonet/mesonet/persistence"
)

// Checkpoint stores the pages of all shards and returns when it is done.
func (h *Host) Checkpoint(ctx context.Context) { h.checkpointShards(ctx, 0) }

// CheckpointOver stores the pages of shards whose tails are as long as that, as it is
// done while there is other work.
func (h *Host) CheckpointOver(ctx context.Context, bytes int) { h.checkpointShards(ctx, bytes) }

// PacedPages is how many pages are stored at once.
func PacedPages(tail, may int) int { return pacedPages(tail, may) }

func WholeEntities(pages []persistence.Page, few int) int { return wholeEntities(pages, few) }

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

// Tick lets the time of memory pass.
func (h *Host) Tick() { h.memory.tick.Add(1) }

// Evict has pages of that age leave memory, and the entities of which nothing is
// left.
func (h *Host) Evict(ctx context.Context, age uint32) {
	h.memory.evict(ctx, h.memory.tick.Load(), age, 0)
}

// Entries returns how many entities are in memory or on their way in or out.
func (h *Host) Entries() (n int) {
	h.memory.each(func(*entry) bool { n++; return true })
	return n
}

// Sweep looks at the memory now.
func (h *Host) Sweep(ctx context.Context) { h.memory.sweep(ctx) }

// MailboxOf returns how many messages wait at an entity that is awake.
func (h *Host) MailboxOf(id ID) int {
	e := h.shards[h.ShardOf(id)].open.Load().table(h.kinds[id.Kind]).known(id.ID)
	for _, n := range h.system.Tree() {
		if n.Path == e.ref.Load().Path() {
			return n.Mailbox
		}
	}
	return -1
}

// Kept returns for how many entities events are kept aside.
func (h *Host) Kept() (n int) {
	for _, s := range h.shards {
		if o := s.open.Load(); o != nil {
			n += o.keeps()
		}
	}
	return n
}
