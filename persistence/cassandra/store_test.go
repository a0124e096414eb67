package cassandra

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	persistencetest.Run(t, func(t *testing.T) persistencetest.Subject { return subject(t, newStore(t, 1)) })
}

// newStore creates a store on the cluster of so many nodes that the tests share.
func newStore(t testing.TB, nodes int) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Hosts = serverstest.Cassandra(t, nodes).Addresses()
	cfg.Keyspace = serverstest.Name(t)
	cfg.Logger = slog.New(slog.DiscardHandler)
	if _, err := DefaultSchema(cfg.Keyspace).Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// opened returns a store that is closed with the test.
func opened(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, persistence.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func subject(t *testing.T, cfg Config) persistencetest.Subject {
	s := opened(t, cfg)
	return persistencetest.Subject{Store: s, Reopen: func(t *testing.T) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return opened(t, cfg)
	}}
}
