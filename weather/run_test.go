package weather

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRunAppend(t *testing.T) {
	for _, r := range []*Run{{}, NewRun(2, 3)} {
		r.Append(10)
		r.Append(11, 1, Missing)
		r.Append(12, 2, Missing, Trace, Missing)
		r.Append(13, Missing, 5)
		want := &Run{Times: []Minute{10, 11, 12, 13}, Columns: [][]Value{
			{Missing, 1, 2, Missing},
			{Missing, Missing, Missing, 5},
			{Missing, Missing, Trace, Missing},
		}}
		if !r.Equal(want) || !want.Equal(r) {
			t.Errorf("got %v, want %v", r, want)
		}
		for m, column := range r.Columns {
			if column != nil && len(column) != r.Len() {
				t.Errorf("column %d has %d values for %d times", m, len(column), r.Len())
			}
		}
	}
}

func TestRunEqual(t *testing.T) {
	a := &Run{Times: []Minute{1}, Columns: [][]Value{{7}, nil}}
	if !a.Equal(&Run{Times: []Minute{1}, Columns: [][]Value{{7}, {Missing}, {Missing}}}) {
		t.Error("a nil column differs from one that is missing throughout")
	}
	for _, b := range []*Run{
		{Times: []Minute{2}, Columns: [][]Value{{7}}},
		{Times: []Minute{1}, Columns: [][]Value{{8}}},
		{Times: []Minute{1}, Columns: [][]Value{{7}, {0}}},
		{},
	} {
		if a.Equal(b) {
			t.Errorf("%v equals %v", a, b)
		}
	}
}

// Several runs after one another are what is appended observation by observation.
// Mutations seen to fail: Concat not padding a column that a run lacks; taking the
// columns of the first run for those of all.
func TestConcat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &Run{}
		runs := make([]*Run, rapid.IntRange(0, 6).Draw(t, "runs"))
		for i := range runs {
			runs[i] = genRun(gauge(), 5).Draw(t, "run")
			for k, at := range runs[i].Times {
				values := make([]Value, len(runs[i].Columns))
				for m := range values {
					values[m] = runs[i].Value(k, MeasureID(m))
				}
				want.Append(at, values...)
			}
		}
		if got := Concat(runs...); !got.Equal(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestRunSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRun(gauge(), 30).Draw(t, "run")
		type row struct {
			t      Minute
			values string
		}
		rows := func() (list []row) {
			for i, when := range r.Times {
				var b strings.Builder
				for m := range MeasureID(5) {
					b.WriteString(r.Value(i, m).Format(0) + ";")
				}
				list = append(list, row{when, b.String()})
			}
			return list
		}
		want := rows()
		slices.SortStableFunc(want, func(a, b row) int { return int(a.t - b.t) })
		r.Sort()
		if got := rows(); !slices.Equal(got, want) || !r.Sorted() {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestRunSliceDoesNotWriteIntoItsOrigin(t *testing.T) {
	r := &Run{}
	for i := range Minute(4) {
		r.Append(i, Value(i))
	}
	s := r.Slice(1, 2)
	s.Append(99, 99, 99)
	if s.Len() != 2 || s.Value(0, 0) != 1 || s.Value(1, 1) != 99 || r.Times[2] != 2 || r.Value(2, 0) != 2 {
		t.Errorf("slice %v of %v", s, r)
	}
}

func TestRunPeriods(t *testing.T) {
	r := &Run{}
	for _, when := range []Minute{
		at(2008, 12, 31, 23, 59), at(2009, 1, 1, 0, 0), at(2009, 1, 31, 23, 59),
		at(2008, 12, 1, 0, 0), at(2009, 2, 1, 0, 0), at(1700, 2, 28, 0, 0),
	} {
		r.Append(when)
	}
	if got, want := r.Months(), []YearMonth{{2008, 12}, {2009, 1}, {2009, 2}, {1700, 2}}; !slices.Equal(got, want) {
		t.Errorf("months %v, want %v", got, want)
	}
	if got, want := r.Years(), []int{2008, 2009, 1700}; !slices.Equal(got, want) {
		t.Errorf("years %v, want %v", got, want)
	}
}

func TestRunCheck(t *testing.T) {
	c := Standard()
	when := at(2008, 8, 11, 16, 0)
	run := func(values ...Value) *Run {
		r := &Run{}
		r.Append(when, values...)
		return r
	}
	long := NewRun(MaxRun+1, 0)
	long.Times = long.Times[:MaxRun+1]
	tests := []struct {
		r    *Run
		want []string // nothing: it passes
	}{
		{run(122, 39, 10012, 50, 87, Missing, 8, Trace, 8), nil},
		{&Run{}, nil},
		{run(9999), []string{"2008-08-11T16:00Z", "temperature 999.9 °C", "-93.2 to 61.8 °C"}},
		{run(Trace), []string{"temperature can't be a trace"}},
		{run(Value(122).Mark()), []string{"temperature 12.2 °C is marked as erroneous"}},
		{run(100_000_000), []string{"temperature 10000000.0 is outside -93.2 to 61.8 °C"}},
		{run(Missing, Missing, Missing, Missing, Missing, Missing, Missing, -1), []string{"precipitation_1h -0.1 mm"}},
		{run(0, 0, 9000, 0, 0, 0, 0, 0, 0, 7), []string{"no measure 9"}},
		{&Run{Times: []Minute{1, 2}, Columns: [][]Value{{1}}}, []string{"1 values of temperature for 2 times"}},
		{&Run{Times: []Minute{-1 << 31}}, []string{"year"}},
		{long, []string{"split it"}},
	}
	for _, test := range tests {
		err := test.r.Check(c)
		if (err != nil) != (test.want != nil) || err != nil && !errors.Is(err, ErrImpossible) {
			t.Errorf("got %v, want %v", err, test.want)
		}
		for _, part := range test.want {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
}
