package ingest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

// Whatever byte of a file is another one, it is read or refused, without much
// memory. (Seen to fail with hybrid.header that does not look whether its groups
// are there.)
func TestParquetFlips(t *testing.T) {
	f := mustMap(t, Mapping{Name: "x", Format: ParquetName, Trace: []string{"-0.1"}, Round: true})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, name := range []string{"tiny", "tiny-v2", "tiny-encodings"} {
		good, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		for i := range good {
			for _, b := range []byte{0, 0xff, 0x80, good[i] + 1, good[i] - 1, byte(random.IntN(256))} {
				data := bytes.Clone(good)
				data[i] = b
				drink(t, f, name, data)
			}
		}
		for range 500 { // several at once, and parts that are gone
			data := bytes.Clone(good)
			for range random.IntN(4) + 1 {
				data[random.IntN(len(data))] = byte(random.IntN(256))
			}
			drink(t, f, name, data[random.IntN(8)/7*random.IntN(len(data)):])
		}
	}
}

// A footer that says it lists 2^30 row groups, columns or schema elements is
// refused, and so is one of a million elements of a byte each. (Seen to fail with
// thrift.list that does not look at how many there may be.)
func TestParquetFooterBombs(t *testing.T) {
	lists := map[string][]byte{
		"schema":     {0x29, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x04, 0x00},
		"row groups": {0x49, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x04, 0x00},
		"key values": {0x59, 0xfb, 0x80, 0x80, 0x80, 0x80, 0x04, 0x11},
		"deep":       bytes.Repeat([]byte{0x1c}, 1000),
		"deep lists": bytes.Repeat([]byte{0x19, 0x19}, 1000),
		"empty ones": append([]byte{0x49, 0xfc, 0xff, 0xff, 0xff, 0x03}, make([]byte, 8<<20)...),
	}
	for name, footer := range lists {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parseParquetMeta(footer, 1<<40)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: it was read", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
	}
}

// Pages that hold more than they say take no more than they say, but for the
// window of a decoder, 8 MiB.
func TestParquetPageBombs(t *testing.T) {
	zeros := make([]byte, 4<<20)
	for codec, packed := range map[int64][]byte{2: gz(t, zeros), 6: zst(t, zeros), 1: {0xff, 0xff, 0xff, 0xff, 0x0f, 0}} {
		for _, size := range []int64{0, 1, 1000, int64(len(zeros)) - 1} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := unpackPage(codec, packed, size)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("codec %d: a page of %d bytes was read as %d", codec, len(zeros), size)
			}
			if used := after.TotalAlloc - before.TotalAlloc; size <= 1000 && used > 16<<20 {
				t.Errorf("codec %d: %d bytes were allocated for %d", codec, used, size)
			}
		}
		if codec != 1 {
			if got, err := unpackPage(codec, packed, int64(len(zeros))); err != nil || !bytes.Equal(got, zeros) {
				t.Errorf("codec %d: a good page gives %v", codec, err)
			}
		}
	}
}

// Skipping to any row gives what is read from there.
func TestParquetSkip(t *testing.T) {
	f := mustMap(t, Mapping{Name: "x", Format: ParquetName, Trace: []string{"-0.1"}})
	data, err := os.ReadFile("testdata/zstd-v2.parquet") // row groups of 150
	if err != nil {
		t.Fatal(err)
	}
	all := sample(t)[:400]
	rapid.Check(t, func(t *rapid.T) {
		skip := rapid.Int64Range(0, 410).Draw(t, "rows")
		d, err := f.Read("x", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Skip(skip); err != nil {
			t.Fatal(err)
		}
		for i := skip; i < 400; i++ {
			var r Reading
			if err := d.Read(&r); err != nil || d.Line() != i+1 || difference([]Reading{all[i]}, []Reading{r}) != "" {
				t.Fatalf("row %d is %+v on line %d, %v; want %+v", i+1, r, d.Line(), err, all[i])
			}
		}
		if err := d.Read(&Reading{}); err == nil || d.Bytes() != int64(len(data)) {
			t.Fatalf("after the last row: %v, %d bytes", err, d.Bytes())
		}
	})
}

// Values of the types that the files of testdata do not have.
func TestParquetValues(t *testing.T) {
	for _, test := range []struct {
		leaf  leaf
		value value
		want  string
	}{
		{leaf{physical: parquetInt32, means: asUnsigned}, value{whole: -1}, "4294967295"},
		{leaf{physical: parquetInt64, means: asUnsigned}, value{whole: -1}, "18446744073709551615"},
		{leaf{physical: parquetInt32, means: asDecimal, scale: 2}, value{whole: -1234}, "-1234e-2"},
		{leaf{physical: parquetFixed, means: asDecimal, scale: 1}, value{bytes: []byte{0xff, 0xfe}}, "-2e-1"},
		{leaf{physical: parquetByteArray, means: asDecimal}, value{bytes: []byte{1, 0}}, "256e0"},
		{leaf{physical: parquetInt32, means: asDate}, value{whole: 13_879}, "2008-01-01"},
		{leaf{physical: parquetInt64, means: asMillis}, value{whole: 1_199_145_600_001}, "2008-01-01T00:00:00.001Z"},
		{leaf{physical: parquetInt64, means: asMicros, local: true}, value{whole: -1}, "1969-12-31T23:59:59.999999"},
		{leaf{physical: parquetInt96}, value{bytes: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x8c, 0x3d, 0x25, 0}}, "1970-01-01T00:00:00Z"},
		{leaf{physical: parquetFloat}, value{fraction: float64(float32(12.2))}, "12.2"},
		{leaf{physical: parquetDouble}, value{fraction: 12.2}, "12.2"},
	} {
		if got := string(test.leaf.append(nil, &test.value)); got != test.want {
			t.Errorf("%+v of %+v is %s, want %s", test.leaf, test.value, got, test.want)
		}
	}
}

// A time that is not of UTC is read in the zone that the mapping says.
func TestParquetLocalTime(t *testing.T) {
	m := Mapping{Name: "x", Format: ParquetName, Trace: []string{"-0.1"}}
	data, err := os.ReadFile("testdata/local.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[string]weather.Minute{"": 0, "+01:00": -60, "-05:30": 330} {
		m.Time = TimeMapping{UTCOffset: offset}
		got := readings(t, mustMap(t, m), "x", bytes.NewReader(data))
		if first := sample(t)[0].Time; len(got) != 5 || got[0].Time != first+want {
			t.Errorf("%s: the first is at %s, want %s", offset, got[0].Time, first+want)
		}
	}
}
