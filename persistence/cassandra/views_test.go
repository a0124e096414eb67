package cassandra

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/cqlproxy"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

var readings = &persistence.Table{
	Name: "readings", Version: 1, Comment: "of a test's",
	Columns: []persistence.Column{
		{Name: "id", Type: persistence.TextColumn, Key: persistence.Ascending},
		{Name: "day", Type: persistence.IntColumn, Key: persistence.Descending},
		{Name: "hour", Type: persistence.IntColumn, Key: persistence.Ascending},
		{Name: "value", Type: persistence.DoubleColumn},
		{Name: "note", Type: persistence.TextColumn},
	},
}

// viewsOf creates the tables of views for a store.
func viewsOf(t *testing.T, cfg Config, tables ...*persistence.Table) *Views {
	t.Helper()
	schema := ViewSchema{Keyspace: serverstest.Name(t), Tables: tables}
	_, err := schema.Apply(t.Context(), cfg)
	must(t, err)
	views, err := opened(t, cfg).Views(t.Context(), schema.Keyspace, tables)
	must(t, err)
	return views
}

// Rows are those of the dumb twin, in whatever order changes come, and however often.
//
// Seen to fail with erasures at the position instead of just below it, with nulls
// instead of unset values, and with rows stamped one below.
func TestViewsAreAsTheirTwin(t *testing.T) {
	serverstest.Require(t)
	cfg := newStore(t, 1)
	views := viewsOf(t, cfg, readings)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		twin := &persistencetest.Tables{}
		ids := []string{fmt.Sprint("a", n), fmt.Sprint("b", n)}
		day, hour := rapid.Int32Range(1, 2), rapid.Int32Range(0, 2)
		for i := range rapid.IntRange(1, 12).Draw(rt, "changes") {
			id := persistence.Text(rapid.SampledFrom(ids).Draw(rt, "id"))
			c := persistence.RowChange{Table: readings, At: persistence.At(persistence.FirstEpoch, uint64(rapid.IntRange(1, 6).Draw(rt, "at")))}
			for range rapid.IntRange(0, 2).Draw(rt, "erased") {
				scope := []persistence.Datum{id, persistence.Int(day.Draw(rt, "day")), persistence.Int(hour.Draw(rt, "hour"))}
				c.Erase = append(c.Erase, scope[:rapid.IntRange(1, 3).Draw(rt, "scope")])
			}
			for range rapid.IntRange(0, 3).Draw(rt, "put") {
				// Of one position there is one value.
				d, h := day.Draw(rt, "day"), hour.Draw(rt, "hour")
				value, note := persistence.Double(float64(c.At)), persistence.Text(fmt.Sprint(c.At))
				switch uint64(c.At) % 4 {
				case 0:
					value = persistence.Datum{}
				case 1:
					note = persistence.Datum{}
				}
				c.Put = append(c.Put, id, persistence.Int(d), persistence.Int(h), value, note)
			}
			for range 1 + i%2 { // now and then twice
				must(t, views.Change(t.Context(), []persistence.RowChange{c}))
				must(t, twin.Change(t.Context(), []persistence.RowChange{c}))
			}
		}
		var got []persistence.Datum
		for _, id := range ids {
			rows, err := views.Rows(t.Context(), readings, id)
			must(t, err)
			for _, d := range []int32{1, 2} { // the table has the later first
				for row := range slices.Chunk(rows, len(readings.Columns)) {
					if row[1] == persistence.Int(d) {
						got = append(got, row...)
					}
				}
			}
		}
		if want := twin.Rows(readings); !slices.Equal(got, want) {
			rt.Fatalf("the rows are\n%v\nwant\n%v", got, want)
		}
		found := map[string]bool{}
		for id, err := range views.IDs(t.Context(), readings) {
			must(t, err)
			found[id] = true
		}
		for id, err := range twin.IDs(t.Context(), readings) {
			must(t, err)
			if !found[id] {
				rt.Fatalf("%s has rows and is not listed", id)
			}
		}
	})
}

// Ids are found by looking at all rows where the server fails over the partitions.
// Mutation seen to fail: no second statement.
func TestIDsWhereDistinctFails(t *testing.T) {
	serverstest.Require(t)
	cfg := newStore(t, 1)
	proxy, cfg := proxied(t, cfg)
	views := viewsOf(t, cfg, readings)
	var c persistence.RowChange
	c.Table, c.At = readings, persistence.At(persistence.FirstEpoch, 1)
	for _, id := range []string{"a", "b"} {
		for hour := range int32(3) {
			c.Put = append(c.Put, persistence.Text(id), persistence.Int(1), persistence.Int(hour), persistence.Double(1), persistence.Text("x"))
		}
	}
	must(t, views.Change(t.Context(), []persistence.RowChange{c}))
	rule := proxy.Fail(cqlproxy.Match{Statement: "SELECT DISTINCT"}, cqlproxy.Unavailable(1, 0))
	var found []string
	for id, err := range views.IDs(t.Context(), readings) {
		must(t, err)
		found = append(found, id)
	}
	slices.Sort(found)
	if !slices.Equal(found, []string{"a", "b"}) || rule.Hits() == 0 {
		t.Errorf("found %q, after %d failures", found, rule.Hits())
	}
}

// Tables that are not this program's, of another store or of another version are
// refused, with a word on what to do. Seen to fail without each of the checks.
func TestViewsAreRefused(t *testing.T) {
	serverstest.Require(t)
	cfg := newStore(t, 1)
	s := opened(t, cfg)
	sums := &persistence.Table{
		Name: "sums", Version: 1, Columns: []persistence.Column{
			{Name: "id", Type: persistence.TextColumn, Key: persistence.Ascending}, {Name: "sum", Type: persistence.DoubleColumn},
		},
	}
	newer, other := *sums, *sums
	newer.Version = 2
	other.Name = "others"
	schema := ViewSchema{Keyspace: cfg.Keyspace + "_views", Tables: []*persistence.Table{sums}}
	_, err := schema.Apply(t.Context(), cfg)
	must(t, err)
	refused := func(what string, want string, tables ...*persistence.Table) {
		t.Helper()
		_, openErr := s.Views(t.Context(), schema.Keyspace, tables)
		_, applyErr := ViewSchema{Keyspace: schema.Keyspace, Tables: tables}.Apply(t.Context(), cfg)
		for _, err := range []error{openErr, applyErr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	refused("another version", "another keyspace", &newer)
	if _, err := s.Views(t.Context(), schema.Keyspace, []*persistence.Table{&other}); err == nil || !strings.Contains(err.Error(), "schema apply") {
		t.Errorf("a table that is not there: %v", err)
	}
	exec := func(cql string) {
		t.Helper()
		must(t, s.conn.Query(cql).ExecContext(t.Context()))
	}
	exec("CREATE TABLE " + schema.Keyspace + ".others (id text PRIMARY KEY, sum counter)")
	refused("a counter", "is counter", &other)
	exec("ALTER TABLE " + schema.Keyspace + ".sums WITH compaction = {'class': 'TimeWindowCompactionStrategy'}")
	refused("a compaction by time", "takes timestamps for times", sums)
	exec("ALTER TABLE " + schema.Keyspace + ".sums WITH compaction = {'class': 'LeveledCompactionStrategy'}")
	exec("UPDATE " + schema.Keyspace + ".mesonet_view SET store = 'deadbeef' WHERE name = 'sums'")
	refused("another store", "drop keyspace", sums)

	if _, err := s.Views(t.Context(), cfg.Keyspace, nil); err == nil {
		t.Error("views in the keyspace of the store are not refused")
	}
}

// All that is sent to tables of views has a position as its timestamp, or reads.
func TestViewStatementsHaveTimestamps(t *testing.T) {
	v := newViewTable("k", readings)
	if v.insert != "INSERT INTO k.readings (id, day, hour, value, note) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?" {
		t.Error(v.insert)
	}
	if got := fmt.Sprint(v.erase[2:]); got != "[DELETE FROM k.readings USING TIMESTAMP ? WHERE id = ? AND day = ? DELETE FROM k.readings USING TIMESTAMP ? WHERE id = ? AND day = ? AND hour = ?]" {
		t.Error(got)
	}
}

func TestViewCQL(t *testing.T) {
	schema := ViewSchema{Keyspace: "k", Tables: []*persistence.Table{readings}}
	if _, err := schema.CQL(); err == nil {
		t.Error("no replication is said")
	}
	schema.Replication = map[string]int{"dc1": 3}
	cql, err := schema.CQL()
	must(t, err)
	want := `CREATE TABLE IF NOT EXISTS k.readings (
    id text,
    day int,
    hour int,
    value double,
    note text,
    PRIMARY KEY ((id), day, hour)
) WITH CLUSTERING ORDER BY (day DESC, hour ASC)
    AND comment = 'of a test''s';
`
	if !strings.HasSuffix(cql, want) {
		t.Errorf("the statements are\n%s", cql)
	}
}
