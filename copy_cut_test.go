package mesonet_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/mesonet/mesonet/persistence"
)

// cutOff is a store of which the connection breaks after so many changes: half of
// the time the one that meets it is done all the same.
type cutOff struct {
	persistence.Store

	left atomic.Int64
}

var errCutOff = errors.New("cut off")

func (c *cutOff) change(do func() error) error {
	switch left := c.left.Add(-1); {
	case left > 0:
		return do()
	case left == 0:
		_ = do()
	}
	return errCutOff
}

func (c *cutOff) Log() persistence.Log             { return cutLog{c.Store.Log(), c} }
func (c *cutOff) Pages() persistence.Pages         { return cutPages{c.Store.Pages(), c} }
func (c *cutOff) Ownership() persistence.Ownership { return cutOwnership{c.Store.Ownership(), c} }

type cutLog struct {
	persistence.Log
	c *cutOff
}

func (l cutLog) Append(ctx context.Context, f persistence.Frame, done func(error)) {
	err := l.c.change(func() error {
		l.Log.Append(ctx, f, done)
		done = func(error) {}
		return nil
	})
	if err != nil {
		done(err)
	}
}

func (l cutLog) Delete(ctx context.Context, shard persistence.Shard, below persistence.Position) error {
	return l.c.change(func() error { return l.Log.Delete(ctx, shard, below) })
}

type cutPages struct {
	persistence.Pages
	c *cutOff
}

func (p cutPages) Write(ctx context.Context, pages []persistence.Page) error {
	return p.c.change(func() error { return p.Pages.Write(ctx, pages) })
}

type cutOwnership struct {
	persistence.Ownership
	c *cutOff
}

func (o cutOwnership) Boot(ctx context.Context, node persistence.NodeID, address string) (inc persistence.Incarnation, err error) {
	err = o.c.change(func() (err error) {
		inc, err = o.Ownership.Boot(ctx, node, address)
		return err
	})
	return inc, err
}

func (o cutOwnership) Fence(ctx context.Context, node persistence.NodeID, seen persistence.Incarnation) (inc persistence.Incarnation, err error) {
	err = o.c.change(func() (err error) {
		inc, err = o.Ownership.Fence(ctx, node, seen)
		return err
	})
	return inc, err
}

func (o cutOwnership) Claim(ctx context.Context, claim persistence.Claim) (row persistence.ShardRow, err error) {
	err = o.c.change(func() (err error) {
		row, err = o.Ownership.Claim(ctx, claim)
		return err
	})
	return row, err
}

func (o cutOwnership) RaiseLow(ctx context.Context, seen persistence.ShardRow, low persistence.Position) (row persistence.ShardRow, err error) {
	err = o.c.change(func() (err error) {
		row, err = o.Ownership.RaiseLow(ctx, seen, low)
		return err
	})
	return row, err
}

// partly is a store that writes some pages only, before it fails, and does so one
// time in a few.
type partly struct {
	persistence.Store

	seed   uint64 // the bits are the writes; those that are 0 fail
	writes *atomic.Uint64
}

func (p partly) Pages() persistence.Pages { return partlyPages{p.Store.Pages(), p} }

type partlyPages struct {
	persistence.Pages
	partly partly
}

func (p partlyPages) Write(ctx context.Context, pages []persistence.Page) error {
	if p.partly.seed>>(p.partly.writes.Add(1)%64)&1 == 0 {
		return errors.Join(errCutOff, p.Pages.Write(ctx, pages[:len(pages)/2]))
	}
	return p.Pages.Write(ctx, pages)
}
