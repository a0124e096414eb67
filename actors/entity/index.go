package entity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// An index says which entities of a kind there are, by some key, without waking
// any of them. Its entries follow from the entities' pages: an event that may
// change them is declared as such, and the runtime compares the entries before
// and after it. What has changed and is not stored yet is pending, beside the
// entity; it is stored with the entity's pages, before them. So a stored page is
// never ahead of its entries; entries may be ahead of a page after a crash, and
// the events that are replayed then lead to the same entries again.
//
// Entries are pages of the shard, without data, whose names sort by kind, index,
// key and id. To list is to walk over these, merged with what is pending.
//
// What was weighed instead: index pages that hold many entries each and evolve by
// the shard's events, as entities' pages do. They are smaller, but have to be
// split as they grow, and each registration rewrites one. And the keys of the
// entities' own pages, which cost nothing to keep, and a walk over everything
// that the shard stores to read.

// Index is an index of a kind.
type Index struct {
	kind    *Kind
	name    string
	set     *pageSet // nil for the index of ids
	changes func(event any) bool
	entries func(dst []string, page any) []string
}

// idIndex is the name of the index that every kind has: of the ids of the
// entities that have events.
const idIndex = "id"

// IndexOf declares an index over a family of pages. changes says which events
// may change the entries of a page; entries appends the keys under which the
// entity is found to dst: printable ASCII without a slash. Two pages of one entity
// must not have a key in common, as one may be in memory without the other.
//
// An index that is new to a store is built from the pages that are there. Its name
// stands for what entries says: when that changes, the name has to.
func IndexOf[P any](k *Kind, name string, of PageSet[P], changes func(event any) bool, entries func(dst []string, page P) []string) *Index {
	i := &Index{
		kind: k, name: name, set: of.set, changes: changes,
		entries: func(dst []string, page any) []string { return entries(dst, page.(P)) },
	}
	if !kindName.MatchString(name) {
		k.fail("the name %q of an index must be lower case letters, digits and dashes", name)
	}
	if of.set.kind != k {
		k.fail("the index %q is over pages of another kind", name)
	}
	for _, other := range k.indexes {
		if other.name == name || name == idIndex {
			k.fail("two indexes are named %q", name)
		}
	}
	k.indexes = append(k.indexes, i)
	return i
}

// IDs is the index that every kind has, of the entities that have events, by their
// ids: its entries have no keys.
func (k *Kind) IDs() *Index { return &Index{kind: k, name: idIndex} }

// Kind is the kind of whose entities the index is, and Name the index's own.
func (i *Index) Kind() *Kind { return i.kind }

// Name returns the name of the index.
func (i *Index) Name() string { return i.name }

// String returns kind/name.
func (i *Index) String() string { return i.kind.name + "/" + i.name }

// prefix is what the names of the index's pages begin with.
func (i *Index) prefix() string { return indexPrefix + i.kind.name + "/" + i.name + "/" }

const indexPrefix = "index/"

// Entry is one entry of an index.
type Entry struct{ Key, ID string }

// Next is the least entry after e.
func (e Entry) Next() Entry { return Entry{e.Key, e.ID + "\x00"} }

// Compare orders entries by key and id.
func (e Entry) Compare(o Entry) int {
	if c := strings.Compare(e.Key, o.Key); c != 0 {
		return c
	}
	return strings.Compare(e.ID, o.ID)
}

// pending is what is known of the entries of one entity, each as index/key, from
// the first event that changes them until a write has made the stored ones what
// they are then. Entries of pages that have not been in memory meanwhile are not
// among them, and stay as they are. It is the actor's.
//
// A write that fails, or that a crash cuts off, may have happened. So whatever
// may be in the store and should not be there is removed, and all that should be
// is put, also what seems to be there.
type pending struct {
	maybe  []string // what may be in the store
	now    []string
	issued persistence.Position // the stamp of the newest write
	owed   bool                 // no replay leads to them again: the checkpoint has to wait
}

// newPending is of an entity whose entries are stored, as far as is known.
func newPending(entries []string) *pending {
	return &pending{maybe: slices.Clone(entries), now: entries}
}

// change turns entries before an event into those after it.
func (p *pending) change(before, after []string) {
	now := without(p.now, without(before, after))
	now = append(now, without(after, now)...)
	slices.Sort(now)
	p.now = now
}

// pendingBytes is about what a pending takes without its entries, and its place in
// the overlay.
const pendingBytes = 250

// memory returns about how many bytes it takes.
func (p *pending) memory() int64 {
	const header = 2 * 16 // of a string, here and in the overlay
	sum := pendingBytes
	for _, entries := range [...][]string{p.maybe, p.now} {
		for _, entry := range entries {
			sum += header + len(entry)
		}
	}
	return int64(sum)
}

// gone returns the entries that may be in the store and are no more.
func (p *pending) gone() []string { return without(p.maybe, p.now) }

// without returns the entries that are not among others.
func without(entries, others []string) (rest []string) {
	for _, entry := range entries {
		if !slices.Contains(others, entry) {
			rest = append(rest, entry)
		}
	}
	return rest
}

// add adds entries to those that may be in the store.
func (p *pending) add(entries []string) {
	if len(entries) == 0 {
		return
	}
	p.maybe = append(p.maybe, entries...)
	slices.Sort(p.maybe)
	p.maybe = slices.Compact(p.maybe)
}

// overlay is what is pending of a table's entities.
type overlay struct {
	mu  sync.Mutex
	ids map[string]changed
}

// changed is how the entries of an entity differ from the stored ones.
type changed struct{ now, gone []string }

func (o *overlay) set(id string, c changed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids == nil {
		o.ids = make(map[string]changed)
	}
	o.ids[id] = c
}

// listed reports whether something of an entity is pending, and if so, whether it is
// there.
func (o *overlay) listed(id string) (pending, there bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, pending := o.ids[id]
	return pending, slices.Contains(c.now, idIndex+"/")
}

func (o *overlay) drop(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.ids, id)
}

// entriesOf appends the entries of an index that follow from the pages in
// memory, as index/key.
func (a *entityActor) entriesOf(dst []string, i *Index) []string {
	for _, p := range a.pages {
		if p.ref.set != i.set || p.state == nil {
			continue
		}
		from := len(dst)
		dst = i.entries(dst, p.state)
		for n, key := range dst[from:] {
			if !validKey(key) {
				panic(fmt.Sprintf("entity: key %q of index %s of %s is not printable ASCII without a slash", key, i.name, a.view.id)) //nolint:forbidigo // a programmer's error; supervision takes it
			}
			dst[from+n] = i.name + "/" + key
		}
	}
	return dst
}

func validKey(key string) bool {
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c > '~' || c == '/' {
			return false
		}
	}
	return true
}

// changesIndex reports whether an event may change entries of an index.
func (k *Kind) changesIndex(event any) bool {
	return slices.ContainsFunc(k.indexes, func(i *Index) bool { return i.changes(event) })
}

// indexed evolves the pages that an event touches and notes which entries it
// changes. While events are replayed, any entry that one of them leads to may have
// been stored before. One that a new event leads to can't have been until it is
// written, and is forgotten when the next takes its place before that: what an event
// costs, and a write, does not grow with the events since the last.
func (a *entityActor) indexed(event any, replayed bool, evolve func() error) error {
	_, deletes := event.(deletion)
	if !deletes && a.listed && !a.kind.changesIndex(event) {
		return evolve()
	}
	before := a.entries(a.listed)
	if err := evolve(); err != nil {
		return err
	}
	a.listed = !deletes
	after := a.entries(a.listed)
	if a.pending == nil {
		if slices.Equal(before, after) {
			return nil
		}
		a.pending = newPending(before)
		replayed = true // or as good as: that an entity is listed is not read with it
	}
	if replayed {
		a.pending.add(slices.Concat(before, after))
	} else {
		a.pending.add(without(before, a.pending.now)) // those of pages that were read since
	}
	a.pending.change(before, after)
	a.unshown = true
	return nil
}

// unlike is how the stored entries of an entity differ from those that follow from
// its stored pages. Entries are stored before pages, so that an event may have put
// or removed some though its pages were never stored; when the event is skipped
// afterwards, no replay comes to them any more.
type unlike struct {
	stray   []string           // stored, and of no page
	missing map[string]PageRef // of a page, and not stored; that of the ids is of none
}

func (o *openShard) unlikeEntries(ctx context.Context, k *Kind, id string) (u unlike, err error) {
	has, err := o.hasPages(ctx, k, id)
	if err != nil {
		return u, err
	}
	ids := k.IDs()
	u.missing = make(map[string]PageRef)
	switch listed, err := o.hasEntry(ctx, ids, Entry{ID: id}); {
	case err != nil:
		return u, err
	case listed && !has:
		u.stray = append(u.stray, idIndex+"/") // unless its events make a page
	case has && !listed:
		u.missing[idIndex+"/"] = PageRef{}
	}
	for _, i := range k.indexes {
		follow, err := o.entriesBy(ctx, i, id)
		if errors.Is(err, ErrCorrupt) {
			continue // what follows from it nobody knows
		}
		if err != nil {
			return u, err
		}
		for entry, err := range o.storedEntries(ctx, i, Entry{}) {
			if err != nil {
				return u, err
			}
			if entry.ID != id {
				continue
			}
			if _, follows := follow[entry.Key]; !follows {
				u.stray = append(u.stray, i.name+"/"+entry.Key)
			}
			delete(follow, entry.Key)
		}
		for key, of := range follow {
			u.missing[i.name+"/"+key] = of.page
		}
	}
	return u, nil
}

// hasEntry reports whether an entry is stored.
func (o *openShard) hasEntry(ctx context.Context, i *Index, e Entry) (bool, error) {
	for stored, err := range o.storedEntries(ctx, i, e) {
		return stored == e, err
	}
	return false, nil
}

// hasPages reports whether there is a stored page of an entity, perhaps one that
// can't be read.
func (o *openShard) hasPages(ctx context.Context, k *Kind, id string) (bool, error) {
	from := persistence.PageKey{Kind: k.name, ID: id}
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), from, true) {
		if page.Key.Kind == k.name && page.Key.ID == id {
			return true, nil
		}
		if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
			return false, err
		}
		break // another's
	}
	return false, nil
}

// mendEntries has the next write remove stored entries that do not follow from the
// pages in memory, and put those that are missing. Of a page in memory, that says
// what its entries are by now. The entity stays dirty until it is written: behind
// the skip nobody would look again.
func (a *entityActor) mendEntries(u unlike) {
	if len(u.stray)+len(u.missing) == 0 {
		return // most loads: the kind's code is not asked
	}
	now := a.entries(a.listed)
	stray := without(u.stray, now)
	var missing []string
	for entry, ref := range u.missing {
		elsewhere := !a.whole && a.pages.find(ref) == nil
		if elsewhere || slices.Contains(now, entry) {
			missing = append(missing, entry)
		}
	}
	if len(stray)+len(missing) == 0 {
		return
	}
	if a.pending == nil {
		a.pending = newPending(now)
	}
	a.pending.add(stray)
	a.pending.change(nil, missing)
	a.pending.owed = true
}

// entries returns all entries of the entity, in order.
func (a *entityActor) entries(listed bool) []string {
	var all []string
	if listed {
		all = append(all, idIndex+"/")
	}
	for _, i := range a.kind.indexes {
		all = a.entriesOf(all, i)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// publish shows what is pending to those who list: only once it is in the log, as
// what an event does may come to nothing before, and not while events are
// replayed, whose end is what was acknowledged.
func (a *entityActor) publish() {
	a.unshown = false
	if p := a.pending; p != nil {
		a.e.table.overlay.set(a.e.id, changed{p.now, p.gone()})
	} else {
		a.e.table.overlay.drop(a.e.id)
	}
}

// entryWrite is entries on their way into the store.
type entryWrite struct {
	of        *pending
	now, gone []string
	stamp     persistence.Position
}

// storeEntries returns the pages that make the stored entries what they are now,
// whatever becomes of other writes that are under way.
func (a *entityActor) storeEntries(stamp persistence.Position) (*entryWrite, []persistence.Page) {
	p := a.pending
	if p == nil {
		return nil, nil
	}
	var pages []persistence.Page
	put := func(entries []string, gone bool) {
		for _, entry := range entries {
			pages = append(pages, persistence.Page{
				Key:      persistence.PageKey{Shard: a.open.log.Number(), Page: indexPrefix + a.kind.name + "/" + entry + "/" + a.e.id},
				Position: stamp, Version: 1, Deleted: gone,
			})
		}
	}
	gone := p.gone()
	put(gone, true)
	put(p.now, false)
	p.add(p.now)
	p.issued = stamp
	a.publish()
	return &entryWrite{p, p.now, gone, stamp}, pages
}

// storedEntries takes note of a write that succeeded. The newest decides, as
// those before have lower stamps, or the same and the same entries. Of entries that
// have become known since, with a page that was read, it says nothing.
func (a *entityActor) storedEntries(w *entryWrite) {
	if w == nil || w.of != a.pending || w.stamp < w.of.issued {
		return
	}
	w.of.maybe = without(w.of.maybe, w.gone)
	if slices.Equal(w.now, w.of.now) && len(w.of.gone()) == 0 {
		a.pending = nil
	}
	a.publish()
}
