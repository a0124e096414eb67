package cassandra

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet/persistence"
)

// Views are the tables of views: ordinary tables in a keyspace of their own, for
// others to read. All that is written to them has a position as its timestamp, so
// that they are plain tables as those of the store are.
//
// They are safe for use by many goroutines, until the store is closed.
type Views struct {
	s        *Store
	keyspace string
	tables   map[string]*viewTable
}

var _ persistence.Tables = (*Views)(nil)

// viewTable is a table and what is sent to it.
type viewTable struct {
	def           *persistence.Table
	insert, read  string
	distinct, all string   // the ids
	erase         []string // by how many columns of the key are given
}

func newViewTable(keyspace string, def *persistence.Table) *viewTable {
	t := &viewTable{def: def}
	in := keyspace + "." + def.Name
	names := make([]string, len(def.Columns))
	for i, c := range def.Columns {
		names[i] = c.Name
	}
	t.insert = fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s) USING TIMESTAMP ?", in, strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1))
	t.read = fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", strings.Join(names, ", "), in, names[0])
	t.distinct = fmt.Sprintf("SELECT DISTINCT %s FROM %s", names[0], in)
	t.all = fmt.Sprintf("SELECT %s FROM %s", names[0], in)
	t.erase = make([]string, def.KeyColumns()+1)
	for n := 1; n < len(t.erase); n++ {
		t.erase[n] = fmt.Sprintf("DELETE FROM %s USING TIMESTAMP ? WHERE %s = ?", in, strings.Join(names[:n], " = ? AND "))
	}
	return t
}

// Views returns the tables of views in a keyspace, once they are as they should
// be and hold what this store has rendered.
func (s *Store) Views(ctx context.Context, keyspace string, tables []*persistence.Table) (*Views, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := checkViews(keyspace, s.cfg.Keyspace, tables); err != nil {
		return nil, err
	}
	c := s.conn.in(keyspace)
	var f Findings
	if err := c.checkViews(ctx, &f, tables); err != nil {
		return nil, err
	}
	if err := f.refusal(); err != nil {
		return nil, err
	}
	if err := c.checkRendered(ctx, s.record, tables); err != nil {
		return nil, err
	}
	v := &Views{s: s, keyspace: keyspace, tables: make(map[string]*viewTable)}
	for _, t := range tables {
		v.tables[t.Name] = newViewTable(keyspace, t)
	}
	return v, nil
}

// in is the connection, looking at another keyspace.
func (c *connection) in(keyspace string) *connection {
	other := *c
	other.cfg.Keyspace = keyspace
	return &other
}

// rowWrite is a statement on its way.
type rowWrite struct {
	cql    string
	values []any
	size   int // about, in bytes
}

// A batch is of one partition and one table, so that it is one change to a replica,
// seen as a whole; Cassandra's warnings of large batches are of others.
const (
	batchRows     = 64
	batchRowBytes = 32 << 10
)

// Change writes changes, many rows at once.
func (v *Views) Change(ctx context.Context, changes []persistence.RowChange) error {
	if err := v.s.enter(ctx); err != nil {
		return err
	}
	defer v.s.leave()
	var first, then []rowUnit
	for _, c := range changes {
		t := v.tables[c.Table.Name]
		if t == nil {
			return fmt.Errorf("cassandra: there is no table %s among the views of keyspace %s", c.Table.Name, v.keyspace)
		}
		puts, erases := t.puts(c), t.erases(c)
		if all := append(slices.Clip(puts), erases...); len(cut(t, all)) <= 1 {
			first = append(first, cut(t, all)...) // at once
			continue
		}
		first, then = append(first, cut(t, puts)...), append(then, cut(t, erases)...)
	}
	if err := v.writeAll(ctx, first); err != nil {
		return err
	}
	return v.writeAll(ctx, then)
}

// rowUnit is statements that are sent together.
type rowUnit struct {
	table  string
	writes []rowWrite
}

// cut returns statements in groups that a batch may have.
func cut(t *viewTable, writes []rowWrite) (units []rowUnit) {
	n, bytes := batchRows, 0
	for _, w := range writes {
		if n++; n > batchRows || bytes+w.size > batchRowBytes {
			units = append(units, rowUnit{table: t.def.Name})
			n, bytes = 1, 0
		}
		last := &units[len(units)-1]
		last.writes = append(last.writes, w)
		bytes += w.size
	}
	return units
}

func (v *Views) writeAll(ctx context.Context, units []rowUnit) error {
	if len(units) == 0 {
		return nil
	}
	return v.s.together(ctx, len(units), func(ctx context.Context, i int) error {
		return v.write(ctx, units[i].table, units[i].writes)
	})
}

// erases returns the statements that erase rows, as of just below the position: of
// two equal timestamps Cassandra takes the erasure.
func (t *viewTable) erases(c persistence.RowChange) (writes []rowWrite) {
	for _, scope := range c.Erase {
		w := rowWrite{cql: t.erase[len(scope)], values: []any{int64(c.At) - 1}, size: rowBytes}
		for _, d := range scope {
			w.values = append(w.values, d.Value())
		}
		writes = append(writes, w)
	}
	return writes
}

// puts returns the statements that put rows.
func (t *viewTable) puts(c persistence.RowChange) (writes []rowWrite) {
	for row := range slices.Chunk(c.Put, len(t.def.Columns)) {
		w := rowWrite{cql: t.insert, values: make([]any, 0, len(row)+1), size: rowBytes}
		for _, d := range row {
			w.size += d.Size()
			if d.IsNone() {
				// Null would leave a tombstone in each row.
				w.values = append(w.values, gocql.UnsetValue)
				continue
			}
			w.values = append(w.values, d.Value())
		}
		w.values = append(w.values, int64(c.At))
		writes = append(writes, w)
	}
	return writes
}

func (v *Views) write(ctx context.Context, table string, writes []rowWrite) error {
	var iter *gocql.Iter
	if len(writes) == 1 {
		iter = v.s.conn.rowQuery(writes[0]).Consistency(v.s.levels.quorum).IterContext(ctx)
	} else {
		b := v.s.conn.Batch(gocql.UnloggedBatch).Consistency(v.s.levels.quorum).DefaultTimestamp(false)
		for _, w := range writes {
			b = b.Query(w.cql, w.values...)
		}
		iter = b.IterContext(ctx)
	}
	return explain("writing", v.keyspace, table, iter.Host(), iter.Close())
}

func (c *connection) rowQuery(w rowWrite) *gocql.Query { return c.Query(w.cql, w.values...) }

// idsAtOnce is how many ids are read at once.
const idsAtOnce = 1000

// IDs yields the ids that have rows in a table.
func (v *Views) IDs(ctx context.Context, table *persistence.Table) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := v.s.enter(ctx); err != nil {
			yield("", err)
			return
		}
		defer v.s.leave()
		t := v.tables[table.Name]
		if t == nil {
			yield("", fmt.Errorf("cassandra: there is no table %s among the views of keyspace %s", table.Name, v.keyspace))
			return
		}
		told := make(map[string]bool)
		tell := func(id string) bool {
			if told[id] {
				return true
			}
			told[id] = true
			return yield(id, nil)
		}
		err := v.ids(ctx, t, t.distinct, tell)
		var answer gocql.RequestError
		if errors.As(err, &answer) {
			err = v.ids(ctx, t, t.all, tell)
		}
		if err != nil {
			yield("", err)
		}
	}
}

// ids calls visit for the ids that a statement finds, until it wants no more.
//
// A server can fail for good over SELECT DISTINCT, which reads the beginning of each
// partition: seen with Cassandra 5.0.5 over a partition with many erased ranges
// ("received 0 responses and 1 failures: UNKNOWN"), in which all rows could be read. So
// all rows are looked at then.
func (v *Views) ids(ctx context.Context, t *viewTable, cql string, visit func(id string) bool) error {
	iter := v.s.conn.Query(cql).Consistency(v.s.levels.quorum).PageSize(idsAtOnce).IterContext(ctx)
	var id string
	for iter.Scan(&id) {
		if !visit(id) {
			_ = iter.Close() // what is not wanted any more may fail
			return nil
		}
	}
	if err := iter.Close(); err != nil {
		return explain("reading", v.keyspace, t.def.Name, iter.Host(), err)
	}
	return nil
}

// Rows returns the rows of a table that are of an id, in the order of the table: for
// who compares them with pages.
func (v *Views) Rows(ctx context.Context, table *persistence.Table, id string) ([]persistence.Datum, error) {
	if err := v.s.enter(ctx); err != nil {
		return nil, err
	}
	defer v.s.leave()
	t := v.tables[table.Name]
	if t == nil {
		return nil, fmt.Errorf("cassandra: there is no table %s among the views of keyspace %s", table.Name, v.keyspace)
	}
	iter := v.s.conn.rowQuery(rowWrite{cql: t.read, values: []any{id}}).Consistency(v.s.levels.quorum).PageSize(idsAtOnce).IterContext(ctx)
	var rows []persistence.Datum
	for {
		into := make([]any, len(t.def.Columns))
		for i, c := range t.def.Columns {
			into[i] = map[persistence.ColumnType]any{persistence.IntColumn: new(*int32), persistence.DoubleColumn: new(*float64), persistence.TextColumn: new(*string)}[c.Type]
		}
		if !iter.Scan(into...) {
			break
		}
		for _, value := range into {
			rows = append(rows, datum(value))
		}
	}
	return rows, explain("reading", v.keyspace, table.Name, iter.Host(), iter.Close())
}

// datum returns what was read into a pointer to a pointer, which is nil for no value.
func datum(value any) persistence.Datum {
	switch v := value.(type) {
	case **int32:
		if *v != nil {
			return persistence.Int(**v)
		}
	case **float64:
		if *v != nil {
			return persistence.Double(**v)
		}
	case **string:
		if *v != nil {
			return persistence.Text(**v)
		}
	}
	return persistence.Datum{}
}
