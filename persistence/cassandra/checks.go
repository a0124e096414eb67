package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet/persistence"
)

// What a store is refused on, or warned of, when it is opened. Each of these
// would otherwise show as lost data, one day.

// applyAdvice says how to get a schema.
const applyAdvice = "run mesonet schema apply"

// examine looks at the cluster and at the schema. The record is only there when
// the findings have no refusal.
func (c *connection) examine(ctx context.Context) (Findings, record, error) {
	var f Findings
	if err := c.checkHosts(ctx, &f); err != nil {
		return f, record{}, err
	}
	ks, err := c.readKeyspace(ctx)
	if errors.Is(err, persistence.ErrNotFound) {
		f.refuse("cassandra: there is no keyspace %s: %s", c.cfg.Keyspace, applyAdvice)
		return f, record{}, nil
	}
	if err != nil {
		return f, record{}, err
	}
	f.checkKeyspace(ks)
	there, err := c.readTables(ctx)
	if err != nil {
		return f, record{}, err
	}
	f.checkTables(c.cfg.Keyspace, there)
	if f.refused() {
		return f, record{}, nil
	}
	r, err := c.readRecord(ctx)
	switch {
	case errors.Is(err, errNoRecord):
		f.refuse("cassandra: keyspace %s has its tables, and no store in them: %s", c.cfg.Keyspace, applyAdvice)
		return f, record{}, nil
	case err != nil:
		c.checkLive(&f, ks, record{Consistency: c.cfg.Consistency}) // perhaps that is why
		return f, record{}, errors.Join(f.refusal(), err)
	}
	if err := r.refusal(c.cfg); err != nil {
		f = append(f, Finding{Refused: true, Text: err.Error(), err: err})
	}
	c.policy.home.Store(r.Consistency == HomeDC)
	c.checkLive(&f, ks, r)
	return f, r, nil
}

// The oldest release that a store is opened on. From it on Cassandra
// repairs transactions when nodes join and leave (CEP-14): before, two claims of
// a shard could both be granted while the cluster grew.
const oldestMajor, oldestMinor = 4, 1

// checkHosts asks each host for its settings: they are the host's own.
func (c *connection) checkHosts(ctx context.Context, f *Findings) error {
	for _, h := range c.GetHosts() {
		name := h.ConnectAddressAndPort()
		if v := h.Version(); v.Major > 0 && v.Before(oldestMajor, oldestMinor, 0) {
			f.refuse("cassandra: %s is of release %s; at least %d.%d is needed, as before it lightweight transactions do not hold while nodes join or leave: upgrade it",
				name, v, oldestMajor, oldestMinor)
			continue
		}
		if !h.IsUp() {
			f.warn("cassandra: %s is down, and can't be asked for its settings", name)
			continue
		}
		settings, err := c.settings(ctx, h)
		var refused *gocql.RequestErrUnauthorized
		switch {
		case errors.As(err, &refused):
			f.refuse("cassandra: the user %q may not see the settings of %s: GRANT SELECT ON KEYSPACE system_views TO %s", c.cfg.Username, name, c.cfg.Username)
		case ctx.Err() != nil:
			return fmt.Errorf("cassandra: asking %s for its settings: %w", name, ctx.Err())
		case err != nil:
			f.warn("cassandra: %s can't be asked for its settings: %v", name, err)
		default:
			f.checkSettings(name, settings)
		}
	}
	return nil
}

func (c *connection) settings(ctx context.Context, h *gocql.HostInfo) (map[string]string, error) {
	settings := make(map[string]string)
	iter := c.Query(`SELECT name, value FROM system_views.settings`).Consistency(gocql.One).SetHostID(h.HostID()).IterContext(ctx)
	for {
		var name, value string
		if !iter.Scan(&name, &value) {
			break
		}
		settings[name] = value
	}
	return settings, iter.Close()
}

// checkSettings looks at what cassandra.yaml says on one host.
func (f *Findings) checkSettings(host string, settings map[string]string) {
	if settings["commitlog_sync"] == "periodic" {
		f.refuse("cassandra: %s acknowledges writes before they are on its disk, so that a loss of power takes acknowledged commands: set commitlog_sync: group (or batch) in its cassandra.yaml, with commitlog_sync_group_window: 1ms, and restart it", host)
	}
	if v := settings["maximum_timestamp_fail_threshold"]; v != "" && v != "null" {
		f.refuse("cassandra: %s refuses timestamps that lie %s ahead of its clock, and a store's timestamps are positions, far above any clock: remove maximum_timestamp_fail_threshold from its cassandra.yaml", host, v)
	}
	if v := settings["maximum_timestamp_warn_threshold"]; v != "" && v != "null" {
		f.warn("cassandra: %s warns of each write, as its timestamp is a position: remove maximum_timestamp_warn_threshold from its cassandra.yaml", host)
	}
	if settings["user_timestamps_enabled"] == "false" {
		f.refuse("cassandra: %s takes no timestamps from its clients, and a store's order rests on them: set user_timestamps_enabled: true in its cassandra.yaml", host)
	}
}

// checkLive counts who could answer.
func (c *connection) checkLive(f *Findings, ks keyspace, r record) {
	up := make(map[string]int)
	for _, h := range c.GetHosts() {
		if h.IsUp() {
			up[h.DataCenter()]++
		}
	}
	live, factor := 0, 0
	for dc, n := range ks.replication {
		if r.Consistency == HomeDC && dc != r.HomeDC {
			continue
		}
		live += min(n, up[dc])
		factor += n
	}
	quorum := factor/2 + 1
	switch {
	case factor == 0:
		f.refuse("cassandra: keyspace %s has no replicas in %q: correct its replication", ks.name, c.cfg.LocalDC)
	case live < quorum:
		f.refuse("cassandra: %d of %d replicas of keyspace %s can be up, and %d have to answer: start more nodes of Cassandra, or correct its replication", live, factor, ks.name, quorum)
	case factor < 3:
		f.warn("cassandra: keyspace %s has %d of the 3 replicas that it takes to go on when a node of Cassandra is lost, and to lose nothing with it: ALTER its replication, then run nodetool repair", ks.name, factor)
	}
}

// keyspace is what Cassandra says of a keyspace.
type keyspace struct {
	name        string
	durable     bool
	strategy    string
	replication map[string]int // by data center
	options     map[string]string
}

func (c *connection) readKeyspace(ctx context.Context) (keyspace, error) {
	ks := keyspace{name: c.cfg.Keyspace, replication: make(map[string]int)}
	iter := c.Query(`SELECT durable_writes, replication FROM system_schema.keyspaces WHERE keyspace_name = ?`, ks.name).
		Consistency(gocql.One).IterContext(ctx)
	found := iter.Scan(&ks.durable, &ks.options)
	if err := iter.Close(); err != nil {
		return ks, explain("reading", "system_schema", "keyspaces", iter.Host(), err)
	}
	if !found {
		return ks, fmt.Errorf("cassandra: keyspace %s: %w", ks.name, persistence.ErrNotFound)
	}
	ks.strategy = ks.options["class"][strings.LastIndexByte(ks.options["class"], '.')+1:]
	for dc, v := range ks.options {
		var n int
		if _, err := fmt.Sscanf(v, "%d", &n); err == nil && dc != "class" {
			ks.replication[dc] = n
		}
	}
	return ks, nil
}

func (f *Findings) checkKeyspace(ks keyspace) {
	if ks.strategy != networkTopology {
		f.refuse("cassandra: keyspace %s has the replication %s, which knows no data centers: ALTER KEYSPACE %s WITH replication = {'class': '%s', …}, then run nodetool repair",
			ks.name, ks.strategy, ks.name, networkTopology)
	}
	if !ks.durable {
		f.refuse("cassandra: keyspace %s has durable_writes = false, so that its writes are in no commit log: ALTER KEYSPACE %s WITH durable_writes = true", ks.name, ks.name)
	}
}

// tableThere is what Cassandra says of a table.
type tableThere struct {
	columns    map[string]column
	readRepair string
	compaction string
	ttl        int
}

func (c *connection) readTables(ctx context.Context) (map[string]*tableThere, error) {
	there := make(map[string]*tableThere)
	iter := c.Query(`SELECT table_name, read_repair, compaction, default_time_to_live FROM system_schema.tables WHERE keyspace_name = ?`, c.cfg.Keyspace).
		Consistency(gocql.One).IterContext(ctx)
	for {
		var name string
		t := &tableThere{columns: make(map[string]column)}
		var compaction map[string]string
		if !iter.Scan(&name, &t.readRepair, &compaction, &t.ttl) {
			break
		}
		t.compaction = compaction["class"][strings.LastIndexByte(compaction["class"], '.')+1:]
		there[name] = t
	}
	if err := iter.Close(); err != nil {
		return nil, explain("reading", "system_schema", "tables", iter.Host(), err)
	}
	iter = c.Query(`SELECT table_name, column_name, type, kind, position, clustering_order FROM system_schema.columns WHERE keyspace_name = ?`, c.cfg.Keyspace).
		Consistency(gocql.One).IterContext(ctx)
	for {
		var in, order string
		var col column
		var position int
		if !iter.Scan(&in, &col.name, &col.typ, &col.kind, &position, &order) {
			break
		}
		if t := there[in]; t != nil {
			t.columns[col.name] = column{col.name, col.typ, place(col.kind, position, order)}
		}
	}
	if err := iter.Close(); err != nil {
		return nil, explain("reading", "system_schema", "columns", iter.Host(), err)
	}
	return there, nil
}

// place names a column's part in the key, with all that matters of it.
func place(kind string, position int, order string) string {
	switch {
	case kind == "partition_key", kind == "clustering" && order == "asc":
		return fmt.Sprintf("%s %d", kind, position)
	case kind == "clustering":
		return fmt.Sprintf("%s %d %s", kind, position, order)
	}
	return kind
}

// checkTables compares the tables that are there with those that should be.
func (f *Findings) checkTables(keyspace string, there map[string]*tableThere) {
	for _, want := range tables {
		got := there[want.name]
		name := keyspace + "." + want.name
		if got == nil {
			f.refuse("cassandra: there is no table %s: %s", name, applyAdvice)
			continue
		}
		f.checkColumns(name, want, got)
		if got.readRepair != "BLOCKING" {
			f.refuse("cassandra: table %s has read_repair = %s, so that what one read has shown may be gone in the next: ALTER TABLE %s WITH read_repair = 'BLOCKING'", name, got.readRepair, name)
		}
		if got.ttl != 0 {
			f.refuse("cassandra: rows of table %s end after %d s: ALTER TABLE %s WITH default_time_to_live = 0", name, got.ttl, name)
		}
		if got.compaction == "TimeWindowCompactionStrategy" || got.compaction == "DateTieredCompactionStrategy" {
			f.refuse("cassandra: table %s has the compaction %s, which takes timestamps for times, and those of a store are positions: ALTER TABLE %s WITH %s",
				name, got.compaction, name, want.compaction())
		}
	}
}

func (t table) compaction() string {
	for _, o := range t.options {
		if strings.HasPrefix(o, "compaction") {
			return o
		}
	}
	return writeOnce
}

func (f *Findings) checkColumns(name string, want table, got *tableThere) {
	at := make(map[string]int)
	for _, w := range want.columns {
		w.kind = place(w.kind, at[w.kind], "asc")
		at[strings.Fields(w.kind)[0]]++
		g, ok := got.columns[w.name]
		switch {
		case !ok:
			f.refuse("cassandra: table %s lacks the column %s %s (%s); it is not this program's", name, w.name, w.typ, w.kind)
		case g != w:
			f.refuse("cassandra: column %s of table %s is %s (%s), and should be %s (%s); the table is not this program's", w.name, name, g.typ, g.kind, w.typ, w.kind)
		}
	}
	var more []string
	for c := range got.columns {
		if !slices.ContainsFunc(want.columns, func(w column) bool { return w.name == c }) {
			more = append(more, c)
		}
	}
	slices.Sort(more)
	for _, c := range more {
		f.warn("cassandra: table %s has a column %s that this program does not know", name, c)
	}
}
