package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
)

// tally counts what a node writes.
type tally struct {
	events, logBytes, pages, pageBytes, passes, hours, rows int64
	took                                                    time.Duration // storing pages, those of all passes together
}

// since returns what was written after an earlier tally.
func (t tally) since(before tally) tally {
	return tally{
		events: t.events - before.events, logBytes: t.logBytes - before.logBytes,
		pages: t.pages - before.pages, pageBytes: t.pageBytes - before.pageBytes,
		passes: t.passes - before.passes, hours: t.hours - before.hours,
		rows: t.rows - before.rows, took: t.took - before.took,
	}
}

// aPage returns how long storing a page takes, in seconds.
func (t tally) aPage() float64 { return t.took.Seconds() / float64(t.pages) }

// perLogByte returns the bytes of pages a byte of log.
func (t tally) perLogByte() float64 { return float64(t.pageBytes) / float64(t.logBytes) }

// counting is a tally that goes on, and as it was when pages were last stored. It is
// made by newCounting.
type counting struct {
	mu         sync.Mutex
	now, whole tally
	failure    error
	passed     chan struct{} // something was stored, or could not be; holds one
}

func newCounting() *counting { return &counting{passed: make(chan struct{}, 1)} }

func (c *counting) durable(_ persistence.Shard, events, bytes int, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.events += int64(events)
	c.now.logBytes += int64(bytes)
}

func (c *counting) stored(f entity.PageFlush) {
	c.mu.Lock()
	c.now.pages += int64(f.Pages)
	c.now.pageBytes += int64(f.Bytes)
	c.now.took += f.Took
	if c.failure == nil {
		c.failure = f.Err
	}
	c.mu.Unlock()
	if f.Err != nil {
		c.notify()
	}
}

func (c *counting) rendered(f entity.ViewFlush) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.rows += int64(f.Rows)
}

func (c *counting) checkpointed(persistence.Shard, persistence.Position) {
	c.mu.Lock()
	c.now.passes++
	c.whole = c.now
	c.mu.Unlock()
	c.notify()
}

func (c *counting) notify() {
	select {
	case c.passed <- struct{}{}:
	default:
	}
}

func (c *counting) anHour() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.hours++
}

func (c *counting) result() tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole
}

// wait waits until something is so, looking whenever pages were stored.
func (c *counting) wait(ctx context.Context, so func() bool) error {
	for !so() {
		select {
		case <-c.passed:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.mu.Lock()
		err := c.failure
		c.mu.Unlock()
		if err != nil {
			return fmt.Errorf("pages can't be stored: %w", err)
		}
	}
	return nil
}
