package servers

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// logSince returns what the node has logged after an offset. Logs of a start
// are short: some 100 KiB.
func (n *Node) logSince(from int64) (string, error) {
	file, err := os.Open(n.LogFile())
	if err != nil {
		return "", fmt.Errorf("servers: %s: log: %w", n.name, err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.NewSectionReader(file, from, 1<<40))
	if err != nil {
		return "", fmt.Errorf("servers: %s: log: %w", n.name, err)
	}
	return string(text), nil
}

// logTail is the end of the log for an error.
func (n *Node) logTail(from int64) string {
	text, err := n.logSince(from)
	if err != nil {
		return err.Error()
	}
	return lastLines(text)
}

// What an error shows of a log. Some lines list all settings.
const (
	lines     = 20
	lineBytes = 400
)

// lastLines returns the last lines of a log without the frames of Java's stack
// traces, which would leave no room for what they are about.
func lastLines(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(line, "\t") && strings.HasPrefix(trimmed, "at ") {
			continue
		}
		if len(line) > lineBytes {
			line = strings.ToValidUTF8(line[:lineBytes], "") + "…"
		}
		kept = append(kept, line)
	}
	return strings.Join(kept[max(0, len(kept)-lines):], "\n")
}
