package weather

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Comparing a run, and putting what is new and what differs, is as good as
// taking its observations one by one.
func TestCompareAgainstOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		w := newTwin(c)
		months := map[YearMonth]*Month{}
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			r := genRun(c, 40).Draw(t, "run")
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
				checkMonth(t, months[id], w)
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
