package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
	"unicode/utf8"

	"github.com/mesonet/mesonet/weather"
)

// drink reads what a format makes of any bytes: readings that can be stored, or
// errors with a place and a reason, and an end.
func drink(t *testing.T, f Format, name string, data []byte) {
	t.Helper()
	d, err := f.Read(name, bytes.NewReader(data))
	if err != nil {
		if !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		return
	}
	run, last := &weather.Run{}, int64(0)
	for range 1 << 16 {
		var r Reading
		err := d.Read(&r)
		if errors.Is(err, io.EOF) || errors.Is(err, errParquet) {
			break
		}
		if d.Line() <= last || d.Line() > d.Lines() {
			t.Fatalf("line %d after %d, of %d", d.Line(), last, d.Lines())
		}
		last = d.Line()
		if err != nil {
			line, ok := errors.AsType[*LineError](err)
			if !ok || line.Line != last || line.Reason == "" || len(line.Text) > 100 || len(line.whole) > MaxQuarantined {
				t.Fatalf("%#v", err)
			}
			continue
		}
		if err := weather.CheckStationID(r.Station); err != nil {
			t.Fatal(err)
		}
		if run.Len() < weather.MaxRun {
			run.Append(r.Time, r.Values...)
		}
	}
	if err := run.Check(weather.Standard()); err != nil && run.Len() > 0 {
		t.Fatal(err)
	}
}

func FuzzISDLite(f *testing.F) {
	f.Add([]byte("2008 12 01 00    61    39 10012    50    87     8    10    80\r\n\n2008 12 01 01 -9999 -9999 -9999 -9999 -9999 -9999    -1 -9999"))
	format, err := ISDLiteFormat(weather.Standard(), "s")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) { drink(t, format, "x", data) })
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("station,time,temperature\na,2008-01-01T00:00Z,\"1.0\"\n"))
	f.Add([]byte("id,at,temp_f,slp,rain\na,2008-01-01T00:00:00+01:00,50,101.3,\"T\nx\"\"\"\n"))
	f.Add([]byte("station,time,temperature\n\"a,2008-01-01T00:00Z,1\n\na,2008-01-01T00:00Z,1\n\""))
	plain, other := mustMap(f, Mapping{Name: "x", Round: true}), mustMap(f, otherUnits)
	bare := mustMap(f, Mapping{Name: "x", NoHeader: true, Station: StationMapping{Column: "1"}, Time: TimeMapping{Year: "2", Month: "3", Day: "4", Hour: "5"}, Measures: []MeasureMapping{{Column: "6", Measure: "temperature", Unit: "F", Round: true}}})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []Format{plain, other, bare} {
			drink(t, format, "x", data)
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	f.Add([]byte(`{"station":"a","time":"2008-01-01T00:00Z","temperature":1.5e0,"x":{"y":[1,"}"],"z":"\u0041"}}`))
	f.Add([]byte(`{"station":"a","time":1199145600,"x":{"y":-1}}` + "\n{}\n[]"))
	plain := mustMap(f, Mapping{Name: "x", Format: NDJSONName})
	nested := mustMap(f, Mapping{Name: "x", Format: NDJSONName, Time: TimeMapping{Layout: "unix"}, Measures: []MeasureMapping{{Column: "x.y", Measure: "dew_point"}}})
	f.Fuzz(func(t *testing.T, data []byte) {
		drink(t, plain, "x", data)
		drink(t, nested, "x", data)
		checkObject(t, data)
	})
}

// checkObject compares the fields that are found with those of encoding/json.
func checkObject(t *testing.T, data []byte) {
	t.Helper()
	names := []string{"station", "time", "temperature"}
	o := newObject(names)
	err := o.read(data)
	var want map[string]json.RawMessage
	if json.Unmarshal(data, &want) != nil || want == nil {
		if err == nil {
			t.Fatalf("%q was read", data)
		}
		return
	}
	if err != nil || !utf8.Valid(data) {
		return // a field twice, or with a list; or what becomes U+FFFD
	}
	for i, name := range names {
		var text string
		if json.Unmarshal(want[name], &text) == nil && text != "" {
			if got := string(o.texts[i]); got != text && json.Valid([]byte(`"`+got+`"`)) {
				t.Fatalf("%q has %q as %s, want %q", data, got, name, text)
			}
		}
	}
}

func FuzzParquet(f *testing.F) {
	for _, name := range []string{"tiny", "tiny-v2", "tiny-encodings"} {
		data, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	plain := mustMap(f, Mapping{Name: "x", Format: ParquetName, Trace: []string{"-0.1"}, Round: true})
	f.Fuzz(func(t *testing.T, data []byte) { drink(t, plain, "x", data) })
}

// Pages of any bytes, by each encoding.
func FuzzParquetPage(f *testing.F) {
	for encoding := range int64(10) {
		for physical := range int64(8) {
			f.Add([]byte{8, 4, 2, 1, 0, 3, 200, 1, 128, 1, 4, 16, 2}, encoding, physical, int64(16), int64(0), false)
			f.Add([]byte{2, 0, 0, 0, 16, 1, 4, 0, 0, 0, 1, 2, 3, 4}, encoding, physical, int64(16), int64(1), false)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, encoding, physical, values, codec int64, second bool) {
		if physical < 0 || physical > parquetFixed || values < 0 {
			return
		}
		l := &leaf{physical: physical, length: 5, level: int(codec & 1)}
		c := &columnReader{leaf: l, chunk: &columnChunk{codec: codec}, memory: &allowed{maxPages}, dictionary: []value{{}, {whole: 1}}}
		h := &pageHeader{values: values, encoding: encoding, unpacked: int64(len(data))}
		var err error
		if second {
			h.plain, h.levels = true, values&7
			err = c.readDataV2(h, data)
		} else {
			err = c.readData(h, data)
		}
		var text []byte
		for i := int64(0); err == nil && c.left > 0 && i < 1000; i++ {
			var v *value
			if v, err = c.next(); v != nil {
				if l.physical == parquetInt96 && len(v.bytes) != 12 {
					continue // of the dictionary above
				}
				text = l.append(text[:0], v)
			}
		}
		if size := int64(len(data)); size <= 1<<20 {
			_, _ = unpackPage(codec, data, 4*size)
		}
	})
}

func FuzzRecognise(f *testing.F) {
	f.Add([]byte("725030:14732,2008,12,01,00,6.1,3.9,1001.2,50,8.7,8,0.1,0.8"), "x")
	f.Add([]byte("2008 12 01 00    61    39 10012    50    87     8    10    80\n"), "725030-14732-2008")
	f.Add([]byte(`{"station":"a","time":"x","temperature":{"a":{}}}`), "x")
	f.Add([]byte("\xef\xbb\xbfstation,time,\"temperature\"\n"), "x")
	formats, err := NewFormats(weather.Standard(), otherUnits, withFormat(otherUnits, NDJSONName))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		format, err := formats.Recognise(head, name)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		drink(t, format, name, head)
	})
}
