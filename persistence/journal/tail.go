package journal

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// Tail is the end of a shard's log, sorted by entity: the events that its
// pages may not hold yet. It is not safe for concurrent use.
type Tail struct {
	shard      persistence.Shard
	begin, end persistence.Position
	spans      []span
	events     int
	frames     []tailFrame
	kinds      map[string]map[string]*tailEntity
	order      []*tailEntity // by their first events; those in front that were taken are cut off
}

// tailFrame is a frame, let go of with the last of its events.
type tailFrame struct {
	events *persistence.Events
	left   int
}

// tailEntity is an entity with events in the tail.
type tailEntity struct {
	owner persistence.Owner
	first persistence.Position
	at    []eventPlace // none when they were taken
	bytes int
}

// eventPlace is where an event is: with a million in a tail, records of them all
// would be most of the work of the garbage collector.
type eventPlace struct{ frame, event uint32 }

func newTail(shard persistence.Shard, begin persistence.Position) *Tail {
	return &Tail{shard: shard, begin: begin, end: begin, kinds: make(map[string]map[string]*tailEntity)}
}

func (t *Tail) add(f persistence.Frame, events *persistence.Events) {
	n := events.Len()
	t.events += n
	t.spans = append(t.spans, span{f.Position, len(f.Data)})
	t.frames = append(t.frames, tailFrame{events, n})
	owners := make([]*tailEntity, len(events.Owners()))
	for i := range n {
		owner := events.Owner(i)
		e := owners[owner]
		if e == nil {
			e = t.entity(events.Owners()[owner], events.Position(i))
			owners[owner] = e
		}
		e.at = append(e.at, eventPlace{uint32(len(t.frames) - 1), uint32(i)})
		e.bytes += events.Size(i)
	}
}

// entity returns the entity, which is new to the tail with its first event.
func (t *Tail) entity(owner persistence.Owner, first persistence.Position) *tailEntity {
	ids := t.kinds[owner.Kind]
	if ids == nil {
		ids = make(map[string]*tailEntity)
		t.kinds[owner.Kind] = ids
	}
	e := ids[owner.ID]
	if e == nil {
		e = &tailEntity{owner: owner, first: first}
		ids[owner.ID] = e
		t.order = append(t.order, e)
	}
	return e
}

// Begin and End are the positions that the tail goes from and to.
func (t *Tail) Begin() persistence.Position { return t.begin }

// End is the seal of the epoch that the tail ends in.
func (t *Tail) End() persistence.Position { return t.end }

// Events returns how many events the tail had when it was read.
func (t *Tail) Events() int { return t.events }

// Kinds yields the kinds of the entities that had events in the tail.
func (t *Tail) Kinds() iter.Seq[string] { return maps.Keys(t.kinds) }

// Entities yields the entities that still have events in the tail, with the
// position of their first, in the order of these.
func (t *Tail) Entities() iter.Seq2[persistence.Owner, persistence.Position] {
	return func(yield func(persistence.Owner, persistence.Position) bool) {
		for _, e := range t.order {
			if len(e.at) > 0 && !yield(e.owner, e.first) {
				return
			}
		}
	}
}

// First returns the position of the oldest event that was not taken; false when
// all were.
func (t *Tail) First() (persistence.Position, bool) {
	for _, first := range t.Entities() {
		return first, true
	}
	return 0, false
}

// FirstOf returns the position of the oldest event of an entity; false when it
// has none, or they were taken.
func (t *Tail) FirstOf(kind, id string) (persistence.Position, bool) {
	if e := t.kinds[kind][id]; e != nil {
		return e.first, true
	}
	return 0, false
}

// Size returns how many events of an entity there are, and the bytes of their
// payloads.
func (t *Tail) Size(kind, id string) (events, bytes int) {
	if e := t.kinds[kind][id]; e != nil {
		return len(e.at), e.bytes
	}
	return 0, 0
}

// Peek returns the events of an entity without removing them.
func (t *Tail) Peek(kind, id string) []persistence.Record {
	e := t.kinds[kind][id]
	if e == nil {
		return nil
	}
	records := make([]persistence.Record, len(e.at))
	for i, at := range e.at {
		records[i] = t.frames[at.frame].events.Record(int(at.event))
	}
	return records
}

// Take removes and returns the events of an entity, in order.
func (t *Tail) Take(kind, id string) []persistence.Record {
	records := t.Peek(kind, id)
	t.Drop(kind, id)
	return records
}

// Drop removes the events of an entity.
func (t *Tail) Drop(kind, id string) {
	e := t.kinds[kind][id]
	if e == nil {
		return
	}
	for _, at := range e.at {
		f := &t.frames[at.frame]
		if f.left--; f.left == 0 {
			f.events = nil
		}
	}
	e.at = nil
	delete(t.kinds[kind], id)
	for len(t.order) > 0 && len(t.order[0].at) == 0 {
		t.order = t.order[1:]
	}
}

// ReadEntity reads the events of one entity back from the log, all that the
// tail would have had and what was appended since, up to a position. It costs a
// walk over the shard's tail and is meant for an entity whose state was lost to
// a crash of its own. What lies below upTo must be acknowledged.
func (s *Shard) ReadEntity(ctx context.Context, kind, id string, upTo persistence.Position) ([]persistence.Record, error) {
	if acked := s.Acked(); upTo > acked {
		return nil, fmt.Errorf("journal: %s of shard %d is not acknowledged, %s is", upTo, s.shard, acked)
	}
	row, err := s.j.store.Ownership().Shard(ctx, s.shard)
	if err != nil {
		return nil, err
	}
	if row.Epoch != s.epoch {
		return nil, s.over()
	}
	owner := persistence.Owner{Kind: kind, ID: id}
	for {
		checkpoint, err := s.j.checkpoint(ctx, s.shard)
		if err != nil {
			return nil, err
		}
		if checkpoint.Epoch() > s.epoch {
			return nil, s.over()
		}
		var records []persistence.Record
		_, err = s.j.replay(ctx, row, checkpoint, func(_ persistence.Frame, events *persistence.Events) {
			// A frame without the entity is not looked at any further.
			if !slices.Contains(events.Owners(), owner) {
				return
			}
			for i := range events.Len() {
				if events.Position(i) < upTo && events.Owners()[events.Owner(i)] == owner {
					records = append(records, events.Record(i))
				}
			}
		})
		// What lies below a checkpoint that moved meanwhile may have been
		// deleted under the reader.
		again, againErr := s.j.checkpoint(ctx, s.shard)
		switch {
		case againErr != nil:
			return nil, againErr
		case again != checkpoint:
			continue
		}
		return records, err
	}
}
