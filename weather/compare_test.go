package weather

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Comparing a run, and putting what is new and what differs, is as good as
// taking its observations one by one. Marks make no difference.
func TestCompareAgainstOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		w := newTwin(c)
		months := map[YearMonth]*Month{}
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			r := genMarked(c, 40).Draw(t, "run")
			if rapid.Bool().Draw(t, "few values") { // so that duplicates occur
				for _, column := range r.Columns {
					for i := range column {
						column[i] = 0
					}
				}
			}
			if rapid.Bool().Draw(t, "sorted") {
				r.Sort()
			}
			before := map[Minute][]Value{}
			var want Changes
			for i, when := range r.Times {
				row := w.row(r, i)
				for m := range row {
					row[m] = row[m].Measured()
				}
				switch held, known := w.values[when]; {
				case !known:
					want.Stored++
				case slices.Equal(held, row):
					want.Duplicates++
				default:
					want.Replaced++
				}
				if _, seen := before[when]; !seen {
					before[when] = w.values[when]
				}
				w.values[when] = row
			}
			got := Compare(r, func(id YearMonth) *Month { return months[id] })
			if got.Stored != want.Stored || got.Duplicates != want.Duplicates || got.Replaced != want.Replaced {
				t.Fatalf("counts are %+v, want %+v", got, want)
			}
			checkPlaces(t, r, got, before, w)
			for _, id := range r.Months() {
				if months[id] == nil {
					months[id] = NewMonth(id)
				}
				months[id].Put(got.FreshOf(r))
				months[id].Put(r.Select(got.Corrected))
				plain := NewMonth(id)
				plain.Put(unmarked(months[id].Run(0, months[id].Len())))
				checkMonth(t, plain, w)
			}
		}
	})
}

// checkPlaces compares the places with what was held before the run and what is
// held after it.
func checkPlaces(t *rapid.T, r *Run, got Changes, before map[Minute][]Value, w *twin) {
	var fresh, corrected []Minute
	for when, held := range before {
		switch {
		case held == nil:
			fresh = append(fresh, when)
		case !slices.Equal(held, w.values[when]):
			corrected = append(corrected, when)
		}
	}
	slices.Sort(fresh)
	slices.Sort(corrected)
	if times := got.FreshOf(r).Times; !slices.Equal(times, fresh) {
		t.Fatalf("fresh are %v, want %v", times, fresh)
	}
	if times := r.Select(got.Corrected).Times; !slices.Equal(times, corrected) {
		t.Fatalf("corrected are %v, want %v", times, corrected)
	}
}

// What is held keeps what quality control thought of it, when it comes again.
// Mutations seen to fail: Month.Same or Run.same comparing the marks too.
func TestCompareKeepsTheMark(t *testing.T) {
	m, r := NewMonth(YearMonth{2008, 5}), &Run{}
	r.Append(at(2008, 5, 1, 0, 0), 1, Missing, Value(7).Mark())
	r.Append(at(2008, 5, 1, 1, 0), 1, Value(-5).Mark(), Trace)
	m.Put(r)
	before := AppendMonth(nil, m)
	again := unmarked(m.Run(0, 2))
	again.Append(at(2008, 5, 1, 1, 0), Value(1).Mark(), -5, Trace)
	got := Compare(again, func(YearMonth) *Month { return m })
	if got.Duplicates != 3 || got.Stored+got.Replaced+len(got.Fresh)+len(got.Corrected) > 0 {
		t.Errorf("the same readings with other marks are %+v", got)
	}
	m.Put(got.FreshOf(again))
	m.Put(again.Select(got.Corrected))
	if after := AppendMonth(nil, m); !bytes.Equal(before, after) {
		t.Errorf("the page was %x and is %x", before, after)
	}
	again = &Run{}
	again.Append(at(2008, 5, 1, 0, 0), 1, Missing, 8)
	if got := Compare(again, func(YearMonth) *Month { return m }); len(got.Corrected) != 1 {
		t.Errorf("another value in the place of an erroneous one is %+v", got)
	}
}
