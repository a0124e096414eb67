package pebble

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/mesonet/mesonet/persistence"
)

type log Store

type pendingAppend struct {
	frame persistence.Frame
	done  func(error)
}

// Append queues f for the committer.
func (l *log) Append(ctx context.Context, f persistence.Frame, done func(error)) {
	s := (*Store)(l)
	if err := s.enter(ctx); err != nil {
		done(err)
		return
	}
	s.appends <- pendingAppend{f, done} // left when it is answered
}

// commitLoop is the committer: it writes what is queued, all that is there at
// once, until the queue is closed.
func (s *Store) commitLoop() {
	defer close(s.done)
	tell := time.NewTimer(witnessEvery)
	defer tell.Stop()
	told, news := true, !s.cfg.ReadOnly // the timer runs; there is something to tell
	for {
		select {
		case first, ok := <-s.appends:
			if !ok {
				return
			}
			group := s.gather(first)
			err := s.commit(group)
			if err == nil {
				s.noteFrames(group)
				news = true
			}
			for _, p := range group {
				p.done(err)
				s.leave()
			}
			if told {
				tell.Reset(witnessEvery)
				told = false
			}
		case <-tell.C:
			if news && s.failed() == nil {
				if err := s.testify(false); err != nil {
					s.cfg.Logger.Warn("store can't write how far it has come", "error", err)
				}
			}
			told, news = true, false
		}
	}
}

func (s *Store) gather(first pendingAppend) []pendingAppend {
	group := []pendingAppend{first}
	for {
		select {
		case p, ok := <-s.appends:
			if !ok {
				return group
			}
			group = append(group, p)
		default:
			return group
		}
	}
}

func (s *Store) commit(group []pendingAppend) error {
	if err := s.failed(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	for _, p := range group {
		if err := b.Set(frameKey(p.frame.Shard, p.frame.Position), p.frame.Data, nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	err := s.write(b)
	if closeErr := b.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("pebble: %w", closeErr)
	}
	return err
}

// Read yields frames from an iterator over a snapshot.
func (l *log) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	s := (*Store)(l)
	return func(yield func(persistence.Frame, error) bool) {
		end := frameKey(shard, persistence.At(from.Epoch()+1, 0))
		err := s.scan(ctx, frameKey(shard, from), end, func(key, value []byte) (bool, error) {
			return yield(frameAt(shard, key, append([]byte(nil), value...))), nil
		})
		if err != nil {
			yield(persistence.Frame{}, err)
		}
	}
}

// frameAt returns the frame of a record, whose place is that of its key, also of
// one that can't be read. It shares value.
func frameAt(shard persistence.Shard, key, value []byte) (persistence.Frame, error) {
	p, err := parseFrameKey(shard, key)
	if err != nil {
		return persistence.Frame{}, err
	}
	f, err := persistence.ReadFrameHeader(value)
	f.Shard, f.Position = shard, p
	if err != nil {
		return f, &persistence.CorruptError{Record: "frame", Key: fmt.Sprintf("at %s of shard %d", p, shard), Reason: err.Error()}
	}
	return f, nil
}

// Delete removes frames that end at or below a position. The last frame of an
// epoch may reach over it, so that the frame's own count decides.
func (l *log) Delete(ctx context.Context, shard persistence.Shard, below persistence.Position) error {
	s := (*Store)(l)
	var last []byte // the last key that may go
	err := s.scan(ctx, frameKey(shard, 0), frameKey(shard, below), func(key, value []byte) (bool, error) {
		f, err := frameAt(shard, key, value)
		if err != nil {
			return false, err
		}
		if f.End() > below {
			return false, nil
		}
		last = append(last[:0], key...)
		return true, nil
	})
	if err != nil || last == nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	b := s.db.NewBatch()
	if err := b.DeleteRange(frameKey(shard, 0), append(last, 0), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	return errors.Join(s.write(b), b.Close())
}

// scan calls visit for the records from..to until it returns false. Key and
// value are only valid during the call.
func (s *Store) scan(ctx context.Context, from, to []byte, visit func(key, value []byte) (bool, error)) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return s.unread(err)
	}
	defer func() {
		if closeErr := it.Close(); err == nil && closeErr != nil {
			err = s.unread(closeErr)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err := s.unread(err); err != nil {
			return err
		}
		more, err := visit(it.Key(), value)
		if err != nil || !more {
			return err
		}
	}
	return s.unread(it.Error())
}
