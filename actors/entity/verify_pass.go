package entity

import (
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// verifyPass makes the pages of a part of a shard's entities anew.
type verifyPass struct {
	*verifyPlan
	shard       *inspect.Shard
	part, parts int
	low         persistence.Position
	subjects    map[ID]*subject
	refs        []PageRef // for a moment
	names       []string  // the same
}

// subject is an entity that is verified.
type subject struct {
	id     ID
	kind   *Kind
	stored []*storedRef
	made   pages // by the events below the positions of the stored ones
	// broken: an event can't be read or evolved, nor can those after it.
	broken bool
	told   []persistence.Position // of events that can't
	odd    bool                   // the program can't read a page of it
	// lost are pages with an event, the first, that the checkpoint lies above
	// and that is in no stored page.
	lost    map[PageRef]persistence.Position
	entries []string // stored, as index/key
	kept    []persistence.Record
	tail    []persistence.Record // from the checkpoint on
	skips   bool                 // an event of it is skipped
}

// storedRef is a stored page of a subject.
type storedRef struct {
	ref      PageRef
	position persistence.Position
	version  uint32
	not      string // why it can't be compared, "" when it can
}

func (p *verifyPass) run(ctx context.Context, log inspect.Log) error {
	if _, err := p.shard.Pages(ctx, log, p.page); err != nil {
		return err
	}
	if _, err := p.shard.Log(ctx, p.frame); err != nil {
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(p.subjects), ID.compare) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := p.finish(ctx, p.subjects[id]); err != nil {
			return err
		}
	}
	return nil
}

func (id ID) compare(o ID) int { return cmp.Or(cmp.Compare(id.Kind, o.Kind), cmp.Compare(id.ID, o.ID)) }

// subject returns the entity, nil when it is not in this part, or not of this
// shard or program, which was told.
func (p *verifyPass) subject(id ID) *subject {
	if s := p.subjects[id]; s != nil {
		return s
	}
	k := p.kinds[id.Kind]
	if k == nil || persistence.ShardOf(id.Kind, id.ID, p.store.Info().Shards) != p.number {
		return nil
	}
	if p.parts > 1 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(id.String())) // never fails
		if int(h.Sum32()%uint32(p.parts)) != p.part {
			return nil
		}
	}
	s := &subject{id: id, kind: k}
	p.subjects[id] = s
	return s
}

// page takes note of a page. What is wrong with it by itself was told.
func (p *verifyPass) page(stored persistence.Page) error {
	if stored.Key.Kind == "" {
		return p.own(stored)
	}
	s := p.subject(ID{stored.Key.Kind, stored.Key.ID})
	if s == nil {
		return nil
	}
	ref, ok := s.kind.pageNamed(stored.Key.Page)
	if !ok {
		s.odd = true
		p.leave(otherVersion, 1)
		return nil
	}
	st := &storedRef{ref: ref, position: stored.Position, version: stored.Version}
	switch {
	case stored.Version > ref.set.version:
		s.odd = true
		st.not = otherVersion
	case p.low != 0:
		st.not = historyDropped
	}
	s.stored = append(s.stored, st)
	return nil
}

// own takes note of a page of the shard itself.
func (p *verifyPass) own(stored persistence.Page) error {
	if name, ok := strings.CutPrefix(stored.Key.Page, keptPrefix); ok {
		kind, id, _ := strings.Cut(name, "/")
		if s := p.subject(ID{kind, id}); s != nil {
			var err error
			if s.kept, err = decodeKept(s.id, stored); err != nil {
				p.found(inspect.BadPage, s.id, stored.Key.Page, inspect.Restore, "%v", err)
			}
			for at := range s.kind.skips(s.kept) {
				p.skipped[at] = true
			}
		}
	}
	if name, ok := strings.CutPrefix(stored.Key.Page, indexPrefix); ok {
		if part := strings.SplitN(name, "/", 4); len(part) == 4 {
			if s := p.subject(ID{part[0], part[3]}); s != nil {
				s.entries = append(s.entries, part[1]+"/"+part[2])
			}
		}
	}
	return nil
}

// frame evolves the pages with the events of a frame.
func (p *verifyPass) frame(_ persistence.Frame, records []persistence.Record) error {
	p.read(len(records))
	for _, r := range records {
		if s := p.subject(ID{r.Type.Kind, r.ID}); s != nil {
			p.event(s, r)
		}
	}
	return nil
}

// event evolves the stored pages of an entity that reflect an event, and looks
// for those that should.
func (p *verifyPass) event(s *subject, r persistence.Record) {
	if r.Position >= p.checkpoint {
		s.tail = append(s.tail, r)
	}
	switch {
	case p.skipped[r.Position]:
		s.skips = true
		return
	case isDeletion(&r):
		p.deleted(s, r.Position)
		return
	case isSkip(&r) || s.broken:
		return
	case r.Position >= p.checkpoint && !s.reflects(r.Position):
		return // bringing the entity back will tell
	}
	err := guard("evolving with "+r.Type.Name, func() error {
		event, err := s.kind.decode(r)
		if err != nil {
			return err
		}
		p.refs, p.names = touched(p.refs[:0], p.names, s.kind, event)
		return s.made.evolve(event, r.Position, p.due(s, r.Position, p.refs))
	})
	if err == nil {
		return
	}
	p.unusable(s, r, err)
	s.broken = true
	for _, st := range s.stored {
		if r.Position < st.position && st.not == "" {
			st.not = unreadable
		}
	}
}

// due returns those of the pages that an event touches that have it, and can be
// made. Of those that don't have it and should, it takes note.
func (p *verifyPass) due(s *subject, at persistence.Position, touched []PageRef) []PageRef {
	due := touched[:0]
	for _, ref := range touched {
		switch st := s.find(ref); {
		case st != nil && at < st.position:
			if st.not == "" {
				due = append(due, ref)
			}
		case at < p.checkpoint && !s.keeps(at):
			s.lose(ref, at)
		}
	}
	return due
}

// deleted ends the entity: what its pages were before does not matter any more to
// those that reflect it, and those that don't should be gone.
func (p *verifyPass) deleted(s *subject, at persistence.Position) {
	clear(s.lost)
	s.broken = false
	var refs []PageRef
	for _, st := range s.stored {
		switch {
		case at < st.position:
			if st.not != otherVersion {
				st.not = ""
			}
			refs = append(refs, st.ref)
		case at < p.checkpoint && !s.keeps(at):
			s.lose(st.ref, at)
		}
	}
	_ = s.made.evolve(deletion{}, at, refs) // makes no page that could fail
	if len(s.stored)+len(s.entries)+len(s.kept)+len(s.tail) == 0 {
		delete(p.subjects, s.id) // all there is of it is history
	}
}

// unusable tells of an event that can't be read, or that the kind can't take.
func (p *verifyPass) unusable(s *subject, r persistence.Record, err error) {
	s.told = append(s.told, r.Position)
	advice := "use the version of the program that wrote it; no start reads it any more, but pages can't be made anew without it"
	if r.Position >= p.checkpoint || s.keeps(r.Position) {
		advice = "use the version of the program that wrote it, or leave the event out for ever: mesonet entity skip " + s.id.String() + " " + r.Position.String()
	}
	p.found(inspect.BadEvent, s.id, "at "+r.Position.String(), advice, "%v", err)
}

// find returns a page of the entity if it is stored.
func (s *subject) find(ref PageRef) *storedRef {
	for _, st := range s.stored {
		if st.ref == ref {
			return st
		}
	}
	return nil
}

// reflects reports whether a stored page has the events at a position.
func (s *subject) reflects(at persistence.Position) bool {
	for _, st := range s.stored {
		if at < st.position {
			return true
		}
	}
	return false
}

// keeps reports whether the event at a position is kept aside.
func (s *subject) keeps(at persistence.Position) bool {
	_, ok := slices.BinarySearchFunc(s.kept, at, func(r persistence.Record, at persistence.Position) int { return cmp.Compare(r.Position, at) })
	return ok
}

func (s *subject) lose(ref PageRef, at persistence.Position) {
	if s.lost == nil {
		s.lost = make(map[PageRef]persistence.Position)
	}
	if _, known := s.lost[ref]; !known {
		s.lost[ref] = at
	}
}
