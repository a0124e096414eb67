package cassandra

import (
	"context"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet/persistence"
)

// shardRecord is the partition of a shard: static columns say who owns it, and an
// ended epoch has a row with its seal. Both are in one partition so that one
// transaction can change them.
type shardRecord struct {
	persistence.ShardRow
	token gocql.UUID
	// sealedBy are the tokens of the claims that ended the epochs.
	sealedBy map[persistence.Epoch]gocql.UUID
}

// Shard returns what is known of a shard.
func (o *ownership) Shard(ctx context.Context, shard persistence.Shard) (persistence.ShardRow, error) {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return persistence.ShardRow{}, err
	}
	defer s.leave()
	row, err := s.readShard(ctx, shard)
	return row.ShardRow, err
}

func (s *Store) readShard(ctx context.Context, shard persistence.Shard) (shardRecord, error) {
	row := shardRecord{ShardRow: persistence.ShardRow{Shard: shard}, sealedBy: make(map[persistence.Epoch]gocql.UUID)}
	var damage error
	err := s.rows(ctx, &readShard, func(scan func(...any) bool) bool {
		var current, ended *int32
		var owner *string
		var inc, low, seal *int64
		var by gocql.UUID
		if !scan(&current, &owner, &inc, &low, &row.token, &ended, &seal, &by) {
			return false
		}
		if current == nil || owner == nil || inc == nil || low == nil {
			damage = fmt.Errorf("it has a seal and no owner")
			return false
		}
		row.Epoch, row.Owner = persistence.Epoch(*current), persistence.NodeID(*owner)
		row.Incarnation, row.Low = persistence.Incarnation(*inc), persistence.Position(*low)
		if ended == nil {
			return true // a shard whose epochs have all lost their seals, or none yet
		}
		e := persistence.Epoch(*ended)
		if seal == nil || persistence.Position(*seal).Epoch() != e || e >= row.Epoch {
			damage = fmt.Errorf("epoch %d, of which %d is the current one, has no seal of its own", e, row.Epoch)
			return false
		}
		row.Seals = append(row.Seals, persistence.Position(*seal))
		row.sealedBy[e] = by
		return true
	}, int32(shard))
	if err != nil {
		return shardRecord{}, fmt.Errorf("shard %d: %w", shard, err)
	}
	if damage != nil {
		return shardRecord{}, &persistence.CorruptError{Record: "shard row", Key: fmt.Sprint(shard), Reason: damage.Error()}
	}
	return row, nil
}

// Claim seals the current epoch and opens the next.
func (o *ownership) Claim(ctx context.Context, c persistence.Claim) (persistence.ShardRow, error) {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return persistence.ShardRow{}, err
	}
	defer s.leave()
	// What the row will be. It also refuses a seal that is none.
	next, err := c.Apply(c.Seen)
	if err != nil {
		row, readErr := s.readShard(ctx, c.Shard)
		if readErr != nil {
			return c.Seen, readErr
		}
		if _, lost := c.Apply(row.ShardRow); lost != nil {
			err = lost
		}
		return row.ShardRow, err
	}
	token, err := gocql.RandomUUID()
	if err != nil {
		return c.Seen, fmt.Errorf("cassandra: %w", err)
	}
	var current persistence.ShardRow
	sent := false
	send := func() (bool, error) {
		sent, current = true, next
		return s.claim(ctx, c, next, token)
	}
	err = s.settle(ctx, &claimNext, func() (bool, error) {
		if !sent { // c.Seen was read just now
			if applied, err := send(); applied || err != nil {
				return applied, err
			}
		}
		row, err := s.readShard(ctx, c.Shard)
		if err != nil {
			return false, err
		}
		current = row.ShardRow
		by, sealed := row.sealedBy[c.Seen.Epoch]
		switch {
		case row.Epoch == next.Epoch && row.token == token:
			return true, nil
		case row.Same(c.Seen):
			return send()
		case sealed && by == token:
			return false, settled{fmt.Errorf("it was granted, and the shard is in epoch %d already", row.Epoch)}
		case row.Epoch > next.Epoch && !sealed: // the first epoch, or its seal has been dropped
			return false, settled{fmt.Errorf("whether this claim was granted is unknown: the shard is in epoch %d by now", row.Epoch)}
		}
		_, err = c.Apply(row.ShardRow)
		return false, settled{err}
	})
	if err != nil {
		return current, fmt.Errorf("claiming shard %d for %q: %w", c.Shard, c.Owner, err)
	}
	return current, nil
}

// claim sends the claim.
func (s *Store) claim(ctx context.Context, c persistence.Claim, next persistence.ShardRow, token gocql.UUID) (bool, error) {
	if c.Seen.Epoch == 0 {
		if !c.Seen.Same(persistence.ShardRow{}) {
			return false, nil // no row is like that
		}
		return s.transact(ctx, &claimFirst, int32(next.Epoch), string(next.Owner), int64(next.Incarnation), int64(next.Low), token, int32(c.Shard))
	}
	return s.transact(ctx, &claimNext,
		int32(next.Epoch), string(next.Owner), int64(next.Incarnation), token, int64(c.Seal), token, int32(c.Shard), int32(c.Seen.Epoch),
		int32(c.Seen.Epoch), string(c.Seen.Owner), int64(c.Seen.Incarnation), int64(c.Seen.Low))
}

// RaiseLow raises the low mark of a shard.
func (o *ownership) RaiseLow(ctx context.Context, seen persistence.ShardRow, low persistence.Position) (persistence.ShardRow, error) {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return persistence.ShardRow{}, err
	}
	defer s.leave()
	next, err := seen.Raise(seen, low)
	if err != nil {
		return seen, err
	}
	current, sent := seen, false
	err = s.settle(ctx, &raiseLow, func() (bool, error) {
		row, err := s.readShard(ctx, seen.Shard)
		if err != nil {
			return false, err
		}
		current = row.ShardRow
		switch {
		case row.Same(next) && (sent || low == seen.Low):
			return true, nil // by this change, or by another of the same owner to the same end
		case row.Same(seen):
			sent = true
			return s.transact(ctx, &raiseLow, int64(low), int32(seen.Shard),
				int32(seen.Epoch), string(seen.Owner), int64(seen.Incarnation), int64(seen.Low))
		case sent && row.Low >= low:
			return false, settled{fmt.Errorf("whether this was it is unknown: shard %d is in epoch %d with low %s by now", seen.Shard, row.Epoch, row.Low)}
		}
		_, err = seen.Raise(row.ShardRow, low)
		return false, settled{err}
	})
	if err != nil {
		return current, fmt.Errorf("raising the low mark of shard %d: %w", seen.Shard, err)
	}
	next.Seals = current.Seals
	return next, nil
}
