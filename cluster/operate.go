package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
)

// What operators ask of one node, and another has to do.

// UnknownNode is the reason of a rejection: no node of that name is seen.
const UnknownNode = "UNKNOWN_NODE"

// Alone is the reason of a rejection: there is no other node that could take shards.
const Alone = "ALONE"

// Self is what the node says of itself.
func (n *Node) Self() Member {
	self := n.cfg.Self
	self.State, self.Incarnation = n.State(), persistence.Incarnation(n.inc.Load())
	self.Levels, self.Level = n.cfg.Level.Known(), n.cfg.Level.Seen()
	return self
}

// moveRequest asks the owner of a shard to hand it over.
type moveRequest struct {
	Shard persistence.Shard
	To    persistence.NodeID
}

type moveReply struct{}

// MoveShard lets whoever serves a shard hand it to a node, as [Node.Move] does on
// that node. It is safe to ask again.
func (n *Node) MoveShard(ctx context.Context, s persistence.Shard, to persistence.NodeID) error {
	if s >= persistence.Shard(n.cfg.Shards) {
		return entity.RejectInvalid("there is no shard %d: they are 0 to %d", s, n.cfg.Shards-1)
	}
	if err := n.sees(to); err != nil {
		return err
	}
	r := moveRequest{s, to}
	_, err := request(ctx, n, s, kindMove, r, func(ctx context.Context) (moveReply, error) { return n.moveHere(ctx, r) })
	return err
}

func (n *Node) moveHere(ctx context.Context, r moveRequest) (moveReply, error) {
	return moveReply{}, n.Move(ctx, r.Shard, r.To)
}

// drainRequest asks a node to drain.
type drainRequest struct {
	// Within is how long to wait for it, 0 for as long as it takes.
	Within time.Duration
}

// drainReply is what is left.
type drainReply struct{ Left []persistence.Shard }

// DrainNode lets a node hand over all of its shards, as [Node.Drain] does on that
// node, and returns those that it has still: none when it is drained, or some when
// nearly all of the time is over that ctx leaves. It is safe to ask again.
func (n *Node) DrainNode(ctx context.Context, node persistence.NodeID) ([]persistence.Shard, error) {
	if err := n.sees(node); err != nil {
		return nil, err
	}
	var r drainRequest
	if end, ok := ctx.Deadline(); ok {
		// By the clock of the context; the answer needs time, too.
		r.Within = max(time.Until(end)*9/10, time.Millisecond)
	}
	if node == n.cfg.Self.Node {
		reply, err := n.drainHere(ctx, r)
		return reply.Left, err
	}
	reply, err := ask[drainReply](ctx, n, node, kindDrain, r)
	return reply.Left, err
}

func (n *Node) drainHere(ctx context.Context, r drainRequest) (drainReply, error) {
	soon := ctx
	if r.Within > 0 {
		var cancel context.CancelFunc
		soon, cancel = context.WithTimeout(ctx, r.Within)
		defer cancel()
	}
	err := n.Drain(soon)
	switch {
	case err == nil:
		return drainReply{}, nil
	case errors.Is(err, ErrAlone):
		return drainReply{}, entity.Reject("no other node takes shards, so that those of node %q stay; start another node first", n.cfg.Self.Node).Because(Alone)
	case n.life.Err() != nil:
		return drainReply{}, errClosed
	case ctx.Err() != nil:
		return drainReply{}, fmt.Errorf("%w: node %q is still draining: %w", entity.ErrUnavailable, n.cfg.Self.Node, context.Cause(ctx))
	}
	var left []persistence.Shard
	for _, s := range n.View().Shards {
		if s.Open {
			left = append(left, s.Shard)
		}
	}
	return drainReply{left}, nil
}

// sees returns an error unless gossip shows a node of that name.
func (n *Node) sees(node persistence.NodeID) error {
	var names []string
	for _, m := range n.Members() {
		names = append(names, string(m.Node))
	}
	if slices.Contains(names, string(node)) {
		return nil
	}
	return entity.RejectInvalid("there is no node %q; these are seen: %s", node, strings.Join(names, ", ")).Because(UnknownNode)
}
