package entity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
)

// A kind may declare an index that it did not have before, and a store may have
// been served meanwhile by a program that does not have it. So each shard says
// which indexes are complete in it, in pages named indexed/kind/index, without
// data. One that a kind has and the shard does not say so of is built from the
// stored pages, in the background; who looks something up in it waits for that.
// A page that says so of an index that the program does not have goes before the
// shard is served: from then on nobody keeps the index.
//
// While an index is built, entities change and store their entries as ever. What
// the building puts has the last position before the epoch or, if that is later, the
// one of the page that it follows from: it never covers what the entity itself has
// stored since, and an entity that changes later removes it as if it had put it. It
// lies above whatever was stored in an epoch before, as an event that was skipped
// may have removed an entry and left its page as it was. So nothing has to wait, and
// an end in the middle leaves nothing but work: what says that the index is complete
// is written last.
//
// The name of an index stands for what its entries are: one that is to have others
// gets another name, and is built.
//
// What was weighed instead: building while the shard is opened, which is simpler
// and keeps everybody waiting. And another format of the folder, which would have
// whoever has data load it anew, at each index that is added.

const recordPrefix = "indexed/"

// record is the page that says that an index is complete in a shard.
func (i *Index) record(shard persistence.Shard) persistence.PageKey {
	return persistence.PageKey{Shard: shard, Page: recordPrefix + i.kind.name + "/" + i.name}
}

// building is an index of a shard that is not complete yet, or was not.
type building struct {
	index *Index
	done  chan struct{} // closed when it is
}

// openIndexes finds out which indexes have to be built. kinds are those that the
// store has entities of in the shard.
func (o *openShard) openIndexes(ctx context.Context, kinds []string, recorded map[persistence.PageKey]bool) error {
	for _, k := range o.host.host.cfg.Kinds {
		for _, i := range k.indexes {
			record := i.record(o.log.Number())
			if recorded[record] {
				delete(recorded, record)
				continue
			}
			empty := !slices.Contains(kinds, k.name)
			for _, err := range o.storedEntries(ctx, i, Entry{}) {
				if err != nil {
					return err
				}
				empty = false
				break
			}
			if empty { // it is complete, which is said with the first pages
				o.unrecorded = append(o.unrecorded, o.recordOf(record))
				continue
			}
			o.builds = append(o.builds, &building{index: i, done: make(chan struct{})})
		}
	}
	var gone []persistence.Page
	for record := range recorded {
		gone = append(gone, persistence.Page{Key: record, Position: o.beforeBegin(), Version: 1, Deleted: true})
	}
	if len(gone) == 0 {
		return nil
	}
	return o.host.host.cfg.Store.Pages().Write(ctx, gone)
}

func (o *openShard) recordedIndexes(ctx context.Context) (map[persistence.PageKey]bool, error) {
	recorded := make(map[persistence.PageKey]bool)
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), persistence.PageKey{Page: recordPrefix}, true) {
		if err != nil {
			return nil, err
		}
		if page.Key.Kind != "" || !strings.HasPrefix(page.Key.Page, recordPrefix) {
			break
		}
		recorded[page.Key] = true
	}
	return recorded, nil
}

// begin is where the epoch of the shard begins: above the stamps of all pages that
// were stored before.
func (o *openShard) begin() persistence.Position { return persistence.At(o.log.Epoch(), 0) }

// beforeBegin is the last position before the epoch: above what was stored in any epoch
// before, and below all that entities store in this one.
func (o *openShard) beforeBegin() persistence.Position { return o.begin() - 1 }

func (o *openShard) recordOf(record persistence.PageKey) persistence.Page {
	return persistence.Page{Key: record, Position: o.begin(), Version: 1}
}

// takeRecords returns what says which indexes are complete and is not stored yet.
func (o *openShard) takeRecords() []persistence.Page {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unrecorded
}

// recordsStored takes note that they are.
func (o *openShard) recordsStored() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unrecorded = nil
}

// complete waits until an index is complete in the shard.
func (o *openShard) complete(ctx context.Context, i *Index) error {
	at := slices.IndexFunc(o.builds, func(b *building) bool { return b.index == i })
	if at < 0 {
		return nil
	}
	select {
	case <-o.builds[at].done:
		return nil
	case <-o.ctx.Done():
		return errors.New("it was lost while the index was built")
	case <-ctx.Done():
		return fmt.Errorf("the index %q of kind %q is being built: %w", i.name, i.kind.name, context.Cause(ctx))
	}
}

// buildIndexes builds those that are not complete, on a goroutine of its own, one
// shard of the host at a time.
func (o *openShard) buildIndexes() {
	if len(o.builds) == 0 {
		return
	}
	o.inTurn(func() {
		for _, b := range o.builds {
			o.buildUntilDone(b)
		}
	})
}

// inTurn does work in the background, on a goroutine of its own, for one shard of the
// host at a time.
func (o *openShard) inTurn(work func()) {
	h := o.host.host
	h.wg.Go(func() {
		select {
		case h.building <- struct{}{}:
			defer func() { <-h.building }()
		case <-o.ctx.Done():
			return
		}
		work()
	})
}

// tryUntilDone tries something as often as it takes, and says in the log when it has
// to be tried again; false when the shard is lost before it is done.
func (o *openShard) tryUntilDone(log *slog.Logger, failed string, try func() error) bool {
	h := o.host.host
	for pause := h.cfg.OpenBackoff; o.ctx.Err() == nil; pause = min(2*pause, h.cfg.OpenBackoffMax) {
		err := try()
		if err == nil {
			return true
		}
		if o.ctx.Err() != nil {
			break
		}
		log.Warn(failed, "error", err, "pause", pause)
		_ = clock.Sleep(o.ctx, clock.System(), pause)
	}
	return false
}

// buildUntilDone builds an index, as often as it takes.
func (o *openShard) buildUntilDone(b *building) {
	log := o.host.host.cfg.Logger.With("shard", o.log.Number(), "kind", b.index.kind.name, "index", b.index.name)
	var begin time.Time
	var n, left int
	if !o.tryUntilDone(log, "an index can't be built; trying again", func() (err error) {
		begin = time.Now()
		n, left, err = o.build(o.ctx, b.index)
		return err
	}) {
		return
	}
	if left > 0 {
		log.Warn("an index was built without the entities whose pages can't be read; the next start builds it again", "entities", n, "left_out", left)
	} else {
		log.Info("an index was built", "entities", n, "took", time.Since(begin))
	}
	close(b.done)
}

// buildChunk is how many entries, or entities, are looked at between two writes.
const buildChunk = 256

// build makes the stored entries of an index what they are by the stored pages,
// and says so. It returns how many entities it looked at, and how many of them
// were left out.
func (o *openShard) build(ctx context.Context, i *Index) (entities, left int, err error) {
	if err := o.removeStray(ctx, i); err != nil {
		return 0, 0, err
	}
	w := o.host.host.cfg.Store.Pages()
	for id, more := "", true; more; {
		var pages []persistence.Page
		for range buildChunk {
			if id, more, err = o.entityAfter(ctx, i.kind, id); err != nil {
				return entities, left, err
			}
			if !more {
				break
			}
			entities++
			entries, err := o.entriesBy(ctx, i, id)
			switch {
			case errors.Is(err, ErrCorrupt), errors.Is(err, persistence.ErrCorrupt):
				left++
			case err != nil:
				return entities, left, err
			}
			for key, of := range entries {
				pages = append(pages, persistence.Page{Key: i.entryKey(o.log.Number(), Entry{key, id}), Position: max(of.position, o.beforeBegin()), Version: 1})
			}
		}
		if len(pages) == 0 {
			continue
		}
		if err := w.Write(ctx, pages); err != nil {
			return entities, left, err
		}
	}
	if left > 0 {
		return entities, left, nil
	}
	return entities, 0, w.Write(ctx, []persistence.Page{o.recordOf(i.record(o.log.Number()))})
}

// removeStray removes the entries that do not follow from the stored pages: of
// entities that a program without the index has changed.
func (o *openShard) removeStray(ctx context.Context, i *Index) error {
	for from, more := (Entry{}), true; more; {
		var some []persistence.Page
		var err error
		if some, err = o.someEntries(ctx, i, from); err != nil {
			return err
		}
		more = len(some) == buildChunk
		var stray []persistence.Page
		for _, stored := range some {
			e := i.entryOf(stored.Key)
			from = Entry{e.Key, e.ID + "\x01"}
			if stored.Position >= o.begin() {
				continue // the entity itself has put it, perhaps before its page
			}
			entries, err := o.entriesBy(ctx, i, e.ID)
			switch {
			case errors.Is(err, ErrCorrupt), errors.Is(err, persistence.ErrCorrupt):
				continue // what it was is all that is known
			case err != nil:
				return err
			}
			if _, ok := entries[e.Key]; !ok {
				stray = append(stray, persistence.Page{Key: stored.Key, Position: o.beforeBegin(), Version: 1, Deleted: true})
			}
		}
		if len(stray) == 0 {
			continue
		}
		if err := o.host.host.cfg.Store.Pages().Write(ctx, stray); err != nil {
			return err
		}
	}
	return nil
}

// someEntries returns the pages of entries from one on.
func (o *openShard) someEntries(ctx context.Context, i *Index, from Entry) (some []persistence.Page, err error) {
	for page, err := range o.entryPages(ctx, i, from) {
		if err != nil {
			return nil, err
		}
		if some = append(some, page); len(some) == buildChunk {
			break
		}
	}
	return some, nil
}

// entityAfter returns the first entity of a kind after an id that has a page.
func (o *openShard) entityAfter(ctx context.Context, k *Kind, id string) (next string, ok bool, err error) {
	from := persistence.PageKey{Kind: k.name, ID: id + "\x01"} // ids are printable: nothing lies between
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), from, true) {
		known := err == nil || page.Key.Kind != "" && errors.Is(err, persistence.ErrCorrupt)
		switch {
		case !known:
			return "", false, err
		case page.Key.Kind == k.name:
			return page.Key.ID, true, nil // a page that can't be read is met again
		}
		return "", false, nil
	}
	return "", false, nil
}

// follows says which page an entry follows from, and the position of that.
type follows struct {
	page     PageRef
	position persistence.Position
}

// entriesBy returns the keys that follow from the stored pages of an entity.
func (o *openShard) entriesBy(ctx context.Context, i *Index, id string) (map[string]follows, error) {
	entries := make(map[string]follows)
	from := persistence.PageKey{Kind: i.kind.name, ID: id, Page: i.set.prefix}
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), from, false) {
		if page.Key.Kind != i.kind.name || page.Key.ID != id || !strings.HasPrefix(page.Key.Page, i.set.prefix) {
			if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
				return nil, err
			}
			break // another's
		}
		if err != nil {
			return nil, err
		}
		ref, ok := i.kind.pageNamed(page.Key.Page)
		if !ok || ref.set != i.set {
			continue
		}
		keys, err := i.entriesOfStored(page)
		if err != nil {
			return nil, &CorruptError{ID: ID{i.kind.name, id}, Position: page.Position, Cause: fmt.Errorf("page %s: %w", ref, err)}
		}
		for _, key := range keys {
			if page.Position >= entries[key].position {
				entries[key] = follows{ref, page.Position}
			}
		}
	}
	return entries, nil
}

// entriesOfStored returns the keys that follow from a stored page.
func (i *Index) entriesOfStored(stored persistence.Page) (keys []string, err error) {
	if stored.Version > i.set.version {
		return nil, fmt.Errorf("it has version %d, and this program knows version %d", stored.Version, i.set.version)
	}
	err = guard("indexing it", func() error {
		state, err := i.set.decode(stored.Version, stored.Data)
		if err != nil {
			return err
		}
		keys = i.entries(nil, state)
		for _, key := range keys {
			if !validKey(key) {
				return fmt.Errorf("key %q of index %s is not printable ASCII without a slash", key, i.name)
			}
		}
		return nil
	})
	return keys, err
}
