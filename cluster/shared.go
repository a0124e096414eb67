package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// Shared is a store of this process alone that several nodes of it use: it says of
// itself that others reach it, so that each node checks that it has its place still,
// and has the heartbeats. They end with the process, as the nodes do.
type Shared struct {
	persistence.Store

	mu    sync.Mutex
	beats map[persistence.NodeID]persistence.Heartbeat
}

// Share makes a store of this process one that several nodes use.
func Share(store persistence.Store) *Shared {
	return &Shared{Store: store, beats: make(map[persistence.NodeID]persistence.Heartbeat)}
}

// Info describes the store, as one that others reach too.
func (s *Shared) Info() persistence.Info {
	info := s.Store.Info()
	info.Local = false
	return info
}

// Beat keeps a heartbeat. The later one of a node wins.
func (s *Shared) Beat(_ context.Context, h persistence.Heartbeat) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.beats[h.Node]
	if cmp.Or(cmp.Compare(h.Incarnation, old.Incarnation), cmp.Compare(h.Number, old.Number)) > 0 {
		h.Peers = slices.Clone(h.Peers)
		s.beats[h.Node] = h
	}
	return nil
}

// Heartbeats returns the last heartbeat of each node.
func (s *Shared) Heartbeats(context.Context) ([]persistence.Heartbeat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []persistence.Heartbeat
	for _, id := range slices.Sorted(maps.Keys(s.beats)) {
		all = append(all, s.beats[id])
	}
	return all, nil
}
