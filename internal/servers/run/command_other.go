//go:build unix && !linux

package main

import (
	"os/exec"
	"strconv"
)

// commandLine is that of a process.
func commandLine(pid int) (string, error) {
	text, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:noctx // it does not wait
	return string(text), err
}
