package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFileSystem(t *testing.T) {
	mounts := write(t, `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /tmp rw,nosuid shared:5 master:1 - tmpfs tmpfs rw
24 22 8:1 / /data rw - xfs /dev/sdb rw
25 24 8:2 / /data rw - btrfs /dev/sdc rw
a line that is none
`)
	for folder, want := range map[string]string{
		"/": "ext4", "/srv/x": "ext4", "/tmp": "tmpfs", "/tmp/none/deep": "tmpfs", "/tmpfiles": "ext4", "/data/none": "btrfs",
	} {
		if got := fileSystem(mounts, folder); got != want {
			t.Errorf("%s is on %s, want %s", folder, got, want)
		}
	}
	if got := fileSystem(filepath.Join(t.TempDir(), "none"), "/"); got != unknown {
		t.Errorf("without a list it is %s", got)
	}
}

func TestProcFiles(t *testing.T) {
	if got := cpuModel(write(t, "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n\nmodel name\t: another\n")); got != "Some CPU @ 3 GHz" {
		t.Errorf("the CPU is %q", got)
	}
	if got := cpuModel(write(t, "processor: 0\n")); got != unknown {
		t.Errorf("a CPU without a name is %q", got)
	}
	if got := loadAverage(write(t, "1.25 0.80 0.50 1/100 4711\n")); got != 1.25 {
		t.Errorf("the load is %v", got)
	}
	if got := loadAverage(write(t, "")); got != 0 {
		t.Errorf("no load is %v", got)
	}
}

func TestTmpfsIsWarnedOf(t *testing.T) {
	m := machine{FileSystem: "tmpfs"}
	if head := strings.Join(m.head(), "\n"); !strings.Contains(head, "TMPDIR") {
		t.Errorf("no word of TMPDIR in %q", head)
	}
	m.FileSystem = "ext4"
	if head := strings.Join(m.head(), "\n"); strings.Contains(head, "TMPDIR") {
		t.Errorf("a warning without need: %q", head)
	}
}
