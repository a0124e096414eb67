package cassandra

import (
	"context"
	"fmt"

	"github.com/mesonet/mesonet/persistence"
)

// register is the level of the formats: the column format of the table store, which was
// 1 in all keyspaces before there were levels. Releases from before them compare it with
// 1, and so refuse a keyspace that was raised, as they should.
//
// It is read at QUORUM. A raise counts from when it is committed to a quorum; whoever
// saw one early, on one replica, has had it repaired to a quorum first (BLOCKING), so
// that a read that begins after it sees it, too. SERIAL reads of one row by all nodes,
// for each shard that they take, would get in each other's way.
type register Store

// Known are the levels that this program knows.
func (r *register) Known() persistence.Levels { return r.cfg.Levels.OrKnown() }

// Seen is the level that was read last.
func (r *register) Seen() persistence.Level { return persistence.Level(r.level.Load()) }

// Read reads the level.
func (r *register) Read(ctx context.Context) (persistence.Level, error) {
	s := (*Store)(r)
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	return r.read(ctx, &readLevel)
}

func (r *register) read(ctx context.Context, st *statement) (persistence.Level, error) {
	var level int
	found := false
	err := (*Store)(r).rows(ctx, st, func(scan func(...any) bool) bool {
		found = scan(&level) || found
		return false
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading the level of the formats: %w", err)
	case !found:
		return 0, fmt.Errorf("reading the level of the formats: %w: %w", persistence.ErrNotFound, errNoRecord)
	}
	now := persistence.Level(level)
	if err := r.Known().Check(now); err != nil {
		return now, err
	}
	r.saw(now)
	return now, nil
}

// saw takes a level for seen. An answer that comes late doesn't lower it.
func (r *register) saw(now persistence.Level) {
	for {
		seen := r.level.Load()
		if uint32(now) <= seen || r.level.CompareAndSwap(seen, uint32(now)) {
			return
		}
	}
}

// Raise raises the level by a transaction. It needs no token: the level only rises, so
// that found at to, after it was sent, it was raised, by whomever. An answer that it was
// not applied may be that of a copy. While it is still at from, the identical statement
// may be sent again, and at most one of the two is applied.
func (r *register) Raise(ctx context.Context, from, to persistence.Level) error {
	if err := r.Known().CheckRaise(from, to); err != nil {
		return err
	}
	s := (*Store)(r)
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	sent := false
	err := s.settle(ctx, &raiseLevel, func() (bool, error) {
		now, err := r.read(ctx, &settleLevel)
		switch {
		case now == 0:
			return false, err
		case now == from:
			sent = true
			applied, err := s.transact(ctx, &raiseLevel, int(to), int(from))
			if applied {
				r.saw(to)
			}
			return applied, err
		case now == to && sent:
			return true, nil
		}
		return false, settled{persistence.LostRaise(from, now)}
	})
	if err != nil {
		return fmt.Errorf("raising the level of the formats: %w", err)
	}
	return nil
}
