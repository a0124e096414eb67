package pebble

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/mesonet/mesonet/persistence"
)

type pages Store

// Read returns a page.
func (p *pages) Read(ctx context.Context, key persistence.PageKey) (persistence.Page, error) {
	s := (*Store)(p)
	k, err := pageKey(key)
	if err != nil {
		return persistence.Page{}, err
	}
	cell, err := s.get(ctx, k)
	if err != nil {
		return persistence.Page{}, fmt.Errorf("page %s: %w", key, err)
	}
	page, err := persistence.DecodePage(key, cell)
	if err == nil && page.Deleted {
		return page, fmt.Errorf("page %s: %w", key, persistence.ErrNotFound)
	}
	return page, err
}

// Write stores the pages that are newer than what is there. A deleted page
// leaves its cell behind without data, to hold off older ones.
func (p *pages) Write(ctx context.Context, pages []persistence.Page) error {
	s := (*Store)(p)
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	b, number, err := p.apply(pages)
	if b == nil {
		return err
	}
	// The sync is shared with whoever writes at the same time. Who reads the
	// pages before it is done, and writes what rests on them, writes behind
	// them into the same log.
	return errors.Join(s.sync(b, number, err), b.Close())
}

// apply writes the pages that are newer than what is there, without waiting for
// the sync. The batch is nil when it came to nothing.
func (p *pages) apply(pages []persistence.Page) (b *pebble.Batch, number uint64, err error) {
	s := (*Store)(p)
	s.rmw.Lock()
	defer s.rmw.Unlock()
	b = s.db.NewIndexedBatch()
	for _, page := range pages {
		if err := s.putPage(b, page); err != nil {
			return nil, 0, errors.Join(err, b.Close())
		}
	}
	number, err = s.apply(b)
	return b, number, err
}

func (s *Store) putPage(b *pebble.Batch, page persistence.Page) error {
	key, err := pageKey(page.Key)
	if err != nil {
		return err
	}
	cell, closer, err := b.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return fmt.Errorf("page %s: %w", page.Key, s.unread(err))
	default:
		stored := persistence.PagePosition(cell)
		if err := closer.Close(); err != nil {
			return fmt.Errorf("page %s: %w", page.Key, s.unread(err))
		}
		if stored >= page.Position {
			return nil
		}
	}
	if page.Deleted {
		page.Data = nil
	}
	return b.Set(key, persistence.EncodePage(page), nil)
}

// Scan yields pages from an iterator over a snapshot.
func (p *pages) Scan(ctx context.Context, shard persistence.Shard, from persistence.PageKey, keysOnly bool) iter.Seq2[persistence.Page, error] {
	s := (*Store)(p)
	return func(yield func(persistence.Page, error) bool) {
		from.Shard = shard
		err := s.scan(ctx, scanKey(from), shardKey(prefixPage, shard+1), func(key, value []byte) (bool, error) {
			k, err := parsePageKey(shard, key)
			if err != nil {
				return false, err
			}
			page, err := persistence.DecodePage(k, append([]byte(nil), value...))
			if err != nil {
				return yield(persistence.Page{Key: k}, err), nil
			}
			if page.Deleted {
				return true, nil
			}
			if keysOnly {
				page.Data = nil
			}
			return yield(page, nil), nil
		})
		if err != nil {
			yield(persistence.Page{}, err)
		}
	}
}

// Kinds returns the kinds of the entities that have pages.
func (p *pages) Kinds(ctx context.Context, shard persistence.Shard) ([]string, error) {
	return persistence.ScanKinds(ctx, p, shard)
}

// get returns a copy of the record under key.
func (s *Store) get(ctx context.Context, key []byte) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		if err := s.unread(nil); err != nil {
			return nil, err
		}
		return nil, persistence.ErrNotFound
	}
	if err != nil {
		return nil, s.unread(err)
	}
	value = append([]byte(nil), value...)
	return value, s.unread(closer.Close())
}
