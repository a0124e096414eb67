package inspect

import (
	"context"
	"errors"

	"github.com/mesonet/mesonet/persistence"
)

// Shard is a shard to walk over.
type Shard struct {
	// Row says who owned it last, and where its epochs ended.
	Row persistence.ShardRow
	// Checkpoint is the position below which every event is in pages, 0 when
	// there was none yet.
	Checkpoint persistence.Position

	store persistence.Store
	tell  func(Finding)
	seals map[persistence.Epoch]persistence.Position
	blind bool // the checkpoint can't be read
	// come is how far the log went when it was looked at again.
	come persistence.Position
}

// Open reads the row and the checkpoint of a shard and judges them. found is told
// of damage, here and by the walks. ok is false when the row can't be read: then
// there is nothing to go by.
func Open(ctx context.Context, store persistence.Store, number persistence.Shard, found func(Finding)) (s *Shard, ok bool, err error) {
	s = &Shard{store: store, tell: found, seals: make(map[persistence.Epoch]persistence.Position)}
	s.Row, err = store.Ownership().Shard(ctx, number)
	s.Row.Shard = number
	if errors.Is(err, persistence.ErrCorrupt) {
		s.found(BadRow, 0, "%s", reason(err))
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	checkpoint, err := store.Pages().Read(ctx, persistence.CheckpointKey(number))
	switch {
	case err == nil:
		s.Checkpoint = checkpoint.Position
	case errors.Is(err, persistence.ErrNotFound):
	case errors.Is(err, persistence.ErrCorrupt):
		s.blind = true // Pages meets it, and tells
	default:
		return s, false, err
	}
	s.judgeSeals()
	return s, true, nil
}

// Quiet returns the shard for more walks, which tell nobody what was told before.
func (s *Shard) Quiet() *Shard {
	quiet := *s
	quiet.tell = func(Finding) {}
	return &quiet
}

// judgeSeals looks whether every finished epoch has one; of those below low they
// may be gone with the log.
func (s *Shard) judgeSeals() {
	row := s.Row
	for _, seal := range row.Seals {
		if e := seal.Epoch(); e < persistence.FirstEpoch || e >= row.Epoch {
			s.found(BadSeal, seal, "epoch %d is sealed there, and the shard is in epoch %d", e, row.Epoch)
		}
		s.seals[seal.Epoch()] = seal
	}
	for e := s.first(); e < row.Epoch; e++ {
		if _, ok := s.seals[e]; !ok && (row.Low == 0 || e > row.Low.Epoch()) {
			s.found(BadSeal, persistence.At(e, 0), "epoch %d has ended, and nothing says where", e)
		}
	}
	switch {
	case row.Epoch == 0 && (row.Low != 0 || len(row.Seals) > 0):
		s.found(BadRow, 0, "it never had an owner, and has seals or a low mark")
	case row.Epoch != 0 && (row.Epoch < persistence.FirstEpoch || row.Low.Epoch() > row.Epoch):
		s.found(BadRow, 0, "it is in epoch %d, with a low mark of %s", row.Epoch, row.Low)
	case row.Low > s.Checkpoint && !s.blind:
		s.found(BadCheckpoint, s.Checkpoint, "the log below %s may be deleted, and the checkpoint lies below that", row.Low)
	}
}

// first is the first epoch whose log may be whole.
func (s *Shard) first() persistence.Epoch {
	return max(persistence.FirstEpoch, s.Row.Low.Epoch())
}

// end returns where an epoch ends, and whether it is sealed there. An epoch that
// has lost its seal has no end.
func (s *Shard) end(e persistence.Epoch) (end persistence.Position, sealed bool) {
	if e >= s.Row.Epoch {
		return persistence.At(e+1, 0), false
	}
	end, sealed = s.seals[e]
	if !sealed && e == s.Row.Low.Epoch() {
		return s.Row.Low, true // its seal went with what was below low
	}
	return end, sealed
}
