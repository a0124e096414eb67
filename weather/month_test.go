package weather

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkMonth compares a page with what a map holds of its month.
func checkMonth(t *rapid.T, m *Month, w *twin) {
	times := w.times(m.Has)
	if m.Len() != len(times) {
		t.Fatalf("%s, want %d", m, len(times))
	}
	for row, when := range times {
		if got, ok := m.Find(when); !ok || got != row || m.Time(row) != when {
			t.Fatalf("%s is in row %d, %v; want %d", when, got, ok, row)
		}
		for id, want := range w.values[when] {
			if got := m.Value(row, MeasureID(id)); got != want {
				t.Fatalf("measure %d at %s is %d, want %d", id, when, got, want)
			}
		}
	}
}

// Runs in any order, with repeated and replaced times, leave what a map holds.
func TestMonthAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		w := newTwin(c)
		months := []*Month{NewMonth(YearMonth{2008, 12}), NewMonth(YearMonth{2009, 1})}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				r := genMarked(c, 30).Draw(t, "run")
				if rapid.Bool().Draw(t, "sorted") {
					r.Sort()
				}
				before := len(w.values)
				for i, when := range r.Times {
					w.values[when] = w.row(r, i)
				}
				added := 0
				for _, m := range months {
					a, _ := m.Put(r)
					added += a
				}
				if want := len(w.values) - before; added != want {
					t.Fatalf("%d added, want %d", added, want)
				}
			},
			"remove": func(t *rapid.T) {
				times := w.times(func(Minute) bool { return true })
				if len(times) == 0 {
					return
				}
				when := rapid.SampledFrom(times).Draw(t, "time")
				delete(w.values, when)
				removed := 0
				for _, m := range months {
					if m.Remove(when) {
						removed++
					}
				}
				if removed != 1 {
					t.Fatalf("%s was removed %d times", when, removed)
				}
			},
			"store": func(t *rapid.T) {
				for i, m := range months {
					decoded, err := DecodeMonth(AppendMonth(nil, m))
					if err != nil {
						t.Fatal(err)
					}
					months[i] = decoded
				}
			},
			"": func(t *rapid.T) {
				for _, m := range months {
					checkMonth(t, m, w)
				}
			},
		})
	})
}

// The bytes of a page depend on what it holds, not on how it came there.
func TestMonthIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		r := genMarked(c, 60).Draw(t, "run")
		whole, parts := NewMonth(YearMonth{2008, 12}), NewMonth(YearMonth{2008, 12})
		whole.Put(r)
		for from := 0; from < r.Len(); {
			to := rapid.IntRange(from+1, r.Len()).Draw(t, "to")
			parts.Put(r.Slice(from, to))
			from = to
		}
		if a, b := AppendMonth(nil, whole), AppendMonth(nil, parts); !bytes.Equal(a, b) {
			t.Fatalf("%x in one, %x in parts", a, b)
		}
		// A wide value that came and went leaves no trace either.
		wide := &Run{}
		wide.Append(at(2008, 12, 15, 0, 0), 1_000_000)
		parts.Put(wide)
		parts.Remove(wide.Times[0])
		if a, b := AppendMonth(nil, whole), AppendMonth(nil, parts); !bytes.Equal(a, b) {
			t.Fatalf("%x without, %x after a wide value", a, b)
		}
	})
}

func TestMonthCounts(t *testing.T) {
	m := NewMonth(YearMonth{2008, 5})
	r := &Run{}
	for i := range Minute(10) {
		r.Append(at(2008, 5, 1, 0, 0)+i, Value(i))
	}
	if added, replaced := m.Put(r); added != 10 || replaced != 0 {
		t.Errorf("%d added and %d replaced of 10 new ones", added, replaced)
	}
	r.Append(at(2008, 5, 2, 0, 0), 1)
	r.Append(at(2008, 6, 1, 0, 0), 1) // of another month
	if added, replaced := m.Put(r); added != 1 || replaced != 10 {
		t.Errorf("%d added and %d replaced; want 1 and 10", added, replaced)
	}
}

func TestMonthSame(t *testing.T) {
	m, r := NewMonth(YearMonth{2008, 5}), &Run{}
	r.Append(at(2008, 5, 1, 0, 0), 1, Missing, Trace)
	r.Append(at(2008, 5, 1, 0, 0), 1, Missing, Trace, 0)
	r.Append(at(2008, 5, 1, 0, 0), 1)
	m.Put(r.Slice(0, 1))
	for i, want := range []bool{true, false, false} {
		if got := m.Same(0, r, i); got != want {
			t.Errorf("observation %d is the same: %v", i, got)
		}
	}
}

func TestMonthRun(t *testing.T) {
	m := NewMonth(YearMonth{2008, 5})
	r := hourly(2008)
	m.Put(r)
	first := slices.Index(r.Times, at(2008, 5, 1, 0, 0))
	if got, want := m.Run(5, 100), r.Slice(first+5, first+100); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The ends of the range of Minute must not wrap around into the month.
func TestMonthLeavesOthersAlone(t *testing.T) {
	m := NewMonth(YearMonth{2008, 5})
	m.Put(hourly(2008))
	n := m.Len()
	stray := &Run{}
	for _, when := range []Minute{-1 << 31, 1<<31 - 1, m.start - 1, m.start + m.minutes} {
		if row, ok := m.Find(when); ok {
			t.Errorf("%s is in row %d", when, row)
		}
		stray.Append(when, 1)
	}
	if added, replaced := m.Put(stray); added+replaced != 0 || m.Len() != n {
		t.Errorf("%d added and %d replaced of what is not in the month", added, replaced)
	}
}

func TestMonthMemory(t *testing.T) {
	m, year := NewMonth(YearMonth{2008, 5}), hourly(2008)
	for i := 0; i+64 <= year.Len(); i += 64 {
		m.Put(year.Slice(i, i+64))
	}
	if got := m.MemorySize() / m.Len(); got > 30 {
		t.Errorf("%d bytes an observation, more than 30", got)
	}
}

// Two bytes hold what is within ±32,766; what is not must not become a trace, or
// missing, or another number.
func TestMonthAtTheEndsOfTwoBytes(t *testing.T) {
	for _, v := range []Value{32_766, 32_767, 32_768, -32_766, -32_767, -32_768, -32_769, MaxValue, -MaxValue, Value(5).Mark(), (-MaxValue).Mark(), Trace, Missing} {
		for _, first := range []Value{Missing, 0, Trace, v} {
			m, r := NewMonth(YearMonth{2008, 5}), &Run{}
			r.Append(at(2008, 5, 1, 0, 0), first)
			r.Append(at(2008, 5, 3, 0, 0), v)
			m.Put(r)
			r = &Run{}
			r.Append(at(2008, 5, 2, 0, 0), v)
			m.Put(r) // merged
			decoded, err := DecodeMonth(AppendMonth(nil, m))
			if err != nil {
				t.Fatal(err)
			}
			for _, page := range []*Month{m, decoded} {
				if got := []Value{page.Value(0, 0), page.Value(1, 0), page.Value(2, 0)}; !slices.Equal(got, []Value{first, v, v}) {
					t.Errorf("%d and twice %d became %v", first, v, got)
				}
			}
		}
	}
}
