package main

import (
	"fmt"
	"os"
)

// commandLine is that of a process. A zombie has none.
func commandLine(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(text), err
}
