package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet/persistence"
)

// Every change of ownership is one lightweight transaction in one partition,
// with a condition under which it can be applied at most once, and with a random
// token. When its answer is lost, or says that it was not applied, the row is
// read at SERIAL, which completes what was under way:
//
//   - The row has the token: it was applied.
//   - The row has moved on without it: it was not applied and never will be, as
//     incarnations, epochs and low marks only rise.
//   - The row is still as the condition wants it: the change may be on its way
//     to a coordinator, and come later. Then the identical statement is sent
//     again; of the two at most one is applied, and both have the same token.
//
// Not like that: sending it again without reading first. Its own first copy would
// then be what it loses against.
//
// A check of ownership needs no SERIAL read. A fence counts from when it is
// committed to a quorum: its caller was told so, or has seen it at SERIAL, which
// commits what it found half done. A QUORUM read that begins after that meets a
// replica that has it. One that does not see a fence that was proposed and not
// committed began before anybody could act on it. And one that does see a fence
// early, on one replica, sees one that has been decided. docs/design/cassandra.md
// has it at length.
type ownership Store

// nodeRecord is a node's row.
type nodeRecord struct {
	persistence.NodeRow
	token gocql.UUID
}

// Boot raises a node's incarnation.
func (o *ownership) Boot(ctx context.Context, node persistence.NodeID, address string) (persistence.Incarnation, error) {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	token, err := gocql.RandomUUID()
	if err != nil {
		return 0, fmt.Errorf("cassandra: %w", err)
	}
	var inc persistence.Incarnation
	err = s.settle(ctx, &bootNode, func() (bool, error) {
		row, err := s.readNode(ctx, node)
		missing := errors.Is(err, persistence.ErrNotFound)
		switch {
		case err != nil && !missing:
			return false, err
		case row.token == token:
			inc = row.Incarnation
			return true, nil
		}
		inc = row.Incarnation + 1
		if missing {
			return s.transact(ctx, &createNode, string(node), int64(inc), token, address)
		}
		return s.transact(ctx, &bootNode, int64(inc), token, address, string(node), int64(row.Incarnation))
	})
	if err != nil {
		return 0, fmt.Errorf("raising the incarnation of node %q: %w", node, err)
	}
	return inc, nil
}

// Fence raises a node's incarnation from seen.
func (o *ownership) Fence(ctx context.Context, node persistence.NodeID, seen persistence.Incarnation) (persistence.Incarnation, error) {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	token, err := gocql.RandomUUID()
	if err != nil {
		return 0, fmt.Errorf("cassandra: %w", err)
	}
	now, sent := seen, false
	err = s.settle(ctx, &fenceNode, func() (bool, error) {
		row, err := s.readNode(ctx, node)
		if err != nil {
			return false, err
		}
		now = row.Incarnation
		switch {
		case now == seen:
			sent = true
			return s.transact(ctx, &fenceNode, int64(seen+1), token, string(node), int64(seen))
		case row.token == token:
			return true, nil
		case now > seen+1 && sent:
			// Whether the step from seen was this one can't be told any more.
			return false, settled{fmt.Errorf("whether this was it is unknown: node %q has incarnation %d by now", node, now)}
		}
		return false, settled{fmt.Errorf("node %q has incarnation %d, not %d: %w", node, now, seen, persistence.ErrLost)}
	})
	if err != nil {
		return now, fmt.Errorf("fencing node %q: %w", node, err)
	}
	return seen + 1, nil
}

// Check reads the incarnation of a node at QUORUM.
func (o *ownership) Check(ctx context.Context, node persistence.NodeID, inc persistence.Incarnation) error {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	var current int64
	found := false
	err := s.rows(ctx, &checkNode, func(scan func(...any) bool) bool {
		found = scan(&current) || found
		return false
	}, string(node))
	switch {
	case err != nil:
		return fmt.Errorf("checking the incarnation of node %q: %w", node, err)
	case !found:
		return fmt.Errorf("node %q: %w", node, persistence.ErrNotFound)
	case persistence.Incarnation(current) != inc:
		return fmt.Errorf("node %q has incarnation %d, not %d: %w", node, current, inc, persistence.ErrFenced)
	}
	return nil
}

// Node returns what is known of a node.
func (o *ownership) Node(ctx context.Context, node persistence.NodeID) (persistence.NodeRow, error) {
	s := (*Store)(o)
	if err := s.enter(ctx); err != nil {
		return persistence.NodeRow{}, err
	}
	defer s.leave()
	row, err := s.readNode(ctx, node)
	return row.NodeRow, err
}

func (s *Store) readNode(ctx context.Context, node persistence.NodeID) (nodeRecord, error) {
	row := nodeRecord{NodeRow: persistence.NodeRow{ID: node}}
	var inc int64
	found := false
	err := s.rows(ctx, &readNode, func(scan func(...any) bool) bool {
		found = scan(&inc, &row.token, &row.Address) || found
		return false
	}, string(node))
	if err != nil {
		return nodeRecord{}, err
	}
	if !found {
		return nodeRecord{}, fmt.Errorf("node %q: %w", node, persistence.ErrNotFound)
	}
	row.Incarnation = persistence.Incarnation(inc)
	return row, nil
}

// transact runs a conditional statement.
func (s *Store) transact(ctx context.Context, st *statement, values ...any) (applied bool, err error) {
	q := s.query(st, values...)
	iter := q.IterContext(ctx)
	row := make(map[string]any)
	iter.MapScan(row)
	if err := s.explain(st, iter, iter.Close()); err != nil {
		return false, err
	}
	applied, _ = row["[applied]"].(bool)
	return applied, nil
}

// settled is an error that reading again would not change.
type settled struct{ error }

func (e settled) Unwrap() error { return e.error }

// settle calls try, which reads the row and decides by it, until it says that the
// change is made, or returns a settled error. After WriteTimeout the outcome stays
// unknown.
func (s *Store) settle(ctx context.Context, st *statement, try func() (done bool, err error)) error {
	give := time.Now().Add(s.cfg.WriteTimeout)
	var lost error
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		done, err := try()
		var s0 settled
		switch {
		case done:
			return nil
		case errors.As(err, &s0):
			return s0.error
		case err != nil && (final(err) || errors.Is(err, persistence.ErrNotFound)):
			return err
		case err != nil && lost == nil:
			lost = err
		}
		if ctx.Err() != nil || !s.pause(ctx, pause, give) {
			if lost == nil {
				lost = errors.New("others were faster again and again")
			}
			return fmt.Errorf("whether it happened is unknown: %w", errors.Join(lost, ctx.Err()))
		}
		if l := s.cfg.Listener.Repeated; l != nil && err != nil {
			l(st.table, err)
		}
	}
}
