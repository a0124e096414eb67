package weather

import (
	"testing"

	"pgregory.net/rapid"
)

// Rows and Latest are what a look at each row finds.
func TestRowsAgainstALoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRun(Standard(), 20).Draw(t, "run")
		m := NewMonth(YearMonth{2008, 12})
		m.Put(r)
		from, to := genTime(r).Draw(t, "from"), genTime(r).Draw(t, "to")
		var within []int
		latest := -1
		for row := range m.Len() {
			if when := m.Time(row); when >= from && when < to {
				within = append(within, row)
			}
			if m.Time(row) <= from {
				latest = row
			}
		}
		lo, hi := m.Rows(from, to)
		if hi-lo != len(within) || len(within) > 0 && lo != within[0] {
			t.Fatalf("from %s to %s are the rows %d to %d, want %v", from, to, lo, hi, within)
		}
		if got := m.Run(lo, hi).Len(); got != len(within) { // also of none
			t.Fatalf("%d rows, want %d", got, len(within))
		}
		if row, ok := m.Latest(from); ok != (latest >= 0) || ok && row != latest {
			t.Fatalf("the latest at %s is %d, %v; want %d", from, row, ok, latest)
		}
	})
}
