package inspect

import (
	"context"
	"errors"

	"github.com/mesonet/mesonet/persistence"
)

// Log is what was met of a shard's log.
type Log struct {
	// From is where the log begins, low or the first event, and To the end of
	// what counts; both are 0 for a shard that never had an owner.
	From, To persistence.Position
	// Frames and Events count, and have Bytes as they are stored.
	Frames, Events int
	Bytes          int64
	// Tail are those of them that a start reads: from the checkpoint on.
	Tail Span
	// Late frames count for nothing.
	Late int
	// Whole says that no damage was met: all that counts was visited.
	Whole bool
}

// Span is a part of a log.
type Span struct {
	Frames, Events int
	Bytes          int64
}

// Log walks over the log of a shard, as far as it counts, and calls visit with
// every frame that can be read, in order. An error of visit ends the walk.
func (s *Shard) Log(ctx context.Context, visit func(persistence.Frame, []persistence.Record) error) (Log, error) {
	return s.LogFrom(ctx, 0, visit)
}

// LogFrom walks over a part of the log: from a position on, which lies between
// frames.
func (s *Shard) LogFrom(ctx context.Context, from persistence.Position, visit func(persistence.Frame, []persistence.Record) error) (Log, error) {
	w := &logWalk{Shard: s, log: Log{Whole: true}, visit: visit}
	if s.Row.Epoch < persistence.FirstEpoch {
		return w.log, w.ownerless(ctx)
	}
	w.log.From = max(from, s.Row.Low, persistence.At(persistence.FirstEpoch, 0))
	for e := w.log.From.Epoch(); e <= s.Row.Epoch; e++ {
		if err := w.epoch(ctx, e); err != nil {
			return w.log, err
		}
	}
	w.judgeCheckpoint()
	return w.log, nil
}

// logWalk is a walk over a log.
type logWalk struct {
	*Shard
	log   Log
	visit func(persistence.Frame, []persistence.Record) error
}

func (w *logWalk) damage(kind Kind, at persistence.Position, format string, args ...any) {
	w.log.Whole = false
	w.found(kind, at, format, args...)
}

// epoch walks over an epoch, from low on if that lies in it, to its end.
func (w *logWalk) epoch(ctx context.Context, e persistence.Epoch) error {
	from := max(w.log.From, persistence.At(e, 0))
	end, sealed := w.end(e)
	w.log.To = from
	switch {
	case !sealed && e < w.Row.Epoch:
		w.log.Whole = false // its seal is gone, which was told
		return nil
	case sealed && end <= from:
		return nil // nothing in it counts
	}
	at, lost := from, false // lost: it isn't known where the next frame has to begin
	for f, err := range w.store.Log().Read(ctx, w.Row.Shard, from) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !errors.Is(err, persistence.ErrCorrupt):
			return err
		case f.Position >= end:
			w.log.Late++
			continue
		case err != nil:
			w.damage(BadFrame, max(f.Position, at), "%s", reason(err))
			lost = true
			continue
		case f.Position > at && !lost && !sealed && !w.store.Info().Local:
			w.log.Late++ // and all after it: frames of one owner become durable in any order
			continue
		case f.Position != at && !lost:
			if err := w.gap(ctx, at, f.Position); err != nil {
				return err
			}
		}
		if f.End() > end {
			w.damage(BadSeal, end, "the epoch is sealed in the middle of the frame at %s", f.Position)
		}
		at, lost = f.End(), false
		if err := w.frame(f); err != nil {
			return err
		}
	}
	if sealed && at < end && !lost {
		switch dropped, err := w.dropped(ctx, at); {
		case err != nil:
			return err
		case !dropped:
			w.damage(MissingFrame, at, "the log ends there, and epoch %d was sealed at %s", e, end)
		}
	}
	w.log.To = at
	return nil
}

// judgeCheckpoint looks whether the checkpoint is one of the positions that the
// log has come to.
func (w *logWalk) judgeCheckpoint() {
	c := w.Checkpoint
	end, sealed := w.end(c.Epoch())
	switch {
	case c == 0:
	case c.Epoch() < persistence.FirstEpoch:
		w.damage(BadCheckpoint, c, "no epoch has that number")
	case sealed && c > end:
		w.damage(BadCheckpoint, c, "its epoch was sealed at %s", end)
	case c > w.log.To && w.log.Whole:
		w.damage(BadCheckpoint, c, "the log goes to %s", w.log.To)
	}
}

// ownerless looks for frames in a shard that never had an owner.
func (w *logWalk) ownerless(ctx context.Context) error {
	for f, err := range w.store.Log().Read(ctx, w.Row.Shard, persistence.At(persistence.FirstEpoch, 0)) {
		if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
			return err
		}
		w.damage(BadRow, f.Position, "there is a frame, and the shard never had an owner")
		break
	}
	return nil
}

func (w *logWalk) gap(ctx context.Context, at, next persistence.Position) error {
	if next <= at {
		w.damage(BadFrame, next, "it begins in the middle of the one before, which goes to %s", at)
		return nil
	}
	dropped, err := w.dropped(ctx, at)
	if err == nil && !dropped {
		w.damage(MissingFrame, at, "the log goes on at %s: %d events are gone", next, next-at)
	}
	return err
}

// dropped reports whether the log at a position may be gone by now: on a store that
// others reach, its owner may drop history while it is read.
func (w *logWalk) dropped(ctx context.Context, at persistence.Position) (bool, error) {
	if w.store.Info().Local {
		return false, nil
	}
	row, err := w.store.Ownership().Shard(ctx, w.Row.Shard)
	if err != nil || row.Low <= at {
		return false, err
	}
	w.log.Whole = false // what is there of it was not visited in one piece
	return true, nil
}

// frame takes a frame that is in its place.
func (w *logWalk) frame(f persistence.Frame) error {
	records, err := persistence.DecodeFrame(w.Row.Shard, f.Position, f.Data)
	if err != nil {
		w.damage(BadFrame, f.Position, "%s", reason(err))
		return nil
	}
	size := int64(len(f.Data))
	w.log.Frames, w.log.Events, w.log.Bytes = w.log.Frames+1, w.log.Events+len(records), w.log.Bytes+size
	switch c := w.Checkpoint; {
	case f.Position >= c:
		w.log.Tail.Frames, w.log.Tail.Events, w.log.Tail.Bytes = w.log.Tail.Frames+1, w.log.Tail.Events+len(records), w.log.Tail.Bytes+size
	case f.End() > c:
		w.damage(BadCheckpoint, c, "it lies in the middle of the frame at %s", f.Position)
	}
	if w.visit == nil {
		return nil
	}
	return w.visit(f, records)
}
