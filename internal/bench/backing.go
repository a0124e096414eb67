package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/internal/servers"
	"github.com/mesonet/mesonet/persistence/cassandra"
)

// backing makes the configuration of a node with a new store. done removes the
// store, once the node has stopped.
type backing func(ctx context.Context, s *suite, name string) (cfg mesonet.Config, done func() error, err error)

// embedded is a folder of the suite.
func embedded(_ context.Context, s *suite, name string) (mesonet.Config, func() error, error) {
	dir := s.places.fresh(name)
	return s.config(dir), func() error { return s.places.done(dir) }, nil
}

// onCassandra is a keyspace of the suite's server, which starts with the first.
func onCassandra(ctx context.Context, s *suite, name string) (cfg mesonet.Config, done func() error, err error) {
	where, err := s.keyspace(ctx)
	if err != nil {
		return cfg, nil, err
	}
	store, err := cassandra.Open(ctx, where)
	if err != nil {
		return cfg, nil, err
	}
	cfg = s.config(name) // which is no folder then
	cfg.Store = store
	return cfg, store.Close, nil
}

// keyspace returns where a new store is, empty but for its tables. The ones before are
// no more: what a server still has of them in memory it writes to its disk some time, and
// merges there, which is no part of what is measured next.
func (s *suite) keyspace(ctx context.Context) (cassandra.Config, error) {
	s.keyspaces++
	cfg, err := s.reach(ctx, fmt.Sprint(keyspacePrefix, s.keyspaces))
	if err != nil {
		return cfg, err
	}
	if err := dropKeyspaces(ctx, cfg); err != nil {
		return cfg, err
	}
	schema := cassandra.DefaultSchema(cfg.Keyspace)
	schema.Shards = s.opt.shards
	_, err = schema.Apply(ctx, cfg)
	return cfg, err
}

// keyspacePrefix begins the names of the suite's keyspaces, those of views as well.
const keyspacePrefix = "bench_"

// dropKeyspaces removes the suite's keyspaces.
func dropKeyspaces(ctx context.Context, where cassandra.Config) error {
	where.Keyspace = ""
	session, err := dial(where)
	if err != nil {
		return err
	}
	defer session.Close()
	var name string
	var all []string
	names := session.Query("SELECT keyspace_name FROM system_schema.keyspaces").IterContext(ctx)
	for names.Scan(&name) {
		if strings.HasPrefix(name, keyspacePrefix) {
			all = append(all, name)
		}
	}
	if err := names.Close(); err != nil {
		return fmt.Errorf("listing keyspaces: %w", err)
	}
	for _, name := range all {
		if err := session.Query("DROP KEYSPACE " + name).ExecContext(ctx); err != nil {
			return fmt.Errorf("dropping keyspace %s: %w", name, err)
		}
	}
	return nil
}

// dial connects as a node does.
func dial(where cassandra.Config) (*gocql.Session, error) {
	cluster := gocql.NewCluster(where.Hosts...)
	cluster.Keyspace, cluster.Consistency, cluster.ProtoVersion = where.Keyspace, gocql.Quorum, where.Protocol
	cluster.Timeout, cluster.WriteCoalesceWaitTime, cluster.NumConns = time.Minute, where.WriteCoalesce, where.Connections
	cluster.Logger = gocql.NewLogger(gocql.LogLevelNone)
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("can't connect to the server: %w", err)
	}
	return session, nil
}

// reach returns where a keyspace is on the suite's server, there or not.
func (s *suite) reach(ctx context.Context, keyspace string) (cassandra.Config, error) {
	cfg := cassandra.DefaultConfig()
	server, err := s.startCassandra(ctx)
	if err != nil {
		return cfg, err
	}
	cfg.Hosts, cfg.Keyspace, cfg.Logger = server.Addresses(), keyspace, slog.New(slog.DiscardHandler)
	return cfg, nil
}

// startCassandra starts one real node of Cassandra, as fast as it can be: its
// compiler at full, memory of its own choice, its commit log synced in groups of
// 1 ms, its threads in no way of ours or of the limit's, see TimerSlack.
func (s *suite) startCassandra(ctx context.Context) (*servers.Cassandra, error) {
	if s.cassandra != nil {
		return s.cassandra, nil
	}
	cfg := servers.DefaultCassandraConfig()
	cfg.Optimize, cfg.HeapMB, cfg.TimerSlack = true, 2048, time.Millisecond
	server, err := servers.StartCassandra(ctx, cfg)
	if errors.Is(err, servers.ErrMissing) {
		err = fmt.Errorf("%w; leave this row out by -run", err)
	}
	s.cassandra = server
	if err != nil {
		return nil, err
	}
	return server, s.warmServer(ctx)
}

// warmServer has a server do for a while what it is measured with: until its compiler
// rests, which in the first minute takes half of a processor that is ours as well. It
// does so in turns: what was compiled for one load is thrown away when the other comes,
// until it was compiled for both.
func (s *suite) warmServer(ctx context.Context) (err error) {
	s.progress.begin("warming the server")
	warm, turns := *s, 1
	if !s.opt.quick {
		warm.opt.time, turns = max(s.opt.time, compilesFor)/compileTurns, compileTurns
	}
	for range turns {
		if _, err = warm.throughput(ctx, onCassandra, 1); err == nil {
			_, err = warm.bareWriter(1)(ctx)
		}
		if err != nil {
			break
		}
	}
	s.keyspaces = warm.keyspaces
	return err
}

// compilesFor is how long a server is fed with each of both loads before it is measured,
// and as long again to warm each up, and compileTurns in how many turns. Measured on two
// cores: after 30 s of the first load its compiler still takes 0.4 to 0.65 of a processor,
// after 80 s 0.02; then after 20 s of the other load, or of the first again, as much.
const (
	compilesFor  = 40 * time.Second
	compileTurns = 5
)

// stopServers stops what rows have started.
func (s *suite) stopServers() error {
	if s.cassandra == nil {
		return nil
	}
	return s.cassandra.Stop()
}

// canServe reports whether a real server can run here. Without one its rows are
// left out, unless they were asked for by name.
func canServe(ctx context.Context) bool { return servers.Check(ctx) == nil }
