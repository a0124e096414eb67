package entity

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// List returns ids of a kind's entities that have events, in order, the first
// limit after an id. See [Host.Find] for what it sees.
func (h *Host) List(ctx context.Context, kind, after string, limit int) ([]string, error) {
	k := h.kinds[kind]
	if k == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownKind, kind)
	}
	return FirstIDs(h.find(ctx, k.IDs(), Entry{ID: after}.Next()), limit)
}

// FirstIDs returns the ids of the first limit entries.
func FirstIDs(entries iter.Seq2[Entry, error], limit int) ([]string, error) {
	var ids []string
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if len(ids) == limit {
			break
		}
		ids = append(ids, e.ID)
	}
	return ids, nil
}

// Find yields the entries of an index from one on, in order of key and id, over
// all shards. It reads as far as it is asked to. What was acknowledged before it
// began is in what it yields, and nothing that is not; of what changes meanwhile
// it may see a part. When a shard can't answer, the error says which.
func (h *Host) Find(ctx context.Context, i *Index, from Entry) iter.Seq2[Entry, error] {
	if h.kinds[i.kind.name] != i.kind {
		return func(yield func(Entry, error) bool) { yield(Entry{}, fmt.Errorf("%w %q", ErrUnknownKind, i.kind.name)) }
	}
	return h.find(ctx, i, from)
}

// Index returns an index by its kind's name and its own, nil when there is none. "id" is
// that of the entities that have events.
func (h *Host) Index(kind, name string) *Index {
	k := h.kinds[kind]
	switch {
	case k == nil:
		return nil
	case name == idIndex:
		return k.IDs()
	}
	for _, i := range k.indexes {
		if i.name == name {
			return i
		}
	}
	return nil
}

// find merges what the shards have.
func (h *Host) find(ctx context.Context, i *Index, from Entry) iter.Seq2[Entry, error] {
	parts := make([]iter.Seq2[Entry, error], len(h.shards))
	for n, s := range h.shards {
		parts[n] = s.find(ctx, i, from)
	}
	return Merge(parts)
}

// Merge yields the entries of parts, each of which is in order, in order. It ends
// with the first error of any.
func Merge(parts []iter.Seq2[Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		type head struct {
			Entry
			next func() (Entry, error, bool)
		}
		heads := make([]head, 0, len(parts))
		for _, part := range parts {
			next, stop := iter.Pull2(part)
			defer stop()
			e, err, ok := next()
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if ok {
				heads = append(heads, head{e, next})
			}
		}
		slices.SortFunc(heads, func(a, b head) int { return a.Compare(b.Entry) })
		for len(heads) > 0 {
			if !yield(heads[0].Entry, nil) {
				return
			}
			e, err, ok := heads[0].next()
			if err != nil {
				yield(Entry{}, err)
				return
			}
			moved := head{e, heads[0].next}
			heads = slices.Delete(heads, 0, 1)
			if ok {
				at, _ := slices.BinarySearchFunc(heads, moved, func(a, b head) int { return a.Compare(b.Entry) })
				heads = slices.Insert(heads, at, moved)
			}
		}
	}
}

// find yields what one shard has.
func (s *shardHost) find(ctx context.Context, i *Index, from Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		end := func(err error) {
			yield(Entry{}, unavailable(ctx, fmt.Sprintf("shard %d", s.number), err))
		}
		o := s.open.Load()
		if o == nil {
			yield(Entry{}, refused(ID{i.kind.name, from.ID}, s.closed()))
			return
		}
		if err := o.complete(ctx, i); err != nil {
			end(err)
			return
		}
		added, gone, err := o.pendingEntries(ctx, i, from)
		if err != nil {
			end(err)
			return
		}
		for stored, err := range o.storedEntries(ctx, i, from) {
			if err != nil {
				end(err)
				return
			}
			for len(added) > 0 && added[0].Compare(stored) <= 0 {
				same := added[0] == stored
				if !same && !yield(added[0], nil) {
					return
				}
				added = added[1:]
			}
			if !gone[stored] && !yield(stored, nil) {
				return
			}
		}
		for _, e := range added {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// pendingEntries returns the entries of an index, from one on and in order, that
// may not be stored, and those that may be and are no more: they are looked up
// before what is stored is read, so that what is stored in between is not missed.
// It waits until all that they rest on is acknowledged, and until the entities of
// the tail are awake.
func (o *openShard) pendingEntries(ctx context.Context, i *Index, from Entry) (added []Entry, gone map[Entry]bool, err error) {
	if err := o.wakeTail(ctx); err != nil {
		return nil, nil, err
	}
	gone = make(map[Entry]bool)
	t := o.table(i.kind)
	t.overlay.mu.Lock()
	for id, c := range t.overlay.ids {
		for _, entry := range c.now {
			if e, ok := i.entry(entry, id); ok && e.Compare(from) >= 0 {
				added = append(added, e)
			}
		}
		for _, entry := range c.gone {
			if e, ok := i.entry(entry, id); ok {
				gone[e] = true
			}
		}
	}
	t.overlay.mu.Unlock()
	slices.SortFunc(added, Entry.Compare)
	return added, gone, o.confirm(ctx)
}

// entry returns an entry that is written as index/key, if it is of this index.
func (i *Index) entry(entry, id string) (Entry, bool) {
	name, key, _ := strings.Cut(entry, "/")
	return Entry{key, id}, name == i.name
}

// storedEntries yields the stored entries of an index from one on.
func (o *openShard) storedEntries(ctx context.Context, i *Index, from Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for page, err := range o.entryPages(ctx, i, from) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(i.entryOf(page.Key), nil) {
				return
			}
		}
	}
}

// entryPages yields the pages of these.
func (o *openShard) entryPages(ctx context.Context, i *Index, from Entry) iter.Seq2[persistence.Page, error] {
	return func(yield func(persistence.Page, error) bool) {
		begin := i.entryKey(o.log.Number(), from)
		for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), begin, true) {
			if err == nil && (page.Key.Kind != "" || !strings.HasPrefix(page.Key.Page, i.prefix())) {
				return
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}

// entryKey names the page of an entry.
func (i *Index) entryKey(shard persistence.Shard, e Entry) persistence.PageKey {
	return persistence.PageKey{Shard: shard, Page: i.prefix() + e.Key + "/" + e.ID}
}

// entryOf returns the entry of a page.
func (i *Index) entryOf(name persistence.PageKey) Entry {
	key, id, _ := strings.Cut(strings.TrimPrefix(name.Page, i.prefix()), "/")
	return Entry{key, id}
}

// ping is answered by an entity when it is awake, or can't be.
type ping struct{ of *pings }

// Refuse answers for an entity that can't.
func (p ping) Refuse(error) { p.of.answer(false) }

func (a *entityActor) answer(p ping) {
	if a.loading {
		a.stash = append(a.stash, p) // never refused: somebody waits for it
		return
	}
	p.of.answer(true)
}

// pings are those that somebody waits for.
type pings struct {
	left    atomic.Int64
	refused atomic.Bool
	all     chan struct{} // closed when all are answered
}

func (p *pings) answer(awake bool) {
	if !awake {
		p.refused.Store(true)
	}
	if p.left.Add(-1) == 0 {
		close(p.all)
	}
}

// wakeTail wakes the entities whose events were read when the shard was opened
// and that nobody has asked since, and waits until they are awake.
func (o *openShard) wakeTail(ctx context.Context) error {
	for {
		woken, refused, err := o.wakeSome(ctx)
		switch {
		case err != nil:
			return err
		case woken == 0:
			return nil
		case refused: // by one that crashed, or has too much to do
			select {
			case <-time.After(wakeAgain):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// wakeSome wakes some entities of the tail, and returns how many it found and
// whether one of them can't wake now.
func (o *openShard) wakeSome(ctx context.Context) (woken int, refused bool, err error) {
	some := o.asleep(wakeChunk)
	if len(some) == 0 {
		return 0, false, nil
	}
	if refused, err = awaken(ctx, some...); err != nil {
		return len(some), refused, err
	}
	return len(some), refused, o.log.Err()
}

// awaken wakes entities and waits until they have come to what their events say,
// and reports whether one of them can't now.
func awaken(ctx context.Context, some ...dirtyEntity) (refused bool, err error) {
	p := &pings{all: make(chan struct{})}
	p.left.Store(int64(len(some)))
	for _, d := range some {
		d.table.send(d.id, ping{p})
	}
	select { // every ping is answered, also by an entity that stops
	case <-p.all:
		return p.refused.Load(), nil
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
}

const (
	wakeChunk = 256              // entities are woken at once
	wakeAgain = time.Millisecond // is between two attempts
)

// asleep returns some of the entities of the tail, oldest first, and of those that
// have taken their events from there and are on their way.
func (o *openShard) asleep(limit int) []dirtyEntity {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.inTail(limit)
	for e := range o.rising {
		all = append(all, dirtyEntity{table: e.table, id: e.id})
	}
	for id := range o.keptAsleep {
		all = append(all, dirtyEntity{table: o.table(o.host.host.kinds[id.Kind]), id: id.ID})
	}
	slices.SortFunc(all, func(a, b dirtyEntity) int { return cmp.Compare(a.from, b.from) })
	return all[:min(limit, len(all))]
}

// inTail returns entities of which the tail has events, oldest first. Called with
// mu held.
func (o *openShard) inTail(limit int) (all []dirtyEntity) {
	for owner, first := range o.tail.Entities() {
		all = append(all, dirtyEntity{o.table(o.host.host.kinds[owner.Kind]), owner.ID, first})
		if len(all) == limit {
			break
		}
	}
	return all
}
