package entity

import (
	"context"
	"fmt"
	"sync"
)

// Credit bounds the bulk that is under way at a node, over all its sources. A
// source takes credit for what it is about to send and gives it back when that
// is answered, and so waits while the node has enough to do, or no memory for
// more entities than are awake. Single commands and questions need none.
//
// Sources are served in the order in which they began to wait. All methods may
// be called from any goroutine.
type Credit struct {
	most int64
	room func() int64 // how many entities may wake

	mu      sync.Mutex
	taken   int64
	waiting []*debtor
}

// debtor waits for credit.
type debtor struct {
	n     int64
	ready chan struct{} // closed when it has it
}

// Acquire takes credit for n units, such as observations; more than there ever
// is counts as all of it. It waits until there is enough, or until ctx ends.
func (c *Credit) Acquire(ctx context.Context, n int64) error {
	n = c.clamp(n)
	c.mu.Lock()
	if len(c.waiting) == 0 && c.fits(n) {
		c.taken += n
		c.mu.Unlock()
		return nil
	}
	d := &debtor{n: n, ready: make(chan struct{})}
	c.waiting = append(c.waiting, d)
	c.mu.Unlock()
	select {
	case <-d.ready:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-d.ready: // at the same moment
		c.taken -= n
	default:
		for i, other := range c.waiting {
			if other == d {
				c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
				break
			}
		}
	}
	c.serve()
	return fmt.Errorf("%w: there was no room for more bulk: %w", ErrOverloaded, context.Cause(ctx))
}

// Release gives credit back that was taken for n units.
func (c *Credit) Release(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken -= c.clamp(n)
	c.serve()
}

func (c *Credit) clamp(n int64) int64 { return min(max(n, 1), c.most) }

// fits reports whether n more may be under way: something always, while there
// is any room.
func (c *Credit) fits(n int64) bool {
	room := c.room()
	return c.taken+n <= min(c.most, room) || c.taken == 0 && room > 0
}

// serve hands credit to those who wait, as far as it goes.
func (c *Credit) serve() {
	for len(c.waiting) > 0 && c.fits(c.waiting[0].n) {
		d := c.waiting[0]
		c.waiting = c.waiting[1:]
		c.taken += d.n
		close(d.ready)
	}
}

// wake looks whether there is more room by now.
func (c *Credit) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serve()
}
