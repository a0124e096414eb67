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

// Describe describes an entity without waking it, as it was after all that was
// acknowledged before. An entity that there is not, or no more, is a rejection.
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
	t := o.table(k)
	if err := o.waitRisen(ctx, t, id.ID); err != nil {
		return d, unavailable(ctx, id.String(), err)
	}
	asleep, there := o.asleepInTail(id)
	d.Unstored = asleep
	pending, listed := t.overlay.listed(id.ID)
	if e := t.known(id.ID); e != nil {
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
			return d, unavailable(ctx, id.String(), err)
		}
		if p.Key.Kind != id.Kind || p.Key.ID != id.ID {
			break
		}
		d.Pages = append(d.Pages, StoredPage{p.Key.Page, p.Position, p.Version, len(p.Data)})
	}
	if err := o.confirm(ctx); err != nil {
		return d, unavailable(ctx, id.String(), err)
	}
	switch { // who knows best comes first
	case asleep:
	case pending:
		there = listed
	default:
		there = d.Kept > 0 || len(d.Pages) > 0
	}
	if !there {
		return d, RejectNotFound("there is no %s", id).Because("NO_ENTITY")
	}
	return d, nil
}

// waitRisen waits for an entity that is on its way to what its events say.
func (o *openShard) waitRisen(ctx context.Context, t *table, id string) error {
	e := t.known(id)
	o.mu.Lock()
	rising := e != nil && o.rising[e]
	o.mu.Unlock()
	if !rising {
		return nil
	}
	_, err := awaken(ctx, dirtyEntity{table: t, id: id})
	return err
}

// asleepInTail reports whether events of an entity that nobody has asked since
// were read when the shard was opened, and if so, whether it is there after them.
func (o *openShard) asleepInTail(id ID) (asleep, there bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.tail.Peek(id.Kind, id.ID)
	n := len(events)
	return n > 0, n > 0 && !isDeletion(&events[n-1])
}

// confirm waits until all that was appended is acknowledged, and returns an error
// when this node does not have the shard any more.
func (o *openShard) confirm(ctx context.Context) error {
	w := &gateWait{c: make(chan error, 1)}
	o.log.Confirm(o.log.Next(), w)
	select {
	case err := <-w.c:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Kinds returns the names of the kinds that the host serves, in order.
func (h *Host) Kinds() []string { return slices.Clone(h.kindNames()) }
