package cassandra

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// The pages of an entity are a partition, and so are those of a shard itself. A
// scan has to find the entities in their order; partitions have none. So the
// table entity lists them: the ids of a kind in one partition, and the kinds of a
// shard in the partition of the kind "". A row is written before the first page
// of an entity, and stays for ever, as pages do, also deleted ones.

// entitySet are entities that this process knows to be noted. It forgets the
// older half of them now and then; noting one again costs a small write.
type entitySet struct {
	mu         sync.Mutex
	young, old map[entityKey]struct{}
}

type entityKey struct {
	shard    persistence.Shard
	kind, id string
}

// maxNoted bounds each half of the set, some 10 MiB together.
const maxNoted = 1 << 16

func (e *entitySet) has(k entityKey) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.young[k]; ok {
		return true
	}
	_, ok := e.old[k]
	return ok
}

func (e *entitySet) add(keys []entityKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range keys {
		if e.young == nil || len(e.young) >= maxNoted {
			e.old, e.young = e.young, make(map[entityKey]struct{})
		}
		e.young[k] = struct{}{}
	}
}

// noteEntities writes the rows of the entities of pages that are not known to be
// there.
func (s *Store) noteEntities(ctx context.Context, pages []persistence.Page) error {
	var keys []entityKey
	var at []persistence.Position
	seen := make(map[entityKey]bool)
	add := func(k entityKey, p persistence.Position) {
		if !seen[k] && !s.noted.has(k) {
			seen[k] = true
			keys, at = append(keys, k), append(at, p)
		}
	}
	for _, p := range pages {
		if p.Key.Kind != "" {
			add(entityKey{p.Key.Shard, "", p.Key.Kind}, p.Position)
			add(entityKey{p.Key.Shard, p.Key.Kind, p.Key.ID}, p.Position)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	err := s.together(ctx, len(keys), func(ctx context.Context, i int) error {
		k := keys[i]
		return s.exec(ctx, &noteEntity, int32(k.shard), k.kind, k.id, int64(at[i]))
	})
	if err != nil {
		return fmt.Errorf("noting entities of shard %d: %w", keys[0].shard, err)
	}
	s.noted.add(keys)
	return nil
}

// Scan yields the shard's own pages and then those of its entities, kind by kind.
func (p *pages) Scan(ctx context.Context, shard persistence.Shard, from persistence.PageKey, keysOnly bool) iter.Seq2[persistence.Page, error] {
	s := (*Store)(p)
	return func(yield func(persistence.Page, error) bool) {
		from.Shard = shard
		w := walk{s, ctx, keysOnly, yield}
		if err := w.shard(from); err != nil && !errors.Is(err, errStop) {
			yield(persistence.Page{}, err)
		}
	}
}

// walk is a scan that is under way. Its methods return errStop when the reader
// wants no more.
type walk struct {
	s        *Store
	ctx      context.Context
	keysOnly bool
	yield    func(persistence.Page, error) bool
}

func (w *walk) shard(from persistence.PageKey) error {
	if from.Kind == "" && from.ID == "" {
		if err := w.entity(from, nil); err != nil {
			return err
		}
	}
	return w.names(entityKey{from.Shard, "", from.Kind}, func(kinds []string) error {
		for _, kind := range kinds {
			if kind == "" {
				continue // the shard itself
			}
			if err := w.kind(from, kind); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *walk) kind(from persistence.PageKey, kind string) error {
	begin := persistence.PageKey{Shard: from.Shard, Kind: kind}
	if kind == from.Kind {
		begin = from
	}
	return w.names(entityKey{from.Shard, kind, begin.ID}, func(ids []string) error {
		for len(ids) > 0 {
			n := min(len(ids), readAhead)
			if err := w.entities(begin, ids[:n]); err != nil {
				return err
			}
			ids = ids[n:]
		}
		return nil
	})
}

// names calls visit for the entities of a kind, or the kinds, from one on, some at
// a time: few at first, as most scans look for the next one only.
func (w *walk) names(from entityKey, visit func([]string) error) error {
	for limit := 1; ; limit = min(4*limit, 256) {
		names, err := w.s.listEntities(w.ctx, from, limit)
		if err != nil {
			return err
		}
		if err := visit(names); err != nil || len(names) < limit {
			return err
		}
		from.id = names[len(names)-1] + "\x00" // the next string in the order of bytes
	}
}

// Kinds returns the kinds of which entities were noted.
func (p *pages) Kinds(ctx context.Context, shard persistence.Shard) (kinds []string, err error) {
	s := (*Store)(p)
	const most = 256
	for from := (entityKey{shard, "", "\x01"}); ; from.id = kinds[len(kinds)-1] + "\x00" { // after the shard itself
		some, err := s.listEntities(ctx, from, most)
		if err != nil {
			return nil, err
		}
		if kinds = append(kinds, some...); len(some) < most {
			return kinds, nil
		}
	}
}

func (s *Store) listEntities(ctx context.Context, from entityKey, limit int) (names []string, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	err = s.rows(ctx, &listEntities, func(scan func(...any) bool) bool {
		var name string
		if !scan(&name) {
			return false
		}
		names = append(names, name)
		return true
	}, int32(from.shard), from.kind, from.id, limit)
	if err != nil {
		return nil, fmt.Errorf("entities of shard %d: %w", from.shard, err)
	}
	return names, nil
}

// readAhead is of how many entities the first pages are read at once.
const readAhead = 8

// firstPages are the first rows of an entity's pages.
type firstPages struct {
	rows    []storedPage
	largest int
	err     error
}

// entities yields the pages of entities of begin's kind.
func (w *walk) entities(begin persistence.PageKey, ids []string) error {
	keys := make([]persistence.PageKey, len(ids))
	first := make([]firstPages, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		keys[i] = persistence.PageKey{Shard: begin.Shard, Kind: begin.Kind, ID: id}
		if id == begin.ID {
			keys[i].Page = begin.Page
		}
		wg.Go(func() {
			first[i].rows, first[i].largest, first[i].err = w.s.readPages(w.ctx, keys[i], w.keysOnly, maxBatch)
		})
	}
	wg.Wait()
	for i := range ids {
		if err := w.entity(keys[i], &first[i]); err != nil {
			return err
		}
	}
	return nil
}

// entity yields the pages of one entity, or of the shard; first are the first of
// them if they were read ahead.
func (w *walk) entity(from persistence.PageKey, first *firstPages) error {
	for batch := maxBatch; ; {
		next := firstPages{}
		if first != nil {
			next, first = *first, nil
		} else {
			next.rows, next.largest, next.err = w.s.readPages(w.ctx, from, w.keysOnly, batch)
		}
		if next.err != nil {
			return next.err
		}
		for _, row := range next.rows {
			page, there, err := row.page(from, w.keysOnly)
			if there && !w.yield(page, err) {
				return errStop
			}
		}
		if len(next.rows) < batch {
			return nil
		}
		from.Page = next.rows[len(next.rows)-1].name + "\x00"
		batch = w.nextBatch(batch, next.largest)
	}
}

// nextBatch is that of the log; names are small, and there can be many.
func (w *walk) nextBatch(n, largest int) int {
	if w.keysOnly {
		return min(4*n, 4096)
	}
	return nextBatch(n, largest)
}
