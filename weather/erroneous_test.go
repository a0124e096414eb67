package weather

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// unmarked returns a copy of r without marks; missing one in which they are
// Missing. Both are dumb on purpose.
func unmarked(r *Run) *Run { return without(r, func(v Value) Value { return v - 1<<28 }) }
func missing(r *Run) *Run  { return without(r, func(Value) Value { return Missing }) }

func without(r *Run, replace func(Value) Value) *Run {
	clean := &Run{Times: slices.Clone(r.Times), Columns: make([][]Value, len(r.Columns))}
	for m, column := range r.Columns {
		clean.Columns[m] = slices.Clone(column)
		for i, v := range column {
			if v > MaxValue {
				clean.Columns[m][i] = replace(v)
			}
		}
	}
	return clean
}

// markedHourly is a part of the made-up year with a mark on every fifth value.
func markedHourly(from, to int) *Run {
	r := hourly(2008).Slice(from, to)
	r = r.Select(rows(r))
	for m, column := range r.Columns {
		for i := range column {
			if (i+m)%5 == 0 {
				column[i] = column[i].Mark()
			}
		}
	}
	return r
}

func TestMark(t *testing.T) {
	for _, v := range []Value{0, 1, -1, 122, -32_769, MaxValue, -MaxValue} {
		marked := v.Mark()
		if marked == v || !marked.Erroneous() || marked.Plain() || marked.Measured() != v || marked.Mark() != marked {
			t.Errorf("%d is marked as %d, which is erroneous: %v, plain: %v, measured %d, marked again %d",
				v, marked, marked.Erroneous(), marked.Plain(), marked.Measured(), marked.Mark())
		}
		if v.Erroneous() || !v.Plain() || v.Measured() != v {
			t.Errorf("%d without a mark is erroneous: %v, plain: %v, measured %d", v, v.Erroneous(), v.Plain(), v.Measured())
		}
		if v.Format(1) != marked.Format(1) || v.Float(1) != marked.Float(1) {
			t.Errorf("%s is shown as %s when marked", v.Format(1), marked.Format(1))
		}
	}
	for _, v := range []Value{Missing, Trace} {
		if v.Mark() != v || v.Erroneous() || v.Measured() != v || v.Plain() {
			t.Errorf("%d is marked as %d", v, v.Mark())
		}
	}
}

// What is stored may be marked, but must have been possible. A mutation seen to
// fail: storable not asking whether it was.
func TestCheckStored(t *testing.T) {
	c := Standard()
	r := &Run{}
	r.Append(at(2008, 8, 11, 16, 0), Value(122).Mark(), 39, Missing, Missing, Missing, Missing, Missing, Trace)
	if err := r.CheckStored(c); err != nil {
		t.Error(err)
	}
	if err := r.Check(c); !errors.Is(err, ErrImpossible) {
		t.Errorf("a marked value arrives: %v", err)
	}
	for _, v := range []Value{c[Temperature].High + 1, (c[Temperature].High + 1).Mark(), (c[Temperature].Low - 1).Mark(), MaxValue + 1, 1<<31 - 1, Trace} {
		r.Append(r.Times[r.Len()-1]+1, v)
		if err := r.CheckStored(c); !errors.Is(err, ErrImpossible) {
			t.Errorf("%d is stored: %v", v, err)
		}
		if err := r.CheckStoredFrom(c, r.Len()); err != nil {
			t.Errorf("nothing after %d: %v", v, err)
		}
		if err := r.CheckStoredFrom(c, r.Len()-1); !errors.Is(err, ErrImpossible) {
			t.Errorf("%d is stored as the last: %v", v, err)
		}
		r = r.Slice(0, r.Len()-1)
	}
}

// Aggregates of marked values are those of values that are not there, and what
// the year keeps is what each day computed from the month has.
// Mutations seen to fail: tallyDay.add, spanDay.add, addTallies, addSpans, observe,
// Rank or Counts counting what is erroneous.
func TestMarkedIsAsGoodAsMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		id := YearMonth{2008, 12}
		r := inMonth(genMarked(c, 80).Draw(t, "run"), id)
		marked, gone := NewMonth(id), NewMonth(id)
		marked.Put(r)
		gone.Put(missing(r))
		years := []*Year{NewYear(c, 2008), NewYear(c, 2008)}
		for i, run := range []*Run{marked.Run(0, marked.Len()), gone.Run(0, gone.Len())} {
			if err := years[i].Add(run); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := AppendYear(nil, years[0]), AppendYear(nil, years[1]); !bytes.Equal(a, b) {
			t.Fatalf("the year is %x with marks, %x without the values", a, b)
		}
		for m := range MeasureID(len(c)) {
			for day := id.First(); day < id.First()+Day(id.Days()); day++ {
				want := DayOf(gone, day, &c[m])
				if got := DayOf(marked, day, &c[m]); got != want {
					t.Fatalf("%s of %s is %+v with marks, %+v without the values", c[m].Name, day, got, want)
				}
				if got, _ := years[0].Day(m, day); got != want {
					t.Fatalf("%s of %s is %+v in the year, %+v in the month", c[m].Name, day, got, want)
				}
			}
			tops, counts := []*Top{NewTop(100), NewTop(100)}, make([]map[Value]int, 2)
			for i, page := range []*Month{marked, gone} {
				page.Rank(tops[i], m, Trace)
				counts[i] = CountsOf([]*Month{page}, page.start, page.start+page.minutes, m, false)
			}
			if a, b := tops[0].List(), tops[1].List(); !slices.Equal(a, b) {
				t.Fatalf("the ranking of %s is %v with marks, %v without the values", c[m].Name, a, b)
			}
			if a, b := counts[0], counts[1]; !maps.Equal(a, b) {
				t.Fatalf("%s is counted as %v with marks, as %v without the values", c[m].Name, a, b)
			}
		}
	})
}

// inMonth returns the observations of r that fall into a month.
func inMonth(r *Run, id YearMonth) *Run {
	var rows []int
	for i, when := range r.Times {
		if MonthOf(when) == id {
			rows = append(rows, i)
		}
	}
	return r.Select(rows)
}

// A year made anew is what adding had made of the same observations; of all of
// them, what it had made of them before they were judged.
func TestNewYearOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		months := []*Month{NewMonth(YearMonth{2008, 12}), nil, NewMonth(YearMonth{2009, 1})}
		r := genMarked(c, 80).Draw(t, "run")
		for _, m := range months {
			if m != nil {
				m.Put(r)
			}
		}
		for _, year := range []int{2008, 2009, 2010} {
			for _, all := range []bool{false, true} {
				want := NewYear(c, year)
				for _, m := range months {
					if m == nil {
						continue
					}
					held := m.Run(0, m.Len())
					if all {
						held = unmarked(held)
					}
					if err := want.Add(held); err != nil {
						t.Fatal(err)
					}
				}
				got := NewYearOf(c, year, months, all)
				if a, b := AppendYear(nil, got), AppendYear(nil, want); !bytes.Equal(a, b) {
					t.Fatalf("%d with all %v is %x, want %x", year, all, a, b)
				}
			}
		}
	})
	m, r := NewMonth(YearMonth{2008, 5}), &Run{}
	r.Append(at(2008, 5, 1, 0, 0), 1, 2, 3)
	m.Put(r)
	if y := NewYearOf(Standard()[:2], 2008, []*Month{m}, true); len(y.columns) != 2 {
		t.Errorf("%d measures of a catalogue of 2", len(y.columns))
	}
}
