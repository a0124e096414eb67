package journal

import (
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/mesonet/mesonet/persistence"
)

// Tail is the end of a shard's log, sorted by entity: the events that its
// pages may not hold yet. It is not safe for concurrent use.
type Tail struct {
	shard      persistence.Shard
	begin, end persistence.Position
	spans      []span
	events     int
	kinds      map[string]map[string][]persistence.Record
}

func newTail(shard persistence.Shard, begin persistence.Position) *Tail {
	return &Tail{shard: shard, begin: begin, end: begin, kinds: make(map[string]map[string][]persistence.Record)}
}

func (t *Tail) add(f persistence.Frame, records []persistence.Record) {
	t.events += len(records)
	t.spans = append(t.spans, span{f.Position, len(f.Data)})
	for _, r := range records {
		ids := t.kinds[r.Type.Kind]
		if ids == nil {
			ids = make(map[string][]persistence.Record)
			t.kinds[r.Type.Kind] = ids
		}
		ids[r.ID] = append(ids[r.ID], r)
	}
}

// Begin and End are the positions that the tail goes from and to.
func (t *Tail) Begin() persistence.Position { return t.begin }

// End is the seal of the epoch that the tail ends in.
func (t *Tail) End() persistence.Position { return t.end }

// Events returns how many events the tail had when it was read.
func (t *Tail) Events() int { return t.events }

// Kinds yields the kinds of the entities that still have events in the tail.
func (t *Tail) Kinds() iter.Seq[string] { return maps.Keys(t.kinds) }

// IDs yields the ids of the entities of a kind that still have events in the
// tail, in no order.
func (t *Tail) IDs(kind string) iter.Seq[string] { return maps.Keys(t.kinds[kind]) }

// First returns the position of the oldest event that was not taken; false when
// all were.
func (t *Tail) First() (persistence.Position, bool) {
	var first persistence.Position
	found := false
	for _, ids := range t.kinds {
		for _, records := range ids {
			if !found || records[0].Position < first {
				first, found = records[0].Position, true
			}
		}
	}
	return first, found
}

// Peek returns the events of an entity without removing them.
func (t *Tail) Peek(kind, id string) []persistence.Record { return t.kinds[kind][id] }

// Take removes and returns the events of an entity, in order.
func (t *Tail) Take(kind, id string) []persistence.Record {
	records := t.kinds[kind][id]
	delete(t.kinds[kind], id)
	return records
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
		return nil, fmt.Errorf("%w: epoch %d of shard %d is over", ErrShardLost, s.epoch, s.shard)
	}
	for {
		checkpoint, err := s.j.checkpoint(ctx, s.shard)
		if err != nil {
			return nil, err
		}
		var records []persistence.Record
		_, err = s.j.replay(ctx, row, checkpoint, func(_ persistence.Frame, all []persistence.Record) {
			for _, r := range all {
				if r.Type.Kind == kind && r.ID == id && r.Position < upTo {
					records = append(records, r)
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
