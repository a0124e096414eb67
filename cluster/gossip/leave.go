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
	if !g.beginLeaving() {
		return ErrClosed
	}
	g.announcing <- struct{}{}
	m := g.self.Load().member
	m.State = cluster.Left
	self, err := g.encode(m)
	if err == nil && !g.isClosed() {
		g.announce(self)
	}
	<-g.announcing
	if err != nil {
		return err
	}
	if err := g.spread(ctx); err != nil {
		return fmt.Errorf("gossip: leave: others may take this node for dead: %w", err)
	}

	done := make(chan error, 1)
	if !g.goUnlessClosed(func() {
		g.announcing <- struct{}{}
		defer func() { <-g.announcing }()
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

// beginLeaving reports whether it is the first to.
func (g *Gossip) beginLeaving() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leaving || g.closed {
		return false
	}
	g.leaving = true
	return true
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
