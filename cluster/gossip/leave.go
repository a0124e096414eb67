package gossip

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

// Leave is part of [cluster.Gossip]. The others hear at once that this node has left,
// and look for it no more.
func (g *Gossip) Leave(ctx context.Context) error {
	// First as a change of what it says of itself, for memberlist does not tell those
	// who hear of a farewell whether it was one or a death. Then the farewell, which
	// would overtake the other if it did not wait.
	g.announcing.Lock()
	if g.leaving || g.isClosed() {
		g.announcing.Unlock()
		return ErrClosed
	}
	g.leaving = true
	m := g.self.Load().member
	m.State = cluster.Left
	self, err := g.encode(m)
	if err == nil {
		g.announce(self)
	}
	g.announcing.Unlock()
	if err != nil {
		return err
	}
	if err := g.spread(ctx); err != nil {
		return fmt.Errorf("gossip: leave: others may take this node for dead: %w", err)
	}

	done := make(chan error, 1)
	if !g.goUnlessClosed(func() {
		g.announcing.Lock() // Close waits: memberlist panics at a farewell after its end
		defer g.announcing.Unlock()
		if g.isClosed() {
			done <- ErrClosed
			return
		}
		done <- g.list.Leave(g.spreadTime())
	}) {
		return ErrClosed
	}
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("gossip: leave: %w", err)
		}
	case <-ctx.Done():
		return fmt.Errorf("gossip: leave: %w", context.Cause(ctx))
	}
	return nil
}

func (g *Gossip) hasLeft() bool {
	g.announcing.Lock()
	defer g.announcing.Unlock()
	return g.leaving
}

// spread waits until news has reached everybody, by all likelihood.
func (g *Gossip) spread(ctx context.Context) error {
	if len(g.others()) == 0 {
		return nil
	}
	timer := time.NewTimer(g.spreadTime())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-g.ctx.Done():
		return ErrClosed
	}
}

// spreadTime is twice as many rounds as it takes to tell all if each who knows told
// one other a round, and four for the start: 0.4 s for 3 nodes, 0.9 s for 100.
func (g *Gossip) spreadTime() time.Duration {
	rounds := 4 + 2*bits.Len(uint(len(g.others())))
	return time.Duration(rounds) * g.config.Tuning.GossipInterval
}
