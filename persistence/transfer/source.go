package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// source is a shard of the source, and what has to be known of it before anything
// of it is written: where the events of each entity part into those that a start
// need not read and those that it has to, and which positions have to be found in
// the target.
//
// Most entities part at the checkpoint. Two kinds of them do not:
//
//   - A corrupt entity has events set aside in a page, which a start replays though
//     the checkpoint has passed them. In the target they are behind the checkpoint
//     again, and in no page. It parts at the first of them.
//   - An entity that a deletion behind the checkpoint ends parts at the deletion: a
//     start of the source leaves out the events before it, or not, by the marks of
//     the pages that are gone, and no store shows these to who scans. Below the
//     checkpoint nobody replays them, and the deletion makes an end of whatever
//     they were.
type source struct {
	*inspect.Shard

	shards uint32
	log    inspect.Log
	splits map[persistence.Owner]split
	kept   map[persistence.Owner][]persistence.Record
	skips  map[persistence.Position]persistence.Position // where what is skipped is in the target, 0 while it is nowhere
	needed map[persistence.Shard][]persistence.Position  // by shard of the target: of pages and entries
	kinds  map[string]bool                               // of entities with pages
	// entries and complete are indexes, as kind/index, with entries, and those
	// that the shard says are complete.
	entries, complete map[string]bool
}

// split is where the events of an entity part.
type split struct {
	at persistence.Position
	// deleted says that there is a deletion: entries of before count for
	// nothing.
	deleted bool
	// first and last of the events that are set aside, 0 when there are none.
	first, last persistence.Position
}

// read looks into a shard of the source, and judges it.
func (g *group) read(ctx context.Context, number persistence.Shard) (*source, error) {
	damaged := false
	tell := func(f inspect.Finding) {
		damaged = true
		g.found(f)
	}
	shard, ok, err := inspect.Open(ctx, g.from, number, tell)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: the row of shard %d can't be read", ErrDamaged, number)
	}
	s := &source{
		Shard: shard, shards: g.to.Info().Shards,
		splits: make(map[persistence.Owner]split), kept: make(map[persistence.Owner][]persistence.Record),
		skips: make(map[persistence.Position]persistence.Position), needed: make(map[persistence.Shard][]persistence.Position),
		kinds: make(map[string]bool), entries: make(map[string]bool), complete: make(map[string]bool),
	}
	// The pages that keep events come first: the log is read with them in mind.
	if err := s.readKept(ctx, g.from); err != nil {
		return nil, s.refuse(err)
	}
	if s.log, err = s.Log(ctx, s.planFrame); err != nil {
		return nil, s.refuse(err)
	}
	if _, err := s.Pages(ctx, s.log, s.planPage); err != nil {
		return nil, s.refuse(err)
	}
	if damaged {
		return nil, fmt.Errorf("%w, in shard %d; mend that first: see mesonet store verify", ErrDamaged, number)
	}
	for t, needed := range s.needed {
		slices.Sort(needed)
		s.needed[t] = slices.Compact(needed)
	}
	s.Shard = s.Quiet()
	return s, nil
}

// refuse makes damage that only a copy meets an error of its own kind.
func (s *source) refuse(err error) error {
	if errors.Is(err, persistence.ErrCorrupt) {
		return fmt.Errorf("%w, in shard %d: %w", ErrDamaged, s.Row.Shard, err)
	}
	return err
}

func (s *source) readKept(ctx context.Context, store persistence.Store) error {
	for page, err := range store.Pages().Scan(ctx, s.Row.Shard, persistence.PageKey{Page: keptPrefix}, false) {
		if !strings.HasPrefix(page.Key.Page, keptPrefix) || page.Key.Kind != "" {
			break // another's, or an error that the walk over all pages meets again
		}
		if err != nil {
			return err
		}
		owner, records, err := decodeKept(page)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			continue
		}
		s.kept[owner] = records
		sp := split{at: records[0].Position, first: records[0].Position, last: records[len(records)-1].Position}
		s.splits[owner] = sp
		for _, r := range records {
			if err := s.plan(owner, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan takes note of an event that a start replays.
func (s *source) plan(owner persistence.Owner, r persistence.Record) error {
	switch r.Type.Name {
	case deletionName:
		sp := s.split(owner)
		sp.at, sp.deleted = r.Position, true
		s.splits[owner] = sp
	case skipName:
		return s.planSkip(r)
	}
	return nil
}

func (s *source) planSkip(r persistence.Record) error {
	at, err := skipped(r)
	s.skips[at] = 0
	return err
}

func (s *source) planFrame(_ persistence.Frame, records []persistence.Record) error {
	for _, r := range records {
		owner := persistence.Owner{Kind: r.Type.Kind, ID: r.ID}
		if r.Position < s.Checkpoint {
			if last := s.splits[owner].last; last != 0 && r.Position > last {
				// It came back and its pages were stored, or the
				// checkpoint would not lie here. That it let go of what
				// was set aside is what could not be stored.
				delete(s.kept, owner)
				delete(s.splits, owner)
			}
			if r.Type.Name == skipName {
				if err := s.planSkip(r); err != nil {
					return err
				}
			}
			continue
		}
		if !s.isKept(owner, r.Position) {
			if err := s.plan(owner, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *source) planPage(page persistence.Page) error {
	key := page.Key
	owner := persistence.Owner{Kind: key.Kind, ID: key.ID}
	if key.Kind == "" {
		if index, ok := strings.CutPrefix(key.Page, indexedPrefix); ok {
			s.complete[index] = true
			return nil
		}
		if strings.HasPrefix(key.Page, keptPrefix) || strings.HasPrefix(key.Page, viewedPrefix) || key.Page == checkpoint {
			return nil // tables are not copied: a store has its own
		}
		entry, index, ok := entryOwner(key.Page)
		if !ok || !strings.HasPrefix(key.Page, indexPrefix) {
			return &persistence.CorruptError{Record: "page", Key: key.String(), Reason: "this program does not know what it is; use the version that wrote it"}
		}
		owner = entry
		s.entries[index] = true
	} else {
		s.kinds[key.Kind] = true
	}
	to := s.home(owner)
	s.needed[to] = append(s.needed[to], page.Position)
	return nil
}

// home is the shard of an entity in the target.
func (s *source) home(o persistence.Owner) persistence.Shard {
	return persistence.ShardOf(o.Kind, o.ID, s.shards)
}

func (s *source) split(o persistence.Owner) split {
	if sp, ok := s.splits[o]; ok {
		return sp
	}
	return split{at: s.Checkpoint}
}

// isKept reports whether an event of the log is among those that are set aside.
func (s *source) isKept(o persistence.Owner, at persistence.Position) bool {
	sp := s.splits[o]
	return sp.last != 0 && sp.first <= at && at <= sp.last
}

// state is what a later look at the shard has to find again.
func (s *source) state() state {
	return state{
		Shard: s.Row.Shard, Epoch: s.Row.Epoch, Owner: s.Row.Owner, Incarnation: s.Row.Incarnation,
		Low: s.Row.Low, Checkpoint: s.Checkpoint, End: s.log.To,
	}
}

// isComplete reports whether an index has all entities of the shard: it is said,
// or there are none, as actors/entity decides it when it opens a shard.
func (s *source) isComplete(index string) bool {
	kind, _, _ := strings.Cut(index, "/")
	return s.complete[index] || !s.kinds[kind] && !s.entries[index]
}
