package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/persistence"
)

// OpenShard takes the shard for this node and returns its log, open in a new
// epoch, and the events that its pages may not hold yet. A shard that this
// journal had open is given up first.
//
// ErrOwned says that the shard belongs to a node that was not fenced,
// ErrCorrupt that its log can't be read, ErrLevel that the store was raised to a level
// of formats that this program doesn't know; nothing has changed then.
func (j *Journal) OpenShard(ctx context.Context, number persistence.Shard) (*Shard, *Tail, error) {
	turn := j.opening(number)
	if err := enter(ctx, turn); err != nil {
		return nil, nil, fmt.Errorf("journal: shard %d can't be opened: it is being opened already: %w", number, err)
	}
	defer func() { <-turn }()
	j.giveUp(number)
	for {
		s, tail, err := j.claim(ctx, number)
		if errors.Is(err, errMoved) || errors.Is(err, persistence.ErrLost) {
			continue // what is there by now decides
		}
		if err != nil {
			return nil, nil, fmt.Errorf("journal: shard %d can't be opened: %w", number, err)
		}
		return s, tail, nil
	}
}

// opening returns what has room for one opening of a shard at a time. Of two at
// once, the second could seal the epoch of the first below what that has taken
// since: a claim of one's own needs no fence, but nothing open.
func (j *Journal) opening(number persistence.Shard) chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	turn := j.openings[number]
	if turn == nil {
		turn = make(chan struct{}, 1)
		j.openings[number] = turn
	}
	return turn
}

// enter waits for room.
func enter(ctx context.Context, room chan<- struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errMoved: a checkpoint or low mark moved while the tail was being read.
var errMoved = errors.New("journal: the tail moved while it was read")

// giveUp ends what this journal had open: an epoch is opened at most once
// (I15), so that the next one has to be claimed, from oneself.
func (j *Journal) giveUp(number persistence.Shard) {
	j.mu.Lock()
	old := j.shards[number]
	delete(j.shards, number)
	j.mu.Unlock()
	if old != nil {
		old.lose(fmt.Errorf("%w: it is opened again", ErrShardLost))
	}
}

// claim is one attempt: row, checkpoint, tail to the first gap, checkpoint
// again, and the conditional change that seals what was read.
func (j *Journal) claim(ctx context.Context, number persistence.Shard) (*Shard, *Tail, error) {
	own := j.store.Ownership()
	row, err := own.Shard(ctx, number)
	if err != nil {
		return nil, nil, err
	}
	if err := j.mayClaim(ctx, row); err != nil {
		return nil, nil, err
	}
	checkpoint, err := j.checkpoint(ctx, number)
	if err != nil {
		return nil, nil, err
	}
	if row.Low > checkpoint {
		return nil, nil, &persistence.CorruptError{
			Record: "checkpoint", Key: fmt.Sprintf("of shard %d", number),
			Reason: fmt.Sprintf("it is at %s, and the log below %s may be deleted", checkpoint, row.Low),
		}
	}
	if checkpoint.Epoch() > row.Epoch {
		return nil, nil, errMoved // there is a newer owner, and so a newer row
	}
	tail := newTail(number, checkpoint)
	seal := tail.end
	if row.Epoch != 0 {
		if seal, err = j.replay(ctx, row, tail.begin, tail.add); err != nil {
			return nil, nil, j.missed(ctx, row, checkpoint, err)
		}
	}
	if err := j.confirm(ctx, number, checkpoint); err != nil {
		return nil, nil, err
	}
	next, err := own.Claim(ctx, persistence.Claim{
		Shard: number, Owner: j.node, Incarnation: j.inc, Seen: row, Seal: max(seal, checkpoint),
	})
	if err != nil {
		return nil, nil, err
	}
	tail.end = max(seal, checkpoint)
	s, err := j.open(next, tail)
	return s, tail, err
}

// confirm looks, behind a tail that was read, whether it is all there is and can be
// understood; both at once, as each is a round trip for which the shard's callers wait.
func (j *Journal) confirm(ctx context.Context, number persistence.Shard, checkpoint persistence.Position) error {
	level := make(chan error, 1)
	go func() {
		// Whoever wrote a frame of a level had read that level before. So who has read the
		// frames, and reads the level now, can't miss one: behind the tail, and not before.
		_, err := j.store.Level().Read(ctx)
		level <- err
	}()
	// A checkpoint that moved came from an owner who was still at it, and what
	// it covers may be gone from the log already: a tail read meanwhile proves
	// nothing (I14).
	again, err := j.checkpoint(ctx, number)
	if err == nil && again != checkpoint {
		err = errMoved
	}
	if other := <-level; err == nil {
		err = other
	}
	return err
}

// missed says what it means that a log could not be read: damage, unless the row or
// the checkpoint has moved meanwhile. Then the frames may have been deleted under
// the reader, or he has not seen all seals.
func (j *Journal) missed(ctx context.Context, row persistence.ShardRow, checkpoint persistence.Position, err error) error {
	if !errors.Is(err, persistence.ErrCorrupt) {
		return err
	}
	now, rowErr := j.store.Ownership().Shard(ctx, row.Shard)
	if rowErr != nil {
		return rowErr
	}
	again, checkpointErr := j.checkpoint(ctx, row.Shard)
	switch {
	case checkpointErr != nil:
		return checkpointErr
	case again != checkpoint || !now.Same(row):
		return errMoved
	}
	return err
}

// mayClaim returns ErrOwned unless the owner's incarnation has been raised
// since it opened the shard, or it is this node.
func (j *Journal) mayClaim(ctx context.Context, row persistence.ShardRow) error {
	if row.Epoch == 0 || row.Owner == j.node && row.Incarnation == j.inc {
		return nil
	}
	owner, err := j.store.Ownership().Node(ctx, row.Owner)
	if err != nil {
		return err
	}
	if owner.Incarnation <= row.Incarnation {
		return &persistence.OwnedError{Row: row, Owner: owner}
	}
	return nil
}

func (j *Journal) checkpoint(ctx context.Context, number persistence.Shard) (persistence.Position, error) {
	page, err := j.store.Pages().Read(ctx, persistence.CheckpointKey(number))
	if errors.Is(err, persistence.ErrNotFound) {
		return 0, nil
	}
	return page.Position, err
}

// open returns the shard of a row that this node has just claimed. Positions
// of the former epochs count as acknowledged: they are sealed. A journal that is
// closed has nobody left who would write what is appended.
func (j *Journal) open(row persistence.ShardRow, tail *Tail) (*Shard, error) {
	s := &Shard{j: j, shard: row.Shard, epoch: row.Epoch, next: persistence.At(row.Epoch, 0), lowering: make(chan struct{}, 1)}
	s.acked.Store(uint64(s.next))
	s.tail, s.checkpoint = tail.spans, tail.begin
	for _, f := range tail.spans {
		s.tailBytes += f.bytes
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closing {
		return nil, fmt.Errorf("%w: the journal is closed", ErrShardLost)
	}
	j.shards[row.Shard] = s
	return s, nil
}

// replay calls visit for the events of row's shard from a position to the end
// of what counts: of each sealed epoch to its seal, of the current one to the
// first gap. It returns that end.
func (j *Journal) replay(ctx context.Context, row persistence.ShardRow, from persistence.Position, visit func(persistence.Frame, *persistence.Events)) (persistence.Position, error) {
	next := max(from.Epoch(), persistence.FirstEpoch)
	for _, seal := range row.Seals {
		if seal.Epoch() < next {
			continue
		}
		if seal.Epoch() > next {
			return 0, sealMissing(row, next)
		}
		next++
		if seal <= from || seal.Seq() == 0 {
			continue
		}
		at, err := j.replayEpoch(ctx, row.Shard, max(from, persistence.At(seal.Epoch(), 0)), seal, visit)
		if err != nil {
			return 0, err
		}
		if at != seal {
			return 0, &persistence.CorruptError{
				Record: "log", Key: fmt.Sprintf("of shard %d", row.Shard),
				Reason: fmt.Sprintf("the frame at %s is missing, and the epoch goes to %s", at, seal),
			}
		}
	}
	if next < row.Epoch {
		return 0, sealMissing(row, next)
	}
	begin := max(from, persistence.At(row.Epoch, 0))
	return j.replayEpoch(ctx, row.Shard, begin, persistence.At(row.Epoch+1, 0), visit)
}

// sealMissing: without its seal an epoch has no end, and passing it over would lose
// what it holds.
func sealMissing(row persistence.ShardRow, epoch persistence.Epoch) error {
	return &persistence.CorruptError{
		Record: "log", Key: fmt.Sprintf("of shard %d", row.Shard),
		Reason: fmt.Sprintf("the seal of epoch %d is missing, and the shard is in epoch %d", epoch, row.Epoch),
	}
}

// replayEpoch visits the contiguous events from a position up to an end of the
// same epoch and returns how far they went.
func (j *Journal) replayEpoch(ctx context.Context, shard persistence.Shard, from, to persistence.Position, visit func(persistence.Frame, *persistence.Events)) (persistence.Position, error) {
	at := from
	for f, err := range j.store.Log().Read(ctx, shard, from) {
		damaged := errors.Is(err, persistence.ErrCorrupt)
		switch {
		case err != nil && !damaged:
			return at, err
		case f.Position >= to, f.Position != at && !j.local:
			return at, nil // late writes of an owner that was sealed off, damaged or not (I7)
		case damaged:
			return at, err
		case f.Position != at:
			return at, &persistence.CorruptError{
				Record: "log", Key: fmt.Sprintf("of shard %d", shard),
				Reason: fmt.Sprintf("the frame at %s is missing, and there is one at %s", at, f.Position),
			}
		}
		events, err := persistence.DecodeEvents(shard, f.Position, f.Data)
		if err != nil {
			return at, err
		}
		visit(f, events)
		at = f.End()
	}
	return at, nil
}
