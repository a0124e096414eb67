package weather

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// genYearMonth draws months near each other, and at times far away or not there.
func genYearMonth() *rapid.Generator[YearMonth] {
	year := rapid.OneOf(rapid.IntRange(2006, 2009), rapid.SampledFrom([]int{MinYear - 1, MinYear, 1950, MaxYear, MaxYear + 1}))
	return rapid.Custom(func(t *rapid.T) YearMonth {
		return YearMonth{year.Draw(t, "year"), rapid.IntRange(0, 13).Draw(t, "month")}
	})
}

// A set against a map. Mutations seen to fail: Remove not dropping the years that
// are empty then; Before and After not leaving out the months beyond the one that
// is asked for; cover without moving what is held.
func TestMonthSetAgainstAMap(t *testing.T) {
	ordinal := func(m YearMonth) int { return m.Year*100 + m.Month }
	rapid.Check(t, func(t *rapid.T) {
		var s MonthSet
		held := map[YearMonth]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				m := genYearMonth().Draw(t, "month")
				want := m.Valid() && !held[m]
				if got := s.Add(m); got != want {
					t.Fatalf("adding %s changed the set: %v", m, got)
				}
				if m.Valid() {
					held[m] = true
				}
			},
			"remove": func(t *rapid.T) {
				m := genYearMonth().Draw(t, "month")
				if got := s.Remove(m); got != held[m] {
					t.Fatalf("removing %s changed the set: %v", m, got)
				}
				delete(held, m)
			},
			"store": func(t *rapid.T) {
				decoded, err := DecodeMonthSet(AppendMonthSet(nil, &s))
				if err != nil || !decoded.Equal(&s) {
					t.Fatalf("%v became %v, %v", s, decoded, err)
				}
				s = decoded
			},
			"copy": func(t *rapid.T) {
				c, before := s.Clone(), AppendMonthSet(nil, &s)
				c.Add(YearMonth{2007, 5})
				c.Remove(YearMonth{2008, 5})
				if after := AppendMonthSet(nil, &s); !bytes.Equal(before, after) {
					t.Fatal("changing a copy changed the set")
				}
			},
			"": func(t *rapid.T) {
				var want []YearMonth
				for m := range held {
					want = append(want, m)
				}
				slices.SortFunc(want, func(a, b YearMonth) int { return ordinal(a) - ordinal(b) })
				if got := slices.Collect(s.All()); !slices.Equal(got, want) || s.Len() != len(want) {
					t.Fatalf("%d months %v, want %v", s.Len(), got, want)
				}
				other := MonthSet{} // the same months, added in another order
				for _, m := range rapid.Permutation(want).Draw(t, "order") {
					other.Add(m)
				}
				if !s.Equal(&other) || cap(s.years) != len(s.years) {
					t.Fatalf("%v with room for %d is not %v", s, cap(s.years), other)
				}
				m := genYearMonth().Draw(t, "month")
				var before, after YearMonth
				for _, h := range want {
					if ordinal(h) <= ordinal(m) {
						before = h
					}
					if ordinal(h) >= ordinal(m) && after == (YearMonth{}) {
						after = h
					}
				}
				if got, ok := s.Before(m); got != before || ok != (before != YearMonth{}) {
					t.Fatalf("before %s is %s, %v; want %s", m, got, ok, before)
				}
				if got, ok := s.After(m); got != after || ok != (after != YearMonth{}) {
					t.Fatalf("after %s is %s, %v; want %s", m, got, ok, after)
				}
				if got := s.Has(m); got != held[m] {
					t.Fatalf("%s is held: %v", m, got)
				}
			},
		})
	})
}

func TestMonthSetAllStops(t *testing.T) {
	var s MonthSet
	s.Add(YearMonth{2008, 1})
	s.Add(YearMonth{2008, 2})
	for m := range s.All() {
		if m.Month != 1 {
			t.Errorf("%s comes after the end", m)
		}
		break
	}
}

// What a station of a hundred years costs while it is idle.
func TestMonthSetMemory(t *testing.T) {
	var s MonthSet
	for year := 1900; year < 2000; year++ {
		s.Add(YearMonth{year, 7})
	}
	if got := s.MemorySize(); got > 32+200 {
		t.Errorf("a hundred years take %d bytes", got)
	}
	for year := 1901; year < 2000; year++ {
		s.Remove(YearMonth{year, 7})
	}
	if got := s.MemorySize(); got > 32+2 {
		t.Errorf("one year, when the others are gone, takes %d bytes", got)
	}
}

// The format is on disk: these bytes must stay readable and mean the same.
func TestMonthSetFormat(t *testing.T) {
	var s MonthSet
	if got := hex.EncodeToString(AppendMonthSet(nil, &s)); got != "01" {
		t.Errorf("an empty set is %s", got)
	}
	s.Add(YearMonth{2009, 12})
	s.Add(YearMonth{2007, 1})
	s.Add(YearMonth{2007, 9})
	if got := hex.EncodeToString(AppendMonthSet(nil, &s)); got != "01d707"+"0101"+"0000"+"0008" {
		t.Errorf("the set is %s", got)
	}
	for what, text := range map[string]string{
		"nothing":              "",
		"another version":      "02",
		"half a year":          "01d7",
		"a year of no months":  "01d707",
		"half of the months":   "01d70701",
		"a month 13":           "01d7070110",
		"begins with nothing":  "01d70700000100",
		"ends with nothing":    "01d70701000000",
		"a year too early":     "018d060100",
		"a year too late":      "01d50801000100",
		"a byte more":          "01d707010000",
		"nothing of some year": "01d7070000",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeMonthSet(b); !errors.Is(err, ErrCorrupt) || got.Len() > 0 {
			t.Errorf("%s: %s gives %v, %v", what, text, got, err)
		}
	}
}

func FuzzDecodeMonthSet(f *testing.F) {
	var s MonthSet
	f.Add(AppendMonthSet(nil, &s))
	s.Add(YearMonth{MinYear, 1})
	f.Add(AppendMonthSet(nil, &s))
	s.Add(YearMonth{2008, 5})
	f.Add(AppendMonthSet(nil, &s))
	for _, b := range hostile {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeMonthSet(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || s.Len() > 0 {
				t.Fatalf("%v, %v", s, err)
			}
			return
		}
		var other MonthSet
		for m := range s.All() {
			if !m.Valid() || !other.Add(m) {
				t.Fatalf("%s in %v", m, s)
			}
		}
		if !other.Equal(&s) {
			t.Fatalf("%v is not %v", s, other)
		}
		if again := AppendMonthSet(nil, &s); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}
