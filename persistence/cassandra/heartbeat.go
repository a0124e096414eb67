package cassandra

import (
	"context"

	"github.com/mesonet/mesonet/persistence"
)

// Beat stores a heartbeat. The later one of a node wins.
func (s *Store) Beat(ctx context.Context, h persistence.Heartbeat) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	at := int64(h.Incarnation)<<32 | int64(h.Number&(1<<32-1))
	return s.exec(ctx, &beat, string(h.Node), int64(h.Incarnation), int64(h.Number), h.Peers, at)
}

// Heartbeats returns the last heartbeat of each node.
func (s *Store) Heartbeats(ctx context.Context) ([]persistence.Heartbeat, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var all []persistence.Heartbeat
	err := s.rows(ctx, &readBeats, func(scan func(...any) bool) bool {
		var node string
		var inc, n int64
		var peers []string
		if !scan(&node, &inc, &n, &peers) {
			return false
		}
		all = append(all, persistence.Heartbeat{Node: persistence.NodeID(node), Incarnation: persistence.Incarnation(inc), Number: uint64(n), Peers: peers})
		return true
	})
	return all, err
}
