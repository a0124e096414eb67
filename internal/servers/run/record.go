package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// record is what a later run knows of running servers.
type record struct {
	Addresses []string
	Processes []process
}

// process is one server. Ids are used again, so it is only the process of that
// id whose command line has the folder.
type process struct {
	PID int
	Dir string
}

func recordFile(kind string) string { return filepath.Join(folder, kind+".json") }

func readRecord(kind string) (r record, err error) {
	text, err := os.ReadFile(recordFile(kind))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, fmt.Errorf("%s: %w; end the servers by hand, and remove the file", recordFile(kind), err)
	}
	return r, nil
}

func (r record) write(kind string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(recordFile(kind), append(text, '\n'), 0o600) //nolint:gosec // kind is one of two
}

func removeRecord(kind string) error {
	err := os.Remove(recordFile(kind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// running returns the ids of the processes that still are what they were.
func (r record) running() []int {
	var pids []int
	for _, p := range r.Processes {
		if p.runs() {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

func (p process) runs() bool {
	line, err := commandLine(p.PID)
	return err == nil && strings.Contains(line, p.Dir+string(filepath.Separator))
}

// stop ends the processes as an operator does and waits until they are gone. It
// can be run again when that takes too long.
func (r record) stop() error {
	for _, p := range r.Processes {
		if !p.runs() {
			continue
		}
		if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop process %d: %w", p.PID, err)
		}
	}
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	ticker := time.NewTicker(100 * time.Millisecond) // no parent, so nobody tells
	defer ticker.Stop()
	for {
		running := r.running()
		if len(running) == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-timeout.C:
			return fmt.Errorf("processes %v were asked to end a minute ago and have not; end them by kill -9", running)
		}
	}
}
