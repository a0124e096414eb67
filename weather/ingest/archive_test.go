package ingest

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

func zst(t testing.TB, text []byte, options ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, options...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packed returns a zip archive of members in this order; with a nil text they
// are as the header has them.
type packed struct {
	name string
	text []byte
	mode os.FileMode
	form func(*zip.FileHeader)
}

func zipOf(t testing.TB, members ...packed) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if m.mode != 0 {
			h.SetMode(m.mode)
		}
		var err error
		var w io.Writer
		if m.form != nil {
			m.form(h)
			w, err = z.CreateRaw(h)
		} else {
			w, err = z.CreateHeader(h)
		}
		if err == nil {
			_, err = w.Write(m.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// content reads a source twice, which must give the same.
func content(t *testing.T, s Source) []byte {
	t.Helper()
	var first []byte
	for i := range 2 {
		r, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || int64(len(got)) != s.Size() {
			t.Fatalf("%s: %d bytes of %d, %v", s.Name(), len(got), s.Size(), err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if i == 1 && !bytes.Equal(first, got) {
			t.Fatalf("%s is not the same a second time", s.Name())
		}
		first = got
	}
	return first
}

func TestOpenZstd(t *testing.T) {
	text := observations(t)
	half := len(text) / 2
	for name, data := range map[string][]byte{
		"one frame":       zst(t, text),
		"two frames":      append(zst(t, text[:half]), zst(t, text[half:])...),
		"a frame to skip": append([]byte("\x53\x2a\x4d\x18\x03\x00\x00\x00abc"), zst(t, text)...),
	} {
		f := openOne(t, write(t, name, data))
		if got := content(t, f); !bytes.Equal(got, text) || !f.Compressed() {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(text))
		}
	}
}

// A folder and an archive with the same in it give the same sources, sorted, and
// say what they skip.
func TestOpenMany(t *testing.T) {
	text := observations(t)
	parquet, err := os.ReadFile("testdata/snappy.parquet")
	if err != nil {
		t.Fatal(err)
	}
	files := []packed{
		{name: "b/2008.csv", text: text},
		{name: "a.csv", text: text[:1000]},
		{name: "b/table.parquet", text: parquet},
		{name: ".hidden.csv", text: text},
		{name: "picture.png", text: []byte("\x89PNG\r\n\x1a\n\x00")},
		{name: "b/empty.csv"},
		{name: "b/old.csv.bz2", text: []byte("BZh9")},
		{name: ".git/config", text: text},
		{name: "__MACOSX/a.csv", text: text},
	}
	folder := t.TempDir()
	for _, f := range files {
		path := filepath.Join(folder, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(folder, "a.csv"), filepath.Join(folder, "link.csv")); err != nil {
		t.Fatal(err)
	}
	archive := write(t, "all.zip", zipOf(t, append(files, packed{name: "b/", mode: os.ModeDir | 0o700})...))
	want := map[string][]byte{"a.csv": text[:1000], "b/2008.csv": text, "b/table.parquet": parquet}
	for _, root := range []string{folder, archive} {
		found, err := Open(t.Context(), root, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range found.Sources {
			name := strings.TrimPrefix(s.Name(), root+"/")
			names = append(names, name)
			if !bytes.Equal(content(t, s), want[name]) {
				t.Errorf("%s is not what was written", s.Name())
			}
		}
		if !slices.Equal(names, []string{"a.csv", "b/2008.csv", "b/table.parquet"}) {
			t.Errorf("%s has %v", root, names)
		}
		why := map[string]string{
			".hidden.csv": "is hidden", "picture.png": "is not text", "b/empty.csv": "is empty", "b/old.csv.bz2": "bzip2", "link.csv": "symbolic link",
			".git": "hidden folder", ".git/config": "hidden folder", "__MACOSX": "macOS", "__MACOSX/a.csv": "macOS",
		}
		for _, s := range found.Skipped {
			if want := why[strings.TrimPrefix(s.Name, root+"/")]; want == "" || !strings.Contains(s.Reason, want) {
				t.Errorf("skipped %s; want %q", s, want)
			}
		}
		if n := len(found.Skipped); root == folder && n != 7 || root == archive && n != 6 {
			t.Errorf("%s: skipped are %v", root, found.Skipped)
		}
	}
}

// All of a folder is loaded, each file as what it is.
func TestLoadFolder(t *testing.T) {
	all := sample(t)
	folder := t.TempDir()
	for name, data := range map[string][]byte{
		"a.csv.zst":  zst(t, observations(t)[:500_000]),
		"b.csv.gz":   sampledata.ObservationsArchive(),
		"c.zip":      zipOf(t, packed{name: "isd/725030-14732-2008", text: asISDLite(all[8784:])}, packed{name: "x.ndjson", text: asNDJSON(all[:100])}),
		"d/e.csv":    asCSV(all[:1000]),
		"year.table": nil,
	} {
		if data == nil {
			var err error
			if data, err = os.ReadFile("testdata/year.parquet"); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Open(t.Context(), folder, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	formats, err := NewFormats(weather.Standard(), otherUnits, withFormat(otherUnits, NDJSONName), Mapping{Name: "tables", Format: ParquetName, Trace: []string{"-0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore()
	cfg := DefaultConfig()
	cfg.Format = formats.Recognise
	got, err := Load(t.Context(), found.Sources, s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got.Files != 6 || got.Stored != 17_568 || got.Corrected != 0 || got.Refused+got.Malformed > 1 || got.Duplicates < 17_568+8784+100+1000 {
		t.Errorf("%+v", got)
	}
	for _, r := range all {
		if !slices.Equal(s.held[r.Station][r.Time], r.Values) {
			t.Fatalf("%s holds %v at %s, want %v", r.Station, s.held[r.Station][r.Time], r.Time, r.Values)
		}
	}
}

// Archives that are not to be trusted, and ones that are damaged.
func TestOpenRefusesArchives(t *testing.T) {
	text := observations(t)[:100_000]
	good := zipOf(t, packed{name: "a.csv", text: text})
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	zeros := make([]byte, 4<<20)
	stored := func(text []byte, change func(*zip.FileHeader)) packed {
		return packed{name: "a.csv", text: text, form: func(h *zip.FileHeader) {
			h.Method, h.CRC32 = zip.Store, crc32.ChecksumIEEE(text)
			h.CompressedSize64, h.UncompressedSize64 = uint64(len(text)), uint64(len(text))
			change(h)
		}}
	}
	short := DefaultLimits()
	short.MaxBytes, short.MaxFiles = 150_000, 2
	for name, test := range map[string]struct {
		data   []byte
		limits Limits
		want   string
	}{
		"up":                 {zipOf(t, packed{name: "../x.csv", text: text}), DefaultLimits(), "leads elsewhere"},
		"up within":          {zipOf(t, packed{name: "a/../../x.csv", text: text}), DefaultLimits(), "leads elsewhere"},
		"dots":               {zipOf(t, packed{name: "a/./x.csv", text: text}), DefaultLimits(), "leads elsewhere"},
		"absolute":           {zipOf(t, packed{name: "/etc/x.csv", text: text}), DefaultLimits(), "absolute path"},
		"drive":              {zipOf(t, packed{name: "C:x.csv", text: text}), DefaultLimits(), "Windows"},
		"backslash":          {zipOf(t, packed{name: `..\x.csv`, text: text}), DefaultLimits(), "Windows"},
		"nul":                {zipOf(t, packed{name: "x\x00.csv", text: text}), DefaultLimits(), "control characters"},
		"line end":           {zipOf(t, packed{name: "x\n.csv", text: text}), DefaultLimits(), "control characters"},
		"escape":             {zipOf(t, packed{name: "x\x1b[2J.csv", text: text}), DefaultLimits(), "control characters"},
		"long name":          {zipOf(t, packed{name: strings.Repeat("x", 1025), text: text}), DefaultLimits(), "1025 bytes"},
		"no name":            {zipOf(t, packed{name: "", text: text}), DefaultLimits(), "has no name"},
		"symbolic link":      {zipOf(t, packed{name: "x", text: []byte("/etc/passwd"), mode: os.ModeSymlink | 0o777}), DefaultLimits(), "symbolic link"},
		"device":             {zipOf(t, packed{name: "x", text: text, mode: os.ModeDevice}), DefaultLimits(), "is not a file"},
		"twice":              {zipOf(t, packed{name: "x", text: text}, packed{name: "x", text: text}), DefaultLimits(), `two members named "x"`},
		"zip in zip":         {zipOf(t, packed{name: "x.zip", text: good}), DefaultLimits(), "archive in an archive"},
		"gzip in zip":        {zipOf(t, packed{name: "x.gz", text: gz(t, text)}), DefaultLimits(), "archive in an archive"},
		"zip in gzip":        {gz(t, good), DefaultLimits(), "holds zip inside"},
		"zstd in zstd":       {zst(t, zst(t, text)), DefaultLimits(), "holds zstd inside"},
		"encrypted":          {zipOf(t, stored(text, func(h *zip.FileHeader) { h.Flags |= 1 })), DefaultLimits(), "encrypted"},
		"method":             {zipOf(t, stored(text, func(h *zip.FileHeader) { h.Method = 12 })), DefaultLimits(), "method 12"},
		"checksum":           {zipOf(t, stored(text, func(h *zip.FileHeader) { h.CRC32++ })), DefaultLimits(), "checksum error"},
		"says less":          {zipOf(t, stored(text, func(h *zip.FileHeader) { h.UncompressedSize64-- })), DefaultLimits(), "is longer than"},
		"says more":          {zipOf(t, stored(text, func(h *zip.FileHeader) { h.UncompressedSize64++ })), DefaultLimits(), "where the archive says"},
		"says far more":      {zipOf(t, stored(text, func(h *zip.FileHeader) { h.UncompressedSize64 = 1 << 63 })), DefaultLimits(), "raise max-bytes"},
		"beyond the end":     {zipOf(t, stored(text, func(h *zip.FileHeader) { h.CompressedSize64 = 1 << 40 })), DefaultLimits(), "damaged"},
		"a bit flipped":      {flipped, DefaultLimits(), "damaged"},
		"cut":                {good[:len(good)-30], DefaultLimits(), "damaged"},
		"nothing in it":      {zipOf(t), DefaultLimits(), "no file in"},
		"only a picture":     {zipOf(t, packed{name: "x.png", text: []byte("\x89PNG\x00")}, packed{name: ".x", text: text}), DefaultLimits(), "nothing to load"},
		"too many":           {zipOf(t, packed{name: "1", text: text[:9]}, packed{name: "2", text: text[:9]}, packed{name: "3", text: text[:9]}), short, "more than 2 members"},
		"too large together": {zipOf(t, packed{name: "1", text: text}, packed{name: "2", text: text}), short, "more than 150000 bytes"},
		"zip bomb":           {zipOf(t, packed{name: "a", text: zeros}), DefaultLimits(), "decompression bomb"},
		"gzip bomb":          {gz(t, zeros), DefaultLimits(), "byte 0 is 0"},
		"gzip bomb of text":  {gz(t, bytes.Repeat([]byte("a"), 4<<20)), DefaultLimits(), "decompression bomb"},
		"zstd bomb":          {zst(t, bytes.Repeat([]byte("a"), 4<<20)), DefaultLimits(), "decompression bomb"},
		"zstd window":        {zst(t, append(bytes.Repeat(text, 20), 'x'), zstd.WithWindowSize(64<<20)), DefaultLimits(), "--ultra"},
		"zstd cut":           {zst(t, text)[:1000], DefaultLimits(), "damaged"},
		"zstd, more behind":  {append(zst(t, text), "more"...), DefaultLimits(), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Open(t.Context(), write(t, "data", test.data), test.limits)
			if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v; want %q", found, err, test.want)
			}
		})
	}
}

// A bomb is refused before it has gone off. (Seen to fail with the checks of the
// limits in packing.measure and checkDirectory taken out.)
func TestBombsTakeNoMemory(t *testing.T) {
	const size = 48 << 20
	zeros := bytes.Repeat([]byte("a\n"), 1<<19)
	var g, z bytes.Buffer
	zw := zip.NewWriter(&z)
	member, err := zw.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	s, err := zstd.NewWriter(&g)
	if err != nil {
		t.Fatal(err)
	}
	for range size / len(zeros) {
		if _, err := io.MultiWriter(member, s).Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(zw.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"bomb.zst": g.Bytes(), "bomb.zip": z.Bytes()} {
		path := write(t, name, data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Open(t.Context(), path, DefaultLimits())
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "bomb") {
			t.Errorf("%s of %d bytes: %v", name, len(data), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 40<<20 {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
	}
}

func TestMemberThatChanges(t *testing.T) {
	path := write(t, "x.zip", zipOf(t, packed{name: "a", text: observations(t)}))
	found, err := Open(t.Context(), path, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := found.Sources[0].Open(); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("got %v", err)
	}
}

func TestOpenFolderHonoursItsContext(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "a"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, folder, DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	few := DefaultLimits()
	few.MaxFiles = 1
	if err := os.WriteFile(filepath.Join(folder, "b"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), folder, few); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "max-files") {
		t.Errorf("too many: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	text := []byte("725030:14732,2008,12,01,00,6.1,3.9,1001.2,50,8.7,8,0.1,0.8\n")
	f.Add(zipOf(f, packed{name: "a/b.csv", text: text}, packed{name: "c", text: text}))
	f.Add(zst(f, text))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Add(text)
	folder := f.TempDir()
	limits := Limits{MaxBytes: 1 << 20, MaxRatio: 50, MaxPlain: 1 << 20, MaxFiles: 10}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(folder, "data")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := Open(t.Context(), path, limits)
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatal(err)
			}
			return
		}
		total := int64(0)
		for _, s := range found.Sources {
			total += int64(len(content(t, s))) // what was good once is so again
		}
		if total > limits.MaxBytes {
			t.Fatalf("%d bytes", total)
		}
	})
}
