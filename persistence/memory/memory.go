// Package memory is a store in the memory of one process, for tests and for
// nodes that live in one process together. What it holds is gone with it.
//
// A [Store] is shared: several nodes may use the same one and take shards from
// each other, as they would on a cluster store. It keeps every promise of
// package persistence but durability beyond the process. All methods may be
// called from any goroutine.
package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// Store is a store in memory.
type Store struct {
	info persistence.Info

	mu     sync.Mutex
	closed bool
	frames map[persistence.Shard][]persistence.Frame // by position
	pages  map[persistence.Shard][]persistence.Page  // by key
	nodes  map[persistence.NodeID]persistence.NodeRow
	shards map[persistence.Shard]persistence.ShardRow
	level  persistence.Level

	own *register // of who made the store
}

var _ persistence.Store = (*Store)(nil)

// New returns an empty store of that many shards, a power of two.
func New(shards uint32) (*Store, error) {
	if err := persistence.ValidShards(shards); err != nil {
		return nil, err
	}
	s := &Store{
		info: persistence.Info{
			Format: 1, Shards: shards, Hash: persistence.HashName, Local: true,
		},
		frames: make(map[persistence.Shard][]persistence.Frame),
		pages:  make(map[persistence.Shard][]persistence.Page),
		nodes:  make(map[persistence.NodeID]persistence.NodeRow),
		shards: make(map[persistence.Shard]persistence.ShardRow),
		level:  persistence.KnownLevels().Most,
	}
	s.own = s.as(persistence.KnownLevels())
	_, _ = rand.Read(s.info.ID[:]) // never fails
	return s, nil
}

// Info describes the store.
func (s *Store) Info() persistence.Info { return s.info }

// Log holds the events.
func (s *Store) Log() persistence.Log { return (*log)(s) }

// Pages holds the states.
func (s *Store) Pages() persistence.Pages { return (*pages)(s) }

// Ownership says who may write.
func (s *Store) Ownership() persistence.Ownership { return (*ownership)(s) }

// Level says in which formats. It knows the levels of this release, see [Store.As].
func (s *Store) Level() persistence.LevelRegister { return s.own }

// Close makes every later call fail with ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// lock locks the store, unless it is closed or ctx is done.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return persistence.ErrClosed
	}
	return nil
}

type log Store

func (l *log) Append(ctx context.Context, f persistence.Frame, done func(error)) {
	done(l.append(ctx, f))
}

func (l *log) append(ctx context.Context, f persistence.Frame) error {
	s := (*Store)(l)
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	f.Data = slices.Clone(f.Data)
	at, found := find(s.frames[f.Shard], f.Position)
	if !found {
		s.frames[f.Shard] = slices.Insert(s.frames[f.Shard], at, f)
	}
	return nil
}

func (l *log) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	s := (*Store)(l)
	return func(yield func(persistence.Frame, error) bool) {
		if err := s.lock(ctx); err != nil {
			yield(persistence.Frame{}, err)
			return
		}
		frames := s.frames[shard]
		at, _ := find(frames, from)
		frames = slices.Clone(frames[at:])
		s.mu.Unlock()
		for _, f := range frames {
			f.Data = slices.Clone(f.Data)
			if f.Position.Epoch() != from.Epoch() || !yield(f, nil) {
				return
			}
		}
	}
}

func (l *log) Delete(ctx context.Context, shard persistence.Shard, below persistence.Position) error {
	s := (*Store)(l)
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.frames[shard] = slices.DeleteFunc(s.frames[shard], func(f persistence.Frame) bool { return f.End() <= below })
	return nil
}

func find(frames []persistence.Frame, p persistence.Position) (int, bool) {
	return slices.BinarySearchFunc(frames, p, func(f persistence.Frame, p persistence.Position) int {
		return cmp.Compare(f.Position, p)
	})
}

type pages Store

func (p *pages) Read(ctx context.Context, key persistence.PageKey) (persistence.Page, error) {
	s := (*Store)(p)
	if err := s.lock(ctx); err != nil {
		return persistence.Page{}, err
	}
	defer s.mu.Unlock()
	at, found := slices.BinarySearchFunc(s.pages[key.Shard], key, comparePage)
	if !found {
		return persistence.Page{}, fmt.Errorf("page %s: %w", key, persistence.ErrNotFound)
	}
	page := s.pages[key.Shard][at]
	page.Data = slices.Clone(page.Data)
	if page.Deleted {
		return page, fmt.Errorf("page %s: %w", key, persistence.ErrNotFound)
	}
	return page, nil
}

func (p *pages) Write(ctx context.Context, pages []persistence.Page) error {
	s := (*Store)(p)
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, page := range pages {
		page.Data = slices.Clone(page.Data)
		if page.Deleted {
			page.Data = nil
		}
		shard := page.Key.Shard
		at, found := slices.BinarySearchFunc(s.pages[shard], page.Key, comparePage)
		switch {
		case !found:
			s.pages[shard] = slices.Insert(s.pages[shard], at, page)
		case page.Position > s.pages[shard][at].Position:
			s.pages[shard][at] = page
		}
	}
	return nil
}

func (p *pages) Scan(ctx context.Context, shard persistence.Shard, from persistence.PageKey, keysOnly bool) iter.Seq2[persistence.Page, error] {
	s := (*Store)(p)
	return func(yield func(persistence.Page, error) bool) {
		if err := s.lock(ctx); err != nil {
			yield(persistence.Page{}, err)
			return
		}
		at, _ := slices.BinarySearchFunc(s.pages[shard], from, comparePage)
		pages := slices.Clone(s.pages[shard][at:])
		s.mu.Unlock()
		for _, page := range pages {
			if page.Deleted {
				continue
			}
			page.Data = slices.Clone(page.Data)
			if keysOnly {
				page.Data = nil
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

func (p *pages) Kinds(ctx context.Context, shard persistence.Shard) ([]string, error) {
	return persistence.ScanKinds(ctx, p, shard)
}

func comparePage(p persistence.Page, key persistence.PageKey) int {
	return cmp.Or(cmp.Compare(p.Key.Kind, key.Kind), cmp.Compare(p.Key.ID, key.ID), cmp.Compare(p.Key.Page, key.Page))
}

type ownership Store

func (o *ownership) Boot(ctx context.Context, node persistence.NodeID, address string) (persistence.Incarnation, error) {
	s := (*Store)(o)
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	row := s.nodes[node]
	row.ID, row.Address = node, address
	row.Incarnation++
	s.nodes[node] = row
	return row.Incarnation, nil
}

func (o *ownership) Check(ctx context.Context, node persistence.NodeID, inc persistence.Incarnation) error {
	row, err := o.Node(ctx, node)
	if err != nil {
		return err
	}
	if row.Incarnation != inc {
		return fmt.Errorf("node %q has incarnation %d, not %d: %w", node, row.Incarnation, inc, persistence.ErrFenced)
	}
	return nil
}

func (o *ownership) Node(ctx context.Context, node persistence.NodeID) (persistence.NodeRow, error) {
	s := (*Store)(o)
	if err := s.lock(ctx); err != nil {
		return persistence.NodeRow{}, err
	}
	defer s.mu.Unlock()
	row, ok := s.nodes[node]
	if !ok {
		return row, fmt.Errorf("node %q: %w", node, persistence.ErrNotFound)
	}
	return row, nil
}

func (o *ownership) Fence(ctx context.Context, node persistence.NodeID, seen persistence.Incarnation) (persistence.Incarnation, error) {
	s := (*Store)(o)
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	row, ok := s.nodes[node]
	if !ok {
		return 0, fmt.Errorf("node %q: %w", node, persistence.ErrNotFound)
	}
	if row.Incarnation != seen {
		return row.Incarnation, fmt.Errorf("node %q has incarnation %d, not %d: %w", node, row.Incarnation, seen, persistence.ErrLost)
	}
	row.Incarnation++
	s.nodes[node] = row
	return row.Incarnation, nil
}

func (o *ownership) Shard(ctx context.Context, shard persistence.Shard) (persistence.ShardRow, error) {
	s := (*Store)(o)
	if err := s.lock(ctx); err != nil {
		return persistence.ShardRow{}, err
	}
	defer s.mu.Unlock()
	return o.row(shard), nil
}

func (o *ownership) row(shard persistence.Shard) persistence.ShardRow {
	row := o.shards[shard]
	row.Shard = shard
	row.Seals = slices.Clone(row.Seals)
	return row
}

func (o *ownership) Claim(ctx context.Context, c persistence.Claim) (persistence.ShardRow, error) {
	s := (*Store)(o)
	if err := s.lock(ctx); err != nil {
		return persistence.ShardRow{}, err
	}
	defer s.mu.Unlock()
	next, err := c.Apply(o.row(c.Shard))
	if err != nil {
		return next, err
	}
	s.shards[c.Shard] = next
	return o.row(c.Shard), nil
}

func (o *ownership) RaiseLow(ctx context.Context, seen persistence.ShardRow, low persistence.Position) (persistence.ShardRow, error) {
	s := (*Store)(o)
	if err := s.lock(ctx); err != nil {
		return persistence.ShardRow{}, err
	}
	defer s.mu.Unlock()
	row, err := seen.Raise(o.row(seen.Shard), low)
	if err != nil {
		return row, err
	}
	s.shards[seen.Shard] = row
	return o.row(seen.Shard), nil
}
