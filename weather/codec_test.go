package weather

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// genAnyRun draws runs that no catalogue would pass: any times, any values.
func genAnyRun() *rapid.Generator[*Run] {
	return rapid.Custom(func(t *rapid.T) *Run {
		r := &Run{}
		n := rapid.IntRange(0, 200).Draw(t, "rows")
		columns := rapid.IntRange(0, 12).Draw(t, "columns")
		value := rapid.OneOf(rapid.Just(int32(Missing)), rapid.Just(int32(Trace)), rapid.Int32Range(-40_000, 40_000),
			rapid.Int32Range(int32((-MaxValue).Mark()), int32(MaxValue.Mark())), rapid.Int32())
		for range n {
			row := make([]Value, columns)
			for m := range row {
				row[m] = Value(value.Draw(t, "value"))
			}
			r.Append(Minute(rapid.Int32().Draw(t, "time")), row...)
		}
		return r
	})
}

// Runs that are joined as they are read are the runs one after the other, also
// where one has columns that another lacks. Mutations seen to fail: JoinRun not
// filling a column that begins late, or one that the run does not have.
func TestJoinRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		joined, want := &Run{}, &Run{}
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			r := genAnyRun().Draw(t, "run")
			if want.Len()+r.Len() > MaxRun {
				continue
			}
			for i := range r.Times {
				values := make([]Value, len(r.Columns))
				for m := range values {
					values[m] = r.Value(i, MeasureID(m))
				}
				want.Append(r.Times[i], values...)
			}
			if err := JoinRun(joined, AppendRun(nil, r)); err != nil {
				t.Fatal(err)
			}
		}
		if !joined.Equal(want) {
			t.Fatalf("joined %v, want %v", joined, want)
		}
	})
	if err := JoinRun(&Run{Times: make([]Minute, MaxRun)}, AppendRun(nil, &Run{Times: []Minute{1}})); !errors.Is(err, ErrCorrupt) {
		t.Errorf("joining more than a run takes: %v", err)
	}
}

func TestRunRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.OneOf(genAnyRun(), genMarked(gauge(), 200)).Draw(t, "run")
		prefix := []byte("prefix")
		b := AppendRun(prefix, r)
		if !bytes.HasPrefix(b, prefix) {
			t.Fatal("it wrote over what was there")
		}
		b = b[len(prefix):]
		got, err := DecodeRun(b)
		if err != nil || !got.Equal(r) {
			t.Fatalf("%v became %v, %v", r, got, err)
		}
		for i := range b { // what was decoded must be its own
			b[i] = 0xff
		}
		if !got.Equal(r) {
			t.Fatal("the run aliases the bytes that it was read from")
		}
	})
}

func TestSizeOfHourlyWeather(t *testing.T) {
	size, n := 0, 0
	for _, r := range runsOf64() {
		size, n = size+len(AppendRun(nil, r)), n+r.Len()
	}
	if size > 25*n {
		t.Errorf("runs take %d bytes an observation, more than 25", size/n)
	}
	year := hourly(2008)
	size, n = 0, 0
	for i := range 200 {
		size, n = size+len(AppendRun(nil, year.Slice(i, i+1))), n+1
	}
	if size > 25*n {
		t.Errorf("a single observation takes %d bytes, more than 25", size/n)
	}
}

// The formats are on disk: these bytes, once released, must stay readable and
// mean the same for ever.
func TestFormats(t *testing.T) {
	r := &Run{}
	for h := range 5 {
		row := []Value{Value(100 + h), Missing, 10_000, Value(350 + h), 32_768, Missing, 8, Trace, Missing}
		if h == 3 {
			row[Temperature], row[Precipitation6h] = Missing, 120
		}
		r.Append(at(2008, 8, 11, 16+h, 30*(h/4)), row...)
	}
	m, y := NewMonth(YearMonth{2008, 8}), NewYear(Standard(), 2008)
	m.Put(r)
	if err := y.Add(r); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ got, want string }{
		"run":   {fmt.Sprintf("%x", AppendRun(nil, r)), formatOfRun},
		"four":  {fmt.Sprintf("%x", AppendRun(nil, r.Slice(0, 4))), formatOfFour},
		"one":   {fmt.Sprintf("%x", AppendRun(nil, r.Slice(0, 1))), formatOfOne},
		"month": {fmt.Sprintf("%x", AppendMonth(nil, m)), formatOfMonth},
		"year":  {fmt.Sprintf("%x", AppendYear(nil, y)), formatOfYear},
	} {
		if test.got != test.want {
			t.Errorf("a %s is\n%s, want\n%s", name, test.got, test.want)
		}
	}
}

const (
	formatOfRun = "010509031109510380feae13057800000f0803c801880801a09c010003" +
		"bc05884601808004000110001f17f001"
	formatOfFour  = "010409031109510380feae130178000802c8012401a09c010002bc05e401808004000110000f07f001"
	formatOfOne   = "0101080111095180feae13c801a09c01bc058080041001"
	formatOfMonth = "01b01f08050903110951038078057800000f0803c801880801a09c010003" +
		"bc05884601808004000110001f17f001"
	formatOfYear = "01b01f09010106df01000017c8010410e609070800010106df0100001fa09c010010100000040106df0100001f01" +
		"0106df0100001f808004001010000000050106df0100001f020116df0100001f05020166df01000008f001f00113"
)

// Every encoding, cut short at every byte or longer by one, is corrupt.
func TestTruncated(t *testing.T) {
	m, y := NewMonth(YearMonth{2008, 5}), NewYear(Standard(), 2008)
	r := hourly(2008).Slice(3000, 3100)
	m.Put(r)
	if err := y.Add(r); err != nil {
		t.Fatal(err)
	}
	decoders := map[string]struct {
		b      []byte
		decode func([]byte) error
	}{
		"run":   {AppendRun(nil, r), func(b []byte) error { _, err := DecodeRun(b); return err }},
		"month": {AppendMonth(nil, m), func(b []byte) error { _, err := DecodeMonth(b); return err }},
		"year":  {AppendYear(nil, y), func(b []byte) error { _, err := DecodeYear(Standard(), b); return err }},
	}
	for name, d := range decoders {
		if err := d.decode(d.b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range d.b {
			if err := d.decode(d.b[:n]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %d of %d bytes: %v", name, n, len(d.b), err)
			}
		}
		if err := d.decode(append(d.b, 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s with a byte more: %v", name, err)
		}
		d.b[0] = formatVersion + 1
		if err := d.decode(d.b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s of a later version: %v", name, err)
		}
	}
}

func TestDecodeYearNeedsItsCatalogue(t *testing.T) {
	y := NewYear(Standard(), 2008)
	if err := y.Add(hourly(2008)); err != nil {
		t.Fatal(err)
	}
	b := AppendYear(nil, y)
	for _, c := range []Catalogue{nil, gauge(), Standard()[:8]} {
		if _, err := DecodeYear(c, b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("read with a catalogue of %d measures: %v", len(c), err)
		}
	}
	longer := append(Standard(), gauge()...)
	if _, err := DecodeYear(longer, b); err != nil {
		t.Errorf("a measure was added to the catalogue, and now %v", err)
	}
}

// Bytes that an encoder would never write, one thing wrong in each.
func TestCorrupt(t *testing.T) {
	run := func(b []byte) error { _, err := DecodeRun(b); return err }
	month := func(b []byte) error { _, err := DecodeMonth(b); return err }
	year := func(b []byte) error { _, err := DecodeYear(Standard(), b); return err }
	tests := []struct {
		what   string
		decode func([]byte) error
		good   string
		bad    string
	}{
		{"bits beyond a bitmap", run, "01020103" + "0002" + "01" + "0a", "01020103" + "0002" + "05" + "0a"},
		{"missing and a trace", run, "01020107" + "0002" + "01" + "02", "01020107" + "0002" + "01" + "03"},
		{"flags without a value", run, "01010101" + "00" + "0a", "01010102" + "00" + "0a"},
		{"flags of no column", run, "01010101" + "00" + "0a", "01010111" + "00" + "0a"},
		{"a value that is Missing", run, "01010101" + "00" + "0a", "01010101" + "00" + "ffffffff0f"},
		{"a time of 33 bits", run, "010100" + "00", "010100" + "8080808020"},
		{"a width of 0", run, "010400" + "00" + "010000", "010400" + "00" + "0000"},
		{"a width of 33", run, "010400" + "00" + "010000", "010400" + "00" + "21000000000000000000000000000000"},
		{"two at one time", month, "01b01f080200" + "00" + "02", "01b01f080200" + "00" + "00"},
		{"backwards", month, "01b01f080200" + "05" + "02", "01b01f080200" + "05" + "01"},
		{"past the end of the month", month, "01b01f080200" + "dedc02" + "02", "01b01f080200" + "dfdc02" + "02"},
		{"month 13", month, "01b01f0c0000", "01b01f0d0000"},
		{"year 9999", month, "01b01f080000", "019e9c01080000"},
		{"a gap that is none", month, "01b01f08010101" + "00" + "0a", "01b01f08010103" + "00" + "00" + "0a"},
		{"wide without need", month, "01b01f08010101" + "00" + "0a", "01b01f08010109" + "00" + "0a"},
		{"year 9999", year, "01b01f00", "019e9c0100"},
		{"another aggregate", year, "01b01f0100", "01b01f0102"},
		{"day 367", year, "01b01f07000000000000" + "0501" + "04ed02", "01b01f07000000000000" + "0501" + "04ee02"},
	}
	for _, test := range tests {
		for text, want := range map[string]bool{test.good: true, test.bad: false} {
			b, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.decode(b); (err == nil) != want || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %s gives %v", test.what, text, err)
			}
		}
	}
}

// hostile are short inputs that claim to be long.
var hostile = [][]byte{
	{1, 0xff, 0xff, 3, 0},                               // 65,535 rows of nothing
	{1, 0x80, 0x80, 4, 4, 0x11, 0x11, 0, 0, 0, 0, 0, 0}, // 65,536 rows of 4 columns
	{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	{1, 0xb0, 0x1f, 5, 0xe0, 0xdc, 2, 0},       // a month of 44,640 rows
	{1, 0xb0, 0x1f, 9, 1, 0xee, 2, 0, 1, 2, 3}, // a year of 366 days
}

func TestDecodersBoundTheirMemory(t *testing.T) {
	for _, b := range hostile {
		checkMemory(t, b)
	}
}

// checkMemory decodes b every way and fails if that took more than it may.
func checkMemory(t *testing.T, b []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err1 := DecodeRun(b)
	_, err2 := DecodeMonth(b)
	_, err3 := DecodeYear(Standard(), b)
	_, err4 := DecodeMonthSet(b)
	runtime.ReadMemStats(&after)
	// 48 a byte for each decoder and a fixed part for errors and totals.
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(4*48*len(b)+64<<10); got > most {
		t.Errorf("%d bytes of input took %d of memory, more than %d (%v; %v; %v; %v)", len(b), got, most, err1, err2, err3, err4)
	}
}

func FuzzDecodeRun(f *testing.F) {
	for _, r := range append(runsOf64()[:2], markedHourly(3000, 3064)) {
		f.Add(AppendRun(nil, r))
		f.Add(AppendRun(nil, r.Slice(0, 1)))
	}
	for _, b := range hostile {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRun(b)
		if joined := (&Run{}); (JoinRun(joined, b) == nil) != (err == nil) || err == nil && !joined.Equal(r) {
			t.Fatalf("decoded %v, %v; joined to nothing %v", r, err, joined)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || r != nil {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		again, err := DecodeRun(AppendRun(nil, r))
		if err != nil || !again.Equal(r) {
			t.Fatalf("%v became %v, %v", r, again, err)
		}
		if r.Check(Standard()) == nil && r.CheckStored(Standard()) != nil {
			t.Fatalf("%v may arrive but not be stored", r)
		}
		if r.CheckStored(Standard()) != nil {
			return
		}
		for _, id := range r.Months() { // what passes the check fits into pages
			m, y := NewMonth(id), NewYear(Standard(), id.Year)
			m.Put(r)
			if err := y.Add(m.Run(0, m.Len())); err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeMonth(AppendMonth(nil, m)); err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeYear(Standard(), AppendYear(nil, y)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeMonth(f *testing.F) {
	m := NewMonth(YearMonth{2008, 5})
	f.Add(AppendMonth(nil, m))
	m.Put(hourly(2008).Slice(3000, 3100))
	f.Add(AppendMonth(nil, m))
	m.Put(markedHourly(3000, 3100))
	f.Add(AppendMonth(nil, m))
	for _, b := range hostile {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMonth(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || m != nil {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		first := AppendMonth(nil, m)
		again, err := DecodeMonth(first)
		if err != nil || !bytes.Equal(AppendMonth(nil, again), first) {
			t.Fatalf("%v became %v, %v", m, again, err)
		}
		for _, all := range []bool{false, true} { // whatever its values are
			NewYearOf(append(Standard(), gauge()...), m.ID().Year, []*Month{m}, all)
		}
		r := m.Run(0, m.Len())
		if added, replaced := again.Put(r); added != 0 || replaced != r.Len() {
			t.Fatalf("of its own rows %d are new", added)
		}
		if !bytes.Equal(AppendMonth(nil, again), first) {
			t.Fatal("its own rows changed it")
		}
	})
}

func FuzzDecodeYear(f *testing.F) {
	c := append(Standard(), gauge()...)
	y := NewYear(c, 2008)
	f.Add(AppendYear(nil, y))
	if err := y.Add(hourly(2008).Slice(3000, 3100)); err != nil {
		f.Fatal(err)
	}
	f.Add(AppendYear(nil, y))
	for _, b := range hostile {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		y, err := DecodeYear(c, b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || y != nil {
				t.Fatalf("%v, %v", y, err)
			}
			return
		}
		first := AppendYear(nil, y)
		again, err := DecodeYear(c, first)
		if err != nil || !bytes.Equal(AppendYear(nil, again), first) {
			t.Fatalf("%v became %v, %v", y, again, err)
		}
		for id := range MeasureID(len(c)) {
			if s, ok := y.YearSummary(id); ok && (math.IsNaN(s.Stdev) || s.Variance < 0) {
				t.Fatalf("measure %d: %+v", id, s)
			}
			_, _ = y.YearTotal(id)
		}
	})
}
