package cassandra

import (
	"fmt"
	"strings"
)

// table is a table as it has to be.
type table struct {
	name  string
	class class
	// why is the comment that the table carries.
	why     string
	columns []column
	options []string
}

type column struct {
	name, typ string
	// kind is Cassandra's word: partition_key, clustering, static, regular.
	kind string
}

// The options that tables are created with. Reads must repair before they
// answer (BLOCKING, Cassandra's default), so it is said in each.
const (
	blocking = "read_repair = 'BLOCKING'"
	// Frames are compressed already, and carry a checksum.
	uncompressed = "compression = {'enabled': 'false'}"
	// Frames are written once, read seldom, and go by whole partitions: the
	// compaction that writes least.
	writeOnce = "compaction = {'class': 'SizeTieredCompactionStrategy'}"
	// Pages are overwritten again and again, and read one at a time.
	overwritten = "compaction = {'class': 'LeveledCompactionStrategy'}"
)

// tables are all tables of a store.
var tables = []table{
	{
		name: "store", class: conditional, why: "what the store is; LWT only",
		columns: []column{
			{"name", "text", "partition_key"},
			{"id", "blob", "regular"},
			{"format", "int", "regular"}, // the level of the formats
			{"shards", "int", "regular"},
			{"hash", "text", "regular"},
			{"consistency", "text", "regular"},
			{"home_dc", "text", "regular"},
		},
		options: []string{blocking},
	},
	{
		name: "node", class: conditional, why: "incarnations; LWT only",
		columns: []column{
			{"node_id", "text", "partition_key"},
			{"inc", "bigint", "regular"},
			{"change_id", "uuid", "regular"},
			{"addr", "text", "regular"},
			{"raised_by", "text", "regular"},
		},
		options: []string{blocking},
	},
	{
		name: "shard", class: conditional, why: "who owns a shard, and the seals of its ended epochs; LWT only",
		columns: []column{
			{"shard", "int", "partition_key"},
			{"epoch", "int", "clustering"},
			{"cur_epoch", "int", "static"},
			{"owner", "text", "static"},
			{"owner_inc", "bigint", "static"},
			{"low", "bigint", "static"},
			{"change_id", "uuid", "static"},
			{"seal", "bigint", "regular"},
			{"sealed_by", "uuid", "regular"},
		},
		options: []string{blocking},
	},
	{
		name: "log", class: plain, why: "frames; written with their position as timestamp",
		columns: []column{
			{"shard", "int", "partition_key"},
			{"epoch", "int", "partition_key"},
			{"chunk", "int", "partition_key"},
			{"seq", "bigint", "clustering"},
			{"frame", "blob", "regular"},
		},
		options: []string{blocking, uncompressed, writeOnce},
	},
	{
		name: "page", class: plain, why: "states; written with their position as timestamp",
		columns: []column{
			{"shard", "int", "partition_key"},
			{"kind", "text", "partition_key"},
			{"id", "text", "partition_key"},
			{"page", "text", "clustering"},
			{"head", "blob", "regular"},
			{"cell", "blob", "regular"},
		},
		options: []string{blocking, overwritten},
	},
	{
		name: "entity", class: plain, why: "which entities of a shard have pages, by kind; the kinds under the kind ''",
		columns: []column{
			{"shard", "int", "partition_key"}, {"kind", "text", "partition_key"}, {"id", "text", "clustering"},
		},
		options: []string{blocking, overwritten},
	},
	{
		name: "node_hb", class: hint, why: "heartbeats; a hint, nothing rests on them",
		columns: []column{
			{"node_id", "text", "partition_key"},
			{"inc", "bigint", "regular"},
			{"n", "bigint", "regular"},
			{"peers", "frozen<set<text>>", "regular"},
		},
		options: []string{blocking},
	},
}

// cql returns the statement that creates the table.
func (t table) cql(keyspace string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s.%s (\n", keyspace, t.name)
	var partition, clustering []string
	for _, c := range t.columns {
		static := ""
		switch c.kind {
		case "partition_key":
			partition = append(partition, c.name)
		case "clustering":
			clustering = append(clustering, c.name)
		case "static":
			static = " STATIC"
		}
		fmt.Fprintf(&b, "    %s %s%s,\n", c.name, c.typ, static)
	}
	key := append([]string{"(" + strings.Join(partition, ", ") + ")"}, clustering...)
	fmt.Fprintf(&b, "    PRIMARY KEY (%s)\n)", strings.Join(key, ", "))
	fmt.Fprintf(&b, " WITH comment = '%s'", strings.ReplaceAll(t.why, "'", "''"))
	for _, o := range t.options {
		b.WriteString("\n    AND " + o)
	}
	return b.String()
}
