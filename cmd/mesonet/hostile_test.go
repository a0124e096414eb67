package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Archives that become too much, and names that would lead elsewhere or paint on a
// terminal, are refused or shown harmlessly, before the server hears of anything.
func TestHostileFiles(t *testing.T) {
	f := newFake(t)
	f.batch = func() error { t.Error("readings were sent"); return nil }
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var bomb, evil, painted bytes.Buffer
	z := gzip.NewWriter(&bomb)
	archives := []struct {
		into *bytes.Buffer
		name string
	}{{&evil, "../../readings.csv"}, {&painted, "a\x1b[2Jb.csv"}}
	if _, err := io.CopyN(z, ones{}, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, a := range archives {
		z := zip.NewWriter(a.into)
		w, err := z.Create(a.name)
		if err == nil {
			_, err = w.Write([]byte("what is this\n"))
		}
		if err != nil || z.Close() != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write("folder/a\x1b[31m.csv", []byte("what is this\n"))
	write("folder/b.csv", []byte("what is this\n"))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{write("bomb.gz", bomb.Bytes())}, exitFailed, "as in a decompression bomb: if you trust it, unpack it or raise max-ratio"},
		{[]string{"--max-ratio", "5000", "--max-bytes", "1000000", filepath.Join(dir, "bomb.gz")}, exitFailed, "has more than 1000000 bytes, uncompressed: split it, unpack it, or raise max-bytes"},
		{[]string{write("evil.zip", evil.Bytes())}, exitFailed, "../../readings.csv"},
		{[]string{write("painted.zip", painted.Bytes())}, exitFailed, "mesonet: "},
		{[]string{folder}, exitFailed, "mesonet: not the format: "},
		{[]string{"--max-files", "1", folder}, exitFailed, "has more than 1 files"},
		{[]string{"--max-plain", "5", folder}, exitFailed, "max-plain"},
	} {
		got := runArgs(t, append([]string{"load", "--addr", f.addr}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: exit code %d, %q, want %d and %q", c.args, got.code, got.stderr, c.code, c.want)
		}
		if got.stdout != "" || strings.ContainsRune(got.stdout+got.stderr, '\x1b') {
			t.Errorf("%q: it shows %q, %q", c.args, got.stdout, got.stderr)
		}
	}
}

type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '1'
	}
	return len(p), nil
}

// Lines, names and reasons of others are shown without what would paint on a terminal.
func TestHostileLines(t *testing.T) {
	f := newFake(t)
	f.batch = func() error { return nil }
	f.keep = func(r *mesonetv1.QuarantineRequest) (*mesonetv1.QuarantineResponse, error) {
		return &mesonetv1.QuarantineResponse{Kept: uint32(len(r.GetLines()))}, nil
	}
	path := filepath.Join(t.TempDir(), "a\x1b[31m.csv")
	if err := os.WriteFile(path, []byte("station,time,temperature\n\x1b[2J,2008-01-01T00:00Z,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runArgs(t, "load", "--addr", f.addr, path)
	if got.code != exitPartly || strings.ContainsRune(got.stdout+got.stderr, '\x1b') {
		t.Errorf("exit code %d, %q, %q", got.code, got.stdout, got.stderr)
	}
}
