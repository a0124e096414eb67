package entity

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// finish compares what was made of an entity with what is stored, and brings it
// back as a start would.
func (p *verifyPass) finish(ctx context.Context, s *subject) error {
	for _, st := range s.stored {
		if err := p.compare(ctx, s, st); err != nil {
			return err
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(s.lost), func(a, b PageRef) int { return cmp.Compare(a.String(), b.String()) }) {
		if s.find(ref) == nil {
			p.found(inspect.PageLost, s.id, ref.String(), inspect.Restore,
				"it is not stored, and the checkpoint is at %s: no start reads its events from %s on again", p.checkpoint, s.lost[ref])
		}
	}
	if s.odd {
		p.leave(otherVersion, len(s.entries))
		return nil
	}
	return p.bringBack(ctx, s)
}

func (p *verifyPass) key(s *subject, ref PageRef) persistence.PageKey {
	return persistence.PageKey{Shard: p.number, Kind: s.kind.name, ID: s.id.ID, Page: ref.String()}
}

// compare holds a stored page against the one that history makes.
func (p *verifyPass) compare(ctx context.Context, s *subject, st *storedRef) error {
	if at, ok := s.lost[st.ref]; ok {
		p.found(inspect.PageLost, s.id, st.ref.String(), inspect.Restore,
			"it has come to %s, and the checkpoint is at %s: no start reads its events from %s on again", st.position, p.checkpoint, at)
	}
	if st.not != "" {
		p.leave(st.not, 1)
		return nil
	}
	stored, err := p.store.Pages().Read(ctx, p.key(s, st.ref))
	if err != nil {
		return err
	}
	made := s.made.find(st.ref)
	if made == nil || made.state == nil {
		p.done.Compared++
		p.found(inspect.PageDiffers, s.id, st.ref.String(), inspect.Restore, "it has come to %s, and no event below that makes it%s", st.position, s.butSkips())
		return nil
	}
	var want []byte
	if err := guard("encoding it", func() error { want = st.ref.set.append(nil, made.state); return nil }); err != nil {
		p.found(inspect.PageDiffers, s.id, st.ref.String(), inspect.Restore, "%v", err)
		return nil
	}
	again, readable := st.convert(stored.Data)
	switch {
	case !readable:
		p.leave(otherVersion, 1) // that was told when pages were looked at
		return nil
	case st.version < st.ref.set.version && !bytes.Equal(again, want):
		p.leave(earlierVersion, 1) // evolving may have meant something else
		return nil
	case st.version < st.ref.set.version:
		stored.Data = again
	}
	p.done.Compared++
	if !bytes.Equal(stored.Data, want) {
		p.found(inspect.PageDiffers, s.id, st.ref.String(), inspect.Restore,
			"at %s it has %d bytes, and its events make %d; the first that differs is number %d%s",
			st.position, len(stored.Data), len(want), common(stored.Data, want), s.butSkips())
	}
	return nil
}

// convert returns a page as this version of the program writes it.
func (st *storedRef) convert(stored []byte) (again []byte, ok bool) {
	err := guard("reading it", func() error {
		state, err := st.ref.set.decode(st.version, stored)
		if err == nil {
			again = st.ref.set.append(nil, state)
		}
		return err
	})
	return again, err == nil
}

// butSkips adds what may explain a difference.
func (s *subject) butSkips() string {
	if s.skips {
		return " (an event of the entity was skipped; a page that had it already keeps it)"
	}
	return ""
}

// common returns how many bytes at the beginning are the same.
func common(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// bringBack does what a start does for an entity: its pages are evolved with the
// events that are kept for it and those from the checkpoint on. What can't be read
// or evolved is told, and the entries that follow on the way are held against the
// stored ones.
func (p *verifyPass) bringBack(ctx context.Context, s *subject) error {
	records := s.replayed()
	some, ok, err := p.load(ctx, s, records)
	if err != nil {
		return err
	}
	if !ok {
		p.leave(otherVersion, len(s.entries))
		return nil
	}
	// Entries are stored before their pages, perhaps a part of them: they may
	// be those of any moment since.
	e := newEntriesSeen(s, some)
	skipped := s.kind.skips(records)
	for _, r := range records {
		if skipped[r.Position] || isSkip(&r) {
			e.skips = true
			continue
		}
		if err := p.redo(s, &some, r, e); err != nil {
			if !slices.Contains(s.told, r.Position) {
				p.unusable(s, r, err)
			}
			p.leave(unreadable, len(s.entries))
			return nil
		}
	}
	p.compareEntries(s, e)
	return nil
}

// replayed returns the events that a start replays: those that are kept, and of
// the tail those after them.
func (s *subject) replayed() []persistence.Record {
	if len(s.kept) == 0 {
		return s.tail
	}
	last := s.kept[len(s.kept)-1].Position
	from := slices.IndexFunc(s.tail, func(r persistence.Record) bool { return r.Position > last })
	if from < 0 {
		from = len(s.tail)
	}
	return append(slices.Clip(s.kept), s.tail[from:]...)
}

// load reads the pages that indexes are over and those that events touch; not ok
// when one can't be decoded, which was told when pages were looked at.
func (p *verifyPass) load(ctx context.Context, s *subject, records []persistence.Record) (_ pages, ok bool, err error) {
	var refs []PageRef
	_ = guard("finding pages", func() error { // what is wrong is found again when they are replayed
		all, _, err := s.kind.remember(records, false)
		if err == nil {
			refs, _, err = s.kind.touchedBy(nil, all)
		}
		return err
	})
	for _, st := range s.stored {
		indexed := slices.ContainsFunc(s.kind.indexes, func(i *Index) bool { return i.set == st.ref.set })
		if indexed && !slices.Contains(refs, st.ref) {
			refs = append(refs, st.ref)
		}
	}
	var loaded pages
	for _, ref := range refs {
		made := &page{ref: ref}
		stored, err := p.store.Pages().Read(ctx, p.key(s, ref))
		switch {
		case errors.Is(err, persistence.ErrNotFound):
			made.position = stored.Position // of its deletion
		case err != nil:
			return nil, false, err
		default:
			made.position = stored.Position
			if err := guard("decoding it", func() (err error) {
				made.state, err = ref.set.decode(stored.Version, stored.Data)
				return err
			}); err != nil {
				return nil, false, nil //nolint:nilerr // the damage was told, it is not what keeps the walk from going on
			}
		}
		loaded.put(made)
	}
	return loaded, true, nil
}

// redo evolves the pages with one event.
func (p *verifyPass) redo(s *subject, some *pages, r persistence.Record, e *entriesSeen) error {
	return guard("evolving with "+r.Type.Name, func() error {
		event, err := s.kind.decode(r)
		if err != nil {
			return err
		}
		refs := some.touchedBy(s.kind, event) // all of them for a deletion
		if err := some.evolve(event, r.Position, refs); err != nil {
			return err
		}
		e.see(event, *some)
		return nil
	})
}
