package journal

import (
	"context"
	"fmt"
	"sort"

	"github.com/mesonet/mesonet/internal/invariant"
	"github.com/mesonet/mesonet/persistence"
)

// TailBytes returns the bytes of the acknowledged frames from the checkpoint
// on: what a recovery would have to read.
func (s *Shard) TailBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tailBytes
}

// Checkpoint stores a position below which every event is in durable pages, and
// takes what lies below it off the tail. It rounds p down to the beginning of a
// frame, as that is where a recovery can begin to read, and does nothing when
// that is not above the checkpoint before. Events at or above p may be in pages
// or not.
func (s *Shard) Checkpoint(ctx context.Context, p persistence.Position) (persistence.Position, error) {
	invariant.Assert(p <= s.Acked(), "shard %d: checkpoint %s is above what is acknowledged, %s", s.shard, p, s.Acked())
	s.mu.Lock()
	if s.lost != nil {
		s.mu.Unlock()
		return 0, s.lost
	}
	n := s.below(p)
	if n == 0 {
		s.mu.Unlock()
		return 0, nil
	}
	p = s.Acked()
	if n < len(s.tail) {
		p = s.tail[n].begin
	}
	s.mu.Unlock()
	page := persistence.Page{Key: persistence.CheckpointKey(s.shard), Position: p}
	if err := s.j.store.Pages().Write(ctx, []persistence.Page{page}); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n = s.below(p) // another checkpoint may have come first
	for _, f := range s.tail[:n] {
		s.tailBytes -= f.bytes
	}
	s.tail = append([]span(nil), s.tail[n:]...)
	s.checkpoint = max(s.checkpoint, p)
	return p, nil
}

// DropHistory deletes the frames that lie wholly below the checkpoint: what no
// recovery needs. The low mark is raised first, under this epoch, so that whoever
// claims the shard meanwhile knows that a frame may be missing (I14). It may be
// repeated, and does nothing when there is nothing new to drop.
func (s *Shard) DropHistory(ctx context.Context) error {
	below, err := s.raiseLow(ctx)
	if err != nil || below == 0 {
		return err
	}
	if err := s.j.store.Log().Delete(ctx, s.shard, below); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = max(s.dropped, below)
	return nil
}

// raiseLow raises the low mark to the checkpoint, and returns it; 0 when nothing
// is to be dropped.
func (s *Shard) raiseLow(ctx context.Context) (persistence.Position, error) {
	if err := enter(ctx, s.lowering); err != nil {
		return 0, fmt.Errorf("journal: shard %d is being handed over, or its low mark raised: %w", s.shard, err)
	}
	defer func() { <-s.lowering }()
	s.mu.Lock()
	below, dropped, lost := s.checkpoint, s.dropped, s.lost
	s.mu.Unlock()
	if lost != nil || below <= dropped {
		return 0, lost
	}
	row, err := s.j.store.Ownership().Shard(ctx, s.shard)
	if err != nil {
		return 0, err
	}
	if row.Epoch != s.epoch {
		return 0, s.over()
	}
	if below > row.Low { // else it was raised, perhaps without an answer
		if _, err := s.j.store.Ownership().RaiseLow(ctx, row, below); err != nil {
			return 0, err
		}
	}
	return below, nil
}

// over gives the shard up: somebody else has opened a later epoch of it.
func (s *Shard) over() error {
	err := fmt.Errorf("%w: epoch %d of shard %d is over", ErrShardLost, s.epoch, s.shard)
	s.lose(err)
	return err
}

// below returns how many frames of the tail lie wholly below p.
func (s *Shard) below(p persistence.Position) int {
	n := sort.Search(len(s.tail), func(i int) bool { return s.tail[i].begin > p })
	if n == len(s.tail) && p >= s.Acked() {
		return n // the last one ends at acked
	}
	return max(n-1, 0) // the one before begins at or below p and may reach over it
}
