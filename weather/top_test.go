package weather

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The ranking is the head of a full sort, in whatever order it is offered.
func TestTopAgainstASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(-1, 12).Draw(t, "k")
		values := rapid.SliceOf(rapid.Int64Range(-3, 3)).Draw(t, "values")
		var all []Ranked
		for i, v := range values {
			all = append(all, Ranked{Minute(i), v})
		}
		top, bottom := NewTop(k), NewBottom(k)
		for _, r := range rapid.Permutation(all).Draw(t, "order") {
			top.Offer(r.At, r.Value)
			bottom.Offer(r.At, r.Value)
		}
		low := slices.Clone(all) // in time already
		slices.SortStableFunc(low, func(a, b Ranked) int { return int(a.Value - b.Value) })
		slices.SortStableFunc(all, func(a, b Ranked) int { return int(b.Value - a.Value) })
		if want := all[:min(len(all), max(k, 0))]; !slices.Equal(top.List(), want) {
			t.Fatalf("got %v, want %v", top.List(), want)
		}
		if want := low[:min(len(all), max(k, 0))]; !slices.Equal(bottom.List(), want) {
			t.Fatalf("the smallest are %v, want %v", bottom.List(), want)
		}
	})
}

func TestRankAboveTheFloor(t *testing.T) {
	m, y, r := NewMonth(YearMonth{2008, 5}), NewYear(Standard(), 2008), &Run{}
	rain := []Value{0, 3, Trace, Missing, 3, 7}
	for i, v := range rain {
		row := make([]Value, 9)
		for k := range row {
			row[k] = Missing
		}
		row[Precipitation1h], row[SkyCondition], row[Temperature] = v, 4, Value(i)
		r.Append(at(2008, 5, 1+i, 12, 0), row...)
	}
	m.Put(r)
	if err := y.Add(r); err != nil {
		t.Fatal(err)
	}
	hours, days := NewTop(10), NewTop(10)
	m.Rank(hours, Precipitation1h, 0)
	y.RankDaysBy(days, Precipitation1h, BySum, y.first, y.last(), 0)
	want := []Ranked{{at(2008, 5, 6, 12, 0), 7}, {at(2008, 5, 2, 12, 0), 3}, {at(2008, 5, 5, 12, 0), 3}}
	if !slices.Equal(hours.List(), want) {
		t.Errorf("hours %v, want %v", hours.List(), want)
	}
	for i := range want {
		want[i].At -= 12 * 60
	}
	if !slices.Equal(days.List(), want) {
		t.Errorf("days %v, want %v", days.List(), want)
	}
	hot := NewTop(1)
	y.RankDaysBy(hot, Temperature, ByHigh, y.first, y.last(), -1000)
	if want := []Ranked{{at(2008, 5, 6, 0, 0), 5}}; !slices.Equal(hot.List(), want) {
		t.Errorf("hottest %v, want %v", hot.List(), want)
	}
	codes := NewTop(1)
	for _, by := range []By{BySum, ByHigh, ByLow} {
		y.RankDaysBy(codes, SkyCondition, by, y.first, y.last(), -1)
	}
	if len(codes.List()) != 0 {
		t.Errorf("days are ranked by a code: %v", codes.List())
	}
	first, end := m.ID().First().Start(), (m.ID().First() + Day(m.ID().Days())).Start()
	if counts := CountsOf([]*Month{m}, first, end, SkyCondition, false); len(counts) != 1 || counts[4] != 6 {
		t.Errorf("counts %v, want six of 4", counts)
	}
	if counts := CountsOf([]*Month{m}, first, end, 77, false); len(counts) != 0 {
		t.Errorf("counts of no measure %v", counts)
	}
}

// Hours and days against a look at all of them, the largest and the smallest.
// Mutations seen to fail: ByLow offering the high; RankAll leaving out what is
// erroneous; the last day left out.
func TestRankAgainstALoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		r := genMarked(c, 40).Draw(t, "run")
		m := NewMonth(YearMonth{2008, 12})
		m.Put(r)
		measure := &c[rapid.IntRange(0, len(c)-1).Draw(t, "measure")]
		floor := rapid.SampledFrom([]Value{Trace, 0, (measure.Low + measure.High) / 2}).Draw(t, "floor")
		k := rapid.IntRange(0, 5).Draw(t, "k")
		all := rapid.Bool().Draw(t, "all")
		y := NewYearOf(c, 2008, []*Month{m}, all)
		for _, fresh := range []func(int) *Top{NewTop, NewBottom} {
			want := fresh(k)
			for row := range m.Len() {
				v := m.Value(row, measure.ID)
				if v > MaxValue && all {
					v -= 1 << 28
				}
				if v != Missing && v != Trace && v <= MaxValue && v > floor {
					want.Offer(m.Time(row), int64(v))
				}
			}
			got := fresh(k)
			if all {
				m.RankAll(got, measure.ID, floor)
			} else {
				m.Rank(got, measure.ID, floor)
			}
			if !slices.Equal(got.List(), want.List()) {
				t.Fatalf("hours are %v, want %v", got.List(), want.List())
			}
			first := m.ID().First() + Day(rapid.IntRange(-3, 31).Draw(t, "first"))
			last := first + Day(rapid.IntRange(-1, 40).Draw(t, "days"))
			for by := BySum; by <= ByLow; by++ {
				want, got := fresh(k), fresh(k)
				for day := max(first, m.ID().First()); day <= last; day++ {
					a, ok := y.Day(measure.ID, day)
					value := map[By]int64{BySum: a.Sum, ByHigh: int64(a.High), ByLow: int64(a.Low)}[by]
					if keeps := (by == BySum) == (measure.Aggregate == AggregateSum) && measure.Aggregate < AggregateCircular; ok && keeps && value > int64(floor) {
						want.Offer(day.Start(), value)
					}
				}
				y.RankDaysBy(got, measure.ID, by, first, last, int64(floor))
				if !slices.Equal(got.List(), want.List()) {
					t.Fatalf("days by %d are %v, want %v", by, got.List(), want.List())
				}
			}
		}
	})
}
