package cassandra

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Hosts = []string{"127.0.0.11:19042"}
	persistencetest.Run(t, func(t *testing.T) persistencetest.Subject { return subject(t, cfg) })
}

func subject(t *testing.T, cfg Config) persistencetest.Subject {
	cfg.Keyspace = fmt.Sprintf("t_%016x", rand.Uint64())
	if _, err := DefaultSchema(cfg.Keyspace).Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T) *Store {
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
	s := open(t)
	return persistencetest.Subject{Store: s, Reopen: func(t *testing.T) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return open(t)
	}}
}
