package cassandra

import (
	"testing"

	"github.com/mesonet/mesonet/persistence"
)

// The later heartbeat of a node stays, in whatever order they come.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	s := opened(t, newStore(t, 1))
	last := persistence.Heartbeat{Node: "n", Incarnation: 2, Number: 1, Peers: []string{"a", "b"}}
	for _, h := range []persistence.Heartbeat{{Node: "n", Incarnation: 1, Number: 9}, last, {Node: "n", Incarnation: 1, Number: 10}, {Node: "n", Incarnation: 2}} {
		must(t, s.Beat(t.Context(), h))
	}
	got, err := s.Heartbeats(t.Context())
	must(t, err)
	equal(t, got, []persistence.Heartbeat{last})
}
