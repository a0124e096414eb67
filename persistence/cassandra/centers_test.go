package cassandra

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/servers"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// A store with a home goes on, to the last claim, while the other data center is
// away, and is opened without it; one whose quorum is of all does neither, says why,
// and goes on when it is back.
//
// Mutation seen to fail: levels of a home with Quorum, and with Serial.
func TestOtherDataCenterGoesAway(t *testing.T) {
	t.Parallel()
	serverstest.Require(t)
	config := servers.DefaultCassandraConfig()
	config.Nodes, config.DataCenters = 2, []string{"east", "west"}
	server, err := servers.StartCassandra(t.Context(), config)
	must(t, err)
	defer func() { must(t, server.Stop()) }()
	store := func(keyspace string, c Consistency) (Config, *Store) {
		cfg := DefaultConfig()
		cfg.Hosts, cfg.LocalDC, cfg.Logger = server.Addresses(), "east", slog.New(slog.DiscardHandler)
		cfg.Keyspace, cfg.Consistency = keyspace, c
		cfg.Timeout, cfg.ConnectTimeout, cfg.WriteTimeout = 10*time.Second, 20*time.Second, 11*time.Second
		schema := DefaultSchema(keyspace)
		schema.Shards, schema.Consistency, schema.Replication = 2, c, map[string]int{"east": 1, "west": 1}
		if c == HomeDC {
			schema.HomeDC = "east"
		}
		for {
			// A node that is up to the others may not have told its place yet: to the
			// one that is asked, or to the one that it passes the schema on to.
			_, err := schema.Apply(t.Context(), cfg)
			early := err != nil && (strings.Contains(err.Error(), "the cluster has east") || strings.Contains(err.Error(), "Unrecognized strategy option {west}"))
			if !early || t.Context().Err() != nil {
				must(t, err)
				break
			}
		}
		s := opened(t, cfg)
		bootsAs(t, s, "n", 1)
		return cfg, s
	}
	homeCfg, home := store("home", HomeDC)
	globalCfg, global := store("everywhere", Global)
	use := func(s *Store, shard persistence.Shard) error {
		row, err := s.Ownership().Claim(t.Context(), persistence.Claim{Shard: shard, Owner: "n", Incarnation: 1})
		if err != nil {
			return err
		}
		if err := persistencetest.Append(t.Context(), s.Log(), persistencetest.Frame(t, shard, persistence.At(row.Epoch, 0), 1, "a")); err != nil {
			return err
		}
		return s.Ownership().Check(t.Context(), "n", 1)
	}
	must(t, use(home, 0))
	must(t, use(global, 0))
	more := func() error {
		return persistencetest.Append(t.Context(), global.Log(), persistencetest.Frame(t, 0, persistence.At(e, 1), 1, "b"))
	}
	west := server.Nodes()[1]
	must(t, west.Kill())
	must(t, use(home, 1))
	again := opened(t, homeCfg)
	equal(t, again.Consistency(), HomeDC)
	if err := more(); err == nil {
		t.Error("a quorum of two is had of one")
	}
	says(t, opens(t, globalCfg), "1 of 2 replicas", "have to answer")
	must(t, west.Start(t.Context()))
	for t.Context().Err() == nil {
		if err = more(); err == nil {
			break
		}
	}
	must(t, err)
	must(t, use(global, 1))
}
