package weather

import "math"

// column is one measure of a month: a value for each row, at 2 bytes as long as
// all fit and at 4 from the first that does not. With neither slice it is
// Missing throughout.
type column struct {
	narrow []int16 // not nil, if empty, once there was a value
	wide   []Value // when not nil, narrow is nil
}

// The states of a narrow value.
const (
	narrowMissing = math.MinInt16
	narrowTrace   = math.MinInt16 + 1
)

// narrowed returns v at 2 bytes; false when it does not fit.
func narrowed(v Value) (int16, bool) {
	switch {
	case v > narrowTrace && v <= math.MaxInt16:
		return int16(v), true
	case v == Missing:
		return narrowMissing, true
	case v == Trace:
		return narrowTrace, true
	}
	return 0, false
}

func widened(v int16) Value {
	switch v {
	case narrowMissing:
		return Missing
	case narrowTrace:
		return Trace
	}
	return Value(v)
}

func (c *column) empty() bool { return c.narrow == nil && c.wide == nil }

func (c *column) value(row int) Value {
	switch {
	case c.narrow != nil:
		return widened(c.narrow[row])
	case c.wide != nil:
		return c.wide[row]
	}
	return Missing
}

// set changes the value of a row of a column of so many rows.
func (c *column) set(row, rows int, v Value) {
	if c.empty() {
		if v == Missing {
			return
		}
		c.narrow = extend(make([]int16, 0, rows), rows, narrowMissing)
	}
	if c.narrow != nil {
		if n, ok := narrowed(v); ok {
			c.narrow[row] = n
			return
		}
		c.widen()
	}
	c.wide[row] = v
}

// append adds values behind a column of so many rows. Nil values stand for
// count times Missing.
func (c *column) append(rows int, values []Value, count int) {
	if c.empty() && allMissing(values) {
		return
	}
	if c.empty() {
		c.narrow = extend(make([]int16, 0, rows+count), rows, narrowMissing)
	}
	switch {
	case values == nil && c.narrow != nil:
		c.narrow = extend(c.narrow, count, narrowMissing)
	case values == nil:
		c.wide = extend(c.wide, count, Missing)
	case c.narrow == nil:
		c.wide = append(grown(c.wide, count), values...)
	default:
		c.appendNarrow(values)
	}
}

// appendNarrow adds values to a column that is narrow so far.
func (c *column) appendNarrow(values []Value) {
	c.narrow = grown(c.narrow, len(values))
	for i, v := range values {
		n, ok := narrowed(v)
		if !ok {
			c.widen()
			c.wide = append(grown(c.wide, len(values)-i), values[i:]...)
			return
		}
		c.narrow = append(c.narrow, n)
	}
}

// open makes room for one Missing value before each of those rows, which
// ascend.
func (c *column) open(before []int) {
	if c.narrow != nil {
		c.narrow = opened(c.narrow, before, narrowMissing)
	}
	if c.wide != nil {
		c.wide = opened(c.wide, before, Missing)
	}
}

// remove takes one row out.
func (c *column) remove(row int) {
	if c.narrow != nil {
		c.narrow = append(c.narrow[:row], c.narrow[row+1:]...)
	}
	if c.wide != nil {
		c.wide = append(c.wide[:row], c.wide[row+1:]...)
	}
}

func (c *column) widen() {
	c.wide = make([]Value, len(c.narrow), cap(c.narrow))
	for i, v := range c.narrow {
		c.wide[i] = widened(v)
	}
	c.narrow = nil
}

func allMissing(values []Value) bool {
	for _, v := range values {
		if v != Missing {
			return false
		}
	}
	return true
}

// extend adds count times fill.
func extend[T any](s []T, count int, fill T) []T {
	n := len(s)
	s = grown(s, count)[:n+count]
	for i := n; i < len(s); i++ {
		s[i] = fill
	}
	return s
}

// grown returns s with room for count more. It grows by a half, where append
// doubles: pages are many and live long, and their memory limits a node.
func grown[T any](s []T, count int) []T {
	n := len(s)
	if n+count <= cap(s) {
		return s
	}
	return append(make([]T, 0, max(n+count, n+n/2+8)), s...)
}

// forMeasures returns columns with a place for each of so many measures. It makes no
// room for more: most pages have the measures of their first observation.
func forMeasures[T any](columns []T, measures int) []T {
	if measures <= len(columns) {
		return columns
	}
	wider := make([]T, measures)
	copy(wider, columns)
	return wider
}

// opened makes room for fill before each of those places, which ascend. From
// the end backwards each element moves once, to where it stays.
func opened[T any](s []T, before []int, fill T) []T {
	end := len(s)
	s = extend(s, len(before), fill)
	for k := len(before) - 1; k >= 0; k-- {
		at := before[k]
		copy(s[at+k+1:], s[at:end])
		s[at+k] = fill
		end = at
	}
	return s
}
