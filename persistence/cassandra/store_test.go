package cassandra

import (
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	conform(t, newStore(t, 1))
}

// conform runs the conformance suite. Emptying tables is faster than creating
// them, so that the checks take turns with one keyspace.
func conform(t *testing.T, cfg Config) {
	fresh := true
	persistencetest.Run(t, func(t *testing.T) persistencetest.Subject {
		if !fresh {
			empty(t, cfg)
		}
		fresh = false
		return subject(t, cfg)
	})
}

// empty removes everything from a store but its record, whose level is a new store's.
func empty(t testing.TB, cfg Config) {
	t.Helper()
	cfg.Timeout, cfg.WriteTimeout = schemaTimeout, schemaTimeout
	c, err := connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	for _, table := range tables {
		if table.name == "store" {
			continue
		}
		wg.Go(func() {
			if err := c.Query("TRUNCATE " + cfg.Keyspace + "." + table.name).ExecContext(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		err := c.Query("UPDATE "+cfg.Keyspace+".store SET format = ? WHERE name = 'store' IF EXISTS", int(persistence.KnownLevels().Most)).ExecContext(t.Context())
		if err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}

// newStore creates a store on the cluster of so many nodes that the tests share.
func newStore(t testing.TB, nodes int) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Hosts = serverstest.Cassandra(t, nodes).Addresses()
	cfg.Keyspace = serverstest.Name(t)
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.ConnectTimeout = 30 * time.Second // a busy machine is no store that is away
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
	reopen := func(t *testing.T) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return opened(t, cfg)
	}
	as := func(t *testing.T, known persistence.Levels) (persistence.Store, error) {
		cfg := cfg
		cfg.Levels = known
		other, err := Open(t.Context(), cfg)
		if err == nil {
			t.Cleanup(func() { must(t, other.Close()) })
		}
		return other, err
	}
	return persistencetest.Subject{Store: s, Reopen: reopen, As: as, Many: true}
}
