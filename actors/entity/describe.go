package entity

import (
	"context"
	"fmt"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// Description is an entity as the runtime sees it.
type Description struct {
	ID    ID
	Shard persistence.Shard
	// Awake: it is in memory, where it takes about MemoryBytes.
	Awake       bool
	MemoryBytes int64
	// Unstored: it has events that are not in stored pages.
	Unstored bool
	// Corrupt says why it answers nothing, nil when it is well or asleep.
	Corrupt error
	// Kept is how many events are set aside for it, since it is or was corrupt.
	Kept int
	// Pages are those in the store, by name, without their data.
	Pages []StoredPage
}

// StoredPage is a page of an entity in the store.
type StoredPage struct {
	Name     string
	Position persistence.Position
	Version  uint32
	Bytes    int
}

// Describe describes an entity without waking it. An entity of which there is
// nothing, in memory or in the store, is a rejection.
func (h *Host) Describe(ctx context.Context, id ID) (Description, error) {
	d := Description{ID: id}
	k := h.kinds[id.Kind]
	if k == nil {
		return d, fmt.Errorf("%w %q", ErrUnknownKind, id.Kind)
	}
	if err := CheckID(id.ID); err != nil {
		return d, err
	}
	d.Shard = h.ShardOf(id)
	s := h.shards[d.Shard]
	o := s.open.Load()
	if o == nil {
		return d, refused(id, s.closed())
	}
	known := o.asleepInTail(id)
	d.Unstored = known
	if e := o.table(k).known(id.ID); e != nil {
		known = true
		d.Awake = e.ref.Load() != nil
		d.MemoryBytes = e.bytes.Load()
		d.Unstored = d.Unstored || e.dirty.Load() != 0
		if err := e.damage.Load(); err != nil {
			d.Corrupt = *err
		}
	}
	d.Kept = len(o.keptOf(id.Kind, id.ID))
	from := persistence.PageKey{Kind: id.Kind, ID: id.ID}
	for p, err := range h.cfg.Store.Pages().Scan(ctx, d.Shard, from, false) {
		if err != nil {
			return d, fmt.Errorf("%w: %s: %w", ErrUnavailable, id, err)
		}
		if p.Key.Kind != id.Kind || p.Key.ID != id.ID {
			break
		}
		d.Pages = append(d.Pages, StoredPage{p.Key.Page, p.Position, p.Version, len(p.Data)})
	}
	if !known && d.Kept == 0 && len(d.Pages) == 0 {
		return d, RejectNotFound("there is no %s", id).Because("NO_ENTITY")
	}
	return d, nil
}

// asleepInTail reports whether events of an entity that nobody has asked since
// were read when the shard was opened.
func (o *openShard) asleepInTail(id ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.tail.FirstOf(id.Kind, id.ID)
	return ok
}

// Kinds returns the names of the kinds that the host serves, in order.
func (h *Host) Kinds() []string { return slices.Clone(h.kindNames()) }
