package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
)

// settleTime is how long HandOver asks what has become of a change without an
// answer.
const settleTime = 5 * time.Second

// HandOver gives the shard to another node, named by its row as it was read from
// the store: with an incarnation that it has had (M4 of package
// model/replicated). It waits until all that was appended is acknowledged, which
// takes an end only if nothing more is appended, and then, in this order,
//
//   - the shard is lost to this node: it takes nothing more, and no answer that
//     still waits for a check is given (M2). That the incarnation is unchanged
//     proves that nobody took the shard, not that it was not given away;
//   - the epoch is sealed, and the next one begun, in the name of the other.
//
// It returns the row that follows. That does not open the shard: the other node
// claims it from itself, by OpenShard, without a fence.
//
// After an error [Shard.Err] says how things are. While it is nil nothing has been
// asked for, and the shard goes on as before, in the same epoch. Otherwise it is
// lost for good (M3): to the other node, to nobody yet, or to a change that may
// still come. OpenShard finds out, and takes the shard back if it is this node's.
// ctx ends the waiting; what has been asked for is followed to its end.
//
// The listener is not told of a shard that is handed over: whoever calls this
// knows.
func (s *Shard) HandOver(ctx context.Context, to persistence.NodeRow) (persistence.ShardRow, error) {
	row, err := s.handOver(ctx, to)
	if err != nil {
		return row, fmt.Errorf("journal: handing shard %d over to node %q: %w", s.shard, to.ID, err)
	}
	return row, nil
}

func (s *Shard) handOver(ctx context.Context, to persistence.NodeRow) (persistence.ShardRow, error) {
	if to.ID == s.j.node {
		return persistence.ShardRow{}, errors.New("it is that node's already")
	}
	// Nobody opens the shard meanwhile: an opening would claim it from under the
	// change that is under way.
	turn := s.j.opening(s.shard)
	if err := enter(ctx, turn); err != nil {
		return persistence.ShardRow{}, fmt.Errorf("it is being opened, or handed over already: %w", err)
	}
	defer func() { <-turn }()
	// Nor does its low mark move, which is in the condition of the change.
	if err := enter(ctx, s.lowering); err != nil {
		return persistence.ShardRow{}, fmt.Errorf("its low mark is being raised: %w", err)
	}
	defer func() { <-s.lowering }()
	if err := s.Err(); err != nil {
		return persistence.ShardRow{}, err
	}
	own := s.j.store.Ownership()
	row, err := own.Shard(ctx, s.shard)
	switch {
	case err != nil:
		return row, err
	case row.Epoch != s.epoch:
		return row, s.over()
	}
	seal, err := s.silence(ctx, to.ID)
	if err != nil {
		return row, err
	}
	ctx = context.WithoutCancel(ctx)
	next, err := own.Claim(ctx, persistence.Claim{
		Shard: s.shard, Owner: to.ID, Incarnation: to.Incarnation, Seen: row, Seal: seal,
	})
	if err == nil {
		return next, nil
	}
	return s.given(ctx, to, err)
}

// silence waits until everything is acknowledged, and takes the shard from this
// node at the very moment when it is. It returns the end of what was appended.
func (s *Shard) silence(ctx context.Context, to persistence.NodeID) (persistence.Position, error) {
	for {
		s.mu.Lock()
		lost, next := s.lost, s.next
		if lost == nil && s.Acked() == next {
			s.lost = fmt.Errorf("%w: %w: shard %d goes to node %q", ErrShardLost, ErrHandedOver, s.shard, to)
			s.gone.Store(true)
			s.mu.Unlock()
			return next, nil
		}
		s.mu.Unlock()
		if lost != nil {
			return 0, lost
		}
		acked := make(settled, 1)
		s.Wait(next, acked)
		s.hurry()
		select {
		case err := <-acked:
			if err != nil {
				return 0, err
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("what was appended is not acknowledged yet: %w", context.Cause(ctx))
		}
	}
}

// settled is a Waiter with room for the outcome.
type settled chan error

// Settled passes the outcome on.
func (s settled) Settled(err error) { s <- err }

// given says what has become of a change that gave the shard away and ended with
// err. What the row says counts: an owner who finds its own epoch over has given
// the shard away, or has lost it; and one who does not may still have given it
// away, later.
func (s *Shard) given(ctx context.Context, to persistence.NodeRow, err error) (persistence.ShardRow, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	pause := s.j.cfg.CheckBackoff
	for {
		row, rowErr := s.j.store.Ownership().Shard(ctx, s.shard)
		switch {
		case rowErr == nil && row.Epoch > s.epoch && row.Owner == to.ID:
			return row, nil
		case rowErr == nil && row.Epoch > s.epoch:
			return row, fmt.Errorf("node %q has it, in epoch %d: %w", row.Owner, row.Epoch, err)
		case rowErr == nil:
			return row, fmt.Errorf("its epoch is over, and it has not changed hands yet: %w", err)
		case errors.Is(rowErr, persistence.ErrClosed), errors.Is(rowErr, persistence.ErrFailed), ctx.Err() != nil:
			return row, fmt.Errorf("whether it has changed hands is unknown: %w", errors.Join(err, rowErr))
		}
		_ = clock.Sleep(ctx, clock.System(), pause)
		pause = min(2*pause, s.j.cfg.CheckBackoffMax)
	}
}
