package cassandra

import (
	"context"
	"fmt"

	"github.com/mesonet/mesonet/persistence"
)

// Delete removes frames, whole chunks where it can. The timestamp of each
// deletion is the last position that it is for: it can't take away what lies
// above, and what it takes away stays so when it is written once more by somebody
// who is late.
//
// What it has to look through is bounded: an epoch that is deleted to its end
// loses its seal, and is not looked at again; in the epoch that below is in, a
// process goes on where it stopped.
func (l *log) Delete(ctx context.Context, shard persistence.Shard, below persistence.Position) error {
	s := (*Store)(l)
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	row, err := s.readShard(ctx, shard)
	if err != nil {
		return err
	}
	for _, seal := range row.ended(below) {
		if err := s.deleteEpoch(ctx, shard, seal); err != nil {
			return fmt.Errorf("deleting epoch %d of shard %d: %w", seal.Epoch(), shard, err)
		}
		if row.Epoch != 0 && seal <= row.Low {
			if _, err := s.transact(ctx, &dropSeal, int32(shard), int32(seal.Epoch()), int64(seal)); err != nil {
				return fmt.Errorf("dropping the seal %s of shard %d: %w", seal, shard, err)
			}
		}
	}
	if err := s.deleteWithin(ctx, shard, below); err != nil {
		return fmt.Errorf("deleting below %s of shard %d: %w", below, shard, err)
	}
	return nil
}

// ended returns the ends of the epochs before that of below: their seals, or, of a
// log that nobody owns, any.
func (r shardRecord) ended(below persistence.Position) []persistence.Position {
	var ends []persistence.Position
	for _, seal := range r.Seals {
		if seal.Epoch() < below.Epoch() {
			ends = append(ends, seal)
		}
	}
	if r.Epoch == 0 {
		for e := persistence.FirstEpoch; e < below.Epoch(); e++ {
			ends = append(ends, persistence.At(e, 0))
		}
	}
	return ends
}

// deleteEpoch removes all chunks up to that of the seal, and on while there are
// any: of frames that came late.
func (s *Store) deleteEpoch(ctx context.Context, shard persistence.Shard, seal persistence.Position) error {
	for chunk := int64(0); ; chunk++ {
		if chunk > chunkOf(seal) {
			frames, _, err := s.readFrames(ctx, shard, seal.Epoch(), chunk, chunk<<chunkBits, 1)
			if err != nil || len(frames) == 0 {
				return err
			}
		}
		if err := s.deleteChunk(ctx, shard, seal.Epoch(), chunk); err != nil {
			return err
		}
	}
}

func (s *Store) deleteChunk(ctx context.Context, shard persistence.Shard, epoch persistence.Epoch, chunk int64) error {
	last := persistence.At(epoch, uint64(chunk+1)<<chunkBits-1)
	return s.exec(ctx, &deleteChunk, int64(last), int32(shard), int32(epoch), chunk)
}

// deleteWithin removes what is below a position in its own epoch.
func (s *Store) deleteWithin(ctx context.Context, shard persistence.Shard, below persistence.Position) error {
	keep, err := s.keepFrom(ctx, shard, below)
	if err != nil {
		return err
	}
	epoch := keep.Epoch()
	s.deletedMu.Lock()
	begin := s.deleted[shard]
	s.deletedMu.Unlock()
	if begin.Epoch() != epoch {
		begin = persistence.At(epoch, 0)
	}
	if keep <= begin {
		return nil
	}
	for chunk := chunkOf(begin); chunk < chunkOf(keep); chunk++ {
		if err := s.deleteChunk(ctx, shard, epoch, chunk); err != nil {
			return err
		}
	}
	if uint64(chunkOf(keep))<<chunkBits < keep.Seq() {
		if err := s.exec(ctx, &deleteFrames, int64(keep-1), int32(shard), int32(epoch), chunkOf(keep), int64(keep.Seq())); err != nil {
			return err
		}
	}
	s.deletedMu.Lock()
	defer s.deletedMu.Unlock()
	s.deleted[shard] = max(s.deleted[shard], keep)
	return nil
}

// keepFrom returns below, or, where a frame reaches over it, where that begins.
func (s *Store) keepFrom(ctx context.Context, shard persistence.Shard, below persistence.Position) (persistence.Position, error) {
	for chunk := chunkOf(below); chunk >= max(0, chunkOf(below)-1); chunk-- {
		var last *storedFrame
		err := s.rows(ctx, &lastFrame, func(scan func(...any) bool) bool {
			var at int64
			var data []byte
			if !scan(&at, &data) {
				return false
			}
			last = &storedFrame{persistence.At(below.Epoch(), uint64(at)), data}
			return true
		}, int32(shard), int32(below.Epoch()), chunk, int64(below.Seq()))
		if err != nil {
			return 0, err
		}
		if last == nil {
			continue
		}
		f, err := last.frame(shard)
		if err != nil {
			return 0, err
		}
		if f.End() > below {
			return f.Position, nil
		}
		break
	}
	return below, nil
}
