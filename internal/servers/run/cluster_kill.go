package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mesonet/mesonet/internal/rollcall"
)

// show asks all but the last server for every station, and kills that one meanwhile.
func (c *members) show(ctx context.Context) error {
	if err := c.fill(ctx); err != nil {
		return err
	}
	owners, err := c.shards(ctx)
	if err != nil {
		return err
	}
	say(c.output, "\n%d servers on %s\n", len(c.nodes), c.store)
	for _, s := range c.nodes {
		say(c.output, "  %s  process %-7d  %s  %2d shards  log %s/log\n", s.name, s.pid, s.addr, len(rollcall.Of(owners, s.name)), s.dir)
	}
	ids, err := c.ids(ctx)
	if err != nil {
		return err
	}
	alive, cancel := context.WithCancel(ctx)
	var asker sync.WaitGroup
	defer asker.Wait()
	defer cancel()
	a := rollcall.New(ids, uint32(len(owners)))
	last := len(c.nodes) - 1
	others := make([]rollcall.Node, 0, last)
	for _, s := range c.nodes[:last] {
		others = append(others, s.Stations())
	}
	a.Through(others...)
	asker.Go(func() { a.Run(alive) })
	say(c.output, "\nA client asks all but %s for all %d stations, again and again\n", c.nodes[last].name, len(ids))
	if err := a.Round(ctx); err != nil {
		return err
	}
	c.sum(a)
	if err := c.kill(ctx, a, c.nodes[last], rollcall.Of(owners, c.nodes[last].name)); err != nil {
		return err
	}
	return c.again(ctx, a, last)
}

// sum says what came of the asks since the last.
func (c *members) sum(a *rollcall.Asker) {
	observations := a.Observations()
	t := a.Begin()
	say(c.output, "  %d asks, %d failed, %d other answers, longest wait %s, %d observations\n",
		t.Asks, t.Failed, t.Other, t.Longest.Round(time.Millisecond), observations)
	if t.Failure != nil {
		say(c.output, "  failed: %s\n", t.Failure)
	}
}

// kill ends a server that has no time to say so.
func (c *members) kill(ctx context.Context, a *rollcall.Asker, s *server, shards []uint32) error {
	say(c.output, "\n$ kill -9 %d    # %s, which has %d shards\n", s.pid, s.name, len(shards))
	a.Begin()
	killed := time.Now()
	if err := syscall.Kill(s.pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d: %w", s.pid, err)
	}
	<-s.ended
	if err := a.Round(ctx); err != nil {
		return err
	}
	say(c.output, "  what it had answers again after %s\n", a.Waited(shards).Sub(killed).Round(time.Millisecond))
	c.sum(a)
	return nil
}

// again starts a server again that was killed.
func (c *members) again(ctx context.Context, a *rollcall.Asker, i int) error {
	s := c.nodes[i]
	say(c.output, "\n$ %s server --config %s/mesonet.yaml &\n", c.program, s.dir)
	begun := time.Now()
	if err := c.launch(ctx, i); err != nil {
		return err
	}
	owners, err := c.shards(ctx)
	if err != nil {
		return err
	}
	elapsed := time.Since(begun)
	if err := a.Round(ctx); err != nil {
		return err
	}
	say(c.output, "  process %d has %d shards again after %s\n", s.pid, len(rollcall.Of(owners, s.name)), elapsed.Round(time.Millisecond))
	c.sum(a)
	return nil
}

// invite says what to try.
func (c *members) invite() {
	first, second, last := c.nodes[0], c.nodes[1], c.nodes[len(c.nodes)-1]
	to := ""
	if c.host != clusterHost {
		to = " --addr " + first.addr
	}
	lines := []string{
		"Now you. The servers run on; ask any of them for anything:",
		"  %p precip 725030:14732 2008" + to,
		"  %p precip 725030:14732 2008 --addr " + second.addr,
		"  %p cluster members" + to,
		"  %p cluster shards --addr " + second.addr,
		"Kill one, look, and start it again; or let one give its shards away:",
		fmt.Sprintf("  kill -9 %d", last.pid),
		"  %p cluster members" + to,
		"  %p server --config " + last.dir + "/mesonet.yaml",
		"  %p cluster drain " + second.name + " --addr " + first.addr,
		"Stop them with make cluster-stop, and Cassandra with make cassandra-stop.",
	}
	say(c.output, "\n%s\n", strings.ReplaceAll(strings.Join(lines, "\n"), "%p", c.program))
}
