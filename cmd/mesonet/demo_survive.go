package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mesonet/mesonet/internal/rollcall"
)

// survive shows what becomes of those who ask when a node is killed, comes back, and
// when one leaves.
func (c *demoCluster) survive(ctx context.Context) error {
	c.heading("What if a node dies? A client asks for all stations, again and again.")
	ids, err := c.stationIDs(ctx)
	if err != nil {
		return err
	}
	owners, err := c.owners(ctx)
	if err != nil {
		return err
	}
	alive, cancel := context.WithCancel(ctx)
	var client sync.WaitGroup
	defer client.Wait()
	defer cancel()
	a := rollcall.New(ids, uint32(len(owners)))
	last := len(c.nodes) - 1
	a.Through(c.clients(last)...)
	client.Go(func() { a.Run(alive) })
	for _, chapter := range []func(context.Context, *rollcall.Asker) error{c.allWell, c.killLast, c.startLast, c.leave} {
		if err := chapter(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// clients are those of all nodes that run but one.
func (c *demoCluster) clients(but int) (all []rollcall.Node) {
	for i, n := range c.nodes {
		if i != but && n.daemon != nil {
			all = append(all, n.client)
		}
	}
	return all
}

const chapterWidth = 17

func (c *demoCluster) chapter(title, format string, args ...any) {
	c.printf("  %-*s %s\n", chapterWidth, title, fmt.Sprintf(format, args...))
}

// allWell: what there is to compare with.
func (c *demoCluster) allWell(ctx context.Context, a *rollcall.Asker) error {
	if err := a.Round(ctx); err != nil {
		return err
	}
	c.chapter("all is well", "every station asked once, through all nodes but %s", c.nodes[len(c.nodes)-1].name)
	c.sum(a)
	return nil
}

// sum shows what came of the asks since the last.
func (c *demoCluster) sum(a *rollcall.Asker) {
	observations := a.Observations()
	t := a.Begin()
	c.chapter("", "%s asks, %d failed, %d other answers, longest %s, %s observations",
		count(t.Asks), t.Failed, t.Other, took(t.Longest), count(observations))
	if t.Failure != nil {
		c.chapter("", "failed: %s", oneLine(t.Failure.Error()))
	}
}

// killLast kills the last node.
func (c *demoCluster) killLast(ctx context.Context, a *rollcall.Asker) error {
	n := c.nodes[len(c.nodes)-1]
	owners, err := c.owners(ctx)
	if err != nil {
		return err
	}
	shards := rollcall.Of(owners, n.name)
	a.Begin()
	c.chapter(n.name+" is killed", "with %s, as by kill -9: it says nothing, and stores nothing more", counted(len(shards), "shard", "shards"))
	killed := time.Now()
	if err := c.end(ctx, n, n.daemon.Kill); err != nil {
		return err
	}
	if err := a.Round(ctx); err != nil {
		return err
	}
	c.chapter("", "the others have noticed; all that it had answers again after %s", took(a.Waited(shards).Sub(killed)))
	c.sum(a)
	return nil
}

// end ends a node.
func (c *demoCluster) end(ctx context.Context, n *demoNode, end func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	err := end(ctx)
	n.daemon = nil
	return err
}

// startLast starts the last node again.
func (c *demoCluster) startLast(ctx context.Context, a *rollcall.Asker) error {
	n := c.nodes[len(c.nodes)-1]
	a.Begin()
	begun := time.Now()
	if err := c.startNode(ctx, n); err != nil {
		return err
	}
	owners, err := c.owners(ctx)
	if err != nil {
		return err
	}
	elapsed, shards := time.Since(begun), rollcall.Of(owners, n.name)
	if err := a.Round(ctx); err != nil {
		return err
	}
	c.chapter(n.name+" is back", "and has its %s again after %s: the others have handed them over", counted(len(shards), "shard", "shards"), took(elapsed))
	c.sum(a)
	return nil
}

// leave lets the second node leave in order.
func (c *demoCluster) leave(ctx context.Context, a *rollcall.Asker) error {
	n := c.nodes[1]
	a.Through(c.clients(1)...)
	if err := a.Round(ctx); err != nil { // nobody asks it still
		return err
	}
	owners, err := c.owners(ctx)
	if err != nil {
		return err
	}
	shards := rollcall.Of(owners, n.name)
	a.Begin()
	begun := time.Now()
	if err := c.end(ctx, n, n.daemon.Stop); err != nil {
		return err
	}
	elapsed := time.Since(begun)
	if err := a.Round(ctx); err != nil {
		return err
	}
	c.chapter(n.name+" leaves", "in order: it has handed %s over, and ended, in %s", counted(len(shards), "shard", "shards"), took(elapsed))
	c.sum(a)
	return nil
}
