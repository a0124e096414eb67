package entity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// loaded is what was read for an entity that asked for it.
type loaded struct {
	incarnation uint32
	end         persistence.Position // of the entity's events
	past        []past               // to be replayed on the pages
	pages       []*page
	listed      bool   // the store has a page of it
	whole       bool   // all of its pages were asked for
	unlike      unlike // entries that an event may have left that is skipped
	err         error
}

// loads is how many entities of a host may be read for at once.
const loads = 64

// load reads pages of an entity on a goroutine of its own and tells the actor:
// those named and, with whole, all that it has. With reload, the entity's events
// are read back from the log first, once all of them are acknowledged.
func (a *entityActor) load(refs []PageRef, whole, reload bool) {
	a.loading = true
	l := &loader{
		open: a.open, kind: a.kind, e: a.e, self: a.self, upTo: a.e.last, tail: a.tail, apart: a.apart,
		refs: slices.Clone(refs), whole: whole, answer: loaded{incarnation: a.incarnation},
	}
	ctx := a.open.ctx // not the actor's: a context an entity would be a fifth of its memory
	host := a.host()
	host.wg.Go(func() {
		select {
		case host.loading <- struct{}{}:
			l.answer.err = l.guarded(func() error { return l.read(ctx, reload) })
			<-host.loading
		case <-ctx.Done():
			l.answer.err = context.Cause(ctx)
		}
		_ = tell(l.self, l.answer) // an actor that has stopped has refused its calls
	})
}

type loader struct {
	open   *openShard
	kind   *Kind
	e      *entry
	self   *actors.Ref
	upTo   persistence.Position
	tail   []persistence.Record // will be replayed on the pages
	refs   []PageRef
	whole  bool
	apart  bool
	answer loaded
}

// guarded turns a panic of the kind's code, in a codec say, into damage of what
// it was given: another attempt would come to the same.
func (l *loader) guarded(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = l.corrupt(l.open.log.Acked(), fmt.Errorf("reading it panicked: %v", p))
		}
	}()
	return read()
}

func (l *loader) corrupt(at persistence.Position, cause error) error {
	return &CorruptError{ID: ID{l.kind.name, l.e.id}, Position: at, Cause: cause}
}

func (l *loader) read(ctx context.Context, reload bool) error {
	if reload {
		tail, err := l.open.readBack(ctx, l.kind.name, l.e.id, l.upTo)
		if err != nil {
			return err
		}
		l.tail = tail
	}
	past, at, err := l.kind.remember(l.tail, l.apart)
	if err == nil {
		l.refs, at, err = l.kind.touchedBy(l.refs, past)
	}
	if err != nil && !l.apart { // which one of those that were joined?
		if past, at, err = l.kind.remember(l.tail, true); err == nil {
			l.refs, at, err = l.kind.touchedBy(l.refs, past)
		}
	}
	if err != nil {
		return &CorruptError{ID: ID{l.kind.name, l.e.id}, Position: at, Event: true, Cause: err}
	}
	l.answer.past = past
	if n := len(l.tail); n > 0 {
		l.answer.end = l.tail[n-1].Position + 1
	}
	for i := range l.tail {
		l.whole = l.whole || isDeletion(&l.tail[i])
	}
	l.answer.whole = l.whole
	if l.whole {
		if err := l.findPages(ctx); err != nil {
			return err
		}
	}
	if err := l.readPages(ctx); err != nil {
		return err
	}
	if slices.ContainsFunc(l.tail, func(r persistence.Record) bool { return isSkip(&r) }) {
		l.answer.unlike, err = l.open.unlikeEntries(ctx, l.kind, l.e.id)
	}
	return err
}

// readBack reads an entity's events back: those that are kept for it, if it was
// corrupt, and those in the log from the checkpoint on.
func (o *openShard) readBack(ctx context.Context, kind, id string, upTo persistence.Position) ([]persistence.Record, error) {
	w := &gateWait{c: make(chan error, 1)}
	o.log.Wait(upTo, w)
	if err := <-w.c; err != nil {
		return nil, err
	}
	kept := o.keptOf(kind, id)
	records, err := o.log.ReadEntity(ctx, kind, id, upTo)
	if err != nil {
		return nil, err
	}
	return behindKept(kept, records), nil
}

// behindKept returns the events that are kept for an entity and those of the log
// behind them; the log may still have some that are kept, and none may come twice:
// joined, they would be evolved twice.
func behindKept(kept, records []persistence.Record) []persistence.Record {
	if len(kept) == 0 {
		return records
	}
	from, _ := slices.BinarySearchFunc(records, kept[len(kept)-1].Position+1, func(r persistence.Record, p persistence.Position) int {
		return cmp.Compare(r.Position, p)
	})
	return append(slices.Clone(kept), records[from:]...)
}

// findPages adds the pages that the store has of the entity.
func (l *loader) findPages(ctx context.Context) error {
	from := persistence.PageKey{Kind: l.kind.name, ID: l.e.id}
	for stored, err := range l.open.host.host.cfg.Store.Pages().Scan(ctx, l.open.log.Number(), from, true) {
		if err != nil {
			return err
		}
		if stored.Key.Kind != l.kind.name || stored.Key.ID != l.e.id {
			break
		}
		ref, ok := l.kind.pageNamed(stored.Key.Page)
		if !ok {
			return l.corrupt(stored.Position, fmt.Errorf("page %s is not one of kind %q; use the version of the program that wrote it", stored.Key.Page, l.kind.name))
		}
		if !slices.Contains(l.refs, ref) {
			l.refs = append(l.refs, ref)
		}
	}
	return nil
}

// pageNamed returns the page of a name, such as year/2008.
func (k *Kind) pageNamed(name string) (PageRef, bool) {
	prefix, rest, _ := strings.Cut(name, "/")
	for _, set := range k.sets {
		if set.prefix == prefix {
			return PageRef{set, rest}, true
		}
	}
	return PageRef{}, false
}

// readPages reads the pages; one that was never stored is known to be so.
func (l *loader) readPages(ctx context.Context) error {
	answers := l.readAll(ctx)
	for i, ref := range l.refs {
		p, encoded := &page{ref: ref}, 0
		stored, err := answers[i].page, answers[i].err
		switch {
		case err != nil && !errors.Is(err, persistence.ErrNotFound):
			return err
		case stored.Position > l.open.log.Next():
			return l.ahead(ctx, ref, stored.Position)
		case err != nil:
			p.position = stored.Position // of its deletion
		case stored.Version > ref.set.version:
			return l.corrupt(stored.Position, fmt.Errorf(
				"page %s has version %d, and this program knows version %d; use the version of the program that wrote it", ref, stored.Version, ref.set.version))
		default:
			p.position = stored.Position
			encoded = len(stored.Data)
			l.answer.listed = true
			if p.state, err = ref.set.decode(stored.Version, stored.Data); err != nil {
				return l.corrupt(stored.Position, fmt.Errorf("page %s: %w", ref, err))
			}
		}
		p.measure(encoded)
		p.fresh = weighAfter - 1 // its first event may double it
		l.answer.pages = append(l.answer.pages, p)
	}
	return nil
}

// pageRead is what the store says of a page.
type pageRead struct {
	page persistence.Page
	err  error
}

// pagesAtOnce is how many pages of an entity are read at once from a store that is
// a network away.
const pagesAtOnce = 8

// readAll reads the pages, several at once where each costs a round trip.
func (l *loader) readAll(ctx context.Context) []pageRead {
	store, answers := l.open.host.host.cfg.Store, make([]pageRead, len(l.refs))
	read := func(i int) {
		key := persistence.PageKey{Shard: l.open.log.Number(), Kind: l.kind.name, ID: l.e.id, Page: l.refs[i].String()}
		answers[i].page, answers[i].err = store.Pages().Read(ctx, key)
	}
	if store.Info().Local || len(answers) == 1 {
		for i := range answers {
			read(i)
		}
		return answers
	}
	var group errgroup.Group
	group.SetLimit(pagesAtOnce)
	for i := range answers {
		group.Go(func() error { read(i); return nil })
	}
	_ = group.Wait() // the errors are in the answers
	return answers
}

// ahead says what a page means that the shard has not come to: that this node has
// been replaced and does not know it, or damage.
func (l *loader) ahead(ctx context.Context, ref PageRef, at persistence.Position) error {
	log := l.open.log
	row, err := l.open.host.host.cfg.Store.Ownership().Shard(ctx, log.Number())
	switch {
	case err != nil:
		return err
	case row.Epoch > log.Epoch():
		// What other entities would answer may be as old as this page is new.
		log.GiveUp(fmt.Errorf("page %s of %s is of epoch %d", ref, l.e.id, at.Epoch()))
		return fmt.Errorf("%w: page %s is of epoch %d, and shard %d was open here in epoch %d",
			journal.ErrShardLost, ref, at.Epoch(), log.Number(), log.Epoch())
	}
	return l.corrupt(at, fmt.Errorf("page %s is ahead of its shard, which has come to %s", ref, log.Next()))
}

// loaded takes what was read, evolves it with the tail, and goes on with the
// calls that waited.
func (a *entityActor) loaded(c *actors.Context, m loaded) {
	if m.incarnation != a.incarnation {
		return // for the one before
	}
	a.loading = false
	a.tail = nil
	a.e.last = max(a.e.last, m.end)
	switch {
	case errors.Is(m.err, ErrCorrupt), errors.Is(m.err, persistence.ErrCorrupt):
		a.stop(m.err)
	case m.err != nil:
		// Let it crash: supervision tries again after a pause.
		a.refuseStash(m.err)
		panic(fmt.Errorf("what %s needs can't be read: %w", a.view.id, m.err)) //nolint:forbidigo // supervision takes it
	default:
		for _, p := range m.pages {
			if a.pages.find(p.ref) == nil {
				p.used = a.host().memory.tick.Load()
				a.pages.put(p)
			}
		}
		a.listed = a.listed || m.listed
		a.whole = a.whole || m.whole
		if a.replay(m.past); a.loading {
			return // to find the bad one
		}
		a.apart = false
		a.mendEntries(m.unlike)
		a.settle()
		a.publish()
	}
	a.open.risen(a.e)
	a.weigh()
	stash := a.stash
	a.stash = nil
	for i, msg := range stash {
		a.stash = stash[i+1:] // refused by Restarting, should this one crash
		a.guarded(c, msg)
		if a.loading { // this one is first in the stash again
			return
		}
	}
	a.stash = nil
}

// locate finds pages in memory, and notes that they are needed now. Those that
// are not there, and may be in the store, it appends to missing; nil is one that is
// known not to be anywhere. The entity has all of its events, as calls wait while it
// is loading.
func (a *entityActor) locate(found []*page, missing, refs []PageRef) ([]*page, []PageRef) {
	now := a.host().memory.tick.Load()
	for _, ref := range refs {
		p := a.pages.find(ref)
		switch {
		case p != nil:
			p.used = now
			found = append(found, p)
		case a.pages.absent(ref):
			found = append(found, nil)
		default:
			missing = append(missing, ref)
		}
	}
	return found, missing
}
