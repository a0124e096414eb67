package persistencetest

import (
	"context"
	"fmt"
	"iter"

	"github.com/mesonet/mesonet/persistence"
)

// Spoiled is a store of which what is read was changed on the way, as damage to
// it would: functions see what the store behind has, and may change it, leave it
// out (keep) or say that it can't be read. Those that are nil let everything pass.
// They are set before the store is used.
type Spoiled struct {
	persistence.Store
	// Remote makes the store say that it is not local.
	Remote bool

	Row   func(*persistence.ShardRow) error
	Frame func(*persistence.Frame) (keep bool, err error)
	Page  func(*persistence.Page) (keep bool, err error)
}

// Info describes the store behind.
func (s *Spoiled) Info() persistence.Info {
	info := s.Store.Info()
	info.Local = info.Local && !s.Remote
	return info
}

// Log returns the log with its damage.
func (s *Spoiled) Log() persistence.Log { return spoiledLog{s.Store.Log(), s} }

// Pages returns the pages with their damage.
func (s *Spoiled) Pages() persistence.Pages { return spoiledPages{s.Store.Pages(), s} }

// Ownership returns the ownership with its damage.
func (s *Spoiled) Ownership() persistence.Ownership { return spoiledRows{s.Store.Ownership(), s} }

type spoiledLog struct {
	persistence.Log
	s *Spoiled
}

func (l spoiledLog) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	return spoil(l.Log.Read(ctx, shard, from), l.s.Frame)
}

type spoiledPages struct {
	persistence.Pages
	s *Spoiled
}

func (p spoiledPages) Scan(ctx context.Context, shard persistence.Shard, from persistence.PageKey, keysOnly bool) iter.Seq2[persistence.Page, error] {
	return spoil(p.Pages.Scan(ctx, shard, from, keysOnly), p.s.Page)
}

func (p spoiledPages) Read(ctx context.Context, key persistence.PageKey) (persistence.Page, error) {
	page, err := p.Pages.Read(ctx, key)
	if p.s.Page == nil || err != nil {
		return page, err
	}
	keep, err := p.s.Page(&page)
	if err == nil && !keep {
		return persistence.Page{}, fmt.Errorf("page %s: %w", key, persistence.ErrNotFound)
	}
	return page, err
}

// spoil changes what a walk yields.
func spoil[T any](walk iter.Seq2[T, error], change func(*T) (bool, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for x, err := range walk {
			keep := true
			if change != nil && err == nil {
				keep, err = change(&x)
			}
			if keep && !yield(x, err) {
				return
			}
		}
	}
}

type spoiledRows struct {
	persistence.Ownership
	s *Spoiled
}

func (o spoiledRows) Shard(ctx context.Context, number persistence.Shard) (persistence.ShardRow, error) {
	row, err := o.Ownership.Shard(ctx, number)
	if o.s.Row != nil && err == nil {
		err = o.s.Row(&row)
	}
	return row, err
}
