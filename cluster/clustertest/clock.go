package clustertest

import (
	"sync"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
)

// Clock is the clock of one node. It may stand still and jump; its timers follow the
// passing of time, and come late when it stands still.
type Clock struct {
	mu      sync.Mutex
	offset  time.Duration
	stopped bool
	frozen  time.Time
	late    []*timer
}

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return c.frozen
	}
	return time.Now().Add(c.offset)
}

// Jump sets the clock forward, or back.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// Freeze lets the clock show the same time from now on, while its timers go on; or
// ends that.
func (c *Clock) Freeze(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen, c.stopped = time.Now().Add(c.offset), is
}

// Stop lets the node stand still, or go on: what was due meanwhile comes then.
func (c *Clock) Stop(is bool) {
	c.mu.Lock()
	late := c.late
	if is {
		c.late = []*timer{}
	} else {
		c.late = nil
	}
	c.mu.Unlock()
	for _, t := range late {
		go t.f()
	}
}

// timer is a call that the clock was asked for.
type timer struct {
	c *Clock
	f func()
	*time.Timer
}

// AfterFunc calls f after d.
func (c *Clock) AfterFunc(d time.Duration, f func()) clock.Timer {
	t := &timer{c: c, f: f}
	t.Timer = time.AfterFunc(d, t.due)
	return t
}

func (t *timer) due() {
	t.c.mu.Lock()
	if t.c.late != nil {
		t.c.late = append(t.c.late, t)
		t.c.mu.Unlock()
		return
	}
	t.c.mu.Unlock()
	t.f()
}
