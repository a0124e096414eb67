package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Physical types of Parquet.
const (
	parquetBoolean = iota
	parquetInt32
	parquetInt64
	parquetInt96
	parquetFloat
	parquetDouble
	parquetByteArray
	parquetFixed
)

// meaning is what the values of a column stand for, beyond their physical type.
type meaning uint8

const (
	asIs meaning = iota
	asUnsigned
	asDecimal
	asDate
	asMillis
	asMicros
	asNanos
	asUnknown // something that is neither a number, a text nor a time
)

// leaf is a column.
type leaf struct {
	name     string // outer.inner
	physical int64
	length   int // of a fixed-length array
	means    meaning
	scale    int  // of a decimal
	local    bool // a time that is not of UTC
	level    int  // the definition level at which there is a value
	repeated bool
}

// isTime reports whether values are moments.
func (l *leaf) isTime() bool {
	return l.means == asMillis || l.means == asMicros || l.means == asNanos || l.physical == parquetInt96
}

// columnChunk is a column of a row group.
type columnChunk struct {
	physical    int64
	codec       int64
	values      int64
	from, bytes int64
}

// rowGroup is some rows.
type rowGroup struct {
	rows   int64
	chunks []columnChunk // in the order of the leaves
}

// parquetMeta is what a file says of itself.
type parquetMeta struct {
	leaves []leaf
	groups []rowGroup
	rows   int64
}

// maxFooter is the most bytes of what a file says of itself: a thousand row
// groups of a hundred columns take some 8 MB.
const maxFooter = 16 << 20

var errParquet = errors.New("the Parquet file is damaged")

// readParquetMeta reads the end of a file.
func readParquetMeta(r io.ReaderAt, size int64) (*parquetMeta, error) {
	const ends = int64(len(parquetMagic))
	if size < 3*ends {
		return nil, fmt.Errorf("%w: it has %d bytes", errParquet, size)
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	switch magic := string(tail[4:]); {
	case magic == "PARE":
		return nil, errors.New("the Parquet file is encrypted: decrypt it first")
	case magic != parquetMagic:
		return nil, fmt.Errorf("%w: its end is missing", errParquet)
	case length > maxFooter:
		return nil, fmt.Errorf("its metadata has %d bytes, more than %d: write larger row groups", length, maxFooter)
	case length > size-3*ends:
		return nil, fmt.Errorf("%w: its metadata is longer than the file", errParquet)
	}
	footer := make([]byte, length)
	if _, err := r.ReadAt(footer, size-8-length); err != nil {
		return nil, err
	}
	return parseParquetMeta(footer, size)
}

// parseParquetMeta reads a FileMetaData and checks that it is of one piece.
func parseParquetMeta(footer []byte, size int64) (*parquetMeta, error) {
	m := &parquetMeta{}
	var schema []element
	encrypted := false
	t := newThrift(footer)
	t.structure(func(id int64, kind byte) bool {
		switch {
		case id == 2 && kind == thriftList:
			t.list(func(byte) { schema = append(schema, t.element()) })
		case id == 4 && kind == thriftList:
			t.list(func(byte) { m.groups = append(m.groups, t.rowGroup()) })
		case id == 8:
			encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	switch {
	case t.err != nil:
		return nil, fmt.Errorf("%w: %w", errParquet, t.err)
	case encrypted:
		return nil, errors.New("the Parquet file is encrypted: decrypt it first")
	case len(schema) == 0:
		return nil, fmt.Errorf("%w: it has no schema", errParquet)
	}
	w := walker{rest: schema[1:]}
	if err := w.walk(schema[0].children, nil, 0, false); err != nil {
		return nil, err
	}
	m.leaves = w.leaves
	return m, m.check(size)
}

// check compares what the file says with itself and its size.
func (m *parquetMeta) check(size int64) error {
	for i := range m.groups {
		g := &m.groups[i]
		if len(g.chunks) != len(m.leaves) || g.rows < 0 || g.rows > 1<<40 {
			return fmt.Errorf("%w: row group %d has %d columns and %d rows, where the schema has %d columns", errParquet, i+1, len(g.chunks), g.rows, len(m.leaves))
		}
		m.rows += g.rows
		for k := range g.chunks {
			c, l := &g.chunks[k], &m.leaves[k]
			if c.from < 0 || c.bytes < 0 || c.from > size || c.bytes > size-c.from {
				return fmt.Errorf("%w: column %.40q of row group %d is not within the file", errParquet, l.name, i+1)
			}
			if c.physical != l.physical || !l.repeated && c.values != g.rows {
				return fmt.Errorf("%w: column %.40q of row group %d has %d values for %d rows", errParquet, l.name, i+1, c.values, g.rows)
			}
		}
	}
	limits := DefaultLimits()
	if m.rows > ratioFrom && m.rows/limits.MaxRatio > size {
		return fmt.Errorf("%d rows in %d bytes, over %d in each, as in a decompression bomb", m.rows, size, limits.MaxRatio)
	}
	return nil
}

// element is a SchemaElement.
type element struct {
	leaf
	children  int64
	repeats   int64
	converted int64
	group     bool
}

func (t *thrift) element() element {
	e := element{converted: -1, group: true}
	t.structure(func(id int64, kind byte) bool {
		switch id {
		case 1:
			e.physical, e.group = t.int(), false
		case 2:
			e.length = int(min(max(t.int(), 0), 1<<20))
		case 3:
			e.repeats = t.int()
		case 4:
			e.name = string(t.bytes())
		case 5:
			e.children = t.int()
		case 6:
			e.converted = t.int()
		case 7:
			e.scale = int(min(max(t.int(), -maxScale), maxScale))
		case 10:
			if kind != thriftStruct {
				return false
			}
			t.logicalType(&e.leaf)
		default:
			return false
		}
		return true
	})
	if e.means == asIs {
		e.convert()
	}
	return e
}

// logicalType reads what a column means.
func (t *thrift) logicalType(l *leaf) {
	t.structure(func(id int64, kind byte) bool {
		switch id {
		case 1, 4, 12: // text
		case 5:
			l.means = asDecimal
		case 6:
			l.means = asDate
		case 8:
			t.timestamp(l)
			return true
		case 10:
			t.structure(func(id int64, kind byte) bool {
				if id == 2 && kind == thriftFalse {
					l.means = asUnsigned
				}
				return false
			})
			return true
		default:
			l.means = asUnknown
		}
		return false
	})
}

func (t *thrift) timestamp(l *leaf) {
	l.means = asUnknown
	t.structure(func(id int64, kind byte) bool {
		switch id {
		case 1:
			l.local = kind == thriftFalse
		case 2:
			if kind != thriftStruct {
				return false
			}
			t.structure(func(id int64, kind byte) bool {
				if id >= 1 && id <= 3 {
					l.means = asMillis + meaning(id-1)
				}
				return false
			})
			return true
		}
		return false
	})
}

// convert reads what older files say instead.
func (e *element) convert() {
	switch e.converted {
	case -1, 0, 4, 15, 16, 17, 18, 19: // none, UTF8, ENUM, INT_8 to INT_64, JSON
	case 5:
		e.means = asDecimal
	case 6:
		e.means = asDate
	case 9:
		e.means = asMillis
	case 10:
		e.means = asMicros
	case 11, 12, 13, 14:
		e.means = asUnsigned
	default:
		e.means = asUnknown
	}
}

func (t *thrift) rowGroup() rowGroup {
	var g rowGroup
	t.structure(func(id int64, kind byte) bool {
		switch {
		case id == 1 && kind == thriftList:
			t.list(func(byte) { g.chunks = append(g.chunks, t.chunk()) })
		case id == 3:
			g.rows = t.int()
		default:
			return false
		}
		return true
	})
	return g
}

func (t *thrift) chunk() columnChunk {
	c := columnChunk{physical: -1}
	t.structure(func(id int64, kind byte) bool {
		if id == 3 && kind == thriftStruct {
			t.columnMeta(&c)
			return true
		}
		return false
	})
	return c
}

func (t *thrift) columnMeta(c *columnChunk) {
	dictionary := int64(0)
	t.structure(func(id int64, _ byte) bool {
		switch id {
		case 1:
			c.physical = t.int()
		case 4:
			c.codec = t.int()
		case 5:
			c.values = t.int()
		case 7:
			c.bytes = t.int()
		case 9:
			c.from = t.int()
		case 11:
			dictionary = t.int()
		default:
			return false
		}
		return true
	})
	if dictionary > 0 && dictionary < c.from {
		c.from = dictionary
	}
}

// walker makes columns of a schema, which is a tree written out in order.
type walker struct {
	rest   []element
	leaves []leaf
}

func (w *walker) walk(children int64, path []string, level int, repeated bool) error {
	if len(path) > maxThriftDepth || children < 0 || children > int64(len(w.rest)) {
		return fmt.Errorf("%w: its schema is no tree", errParquet)
	}
	for ; children > 0; children-- {
		if len(w.rest) == 0 {
			return fmt.Errorf("%w: its schema is no tree", errParquet)
		}
		e := w.rest[0]
		w.rest = w.rest[1:]
		below, again := level, repeated || e.repeats == 2
		if e.repeats != 0 {
			below++
		}
		name := append(path[:len(path):len(path)], e.name)
		if e.group {
			if err := w.walk(e.children, name, below, again); err != nil {
				return err
			}
			continue
		}
		e.leaf.name, e.level, e.repeated = strings.Join(name, "."), below, again
		w.leaves = append(w.leaves, e.leaf)
	}
	return nil
}
