package cassandra

import (
	"context"

	"github.com/mesonet/mesonet/persistence"
)

// Heartbeat is a sign of life of a node. It is a hint: nothing that is safe rests
// on it.
type Heartbeat struct {
	Node        persistence.NodeID
	Incarnation persistence.Incarnation
	// Number counts the heartbeats of an incarnation, below 2^24.
	Number uint64
	// Peers are the nodes that the writer sees.
	Peers []string
}

// Beat stores a heartbeat. The later one of a node wins.
func (s *Store) Beat(ctx context.Context, h Heartbeat) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	at := int64(h.Incarnation)<<24 | int64(h.Number&(1<<24-1))
	return s.exec(ctx, &beat, string(h.Node), int64(h.Incarnation), int64(h.Number), h.Peers, at)
}

// Heartbeats returns the last heartbeat of each node.
func (s *Store) Heartbeats(ctx context.Context) ([]Heartbeat, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var all []Heartbeat
	err := s.rows(ctx, &readBeats, func(scan func(...any) bool) bool {
		var node string
		var inc, n int64
		var peers []string
		if !scan(&node, &inc, &n, &peers) {
			return false
		}
		all = append(all, Heartbeat{persistence.NodeID(node), persistence.Incarnation(inc), uint64(n), peers})
		return true
	})
	return all, err
}
