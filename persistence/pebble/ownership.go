package pebble

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/mesonet/mesonet/persistence"
)

// ownership decides by read and write under the store's rmw lock: nobody else
// can reach the folder. Rows are JSON; they are few, and people read them when
// something is wrong.
type ownership Store

// shardRecord is a shard's row without its seals, which are records of their
// own.
type shardRecord struct {
	Epoch       persistence.Epoch       `json:"epoch"`
	Owner       persistence.NodeID      `json:"owner"`
	Incarnation persistence.Incarnation `json:"incarnation"`
	Low         persistence.Position    `json:"low"`
}

type nodeRecord struct {
	Incarnation persistence.Incarnation `json:"incarnation"`
	Address     string                  `json:"address"`
}

// Boot raises a node's incarnation.
func (o *ownership) Boot(ctx context.Context, node persistence.NodeID, address string) (persistence.Incarnation, error) {
	o.rmw.Lock()
	defer o.rmw.Unlock()
	row, err := o.node(ctx, node)
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return 0, err
	}
	return o.putNode(ctx, node, nodeRecord{row.Incarnation + 1, address})
}

// Check compares a node's incarnation with the cached one.
func (o *ownership) Check(ctx context.Context, node persistence.NodeID, inc persistence.Incarnation) error {
	s := (*Store)(o)
	if s.ended.Load() {
		return persistence.ErrClosed
	}
	if err := s.failed(); err != nil {
		return err
	}
	current, ok := (*s.incarnations.Load())[node]
	if !ok {
		row, err := o.known(ctx, node)
		if err != nil {
			return err
		}
		current = row.Incarnation
	}
	if current != inc {
		return fmt.Errorf("node %q has incarnation %d, not %d: %w", node, current, inc, persistence.ErrFenced)
	}
	return nil
}

// known returns a node's row, and caches its incarnation.
func (o *ownership) known(ctx context.Context, node persistence.NodeID) (persistence.NodeRow, error) {
	o.rmw.Lock()
	defer o.rmw.Unlock()
	row, err := o.node(ctx, node)
	if err == nil {
		(*Store)(o).cache(node, row.Incarnation)
	}
	return row, err
}

// cache replaces the incarnations by those with one more. Called with rmw held.
func (s *Store) cache(node persistence.NodeID, inc persistence.Incarnation) {
	all := maps.Clone(*s.incarnations.Load())
	all[node] = inc
	s.incarnations.Store(&all)
}

// Node returns what is known of a node.
func (o *ownership) Node(ctx context.Context, node persistence.NodeID) (persistence.NodeRow, error) {
	return o.node(ctx, node)
}

// Fence raises a node's incarnation from the one seen.
func (o *ownership) Fence(ctx context.Context, node persistence.NodeID, seen persistence.Incarnation) (persistence.Incarnation, error) {
	o.rmw.Lock()
	defer o.rmw.Unlock()
	row, err := o.node(ctx, node)
	if err != nil {
		return 0, err
	}
	if row.Incarnation != seen {
		return row.Incarnation, fmt.Errorf("node %q has incarnation %d, not %d: %w", node, row.Incarnation, seen, persistence.ErrLost)
	}
	return o.putNode(ctx, node, nodeRecord{seen + 1, row.Address})
}

func (o *ownership) node(ctx context.Context, node persistence.NodeID) (persistence.NodeRow, error) {
	row := persistence.NodeRow{ID: node}
	value, err := (*Store)(o).get(ctx, nodeKey(node))
	if err != nil {
		return row, fmt.Errorf("node %q: %w", node, err)
	}
	var r nodeRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return row, &persistence.CorruptError{Record: "node row", Key: string(node), Reason: err.Error()}
	}
	row.Incarnation, row.Address = r.Incarnation, r.Address
	return row, nil
}

func (o *ownership) putNode(ctx context.Context, node persistence.NodeID, r nodeRecord) (persistence.Incarnation, error) {
	s := (*Store)(o)
	if err := o.put(ctx, record{nodeKey(node), r}); err != nil {
		return r.Incarnation, err
	}
	s.cache(node, r.Incarnation)
	s.noteNode(node, r.Incarnation)
	return r.Incarnation, s.testify(true)
}

// Shard returns what is known of a shard.
func (o *ownership) Shard(ctx context.Context, shard persistence.Shard) (persistence.ShardRow, error) {
	o.rmw.Lock()
	defer o.rmw.Unlock()
	return o.row(ctx, shard)
}

// Claim seals the current epoch and opens the next.
func (o *ownership) Claim(ctx context.Context, c persistence.Claim) (persistence.ShardRow, error) {
	o.rmw.Lock()
	defer o.rmw.Unlock()
	current, err := o.row(ctx, c.Shard)
	if err != nil {
		return current, err
	}
	next, err := c.Apply(current)
	if err != nil {
		return current, err
	}
	records := []record{rowRecord(next)}
	if current.Epoch != 0 {
		records = append(records, record{sealKey(c.Shard, current.Epoch), c.Seal})
	}
	return next, o.put(ctx, records...)
}

// RaiseLow raises the low mark of a shard.
func (o *ownership) RaiseLow(ctx context.Context, seen persistence.ShardRow, low persistence.Position) (persistence.ShardRow, error) {
	o.rmw.Lock()
	defer o.rmw.Unlock()
	current, err := o.row(ctx, seen.Shard)
	if err != nil {
		return current, err
	}
	next, err := seen.Raise(current, low)
	if err != nil {
		return current, err
	}
	return next, o.put(ctx, rowRecord(next))
}

// row reads a shard's row and seals; o.rmw is held so that they belong
// together.
func (o *ownership) row(ctx context.Context, shard persistence.Shard) (persistence.ShardRow, error) {
	s := (*Store)(o)
	row := persistence.ShardRow{Shard: shard}
	corrupt := func(err error) error {
		return &persistence.CorruptError{Record: "shard row", Key: fmt.Sprint(shard), Reason: err.Error()}
	}
	value, err := s.get(ctx, shardKey(prefixOwner, shard))
	if errors.Is(err, persistence.ErrNotFound) {
		return row, nil
	}
	if err != nil {
		return row, fmt.Errorf("shard %d: %w", shard, err)
	}
	var r shardRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return row, corrupt(err)
	}
	row.Epoch, row.Owner, row.Incarnation, row.Low = r.Epoch, r.Owner, r.Incarnation, r.Low
	err = s.scan(ctx, shardKey(prefixSeal, shard), shardKey(prefixSeal, shard+1), func(key, value []byte) (bool, error) {
		var seal persistence.Position
		if err := json.Unmarshal(value, &seal); err != nil {
			return false, corrupt(err)
		}
		e, err := parseSealKey(shard, key)
		if err != nil {
			return false, err
		}
		if seal.Epoch() != e || e >= row.Epoch {
			return false, corrupt(fmt.Errorf("epoch %d, of which %d is the current one, has seal %s", e, row.Epoch, seal))
		}
		row.Seals = append(row.Seals, seal)
		return true, nil
	})
	return row, err
}

type record struct {
	key   []byte
	value any
}

func rowRecord(r persistence.ShardRow) record {
	return record{shardKey(prefixOwner, r.Shard), shardRecord{r.Epoch, r.Owner, r.Incarnation, r.Low}}
}

// put writes records in one synced batch.
func (o *ownership) put(ctx context.Context, records ...record) error {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	b := s.db.NewBatch()
	for _, r := range records {
		value, err := json.Marshal(r.value)
		if err == nil {
			err = b.Set(r.key, value, nil)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("pebble: %w", err), b.Close())
		}
	}
	return errors.Join(s.write(b), b.Close())
}
