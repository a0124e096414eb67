package cassandra

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/servers"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
)

// says fails the test unless err says all of it.
func says(t testing.TB, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v\nwant an error with %q", err, part)
		}
	}
}

// opens tries to open a store, and closes it.
func opens(t testing.TB, cfg Config) error {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err == nil {
		err = s.Close()
	}
	return err
}

// What is wrong with a schema is said when the store is opened, with what to do.
//
// Seen to fail with the checks of read repair, of time to live, of compaction and
// of durable writes taken out, each.
func TestRefusedSchemas(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	must(t, opens(t, cfg))
	other := cfg
	other.Keyspace = serverstest.Name(t)
	says(t, opens(t, other), "there is no keyspace "+other.Keyspace, "mesonet schema apply")
	other = cfg
	other.LocalDC = "dc9"
	says(t, opens(t, other), `no data center "dc9"`, "datacenter1")
	other = cfg
	other.Consistency = HomeDC
	says(t, opens(t, other), `created with consistency "global"`)

	c, err := connect(t.Context(), slow(cfg))
	must(t, err)
	defer c.Close()
	log := cfg.Keyspace + ".log"
	for _, x := range []struct{ spoil, heal, says string }{
		{"ALTER TABLE " + log + " WITH read_repair = 'NONE'", "ALTER TABLE " + log + " WITH read_repair = 'BLOCKING'", "WITH read_repair = 'BLOCKING'"},
		{"ALTER TABLE " + log + " WITH default_time_to_live = 60", "ALTER TABLE " + log + " WITH default_time_to_live = 0", "end after 60 s"},
		{"ALTER TABLE " + log + " WITH compaction = {'class': 'TimeWindowCompactionStrategy'}", "ALTER TABLE " + log + " WITH " + writeOnce, "takes timestamps for times"},
		{"ALTER KEYSPACE " + cfg.Keyspace + " WITH durable_writes = false", "ALTER KEYSPACE " + cfg.Keyspace + " WITH durable_writes = true", "in no commit log"},
		{
			"ALTER KEYSPACE " + cfg.Keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
			"ALTER KEYSPACE " + cfg.Keyspace + " WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}", "knows no data centers",
		},
		{
			"ALTER KEYSPACE " + cfg.Keyspace + " WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}",
			"ALTER KEYSPACE " + cfg.Keyspace + " WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}", "1 of 3 replicas",
		},
		{"DROP TABLE " + log, tables[3].cql(cfg.Keyspace), "no table " + log},
	} {
		must(t, c.create(t.Context(), x.spoil))
		says(t, opens(t, cfg), x.says)
		must(t, c.create(t.Context(), x.heal))
	}
	must(t, opens(t, cfg))

	must(t, c.create(t.Context(), "DROP TABLE "+log))
	must(t, c.create(t.Context(), "CREATE TABLE "+log+" (shard int, epoch bigint, chunk int, seq bigint, data blob, PRIMARY KEY ((shard, epoch), chunk, seq))"))
	err = opens(t, cfg)
	says(t, err, "column epoch of table "+log+" is bigint", "column chunk of table "+log+" is int (clustering 0), and should be int (partition_key 2)", "lacks the column frame")
	_, err = DefaultSchema(cfg.Keyspace).Apply(t.Context(), cfg)
	says(t, err, "not this program's")

	must(t, c.create(t.Context(), "TRUNCATE "+cfg.Keyspace+".store"))
	must(t, c.create(t.Context(), "DROP TABLE "+log))
	must(t, c.create(t.Context(), tables[3].cql(cfg.Keyspace)))
	says(t, opens(t, cfg), "no store in them", "mesonet schema apply")
}

func slow(cfg Config) Config {
	cfg.Timeout, cfg.WriteTimeout = schemaTimeout, schemaTimeout
	return cfg
}

// Applying a schema creates what is missing, once, and changes nothing that is
// there.
func TestApply(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Hosts, cfg.Keyspace, cfg.Logger = serverstest.Cassandra(t, 1).Addresses(), serverstest.Name(t), slog.New(slog.DiscardHandler)
	s := DefaultSchema(cfg.Keyspace)
	s.Replication = map[string]int{"dc7": 3}
	_, err := s.Apply(t.Context(), cfg)
	says(t, err, `data center "dc7"`, "the cluster has datacenter1")
	s.Replication = map[string]int{"datacenter1": 1}
	cql, err := s.CQL()
	must(t, err)
	c, err := connect(t.Context(), slow(cfg))
	must(t, err)
	defer c.Close()
	for _, st := range strings.Split(cql, ";\n")[:4] { // as by hand, and not to the end
		must(t, c.create(t.Context(), strings.TrimSpace(st)))
	}
	done, err := s.Apply(t.Context(), cfg)
	must(t, err)
	if len(done) != len(tables)-3+1 || !strings.HasPrefix(done[len(done)-1], "created store ") {
		t.Errorf("what was missing was %q", done)
	}
	findings, err := Check(t.Context(), cfg)
	must(t, err)
	if len(findings) != 1 || findings[0].Refused || !strings.Contains(findings[0].Text, "1 of the 3 replicas") {
		t.Errorf("findings are %v", findings)
	}
	info := opened(t, cfg).Info()
	done, err = s.Apply(t.Context(), cfg)
	must(t, err)
	equal(t, len(done), 0)
	equal(t, opened(t, cfg).Info(), info)
	for want, change := range map[string]func(*Schema){
		"32 shards": func(s *Schema) { s.Shards = 64 },
		"copies map[datacenter1:1], and map[datacenter1:2]": func(s *Schema) { s.Replication = map[string]int{"datacenter1": 2} },
		`consistency "global"`:                              func(s *Schema) { s.Consistency, s.HomeDC = HomeDC, "datacenter1" },
		`needs a home`:                                      func(s *Schema) { s.Consistency = HomeDC },
		"power of two":                                      func(s *Schema) { s.Shards = 3 },
	} {
		other := s
		change(&other)
		_, err := other.Apply(t.Context(), cfg)
		says(t, err, want)
	}
}

// A store with a home works, and is refused elsewhere.
func TestHomeDC(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Hosts, cfg.Keyspace, cfg.Logger = serverstest.Cassandra(t, 1).Addresses(), serverstest.Name(t), slog.New(slog.DiscardHandler)
	schema := DefaultSchema(cfg.Keyspace)
	schema.Consistency, schema.HomeDC = HomeDC, "dc9"
	_, err := schema.Apply(t.Context(), cfg)
	says(t, err, `is to be "dc9"`)
	schema.HomeDC = "datacenter1"
	_, err = schema.Apply(t.Context(), cfg)
	must(t, err)
	s := opened(t, cfg)
	equal(t, s.Consistency(), HomeDC)
	bootsAs(t, s, "n", 1)
	row, err := s.Ownership().Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "n", Incarnation: 1})
	must(t, err)
	equal(t, row.Epoch, e)
	r := s.record
	r.HomeDC = "dc9"
	says(t, r.refusal(s.cfg), `home of keyspace`, `"dc9"`)
}

// A server as the default settings make it, and one with passwords.
//
// Seen to fail with the checks of commitlog_sync and of the timestamp threshold
// taken out.
func TestRefusedServer(t *testing.T) {
	t.Parallel()
	serverstest.Require(t)
	config := servers.DefaultCassandraConfig()
	config.Settings = map[string]any{
		"authenticator": "PasswordAuthenticator", "commitlog_sync": "periodic", "commitlog_sync_period": "10000ms",
		"commitlog_sync_group_window": nil, "maximum_timestamp_fail_threshold": "1d",
	}
	server, err := servers.StartCassandra(t.Context(), config)
	must(t, err)
	defer func() { must(t, server.Stop()) }()
	cfg := DefaultConfig()
	cfg.Hosts, cfg.Logger = server.Addresses(), slog.New(slog.DiscardHandler)
	says(t, opens(t, cfg), "asks for a user", "USER@")
	cfg.Username, cfg.Password = "cassandra", "wrong"
	says(t, opens(t, cfg), `refused the user "cassandra"`, PasswordVariable)
	cfg.Password = "cassandra"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // the first user is made some time after the start
		err = opens(t, cfg)
		if ctx.Err() != nil || !strings.Contains(err.Error(), "refused the user") {
			break
		}
	}
	says(t, err, "before they are on its disk", "commitlog_sync: group", "maximum_timestamp_fail_threshold")
	_, err = DefaultSchema("k").Apply(t.Context(), cfg)
	says(t, err, "before they are on its disk")
	_, err = Check(t.Context(), cfg)
	must(t, err)
}

func TestSettings(t *testing.T) {
	for name, want := range map[string]struct {
		settings map[string]string
		refused  bool
		n        int
	}{
		"good":           {map[string]string{"commitlog_sync": "group", "user_timestamps_enabled": "true", "maximum_timestamp_fail_threshold": ""}, false, 0},
		"batch":          {map[string]string{"commitlog_sync": "batch"}, false, 0},
		"periodic":       {map[string]string{"commitlog_sync": "periodic"}, true, 1},
		"far timestamps": {map[string]string{"maximum_timestamp_fail_threshold": "1d"}, true, 1},
		"no timestamps":  {map[string]string{"user_timestamps_enabled": "false"}, true, 1},
		"warnings":       {map[string]string{"maximum_timestamp_warn_threshold": "1d"}, false, 1},
	} {
		var f Findings
		f.checkSettings("h", want.settings)
		if len(f) != want.n || (f.refusal() != nil) != want.refused {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestRecordOfAnotherFormat(t *testing.T) {
	good := record{Level: persistence.KnownLevels().Most, Shards: 32, Hash: persistence.HashName, Consistency: Global}
	must(t, good.refusal(DefaultConfig()))
	newer := good
	newer.Level++
	says(t, newer.refusal(DefaultConfig()), "run a release that knows level 2")
	for name, change := range map[string]func(*record){
		"hash":   func(r *record) { r.Hash = "fnv" },
		"shards": func(r *record) { r.Shards = 5 },
		"level":  func(r *record) { r.Consistency = "one" },
	} {
		r := good
		change(&r)
		if err := r.refusal(DefaultConfig()); !errors.Is(err, persistence.ErrFormat) {
			t.Errorf("another %s: %v, want ErrFormat", name, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Hosts, cfg.Logger = []string{"127.0.0.1:1"}, slog.New(slog.DiscardHandler)
	says(t, opens(t, cfg), "127.0.0.1:1", "refused", "is Cassandra running")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("opening with a context that has ended: %v", err)
	}
}
