package persistence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"regexp"
	"strconv"
)

// Tables are ordinary rows for others to read, that a store or another place
// offers beside what it keeps. They are rendered from pages, and nothing is read
// back from them.
//
// Rows are in the order of positions, whatever the order of the calls: what a
// change at a lower position does to a row comes to nothing where one at a higher
// has erased or put it. So a late write of a dead owner can't cover a newer one,
// and a call that failed may be repeated.
type Tables interface {
	// Change makes changes durable: all, or an arbitrary part of them when it
	// returns an error, now or later. What a change puts is there before, or when,
	// what it erases is gone: who reads meanwhile misses no row that was there
	// and will be.
	Change(ctx context.Context, changes []RowChange) error
	// IDs yields the values of a table's first column that have rows, each
	// once, in any order. What is written meanwhile may be missing.
	IDs(ctx context.Context, table *Table) iter.Seq2[string, error]
}

// RowChange is what happens to rows of one table that have the first column of
// their key in common.
type RowChange struct {
	Table *Table
	// At orders the change. What is erased is erased as of just below At, what
	// is put is there as of At: of a row that is both, only what is put stays.
	At Position
	// Erase are the first columns of keys, or whole keys. The rows that begin
	// so are erased, with all their values.
	Erase [][]Datum
	// Put are rows, one behind the other, a Datum for each column. A zero Datum
	// leaves the value as it is.
	Put []Datum
}

// Table defines a table.
type Table struct {
	Name string
	// Version is that of what its rows mean, from 1.
	Version uint32
	// Comment says what it is for.
	Comment string
	// Columns begin with those of the key, in their order.
	Columns []Column
	// Rows are there from the beginning, and never change: a Datum for each
	// column, row by row. A table that has them has no others.
	Rows []Datum
}

// Column is a column of a table.
type Column struct {
	Name string
	Type ColumnType
	// Key says that the column is of the key, and how it is sorted. The first
	// column of a table, whose rows are stored together, always is.
	Key KeyOrder
}

// ColumnType is what a column holds.
type ColumnType uint8

// The types of columns.
const (
	IntColumn    ColumnType = iota + 1 // 32 bits
	DoubleColumn                       // a float64
	TextColumn                         // UTF-8
)

// KeyOrder is the order of rows by a column of the key.
type KeyOrder uint8

// The orders of key columns.
const (
	NoKey KeyOrder = iota
	Ascending
	Descending
)

// Datum is the value of a column in a row. The zero Datum is none. Two that are
// equal by == are the same value.
type Datum struct {
	kind ColumnType
	bits uint64
	text string
}

// Int returns an integer.
func Int(n int32) Datum { return Datum{kind: IntColumn, bits: uint64(int64(n))} }

// Double returns a number; NaN is none.
func Double(f float64) Datum {
	if math.IsNaN(f) {
		return Datum{}
	}
	return Datum{kind: DoubleColumn, bits: math.Float64bits(f + 0)} // no -0
}

// Text returns a text.
func Text(s string) Datum { return Datum{kind: TextColumn, text: s} }

// Value returns an int32, a float64, a string, or nil for none.
func (d Datum) Value() any {
	switch d.kind {
	case IntColumn:
		return int32(int64(d.bits))
	case DoubleColumn:
		return math.Float64frombits(d.bits)
	case TextColumn:
		return d.text
	}
	return nil
}

// IsNone reports whether d is no value.
func (d Datum) IsNone() bool { return d.kind == 0 }

// Size is about how many bytes it takes.
func (d Datum) Size() int {
	switch d.kind {
	case IntColumn:
		return 4
	case DoubleColumn:
		return 8
	case TextColumn:
		return len(d.text)
	}
	return 0
}

// String shows d for people.
func (d Datum) String() string {
	switch v := d.Value().(type) {
	case string:
		return strconv.Quote(v)
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}

// Compare orders values of one type.
func (d Datum) Compare(o Datum) int {
	if d.kind == DoubleColumn && o.kind == DoubleColumn {
		return cmp.Compare(math.Float64frombits(d.bits), math.Float64frombits(o.bits))
	}
	return cmp.Or(cmp.Compare(d.kind, o.kind), cmp.Compare(int64(d.bits), int64(o.bits)), cmp.Compare(d.text, o.text))
}

// KeyColumns returns how many columns the key has.
func (t *Table) KeyColumns() int {
	n := 0
	for n < len(t.Columns) && t.Columns[n].Key != NoKey {
		n++
	}
	return n
}

var tableName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// Validate returns an error that says why t can be no table.
func (t *Table) Validate() error {
	if !tableName.MatchString(t.Name) {
		return fmt.Errorf("persistence: %q is no name for a table: up to 48 lower-case letters, digits and _, a letter first", t.Name)
	}
	if t.Version == 0 {
		return fmt.Errorf("persistence: table %s has no version: they count from 1", t.Name)
	}
	keys := t.KeyColumns()
	if keys == 0 || keys == len(t.Columns) {
		return fmt.Errorf("persistence: table %s needs a key, and columns beside it", t.Name)
	}
	names := make(map[string]bool)
	for i, c := range t.Columns {
		switch {
		case !tableName.MatchString(c.Name) || names[c.Name]:
			return fmt.Errorf("persistence: table %s can't have a column %q, or not twice", t.Name, c.Name)
		case c.Type < IntColumn || c.Type > TextColumn:
			return fmt.Errorf("persistence: column %s of table %s has no type", c.Name, t.Name)
		case i >= keys && c.Key != NoKey, c.Key > Descending:
			return fmt.Errorf("persistence: column %s of table %s is of the key: those come first", c.Name, t.Name)
		}
		names[c.Name] = true
	}
	if len(t.Rows) == 0 && t.Columns[0].Type != TextColumn {
		return fmt.Errorf("persistence: the first column of table %s is the id of an entity, so a text", t.Name)
	}
	return t.CheckRows(t.Rows)
}

// CheckRows returns an error unless data are rows of the table.
func (t *Table) CheckRows(data []Datum) error {
	if len(data)%len(t.Columns) != 0 {
		return fmt.Errorf("persistence: %d values are no rows of table %s, which has %d columns", len(data), t.Name, len(t.Columns))
	}
	keys := t.KeyColumns()
	for i, d := range data {
		c := t.Columns[i%len(t.Columns)]
		if d.IsNone() && i%len(t.Columns) < keys {
			return fmt.Errorf("persistence: a row of table %s has no %s, which is of its key", t.Name, c.Name)
		}
		if !d.IsNone() && d.kind != c.Type {
			return fmt.Errorf("persistence: %s can't be in column %s of table %s", d, c.Name, t.Name)
		}
	}
	return nil
}

// InScope returns an error unless all rows begin with the values of scope.
func (t *Table) InScope(scope, rows []Datum) error {
	if err := t.checkScope(scope); err != nil {
		return err
	}
	for ; len(rows) > 0; rows = rows[len(t.Columns):] {
		if compareKeys(scope, rows[:len(scope)]) != 0 {
			return fmt.Errorf("persistence: table %s has the row %v outside of %v", t.Name, rows[:t.KeyColumns()], scope)
		}
	}
	return nil
}

func (t *Table) checkScope(scope []Datum) error {
	if len(scope) == 0 || len(scope) > t.KeyColumns() {
		return fmt.Errorf("persistence: %v is no beginning of a key of table %s", scope, t.Name)
	}
	for i, d := range scope {
		if d.kind != t.Columns[i].Type {
			return fmt.Errorf("persistence: %s can't be in column %s of table %s", d, t.Columns[i].Name, t.Name)
		}
	}
	return nil
}

var errOrder = errors.New("persistence: rows are not in the order of their keys")

// Diff appends to erase and put what makes the rows old into the rows now: of a
// row that has lost a value, both. Rows are in the rising order of their keys,
// whatever the order of the table.
func (t *Table) Diff(c *RowChange, old, now []Datum) error {
	width, keys := len(t.Columns), t.KeyColumns()
	if err := errors.Join(t.ordered(old), t.ordered(now)); err != nil {
		return err
	}
	for len(old)+len(now) > 0 {
		var order int
		switch {
		case len(old) == 0:
			order = 1
		case len(now) == 0:
			order = -1
		default:
			order = compareKeys(old[:keys], now[:keys])
		}
		switch {
		case order < 0:
			c.Erase = append(c.Erase, old[:keys:keys])
		case order > 0:
			c.Put = append(c.Put, now[:width]...)
		default:
			same, lost := true, false
			for i := keys; i < width; i++ {
				same = same && old[i] == now[i]
				lost = lost || !old[i].IsNone() && now[i].IsNone()
			}
			if lost {
				c.Erase = append(c.Erase, now[:keys:keys])
			}
			if !same {
				c.Put = append(c.Put, now[:width]...)
			}
		}
		if order <= 0 {
			old = old[width:]
		}
		if order >= 0 {
			now = now[width:]
		}
	}
	return nil
}

// ordered returns an error unless the keys of rows rise.
func (t *Table) ordered(rows []Datum) error {
	width, keys := len(t.Columns), t.KeyColumns()
	for i := width; i < len(rows); i += width {
		if compareKeys(rows[i-width:i-width+keys], rows[i:i+keys]) >= 0 {
			return fmt.Errorf("%w: table %s has %v before %v", errOrder, t.Name, rows[i-width:i-width+keys], rows[i:i+keys])
		}
	}
	return nil
}

func compareKeys(a, b []Datum) int {
	for i := range a {
		if c := a[i].Compare(b[i]); c != 0 {
			return c
		}
	}
	return 0
}
