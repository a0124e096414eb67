package weather

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/sampledata"
)

// genProfile draws ranges within the limits of some measures.
func genProfile(c Catalogue) *rapid.Generator[map[MeasureID]Range] {
	return rapid.Custom(func(t *rapid.T) map[MeasureID]Range {
		ranges := map[MeasureID]Range{}
		for i := range c {
			m := &c[i]
			if rapid.Bool().Draw(t, "some of "+m.Name) {
				a := Value(rapid.Int32Range(int32(m.Low), int32(m.High)).Draw(t, "low"))
				b := Value(rapid.Int32Range(int32(m.Low), int32(m.High)).Draw(t, "high"))
				ranges[m.ID] = Range{min(a, b), max(a, b)}
			}
		}
		maps.DeleteFunc(ranges, func(_ MeasureID, r Range) bool { return r == Range{} })
		return ranges
	})
}

func profileOf(ranges map[MeasureID]Range) (p Profile) {
	for id, r := range ranges { // in any order
		p = p.With(id, r)
	}
	return p
}

// Judging is marking what is outside, value by value. Mutations seen to fail:
// Judge changing the run that it was given; taking the catalogue's range where the
// profile has one; leaving a mark on what is usual; marking a trace.
func TestJudge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCatalogue().Draw(t, "catalogue")
		ranges := genProfile(c).Draw(t, "profile")
		p := profileOf(ranges)
		if err := p.Validate(c); err != nil {
			t.Fatal(err)
		}
		r := rapid.OneOf(genRun(c, 20), genMarked(c, 20)).Draw(t, "run")
		before := r.clone()
		changes := false
		want := r.clone()
		for m, column := range want.Columns {
			usual, ok := ranges[MeasureID(m)]
			if !ok {
				usual = c[m].Usual
			}
			for i, v := range column {
				if v == Missing || v == Trace {
					continue
				}
				if v > MaxValue {
					v -= 1 << 28
				}
				if usual != (Range{}) && (v < usual.Low || v > usual.High) {
					v += 1 << 28
				}
				changes = changes || v != column[i]
				column[i] = v
			}
		}
		got := Judge(c, p, r)
		if !got.Equal(want) {
			t.Fatalf("judged %v by %v, want %v", got, p, want)
		}
		if (got != r) != changes {
			t.Fatalf("it is a copy: %v, for changes: %v", got != r, changes)
		}
		if !r.Equal(before) {
			t.Fatalf("the run was %v and is %v", before, r)
		}
		if err := got.CheckStored(c); err != nil {
			t.Fatal(err)
		}
		if Judge(c, p, got) != got {
			t.Fatalf("judged again it is another")
		}
		if got != r {
			for m := range got.Columns {
				for i := range got.Columns[m] {
					got.Columns[m][i] = 0
				}
			}
			if !r.Equal(before) {
				t.Fatal("the copy shares memory with the run")
			}
		}
	})
}

func TestJudgeAllocatesNothing(t *testing.T) {
	c, r := Standard(), hourly(2008).Slice(0, 64)
	p := Profile{}.With(Temperature, Range{-300, 450})
	if n := testing.AllocsPerRun(100, func() { Judge(c, p, r) }); n != 0 {
		t.Errorf("judging what is usual allocates %v times", n)
	}
}

func TestProfileAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Standard()
		ranges := genProfile(c).Draw(t, "profile")
		p := profileOf(ranges)
		before := fmt.Sprint(p)
		id := MeasureID(rapid.IntRange(0, len(c)-1).Draw(t, "measure"))
		other, without := p.With(id, Range{c[id].Low, c[id].High}), p.With(id, Range{})
		if got, ok := other.Range(id); !ok || got != (Range{c[id].Low, c[id].High}) {
			t.Fatalf("it says %v, %v", got, ok)
		}
		if _, ok := without.Range(id); ok {
			t.Fatal("it says something that was taken out")
		}
		if after := fmt.Sprint(p); after != before {
			t.Fatalf("it was %s and is %s", before, after)
		}
		for m := range MeasureID(len(c)) {
			want, ok := ranges[m]
			for _, p := range []Profile{p, other, without} {
				if m == id && len(p) != len(ranges) {
					continue
				}
				if got, ok2 := p.Range(m); m != id && (got != want || ok != ok2) {
					t.Fatalf("of %d it says %v, %v; want %v, %v", m, got, ok2, want, ok)
				}
			}
			if got, ok2 := p.Range(m); got != want || ok != ok2 {
				t.Fatalf("of %d it says %v, %v; want %v, %v", m, got, ok2, want, ok)
			}
		}
	})
}

func TestProfileValidate(t *testing.T) {
	c := Standard()
	for want, p := range map[string]Profile{
		"no measure 9":           {{9, Range{0, 1}}},
		"no measure -1":          {{-1, Range{0, 1}}},
		"after measure 1":        {{1, Range{0, 1}}, {0, Range{0, 1}}},
		"comes after measure 0":  {{0, Range{0, 1}}, {0, Range{0, 1}}},
		"has no range":           {{0, Range{}}},
		"temperature: usual":     {{0, Range{1, 0}}},
		"the limits 0.0 to 90.0": {{WindSpeed, Range{0, 901}}},
	} {
		if err := p.Validate(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if err := (Profile{}).Validate(c); err != nil {
		t.Error(err)
	}
}

// sampleYear returns the real year of a station, read as ingest reads it, but by
// a few plain lines: what is missing there is written as 0 or 999.9.
func sampleYear(t *testing.T, station string) *Run {
	t.Helper()
	text, err := sampledata.Observations()
	if err != nil {
		t.Fatal(err)
	}
	r := &Run{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		if fields[0] != station {
			continue
		}
		var number [13]Value
		for i, field := range fields[1:] {
			f, err := strconv.ParseFloat(field, 64)
			if err != nil {
				t.Fatal(err)
			}
			decimals := 1.0
			if i+1 >= 5 && i+1 != 8 && i+1 != 10 {
				decimals = 10
			}
			if i+1 >= 11 { // centimetres
				decimals = 100
			}
			number[i+1] = Value(math.Round(f * decimals))
		}
		temperature, dew, pressure, direction, speed := number[5], number[6], number[7], number[8], number[9]
		if dew >= 9000 {
			dew = Missing
			if temperature == 0 {
				temperature = Missing
			}
			if pressure == 0 && direction == 0 && speed == 0 {
				direction, speed = Missing, Missing
			}
		}
		if pressure == 0 {
			pressure = Missing
		}
		for i := 11; i <= 12; i++ {
			if number[i] < 0 {
				number[i] = Trace
			}
		}
		when := at(int(number[1]), int(number[2]), int(number[3]), int(number[4]), 0)
		r.Append(when, temperature, dew, pressure, direction, speed, Missing, number[10], number[11], number[12])
	}
	if err := r.Check(Standard()); err != nil || r.Len() < 8000 {
		t.Fatalf("%d observations of %s: %v", r.Len(), station, err)
	}
	return r
}

// Nothing in a real year is erroneous, and next to nothing suspect.
func TestSampleYearIsUsual(t *testing.T) {
	c := Standard()
	for _, station := range []string{sampledata.SanFrancisco, sampledata.NewYork} {
		r := sampleYear(t, station)
		if judged := Judge(c, nil, r); judged != r {
			t.Errorf("%s has erroneous values: %v", station, judged)
		}
		var before *Month
		suspect := 0
		for _, id := range r.Months() {
			m := NewMonth(id)
			m.Put(r)
			for row, flags := range Inspect(c, m, before, 0, m.Len()) {
				for measure, f := range flags {
					if f != 0 {
						suspect++
						t.Logf("%s at %s: %s is %s", station, m.Time(row), c[measure].Format(m.Value(row, MeasureID(measure))), f)
					}
				}
			}
			before = m
		}
		if suspect > 5 {
			t.Errorf("%d values of %s are suspect", suspect, station)
		}
	}
	narrow := Profile{}.With(Temperature, Range{0, 300})
	r := sampleYear(t, sampledata.NewYork)
	judged, marked := Judge(c, narrow, r), 0
	for i, v := range judged.Columns[Temperature] {
		if v.Erroneous() {
			marked++
		}
		if v.Measured() != r.Columns[Temperature][i] {
			t.Errorf("%d became %d", r.Columns[Temperature][i], v)
		}
	}
	if marked == 0 || slices.Equal(judged.Columns[Temperature], r.Columns[Temperature]) {
		t.Error("frost and heat are usual to a profile that has neither")
	}
	if a, b := AppendRun(nil, Judge(c, nil, judged).Slice(0, 1000)), AppendRun(nil, r.Slice(0, 1000)); !bytes.Equal(a, b) {
		t.Error("judged by a profile and then without, it is not what it was")
	}
}
