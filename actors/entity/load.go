package entity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
)

// loaded is what was read for an entity that asked for it.
type loaded struct {
	incarnation uint32
	tail        []persistence.Record // of an entity that starts over after a crash
	pages       []*page
	err         error
}

// loads is how many entities of a host may be read for at once.
const loads = 64

// load reads pages of an entity on a goroutine of its own and tells the actor.
// With reload, the entity's events are read back from the log first, once all
// of them are acknowledged, and the pages that they touch are read too.
func (a *entityActor) load(c *actors.Context, refs []PageRef, reload bool) {
	a.loading = true
	l := &loader{
		open: a.open, kind: a.kind, e: a.e, self: c.Self(), upTo: a.e.last,
		refs: slices.Clone(refs), answer: loaded{incarnation: a.incarnation},
	}
	ctx := a.open.ctx // not the actor's: a context an entity would be a fifth of its memory
	host := a.open.host.host
	host.wg.Go(func() {
		select {
		case host.loading <- struct{}{}:
			defer func() { <-host.loading }()
			if reload {
				l.answer.err = l.readTail(ctx)
			}
			if l.answer.err == nil {
				l.answer.err = l.readPages(ctx)
			}
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
	refs   []PageRef
	answer loaded
}

// readTail reads the entity's events back from the log.
func (l *loader) readTail(ctx context.Context) error {
	w := &gateWait{c: make(chan error, 1)}
	l.open.log.Wait(l.upTo, w)
	if err := <-w.c; err != nil {
		return err
	}
	var err error
	if l.answer.tail, err = l.open.log.ReadEntity(ctx, l.kind.name, l.e.id, l.upTo); err != nil {
		return err
	}
	l.refs = l.kind.touchedBy(l.refs, l.answer.tail)
	return nil
}

// touchedBy adds to refs the pages that stored events touch; those of an event
// that can't be read are left out, as replaying finds it again.
func (k *Kind) touchedBy(refs []PageRef, records []persistence.Record) []PageRef {
	var names []string
	var some []PageRef
	for _, r := range records {
		event, err := k.decode(r)
		if err != nil {
			return refs
		}
		some, names = touched(some[:0], names, k, event)
		for _, ref := range some {
			if !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// readPages reads the pages; one that was never stored is known to be so.
func (l *loader) readPages(ctx context.Context) error {
	for _, ref := range l.refs {
		key := persistence.PageKey{Shard: l.open.log.Number(), Kind: l.kind.name, ID: l.e.id, Page: ref.String()}
		p, encoded := &page{ref: ref}, 0
		stored, err := l.open.host.host.cfg.Store.Pages().Read(ctx, key)
		switch {
		case errors.Is(err, persistence.ErrNotFound):
		case err != nil:
			return err
		case stored.Version > ref.set.version:
			return &CorruptError{ID: ID{l.kind.name, l.e.id}, Position: stored.Position, Cause: fmt.Errorf(
				"page %s has version %d, and this program knows version %d; use the version of the program that wrote it", ref, stored.Version, ref.set.version)}
		case stored.Position > l.open.log.Next():
			return &CorruptError{ID: ID{l.kind.name, l.e.id}, Position: stored.Position, Cause: fmt.Errorf(
				"page %s is ahead of its shard, which has come to %s", ref, l.open.log.Next())}
		default:
			p.position = stored.Position
			encoded = len(stored.Data)
			if p.state, err = ref.set.decode(stored.Version, stored.Data); err != nil {
				return &CorruptError{ID: ID{l.kind.name, l.e.id}, Position: stored.Position, Cause: fmt.Errorf("page %s: %w", ref, err)}
			}
		}
		p.measure(encoded)
		l.answer.pages = append(l.answer.pages, p)
	}
	return nil
}

// loaded takes what was read, evolves it with the tail, and goes on with the
// calls that waited.
func (a *entityActor) loaded(c *actors.Context, m loaded) {
	if m.incarnation != a.incarnation {
		return // for the one before
	}
	a.loading = false
	switch {
	case errors.Is(m.err, ErrCorrupt), errors.Is(m.err, persistence.ErrCorrupt):
		a.stop(m.err)
	case m.err != nil:
		// Let it crash: supervision tries again after a pause.
		a.refuseStash(m.err)
		panic(fmt.Errorf("what %s needs can't be read: %w", a.view.id, m.err)) //nolint:forbidigo // supervision takes it
	}
	for _, p := range m.pages {
		if a.pages.find(p.ref) == nil {
			p.used = a.host().memory.tick.Load()
			a.pages.put(p)
		}
	}
	tail := append(a.tail, m.tail...)
	a.tail = nil
	a.replay(tail)
	a.settle()
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

// missing appends to dst those of refs that are not in memory.
func (a *entityActor) missing(dst, refs []PageRef) []PageRef {
	for _, ref := range refs {
		if a.pages.find(ref) == nil {
			dst = append(dst, ref)
		}
	}
	return dst
}
