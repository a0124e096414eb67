package cassandra

import (
	"errors"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/cqlproxy"
	"github.com/mesonet/mesonet/persistence"
)

// A raise of the level whose reply is lost happens once, and its caller learns that it
// has happened; a copy that is executed later, when the level is higher still, changes
// nothing. A keyspace is made at the highest level that its release knows.
//
// Mutations seen to fail: Raise that takes the level that it wanted for another's
// (ErrLost, though it was its own); raiseLevel without its condition (the copy lowers
// it).
func TestLostRaise(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	equal(t, opened(t, cfg).Level().Seen(), persistence.KnownLevels().Most)
	cfg.Timeout, cfg.Levels = time.Second, persistence.Levels{Least: 1, Most: 100}
	proxy, a := proxied(t, cfg)
	s, other := opened(t, a).Level(), opened(t, cfg).Level()
	level := persistence.Level1
	for loss, inject := range losses {
		t.Run(loss, func(t *testing.T) {
			match := cqlproxy.Match{Client: "a", Table: "store", Conditional: true}
			watch := proxy.Watch(match)
			match.Times = 1
			held := inject(proxy, match)
			must(t, s.Raise(t.Context(), level, level+1))
			equal(t, s.Seen(), level+1)
			if watch.Hits() == 0 {
				t.Fatal("no transaction went through the proxy")
			}
			watch.Remove()
			if err := s.Raise(t.Context(), level, level+1); !errors.Is(err, persistence.ErrLost) {
				t.Errorf("raised again: %v, want ErrLost", err)
			}
			must(t, other.Raise(t.Context(), level+1, level+2))
			level += 2
			if held != nil {
				held.Release()
				must(t, held.Done(t.Context()))
			}
			got, err := s.Read(t.Context())
			must(t, err)
			equal(t, got, level)
		})
	}
}
