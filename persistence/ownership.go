package persistence

import (
	"context"
	"fmt"
)

// NodeID names a node for its whole life, over restarts.
type NodeID string

// Incarnation is a node's boot number. Raising it fences the node.
type Incarnation uint64

// NodeRow is what the store knows of a node.
type NodeRow struct {
	ID          NodeID
	Incarnation Incarnation
	// Address is where the node can be reached, as it said at boot.
	Address string
}

// ShardRow is what the store knows of a shard's ownership.
type ShardRow struct {
	Shard Shard
	// Epoch is the current one; 0 when the shard never had an owner.
	Epoch Epoch
	// Owner and Incarnation say who opened the epoch.
	Owner       NodeID
	Incarnation Incarnation
	// Low is the position below which the log may have been deleted.
	Low Position
	// Seals are the ends of the finished epochs, in their order. Those wholly
	// below Low may be missing.
	Seals []Position
}

// Claim asks for the ownership of a shard: the current epoch ends at Seal and
// the next one begins, Owner's. A claimer names itself; an owner that gives the
// shard away names the next owner.
type Claim struct {
	Shard       Shard
	Owner       NodeID
	Incarnation Incarnation
	// Seen is the row that the claim was decided on; the claim is lost when
	// its epoch, owner, incarnation or low have changed since.
	Seen ShardRow
	// Seal is the end of Seen.Epoch. It is ignored when that is 0.
	Seal Position
}

// Apply returns the row that follows current when the claim is granted, or
// ErrLost. Stores without conditional writes of their own decide by it.
func (c Claim) Apply(current ShardRow) (ShardRow, error) {
	if !current.Same(c.Seen) {
		return current, fmt.Errorf("%w: shard %d is in epoch %d of %q (incarnation %d, low %s), not in epoch %d of %q (incarnation %d, low %s)",
			ErrLost, c.Shard, current.Epoch, current.Owner, current.Incarnation, current.Low,
			c.Seen.Epoch, c.Seen.Owner, c.Seen.Incarnation, c.Seen.Low)
	}
	next := ShardRow{
		Shard: c.Shard, Epoch: FirstEpoch, Owner: c.Owner, Incarnation: c.Incarnation, Low: current.Low,
		Seals: append([]Position(nil), current.Seals...),
	}
	if current.Epoch != 0 {
		if c.Seal.Epoch() != current.Epoch || c.Seal < current.Low {
			return current, fmt.Errorf("persistence: a claim of shard %d can't seal epoch %d at %s, low being %s",
				c.Shard, current.Epoch, c.Seal, current.Low)
		}
		next.Epoch = current.Epoch + 1
		next.Seals = append(next.Seals, c.Seal)
	}
	return next, nil
}

// Same reports whether nothing that a claim depends on differs between r and o.
func (r ShardRow) Same(o ShardRow) bool {
	return r.Epoch == o.Epoch && r.Owner == o.Owner && r.Incarnation == o.Incarnation && r.Low == o.Low
}

// Raise returns the row that follows current when its low mark is raised by the
// owner who saw r, or ErrLost. Stores without conditional writes of their own
// decide by it.
func (r ShardRow) Raise(current ShardRow, low Position) (ShardRow, error) {
	if !current.Same(r) || low < current.Low {
		return current, fmt.Errorf("%w: shard %d is in epoch %d of %q with low %s", ErrLost, r.Shard, current.Epoch, current.Owner, current.Low)
	}
	current.Low = low
	return current, nil
}

// Ownership holds the registers that decide who may write. Every change is
// conditional and every read sees all changes that were reported done before
// it began (linearizable). A change that returns an error other than those
// named has an unknown outcome.
type Ownership interface {
	// Boot raises the incarnation of node, creating it if need be, and
	// returns the new one, which no other boot returns. It fences the node's
	// own past.
	Boot(ctx context.Context, node NodeID, address string) (Incarnation, error)
	// Check returns nil when inc is node's incarnation still, ErrFenced when
	// it has been raised. Any other error says nothing.
	Check(ctx context.Context, node NodeID, inc Incarnation) error
	// Node returns what is known of a node, or ErrNotFound.
	Node(ctx context.Context, node NodeID) (NodeRow, error)
	// Fence raises the incarnation of node from seen, or returns ErrLost when
	// it is another by now.
	Fence(ctx context.Context, node NodeID, seen Incarnation) (Incarnation, error)
	// Shard returns what is known of a shard; a row of epoch 0 when it never
	// had an owner.
	Shard(ctx context.Context, shard Shard) (ShardRow, error)
	// Claim seals the current epoch and opens the next, or returns ErrLost
	// and changes nothing.
	Claim(ctx context.Context, c Claim) (ShardRow, error)
	// RaiseLow raises the low mark of a shard under the epoch of seen, or
	// returns ErrLost. It never lowers it.
	RaiseLow(ctx context.Context, seen ShardRow, low Position) (ShardRow, error)
}
