package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what the figures were measured on. What the system doesn't tell is
// "unknown" or 0.
type machine struct {
	Version    string `json:"version"` // of mesonet
	Started    string `json:"started"` // RFC 3339
	Go         string `json:"go"`
	OS         string `json:"os"` // with the architecture
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	// Load is the system's load average over a minute at the start: figures of
	// a machine that had other work say little.
	Load       float64 `json:"load"`
	Folder     string  `json:"folder"`
	FileSystem string  `json:"file_system"`
	FsyncP50   float64 `json:"fsync_p50"` // of 4 KiB that were appended, seconds
}

const unknown = "unknown"

func describeMachine() machine {
	return machine{
		Version: version,
		Started: time.Now().UTC().Format(time.RFC3339),
		Go:      runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: cpuModel("/proc/cpuinfo"), Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		Load: loadAverage("/proc/loadavg"),
	}
}

// describeDisk adds what is known of the disk below a folder.
func (m *machine) describeDisk(folder string) error {
	m.Folder = folder
	m.FileSystem = fileSystem("/proc/self/mountinfo", folder)
	p50, err := fsyncTime(folder)
	m.FsyncP50 = p50
	return err
}

// head is the machine in a few lines for people.
func (m *machine) head() []string {
	lines := []string{
		fmt.Sprintf("mesonet %s, %s, %s, %s", m.Version, m.Go, m.OS, m.Started),
		fmt.Sprintf("%s: %s, GOMAXPROCS %d, load %.2f before the start", m.CPU, counted(m.Cores, "core"), m.GOMAXPROCS, m.Load),
		fmt.Sprintf("%s: %s, a sync takes %s (p50)", m.Folder, m.FileSystem, seconds.format(m.FsyncP50)),
	}
	if m.FileSystem == "tmpfs" {
		lines = append(lines, "a sync to memory costs nothing: set TMPDIR to a folder on a disk for figures that mean something")
	}
	return lines
}

// cpuModel reads the name of the first core.
func cpuModel(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func loadAverage(file string) float64 {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// fileSystem returns the type of the file system that a folder is on, by the
// longest mount point above it; of several mounts on one point the last holds.
func fileSystem(mounts, folder string) string {
	content, err := os.ReadFile(mounts)
	if err != nil {
		return unknown
	}
	if target, err := filepath.EvalSymlinks(folder); err == nil {
		folder = target
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return unknown
	}
	found, longest := unknown, -1
	for line := range strings.Lines(string(content)) {
		// id parent device root point options [optional...] - type source options
		front, back, ok := strings.Cut(line, " - ")
		fields, types := strings.Fields(front), strings.Fields(back)
		if !ok || len(fields) < 5 || len(types) == 0 {
			continue
		}
		point := fields[4]
		above := folder == point || strings.HasPrefix(folder, strings.TrimSuffix(point, "/")+"/")
		if above && len(point) >= longest {
			found, longest = types[0], len(point)
		}
	}
	return found
}

// fsyncTime returns the middle of what a sync takes after an append, in seconds.
func fsyncTime(folder string) (p50 float64, err error) {
	const syncs = 100
	f, err := os.Create(filepath.Join(folder, "sync"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4096)
	var times latencies
	for range syncs {
		begin := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(begin))
	}
	return times.sorted().quantile(0.5), nil
}
