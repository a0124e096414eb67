package persistencetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// Tables is the dumb twin of tables: it keeps every change that was ever made,
// and finds out what there is when it is asked. The zero value is empty.
type Tables struct {
	mu      sync.Mutex
	fault   TablesFault
	changes []persistence.RowChange
	late    []persistence.RowChange
}

var _ persistence.Tables = (*Tables)(nil)

// TablesFault may take a part of changes, and say that they failed. What it returns
// as late is kept, and comes with Arrive.
type TablesFault func(changes []persistence.RowChange) (taken, late []persistence.RowChange, err error)

// Fail puts a fault in the way of all changes that begin from now on; nil takes it
// away.
func (t *Tables) Fail(fault TablesFault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = fault
}

// Change makes changes.
func (t *Tables) Change(ctx context.Context, changes []persistence.RowChange) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	taken, late, err := changes, []persistence.RowChange(nil), error(nil)
	if t.fault != nil {
		taken, late, err = t.fault(changes)
	}
	t.changes = append(t.changes, taken...)
	t.late = append(t.late, late...)
	return err
}

// Arrive makes the changes that were late.
func (t *Tables) Arrive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes, t.late = append(t.changes, t.late...), nil
}

// Changes returns how many rows were put and how many ranges erased so far.
func (t *Tables) Changes() (puts, erases int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.changes {
		puts += len(c.Put) / len(c.Table.Columns)
		erases += len(c.Erase)
	}
	return puts, erases
}

// IDs yields the first columns of a table.
func (t *Tables) IDs(_ context.Context, table *persistence.Table) iter.Seq2[string, error] {
	rows := t.Rows(table)
	return func(yield func(string, error) bool) {
		last := ""
		for i := 0; i < len(rows); i += len(table.Columns) {
			if id, _ := rows[i].Value().(string); i == 0 || id != last {
				if !yield(id, nil) {
					return
				}
				last = id
			}
		}
	}
}

// Rows returns the rows of a table, in the rising order of their keys. It panics
// when two changes at one position put different values: then the order of their
// arrival would decide.
func (t *Tables) Rows(table *persistence.Table) []persistence.Datum {
	t.mu.Lock()
	defer t.mu.Unlock()
	width, keys := len(table.Columns), table.KeyColumns()
	type row struct {
		data []persistence.Datum
		at   []persistence.Position
		born persistence.Position // the newest put
	}
	rows := make(map[string]*row)
	for _, c := range t.changes {
		if c.Table.Name != table.Name {
			continue
		}
		for put := c.Put; len(put) > 0; put = put[width:] {
			name := fmt.Sprint(put[:keys])
			r := rows[name]
			if r == nil {
				r = &row{data: make([]persistence.Datum, width), at: make([]persistence.Position, width)}
				rows[name] = r
			}
			r.born = max(r.born, c.At)
			for i, d := range put[:width] {
				switch {
				case d.IsNone() || c.At < r.at[i]:
				case c.At == r.at[i] && d != r.data[i]:
					panic(fmt.Sprintf("persistencetest: two values at %s: %s and %s in %s of %s %s", c.At, d, r.data[i], table.Columns[i].Name, table.Name, name)) //nolint:forbidigo // a test has found a bug
				default:
					r.data[i], r.at[i] = d, c.At
				}
			}
		}
	}
	var all [][]persistence.Datum
	for _, r := range rows {
		gone := persistence.Position(0) // at and below
		for _, c := range t.changes {
			for _, scope := range c.Erase {
				if c.Table.Name == table.Name && slices.Equal(scope, r.data[:len(scope)]) {
					gone = max(gone, c.At-1)
				}
			}
		}
		if r.born <= gone {
			continue
		}
		for i := keys; i < width; i++ {
			if r.at[i] <= gone {
				r.data[i] = persistence.Datum{}
			}
		}
		all = append(all, r.data)
	}
	slices.SortFunc(all, func(a, b []persistence.Datum) int {
		return slices.CompareFunc(a[:keys], b[:keys], persistence.Datum.Compare)
	})
	return slices.Concat(all...)
}
