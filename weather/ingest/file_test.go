package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/sampledata"
)

// write puts a file into a folder of the test.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gz(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// openOne opens a file that is one source.
func openOne(t *testing.T, path string) *File {
	t.Helper()
	found, err := Open(t.Context(), path, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Sources) != 1 || len(found.Skipped) > 0 {
		t.Fatalf("found %d sources and %v", len(found.Sources), found.Skipped)
	}
	return found.Sources[0].(*File)
}

func TestOpen(t *testing.T) {
	text := observations(t)
	half := len(text) / 2
	for name, test := range map[string]struct {
		data       []byte
		compressed bool
	}{
		"plain.csv":     {text, false},
		"plain.gz":      {text, false}, // the name says nothing
		"archive.gz":    {sampledata.ObservationsArchive(), true},
		"archive.csv":   {gz(t, text), true},
		"two-parts.gz":  {append(gz(t, text[:half]), gz(t, text[half:])...), true},
		"multiple of 2": {gz(t, text[:4*sniffed]), true}, // ends with a full buffer
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, name, test.data)
			f := openOne(t, path)
			for range 2 { // it can be read again
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, text[:len(got)]) || int64(len(got)) != f.Size() {
					t.Errorf("read %d bytes of %d, %v", len(got), f.Size(), err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			if f.Name() != path || f.Compressed() != test.compressed {
				t.Errorf("%s, compressed: %v", f.Name(), f.Compressed())
			}
		})
	}
}

// Each file that can't be loaded is refused with what is wrong and what to do.
func TestOpenRefuses(t *testing.T) {
	archive := sampledata.ObservationsArchive()
	flipped := bytes.Clone(archive)
	flipped[len(flipped)/2] ^= 1
	wrongSum := bytes.Clone(archive)
	wrongSum[len(wrongSum)-8] ^= 1
	small := DefaultLimits()
	small.MaxBytes, small.MaxPlain = 1000, 1001
	tests := []struct {
		name   string
		data   []byte
		limits Limits
		want   []string
	}{
		{"empty", nil, DefaultLimits(), []string{"is empty"}},
		{"empty archive", gz(t, nil), DefaultLimits(), []string{"nothing in it"}},
		{"truncated", archive[:len(archive)-1], DefaultLimits(), []string{"damaged", "unexpected EOF", "nothing was loaded", "fetch it again"}},
		{"half", archive[:len(archive)/2], DefaultLimits(), []string{"damaged"}},
		{"only a header", archive[:12], DefaultLimits(), []string{"damaged"}},
		{"part of a header", archive[:5], DefaultLimits(), []string{"damaged"}},
		{"a bit flipped", flipped, DefaultLimits(), []string{"damaged"}},
		{"a wrong checksum", wrongSum, DefaultLimits(), []string{"damaged", "checksum"}},
		{"something behind", append(bytes.Clone(archive), "more"...), DefaultLimits(), []string{"damaged"}},
		{"a second part cut", append(bytes.Clone(archive), archive[:1000]...), DefaultLimits(), []string{"damaged"}},
		{"bomb", gz(t, bytes.Repeat([]byte("0"), 8<<20)), DefaultLimits(), []string{"bomb", "unpack it", "max-ratio"}},
		{"too large", archive, small, []string{"more than 1000 bytes", "raise max-bytes"}},
		{"too large and plain", observations(t), small, []string{"more than 1001 bytes", "raise max-plain"}},
		{"binary", []byte("abc\x00def"), DefaultLimits(), []string{"not text", "byte 3"}},
		{"binary archive", gz(t, []byte("abc\x00def")), DefaultLimits(), []string{"not text", "byte 3"}},
		{"not a zip", []byte("PK\x03\x04rest"), DefaultLimits(), []string{"damaged", "zip: not a valid zip file"}},
		{"not zstd", []byte("\x28\xb5\x2f\xfdrest"), DefaultLimits(), []string{"damaged"}},
		{"bzip2", []byte("BZh9rest"), DefaultLimits(), []string{"bzip2", "unpack"}},
		{"tar", append(make([]byte, 257), append([]byte("ustar"), make([]byte, 250)...)...), DefaultLimits(), []string{"tar archive", "zip"}},
		{"utf-16", []byte("\xff\xfe1\x00"), DefaultLimits(), []string{"UTF-16", "UTF-8"}},
		{"gzipped twice", gz(t, archive), DefaultLimits(), []string{"holds gzip inside", "unpack it once"}},
		{"no limits", archive, Limits{}, []string{"DefaultLimits"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, "data", test.data)
			_, err := Open(t.Context(), path, test.limits)
			if !errors.Is(err, ErrFile) && test.name != "no limits" {
				t.Fatalf("got %v, want ErrFile", err)
			}
			for _, want := range append(test.want, test.want[0]) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	if _, err := Open(t.Context(), t.TempDir(), DefaultLimits()); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "there is no file in") {
		t.Errorf("an empty folder: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "missing.csv")
	if _, err := Open(t.Context(), missing, DefaultLimits()); !errors.Is(err, ErrFile) || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Open(t.Context(), os.DevNull, DefaultLimits()); !errors.Is(err, ErrFile) {
		t.Errorf("a device: %v", err)
	}
}

func TestOpenHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, write(t, "data", sampledata.ObservationsArchive()), DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFileThatChanges(t *testing.T) {
	path := write(t, "data", sampledata.ObservationsArchive())
	f := openOne(t, path)
	later := f.info.ModTime().Add(time.Second)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "has changed since it was checked") {
		t.Errorf("it was written to: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(); !errors.Is(err, ErrFile) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was removed: %v", err)
	}
}

func TestStreamIsReadOnce(t *testing.T) {
	s := Stream("standard input", strings.NewReader("x"))
	if _, err := s.Open(); err != nil || s.Size() != -1 {
		t.Errorf("size %d, %v", s.Size(), err)
	}
	if _, err := s.Open(); err == nil || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("a second time: %v", err)
	}
}

func BenchmarkOpenArchive(b *testing.B) {
	path := filepath.Join(b.TempDir(), "data")
	if err := os.WriteFile(path, sampledata.ObservationsArchive(), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		found, err := Open(b.Context(), path, DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(found.Sources[0].Size())
	}
}
