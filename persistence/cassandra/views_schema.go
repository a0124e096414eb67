package cassandra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/persistence"
)

// The tables of views are in a keyspace of their own: who reads them needs no
// right to the store's tables, and other versions of them are beside it in
// another keyspace, so that readers go from one to the other by a name.
//
// A table mesonet_view in it says whose rows they are. Those of another store
// would stay for ever, as their positions are of other epochs; and those of another
// version mean something else.

const renderedTable = "mesonet_view"

// ViewSchema is what the tables of views are created as.
type ViewSchema struct {
	Keyspace string
	// Replication says how many copies each data center holds. Empty: as many
	// as of the store.
	Replication map[string]int
	Tables      []*persistence.Table
}

// Validate returns an error that says what in s can't be used.
func (s ViewSchema) Validate() error {
	if err := validReplication(s.Replication); err != nil {
		return err
	}
	return checkViews(s.Keyspace, "", s.Tables)
}

func checkViews(keyspace, store string, tables []*persistence.Table) error {
	if err := validKeyspace(keyspace); err != nil {
		return err
	}
	if keyspace == store {
		return fmt.Errorf("cassandra: the views can't be in %s, the keyspace of the store: give them one of their own, such as %s_views", store, store)
	}
	names := make(map[string]bool)
	for _, t := range tables {
		if err := t.Validate(); err != nil {
			return err
		}
		if names[t.Name] || t.Name == renderedTable {
			return fmt.Errorf("cassandra: there can't be a table %s, or not two, in keyspace %s", t.Name, keyspace)
		}
		names[t.Name] = true
	}
	return nil
}

// CQL returns the statements that create the keyspace and its tables, for who
// runs them by hand. What says whose they are is not among them: Apply writes it,
// and rows that never change.
func (s ViewSchema) CQL() (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	if len(s.Replication) == 0 {
		return "", errNoReplication
	}
	all := []string{Schema{Keyspace: s.Keyspace, Replication: s.Replication}.keyspaceCQL(), renderedCQL(s.Keyspace)}
	for _, t := range s.Tables {
		all = append(all, viewCQL(s.Keyspace, t))
	}
	return strings.Join(all, ";\n\n") + ";\n", nil
}

func renderedCQL(keyspace string) string {
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.%s (
    name text PRIMARY KEY,
    store text,
    version int
) WITH comment = 'which store renders the tables of this keyspace, and the version of each'`, keyspace, renderedTable)
}

var columnTypes = map[persistence.ColumnType]string{
	persistence.IntColumn: "int", persistence.DoubleColumn: "double", persistence.TextColumn: "text",
}

func viewCQL(keyspace string, t *persistence.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s.%s (\n", keyspace, t.Name)
	var names, order []string
	for i, c := range t.Columns {
		fmt.Fprintf(&b, "    %s %s,\n", c.Name, columnTypes[c.Type])
		switch {
		case i == 0:
		case c.Key == persistence.Descending:
			order = append(order, c.Name+" DESC")
		case c.Key == persistence.Ascending:
			order = append(order, c.Name+" ASC")
		}
		if i > 0 && c.Key != persistence.NoKey {
			names = append(names, ", "+c.Name)
		}
	}
	fmt.Fprintf(&b, "    PRIMARY KEY ((%s)%s)\n)", t.Columns[0].Name, strings.Join(names, ""))
	with := " WITH "
	if len(order) > 0 {
		fmt.Fprintf(&b, " WITH CLUSTERING ORDER BY (%s)", strings.Join(order, ", "))
		with = "\n    AND "
	}
	fmt.Fprintf(&b, "%scomment = '%s'", with, strings.ReplaceAll(t.Comment, "'", "''"))
	return b.String()
}

// Apply creates what is missing for the views of the store that cfg is of, and may be
// run again: it returns what it did, nothing if all was there. It alters and drops
// nothing. What is there and differs is an error, which says how.
func (s ViewSchema) Apply(ctx context.Context, cfg Config) (done []string, err error) {
	if err := errors.Join(s.Validate(), checkViews(s.Keyspace, cfg.Keyspace, nil)); err != nil {
		return nil, err
	}
	cfg.Timeout, cfg.WriteTimeout = max(cfg.Timeout, schemaTimeout), max(cfg.WriteTimeout, schemaTimeout)
	c, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	findings, store, err := c.examine(ctx)
	if err := errors.Join(err, findings.refusal()); err != nil {
		return nil, err
	}
	if len(s.Replication) == 0 {
		ks, err := c.readKeyspace(ctx)
		if err != nil {
			return nil, err
		}
		s.Replication = ks.replication
	}
	c = c.in(s.Keyspace)
	if done, err = c.applyKeyspace(ctx, Schema{Keyspace: s.Keyspace, Replication: s.Replication}, done); err != nil {
		return done, err
	}
	if done, err = c.applyViews(ctx, s.Tables, done); err != nil {
		return done, err
	}
	return c.applyRendered(ctx, store, s.Tables, done)
}

func (c *connection) applyViews(ctx context.Context, tables []*persistence.Table, done []string) ([]string, error) {
	there, err := c.readTables(ctx)
	if err != nil {
		return done, err
	}
	if there[renderedTable] == nil {
		if err := c.create(ctx, renderedCQL(c.cfg.Keyspace)); err != nil {
			return done, err
		}
	}
	for _, t := range tables {
		if there[t.Name] != nil {
			continue
		}
		if err := c.create(ctx, viewCQL(c.cfg.Keyspace, t)); err != nil {
			return done, err
		}
		done = append(done, fmt.Sprintf("created table %s.%s", c.cfg.Keyspace, t.Name))
	}
	var f Findings
	if err := c.checkViews(ctx, &f, tables); err != nil {
		return done, err
	}
	return done, f.refusal()
}

// applyRendered says whose tables they are, and writes the rows that never change.
func (c *connection) applyRendered(ctx context.Context, store record, tables []*persistence.Table, done []string) ([]string, error) {
	for _, t := range tables {
		if err := c.claimView(ctx, store, t); err != nil {
			return done, err
		}
	}
	if err := c.checkRendered(ctx, store, tables); err != nil {
		return done, err
	}
	for _, t := range tables {
		v := newViewTable(c.cfg.Keyspace, t)
		// They never change, so that all may be written at any position, again and
		// again.
		for _, w := range v.puts(persistence.RowChange{Table: t, At: persistence.At(persistence.FirstEpoch, 0), Put: t.Rows}) {
			iter := c.rowQuery(w).Consistency(store.Consistency.levels().quorum).IterContext(ctx)
			if err := iter.Close(); err != nil {
				return done, explain("writing", c.cfg.Keyspace, t.Name, iter.Host(), err)
			}
		}
	}
	return done, nil
}

// checkViews compares the tables that are there with those that should be.
func (c *connection) checkViews(ctx context.Context, f *Findings, tables []*persistence.Table) error {
	there, err := c.readTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range append([]*persistence.Table{{Name: renderedTable}}, tables...) {
		name := c.cfg.Keyspace + "." + t.Name
		got := there[t.Name]
		switch {
		case got == nil:
			f.refuse("cassandra: there is no table %s: %s --views, or leave the view out", name, applyAdvice)
			continue
		case got.compaction == "TimeWindowCompactionStrategy", got.compaction == "DateTieredCompactionStrategy":
			f.refuse("cassandra: table %s has the compaction %s, which takes timestamps for times, and those of views are positions: ALTER TABLE %s WITH %s",
				name, got.compaction, name, overwritten)
		}
		if t.Name != renderedTable {
			f.checkViewColumns(name, t, got)
		}
	}
	return nil
}

func (f *Findings) checkViewColumns(name string, t *persistence.Table, got *tableThere) {
	for i, c := range t.Columns {
		want := column{c.Name, columnTypes[c.Type], "regular"}
		switch {
		case i == 0:
			want.kind = place("partition_key", 0, "asc")
		case c.Key == persistence.Ascending:
			want.kind = place("clustering", i-1, "asc")
		case c.Key == persistence.Descending:
			want.kind = place("clustering", i-1, "desc")
		}
		g, ok := got.columns[c.Name]
		switch {
		case !ok:
			f.refuse("cassandra: table %s lacks the column %s %s (%s): it was made by another program; give the views another keyspace", name, want.name, want.typ, want.kind)
		case g != want:
			f.refuse("cassandra: column %s of table %s is %s (%s), and should be %s (%s): it was made by another program; give the views another keyspace", want.name, name, g.typ, g.kind, want.typ, want.kind)
		}
	}
	for _, other := range slices.Sorted(maps.Keys(got.columns)) {
		known := slices.ContainsFunc(t.Columns, func(c persistence.Column) bool { return c.Name == other })
		if kind := got.columns[other].kind; !known && kind != "regular" && kind != "static" {
			f.refuse("cassandra: table %s has a column %s in its key that is not this program's; give the views another keyspace", name, other)
		}
	}
}

// claimView says that a table is of the store, unless something is said of it.
func (c *connection) claimView(ctx context.Context, store record, t *persistence.Table) error {
	l := store.Consistency.levels()
	iter := c.Query(fmt.Sprintf(`INSERT INTO %s.%s (name, store, version) VALUES (?, ?, ?) IF NOT EXISTS`, c.cfg.Keyspace, renderedTable),
		t.Name, store.ID.String(), int(t.Version)).Consistency(l.quorum).SerialConsistency(l.serial).NoSkipMetadata().IterContext(ctx)
	return explain("changing", c.cfg.Keyspace, renderedTable, iter.Host(), iter.Close())
}

// checkRendered returns an error unless all tables are of the store, and of the version
// that is rendered.
func (c *connection) checkRendered(ctx context.Context, store record, tables []*persistence.Table) error {
	stores, versions := make(map[string]string), make(map[string]int)
	iter := c.Query(fmt.Sprintf(`SELECT name, store, version FROM %s.%s`, c.cfg.Keyspace, renderedTable)).
		Consistency(store.Consistency.levels().quorum).IterContext(ctx)
	for {
		var name, of string
		var version int
		if !iter.Scan(&name, &of, &version) {
			break
		}
		stores[name], versions[name] = of, version
	}
	if err := iter.Close(); err != nil {
		return explain("reading", c.cfg.Keyspace, renderedTable, iter.Host(), err)
	}
	for _, t := range tables {
		name := c.cfg.Keyspace + "." + t.Name
		switch {
		case stores[t.Name] == "":
			return fmt.Errorf("cassandra: nothing says whose rows table %s has: %s --views", name, applyAdvice)
		case stores[t.Name] != store.ID.String():
			return fmt.Errorf("cassandra: table %s has rows of the store %s, and this is %s, whose rows could not cover them: drop keyspace %s, or give the views another",
				name, stores[t.Name], store.ID, c.cfg.Keyspace)
		case versions[t.Name] != int(t.Version):
			return fmt.Errorf("cassandra: table %s has rows of version %d, and this program renders version %d: give the views another keyspace, and let readers go there once it is complete",
				name, versions[t.Name], t.Version)
		}
	}
	return nil
}
