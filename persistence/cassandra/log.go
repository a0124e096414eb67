package cassandra

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet/persistence"
)

// The log of a shard's epoch is cut into chunks of 2^16 positions, a partition
// each. A frame is in the chunk of its first position and has at most as many
// events, so that the one after it begins in the same chunk or the next: a reader
// finds all chunks of a log without gaps by counting, from whatever it knows.
const chunkBits = 16

func chunkOf(p persistence.Position) int64 { return int64(p.Seq() >> chunkBits) }

// maxRow is the largest cell that is sent: Cassandra refuses mutations above
// 16 MiB, and may close the connection over them.
const maxRow = 15 << 20

type log Store

// Append writes f, and again while there is no good answer.
func (l *log) Append(ctx context.Context, f persistence.Frame, done func(error)) {
	s := (*Store)(l)
	if err := s.enter(ctx); err != nil {
		done(err)
		return
	}
	go func() {
		defer s.leave()
		done(s.append(ctx, f))
	}()
}

func (s *Store) append(ctx context.Context, f persistence.Frame) error {
	if len(f.Data) > maxRow {
		return fmt.Errorf("cassandra: the frame at %s of shard %d has %d bytes, more than the %d that a row can have", f.Position, f.Shard, len(f.Data), maxRow)
	}
	err := s.repeat(ctx, &appendFrame, func() error {
		return s.exec(ctx, &appendFrame, int32(f.Shard), int32(f.Position.Epoch()), chunkOf(f.Position), int64(f.Position.Seq()), f.Data, int64(f.Position))
	})
	if err != nil {
		return fmt.Errorf("the frame at %s of shard %d may be stored or not: %w", f.Position, f.Shard, err)
	}
	return nil
}

// repeat calls try until it succeeds, with growing pauses: until WriteTimeout has
// passed, ctx ends, the store closes, or an error comes that would come again.
func (s *Store) repeat(ctx context.Context, st *statement, try func() error) error {
	give := time.Now().Add(s.cfg.WriteTimeout)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := try()
		if err == nil || final(err) || ctx.Err() != nil || !s.pause(ctx, pause, give) {
			return err
		}
		if l := s.cfg.Listener.Repeated; l != nil {
			l(st.table, err)
		}
	}
}

// pause waits for half of d up to all of it, and returns false when there is no
// use in going on.
func (s *Store) pause(ctx context.Context, d time.Duration, until time.Time) bool {
	d = d/2 + rand.N(d/2+1)
	if time.Now().Add(d).After(until) {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.closing.Done():
	}
	return false
}

// final says that what was asked for can't be done, now or later.
func final(err error) bool {
	var e gocql.RequestError
	if !errors.As(err, &e) {
		return errors.Is(err, gocql.ErrSessionClosed) || errors.Is(err, persistence.ErrClosed)
	}
	switch e.Code() {
	case gocql.ErrCodeInvalid, gocql.ErrCodeSyntax, gocql.ErrCodeUnauthorized, gocql.ErrCodeConfig, gocql.ErrCodeCredentials:
		return true
	}
	return false
}

// Rows of the log and pages are read some at a time. How many follows from their
// size: each read should bring some 4 MiB, and one that meets larger rows than
// those before must not bring down the server.
const (
	readBytes = 4 << 20
	minBatch  = 4
	maxBatch  = 32
)

// nextBatch returns how many rows to read after n rows of which the largest had
// that many bytes.
func nextBatch(n, largest int) int {
	return max(1, min(2*n, maxBatch, readBytes/max(largest, 1)))
}

// Read yields frames, chunk after chunk. It ends at a chunk without any, behind
// the first one that it looks into: no writer leaves a gap that long.
func (l *log) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	s := (*Store)(l)
	return func(yield func(persistence.Frame, error) bool) {
		chunk, found, jumped := chunkOf(from), false, false
		for empty := 0; ; chunk++ {
			n, more, err := s.readChunk(ctx, shard, from, chunk, yield)
			if err != nil {
				yield(persistence.Frame{}, err)
				return
			}
			if !more {
				return
			}
			if empty++; n > 0 {
				found, empty = true, 1
			}
			// Where nothing is at the beginning of an epoch nothing follows, unless it
			// was deleted.
			if nothing := n == 0 && from.Seq() == 0 && !jumped; empty < 2 && !nothing {
				continue
			}
			if found || jumped {
				return
			}
			// Perhaps what follows from is deleted. A frame that reaches over
			// the low mark may begin a chunk before.
			low, err := s.low(ctx, shard)
			if err != nil {
				yield(persistence.Frame{}, err)
				return
			}
			if low.Epoch() != from.Epoch() || chunkOf(low) <= chunk {
				return
			}
			chunk, empty, jumped = max(chunk, chunkOf(low)-2), 0, true
		}
	}
}

// readChunk yields the frames of a chunk from a position on, and returns how many
// there were; more is false when the reader wants no more.
func (s *Store) readChunk(ctx context.Context, shard persistence.Shard, from persistence.Position, chunk int64, yield func(persistence.Frame, error) bool) (n int, more bool, err error) {
	seq := max(int64(from.Seq()), chunk<<chunkBits)
	for batch := minBatch; ; {
		frames, largest, err := s.readFrames(ctx, shard, from.Epoch(), chunk, seq, batch)
		if err != nil {
			return n, true, err
		}
		for _, f := range frames {
			n++
			seq = int64(f.at.Seq()) + 1
			if !yield(f.frame(shard)) {
				return n, false, nil
			}
		}
		if len(frames) < batch {
			return n, true, nil
		}
		batch = nextBatch(batch, largest)
	}
}

// storedFrame is a row of the log.
type storedFrame struct {
	at   persistence.Position
	data []byte
}

// frame returns what the row holds, its place also of one that can't be read.
func (r storedFrame) frame(shard persistence.Shard) (persistence.Frame, error) {
	f, err := persistence.ReadFrameHeader(r.data)
	if err == nil && (f.Shard != shard || f.Position != r.at) {
		err = fmt.Errorf("it was written for %s of shard %d", f.Position, f.Shard)
	}
	f.Shard, f.Position = shard, r.at
	if err != nil {
		return f, &persistence.CorruptError{Record: "frame", Key: fmt.Sprintf("at %s of shard %d", r.at, shard), Reason: err.Error()}
	}
	return f, nil
}

func (s *Store) readFrames(ctx context.Context, shard persistence.Shard, epoch persistence.Epoch, chunk, seq int64, limit int) (frames []storedFrame, largest int, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer s.leave()
	err = s.rows(ctx, &readFrames, func(scan func(...any) bool) bool {
		var at int64
		var data []byte
		if !scan(&at, &data) {
			return false
		}
		frames = append(frames, storedFrame{persistence.At(epoch, uint64(at)), data})
		largest = max(largest, len(data))
		return true
	}, int32(shard), int32(epoch), chunk, seq, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("the log of shard %d from %s: %w", shard, persistence.At(epoch, uint64(seq)), err)
	}
	return frames, largest, nil
}

// low returns the low mark of a shard.
func (s *Store) low(ctx context.Context, shard persistence.Shard) (persistence.Position, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	var low int64
	err := s.rows(ctx, &readLow, func(scan func(...any) bool) bool { return scan(&low) }, int32(shard))
	return persistence.Position(low), err
}
