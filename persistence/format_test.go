package persistence_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/persistence"
)

// The formats are contracts: what testdata holds was written by the release that
// fixed them, and must come out the same for ever. A test that fails here is no
// reason to change the file.
func TestFixedFrame(t *testing.T) {
	var b persistence.FrameBuilder
	station := b.Kind("station")
	observed := b.Type(station, "observed", 1)
	laGuardia, sfo := b.Entity(station, "725030:14732"), b.Entity(station, "724940:23234")
	b.Add(laGuardia, observed, []byte("one hour of rain, one hour of rain, one hour of rain"))
	b.Add(sfo, observed, []byte("fog"))
	b.Add(laGuardia, observed, nil)
	at := persistence.At(persistence.FirstEpoch+1, 42)
	f, err := b.Build(17, at)
	if err != nil {
		t.Fatal(err)
	}
	data := fixture(t, "frame-v1.hex", f.Data)
	records, err := persistence.DecodeFrame(17, at, data)
	if err != nil {
		t.Fatal(err)
	}
	typ := &persistence.EventType{Kind: "station", Name: "observed", Version: 1}
	want := []persistence.Record{
		{Position: at, Type: typ, ID: "725030:14732", Payload: []byte("one hour of rain, one hour of rain, one hour of rain")},
		{Position: at + 1, Type: typ, ID: "724940:23234", Payload: []byte("fog")},
		{Position: at + 2, Type: typ, ID: "725030:14732", Payload: []byte{}},
	}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Error(diff)
	}
}

func TestFixedPage(t *testing.T) {
	page := persistence.Page{
		Key:      persistence.PageKey{Shard: 17, Kind: "station", ID: "725030:14732", Page: "year/2008"},
		Position: persistence.At(persistence.FirstEpoch, 7), Version: 3, Data: []byte("839.0 mm"),
	}
	cell := fixture(t, "page-v1.hex", persistence.EncodePage(page))
	got, err := persistence.DecodePage(page.Key, cell)
	if err != nil || !cmp.Equal(got, page) {
		t.Errorf("decoded %+v, %v", got, err)
	}
	elsewhere := page.Key
	elsewhere.ID = "724940:23234"
	if _, err := persistence.DecodePage(elsewhere, cell); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("a page under another's key: %v", err)
	}
}

// fixture returns the bytes of a file in testdata, which got must equal.
func fixture(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("%v; the bytes now are\n%x", err, got)
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: the format has changed:\n%x\nwas\n%x", name, got, want)
	}
	return want
}

func TestFixedShards(t *testing.T) {
	for _, v := range []struct {
		kind, id string
		shards   uint32
		want     persistence.Shard
	}{
		{"station", "725030:14732", 32, 11},
		{"station", "725030:14732", 128, 107},
		{"station", "724940:23234", 32, 6},
		{"user", "ada", 32, 20},
		{"user", "ada", 1, 0},
	} {
		if got := persistence.ShardOf(v.kind, v.id, v.shards); got != v.want {
			t.Errorf("%s/%s is in shard %d of %d, was in %d", v.kind, v.id, got, v.shards, v.want)
		}
	}
	counts := make([]int, 32)
	for i := range 32_000 {
		counts[persistence.ShardOf("station", fmt.Sprintf("%06d:99999", i), 32)]++
	}
	for shard, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("shard %d has %d of 32,000 stations", shard, n)
		}
	}
}

func TestPosition(t *testing.T) {
	p := persistence.At(4097, 12)
	if p.Epoch() != 4097 || p.Seq() != 12 || p.String() != "4097:12" || p != 4097<<40+12 {
		t.Errorf("position %s (%d)", p, p)
	}
	back, err := persistence.ParsePosition(p.String())
	if err != nil || back != p {
		t.Errorf("parsed %s, %v", back, err)
	}
	for _, bad := range []string{"", "12", "a:1", "1:b", "9999999:1", "1:99999999999999", "1:-1"} {
		if got, err := persistence.ParsePosition(bad); err == nil {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
	if last := persistence.At(persistence.LastEpoch, 1<<40-1); int64(last) < 0 {
		t.Errorf("position %s does not fit a signed timestamp", last)
	}
}

// Whatever goes into a frame comes out again.
func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := []string{"station", "user"}
		names := []string{"observed", "corrected", "named"}
		ids := []string{"a", "725030:14732", strings.Repeat("x", 256)}
		var b persistence.FrameBuilder
		for range 2 { // the second time after a Reset
			b.Reset()
			at := persistence.At(persistence.FirstEpoch, rapid.Uint64Range(0, 1<<40-1000).Draw(t, "seq"))
			var kindAt, typeAt, idAt [][2]uint32
			for i := range kinds {
				kindAt = append(kindAt, [2]uint32{b.Kind(kinds[i])})
			}
			for k := range kinds {
				for i, name := range names {
					typeAt = append(typeAt, [2]uint32{b.Type(kindAt[k][0], name, uint32(i))})
				}
				for _, id := range ids {
					idAt = append(idAt, [2]uint32{b.Entity(kindAt[k][0], id)})
				}
			}
			var want []persistence.Record
			for n := range rapid.IntRange(0, 20).Draw(t, "events") {
				k := rapid.IntRange(0, 1).Draw(t, "kind")
				i, e := rapid.IntRange(0, 2).Draw(t, "type"), rapid.IntRange(0, 2).Draw(t, "entity")
				payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
				b.Add(idAt[3*k+e][0], typeAt[3*k+i][0], payload)
				want = append(want, persistence.Record{
					Position: at + persistence.Position(n), ID: ids[e], Payload: append([]byte{}, payload...),
					Type: &persistence.EventType{Kind: kinds[k], Name: names[i], Version: uint32(i)},
				})
			}
			f, err := b.Build(3, at)
			if err != nil {
				t.Fatal(err)
			}
			got, err := persistence.DecodeFrame(3, at, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 && len(got) == 0 {
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// Any change to a stored frame or page is noticed.
func TestDamage(t *testing.T) {
	var b persistence.FrameBuilder
	k := b.Kind("k")
	b.Add(b.Entity(k, "e"), b.Type(k, "t", 1), []byte("payload payload payload payload"))
	at := persistence.At(persistence.FirstEpoch, 0)
	f, err := b.Build(1, at)
	if err != nil {
		t.Fatal(err)
	}
	key := persistence.PageKey{Shard: 1, Kind: "k", ID: "e", Page: "p"}
	cell := persistence.EncodePage(persistence.Page{Key: key, Position: at, Version: 1, Data: []byte("data")})
	for i := range f.Data {
		bad := bytes.Clone(f.Data)
		bad[i] ^= 0x10
		if _, err := persistence.DecodeFrame(1, at, bad); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("byte %d of a frame: %v", i, err)
		}
		if _, err := persistence.DecodeFrame(1, at, f.Data[:i]); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("a frame of %d bytes: %v", i, err)
		}
	}
	for i := range cell {
		bad := bytes.Clone(cell)
		bad[i] ^= 0x01
		if _, err := persistence.DecodePage(key, bad); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("byte %d of a page: %v", i, err)
		}
	}
	if _, err := persistence.DecodeFrame(2, at, f.Data); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("a frame of another shard: %v", err)
	}
	if _, err := persistence.DecodeFrame(1, at+1, f.Data); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("a frame of another place: %v", err)
	}
}

func FuzzDecodeFrame(f *testing.F) {
	var b persistence.FrameBuilder
	k := b.Kind("k")
	b.Add(b.Entity(k, "e"), b.Type(k, "t", 1), []byte("p"))
	frame, err := b.Build(1, 5)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame.Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		persistence.Reseal(data) // so that damage comes past the checksum
		records, err := persistence.DecodeFrame(1, 5, data)
		if err == nil {
			for i, r := range records {
				if r.Type == nil || r.Position != persistence.Position(5+i) {
					t.Fatalf("record %d: %+v", i, r)
				}
			}
		} else if !errors.Is(err, persistence.ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	key := persistence.PageKey{Shard: 1, Kind: "k", ID: "i", Page: "p"}
	f.Add(persistence.EncodePage(persistence.Page{Key: key, Position: 3, Data: []byte("x")}))
	f.Fuzz(func(t *testing.T, cell []byte) {
		page, err := persistence.DecodePage(key, cell)
		if err == nil && !bytes.Equal(persistence.EncodePage(page)[20:], cell[20:]) {
			t.Fatalf("%+v", page)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	payload := bytes.Repeat([]byte("0123456789"), 3)
	b.Run("build", func(b *testing.B) {
		var fb persistence.FrameBuilder
		for b.Loop() {
			fill(&fb, payload)
			if _, err := fb.Build(1, 5); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		var fb persistence.FrameBuilder
		fill(&fb, payload)
		f, err := fb.Build(1, 5)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := persistence.DecodeFrame(1, 5, f.Data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// fill enters 256 events of 64 entities.
func fill(b *persistence.FrameBuilder, payload []byte) {
	b.Reset()
	k := b.Kind("station")
	typ := b.Type(k, "observed", 1)
	for i := range 64 {
		e := b.Entity(k, fmt.Sprintf("7250%02d:14732", i))
		for range 4 {
			b.Add(e, typ, payload)
		}
	}
}
