package entity

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// place is a node's place in the store as one incarnation: a host has one after
// the other, as others may fence it.
type place struct {
	journal *journal.Journal
	// lost says that the incarnation has been raised.
	lost atomic.Bool
	// from is when shards may be taken: who fenced the node did so for others to
	// have them, and those ask now and then.
	from time.Time
}

// holdOff is how many times others may have asked for a shard before a node that
// was fenced asks again.
const holdOff = 3

// processMark tells this process from another that has taken the same node's
// name.
func processMark() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// address is what the store says of the node. Who fences a node leaves it as it
// is, and who boots as the same node writes another: by it they are told apart.
func (h *Host) address() string {
	if h.cfg.Address == "" {
		return "process " + h.mark
	}
	return h.cfg.Address + " (process " + h.mark + ")"
}

// join raises the node's incarnation, and begins a log.
func (h *Host) join(ctx context.Context, from time.Time) error {
	p := &place{from: from}
	jc := h.cfg.Journal
	jc.Logger, jc.Drain = h.cfg.Logger, h.drain
	lost := jc.Listener.ShardLost
	jc.Listener.ShardLost = func(n persistence.Shard, err error) {
		if lost != nil {
			lost(n, err)
		}
		h.shardLost(p, n, err)
	}
	j, err := journal.Open(ctx, h.cfg.Store, h.cfg.Node, h.address(), jc)
	if err != nil {
		return err
	}
	p.journal = j
	h.place.Store(p)
	if l := h.cfg.Listener.Joined; l != nil {
		_, inc := j.Node()
		l(inc)
	}
	return nil
}

// standing returns the node's place, after joining anew where another has fenced
// the node. A node whose name another process has taken does not: they would
// fence each other without end.
func (h *Host) standing(ctx context.Context) (*place, error) {
	select {
	case h.joining <- struct{}{}:
		defer func() { <-h.joining }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p := h.place.Load()
	switch {
	case h.Err() != nil:
		return nil, h.Err()
	case !p.lost.Load():
		return p, nil
	}
	row, err := h.cfg.Store.Ownership().Node(ctx, h.cfg.Node)
	if err != nil {
		return nil, fmt.Errorf("entity: node %q was fenced, and looks by whom: %w", h.cfg.Node, err)
	}
	if row.Address != h.address() {
		err := fmt.Errorf("%w: another process, %s, runs as node %q on this store and has taken its place; give each node a name of its own",
			persistence.ErrFenced, row.Address, h.cfg.Node)
		h.Fail(err)
		return nil, err
	}
	now, cancel := context.WithCancel(ctx)
	cancel() // what is not acknowledged is nobody's any more
	_ = p.journal.Close(now)
	if err := h.join(ctx, time.Now().Add(holdOff*h.cfg.ClaimEvery)); err != nil {
		return nil, err
	}
	p = h.place.Load()
	_, inc := p.journal.Node()
	h.cfg.Logger.Warn("the node was fenced: what was not acknowledged is dropped, and its shards are others' to take; it has joined again",
		"node", h.cfg.Node, "incarnation", uint64(inc))
	return p, nil
}

// watchPlace asks again and again whether the node has its place still: one that
// nobody asks anything would not notice that it was fenced, and one that does not
// reach its store would not say so.
func (h *Host) watchPlace(ctx context.Context) {
	every(ctx, h.cfg.CheckEvery, func() {
		p := h.place.Load()
		node, inc := p.journal.Node()
		err := h.cfg.Store.Ownership().Check(ctx, node, inc)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, persistence.ErrFenced) {
			p.lost.Store(true)
			for _, s := range h.shards {
				s.lost(err)
			}
			err = nil // it has answered
		}
		if l := h.cfg.Listener.Checked; l != nil {
			l(err)
		}
	})
}

// GiveUp loses all shards, for the reason given: what waits for the store ends now,
// with an unknown outcome where it may have taken effect. Shards that are still for
// the host to take are opened again. It is for a node that answers nobody because it has lost
// touch with its store.
func (h *Host) GiveUp(why error) { h.place.Load().journal.GiveUp(why) }

// ErrKilled is for [Host.Fail] to let a host end as if it had been killed: it does not
// let others have its shards.
var ErrKilled = errors.New("entity: the host was killed")

// release lets other nodes take the shards, once nothing is written any more. It
// is a fence of oneself: what others may take is decided by nothing else.
func (h *Host) release(ctx context.Context) {
	p := h.place.Load()
	if h.info.Local || p.lost.Load() || errors.Is(h.Err(), ErrKilled) {
		return
	}
	node, inc := p.journal.Node()
	_, err := h.cfg.Store.Ownership().Fence(ctx, node, inc)
	if err != nil && !errors.Is(err, persistence.ErrLost) {
		h.cfg.Logger.Warn("the shards could not be released: they stay this node's until it starts again, or is fenced", "node", node, "error", err)
	}
}
