package cassandra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// schemaTimeout is how long one change of the schema may take: all nodes write it
// down before it is done.
const schemaTimeout = time.Minute

const networkTopology = "NetworkTopologyStrategy"

// Schema is what a store is created as.
type Schema struct {
	Keyspace string
	// Replication says how many copies each data center holds. Empty: 3 in each
	// that is seen, or as many as it has nodes.
	Replication map[string]int
	// Shards is the number of shards, a power of two: 32 for a small cluster,
	// 128 for 4 to 8 nodes. A node should own 16 to 32.
	Shards uint32
	// Consistency says whose quorum it is.
	Consistency Consistency
	// HomeDC is the data center that all nodes are in, for [HomeDC].
	HomeDC string
}

// DefaultSchema returns a schema for a small cluster in one data center.
func DefaultSchema(keyspace string) Schema {
	return Schema{Keyspace: keyspace, Shards: 32, Consistency: Global}
}

// Validate returns an error that says what in s can't be used.
func (s Schema) Validate() error {
	if err := validKeyspace(s.Keyspace); err != nil {
		return err
	}
	if err := persistence.ValidShards(s.Shards); err != nil {
		return err
	}
	if err := s.Consistency.validate(); err != nil {
		return err
	}
	if err := validReplication(s.Replication); err != nil {
		return err
	}
	switch {
	case s.Consistency == HomeDC && s.HomeDC == "":
		return errors.New("cassandra: a store with consistency home-dc needs a home: say which data center")
	case s.Consistency == Global && s.HomeDC != "":
		return fmt.Errorf("cassandra: a global store has no home, and %q is given", s.HomeDC)
	case s.HomeDC != "" && len(s.Replication) > 0 && s.Replication[s.HomeDC] == 0:
		return fmt.Errorf("cassandra: the home %q has no copies", s.HomeDC)
	}
	return nil
}

func validReplication(copies map[string]int) error {
	for dc, n := range copies {
		if n < 1 || dc == "" || strings.ContainsAny(dc, "'\n") {
			return fmt.Errorf("cassandra: %d copies in data center %q can't be", n, dc)
		}
	}
	return nil
}

var errNoReplication = errors.New("cassandra: the replication is not given: say how many copies each data center holds")

// CQL returns the statements that create the keyspace and its tables, for who
// runs them by hand. The store's own record is not among them: Apply writes it,
// and nothing else when the tables are there.
func (s Schema) CQL() (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	if len(s.Replication) == 0 {
		return "", errNoReplication
	}
	var b strings.Builder
	for _, st := range s.statements() {
		b.WriteString(st + ";\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func (s Schema) statements() []string {
	all := []string{s.keyspaceCQL()}
	for _, t := range tables {
		all = append(all, t.cql(s.Keyspace))
	}
	return all
}

func (s Schema) keyspaceCQL() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE KEYSPACE IF NOT EXISTS %s\n    WITH replication = {'class': '%s'", s.Keyspace, networkTopology)
	for _, dc := range slices.Sorted(maps.Keys(s.Replication)) {
		fmt.Fprintf(&b, ", '%s': %d", dc, s.Replication[dc])
	}
	b.WriteString("}\n    AND durable_writes = true")
	return b.String()
}

// Apply creates what is missing, and may be run again: it returns what it did,
// nothing if all was there. It alters and drops nothing. What is there and differs
// is an error, which says how.
func (s Schema) Apply(ctx context.Context, cfg Config) (done []string, err error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	cfg.Keyspace = s.Keyspace
	cfg.Timeout, cfg.WriteTimeout = max(cfg.Timeout, schemaTimeout), max(cfg.WriteTimeout, schemaTimeout)
	c, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if s.HomeDC != "" && s.HomeDC != c.cfg.LocalDC {
		return nil, fmt.Errorf("cassandra: the store's home is to be %q, and this is run in %q: run it there, or correct dc=", s.HomeDC, c.cfg.LocalDC)
	}
	var f Findings
	if err := c.checkHosts(ctx, &f); err != nil {
		return nil, err
	}
	if err := f.refusal(); err != nil {
		return nil, err
	}
	if done, err = c.applyKeyspace(ctx, s, done); err != nil {
		return done, err
	}
	if done, err = c.applyTables(ctx, s, &f, done); err != nil {
		return done, err
	}
	if err := f.refusal(); err != nil {
		return done, err
	}
	return c.applyRecord(ctx, s, done)
}

func (c *connection) applyKeyspace(ctx context.Context, s Schema, done []string) ([]string, error) {
	ks, err := c.readKeyspace(ctx)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		if len(s.Replication) == 0 {
			s.Replication = c.defaultReplication()
		}
		for dc := range s.Replication {
			if !slices.Contains(c.dcs, dc) {
				return done, fmt.Errorf("cassandra: copies are to be in the data center %q, and the cluster has %s", dc, strings.Join(c.dcs, ", "))
			}
		}
		if err := c.create(ctx, s.keyspaceCQL()); err != nil {
			return done, err
		}
		return append(done, fmt.Sprintf("created keyspace %s with copies %v", s.Keyspace, s.Replication)), nil
	case err != nil:
		return done, err
	}
	var f Findings
	f.checkKeyspace(ks)
	if len(s.Replication) > 0 && !maps.Equal(s.Replication, ks.replication) {
		f.refuse("cassandra: keyspace %s has copies %v, and %v are asked for: altering it takes a repair afterwards, so do both by hand", s.Keyspace, ks.replication, s.Replication)
	}
	return done, f.refusal()
}

// defaultReplication is 3 copies in each data center, where there are as many
// nodes.
func (c *connection) defaultReplication() map[string]int {
	copies := make(map[string]int)
	for _, h := range c.GetHosts() {
		copies[h.DataCenter()] = min(3, copies[h.DataCenter()]+1)
	}
	return copies
}

func (c *connection) applyTables(ctx context.Context, s Schema, f *Findings, done []string) ([]string, error) {
	there, err := c.readTables(ctx)
	if err != nil {
		return done, err
	}
	for _, t := range tables {
		if there[t.name] != nil {
			continue
		}
		if err := c.create(ctx, t.cql(s.Keyspace)); err != nil {
			return done, err
		}
		done = append(done, fmt.Sprintf("created table %s.%s", s.Keyspace, t.name))
	}
	if there, err = c.readTables(ctx); err != nil {
		return done, err
	}
	f.checkTables(s.Keyspace, there)
	return done, nil
}

func (c *connection) applyRecord(ctx context.Context, s Schema, done []string) ([]string, error) {
	want := record{Level: c.cfg.Levels.OrKnown().Most, Shards: s.Shards, Hash: persistence.HashName, Consistency: s.Consistency, HomeDC: s.HomeDC}
	there, err := c.readRecord(ctx)
	if errors.Is(err, errNoRecord) {
		if there, err = c.createRecord(ctx, want); err == nil {
			done = append(done, fmt.Sprintf("created store %s with %d shards and consistency %s", there.ID, there.Shards, there.Consistency))
		}
	}
	if err != nil {
		return done, err
	}
	if err := there.refusal(c.cfg); err != nil {
		return done, err
	}
	if there.Shards != s.Shards || there.Consistency != s.Consistency || there.HomeDC != s.HomeDC {
		return done, fmt.Errorf("cassandra: keyspace %s has a store with %d shards, consistency %q and home %q, and %d, %q and %q are asked for: what it was created with can't be changed",
			s.Keyspace, there.Shards, there.Consistency, there.HomeDC, s.Shards, s.Consistency, s.HomeDC)
	}
	return done, nil
}

// create runs a statement of the schema. The driver waits until all nodes agree.
func (c *connection) create(ctx context.Context, cql string) error {
	iter := c.Query(cql).IterContext(ctx)
	if err := iter.Close(); err != nil {
		what, _, _ := strings.Cut(cql, "\n")
		return fmt.Errorf("cassandra: %s: %w", strings.TrimSuffix(what, " ("), err)
	}
	return nil
}

// Check compares the cluster and the keyspace of cfg with what they have to be.
func Check(ctx context.Context, cfg Config) (Findings, error) {
	c, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f, _, err := c.examine(ctx)
	return f, err
}
