package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/dustin/go-humanize"

	"github.com/mesonet/mesonet"
)

// size is a flag's number of bytes, written as 256MiB or 2GB: at least so many.
type size struct {
	bytes, least int64
	unlimited    bool // 0 is for no limit
}

func (s *size) String() string {
	if s.bytes == 0 {
		return "no limit"
	}
	return humanize.IBytes(uint64(s.bytes))
}

func (s *size) Type() string { return "size" }

func (s *size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	or := ""
	if s.unlimited {
		or = ", or 0 for no limit"
	}
	switch {
	case err != nil || n > 1<<50:
		return fmt.Errorf("write a size such as 256MiB or 2GiB%s", or)
	case n == 0 && s.unlimited:
	case int64(n) < s.least:
		return fmt.Errorf("%s is too little; write %s or more%s", humanize.IBytes(n), humanize.IBytes(uint64(s.least)), or)
	}
	s.bytes = int64(n)
	return nil
}

// limitMemory tells the garbage collector what the process may take, unless
// whoever started it has.
func limitMemory(bytes int64) {
	if bytes > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(mesonet.GoMemory(bytes))
	}
}

// history is a flag's choice of what becomes of the log below the checkpoints.
type history bool

const (
	keepHistory history = false
	dropHistory history = true
)

func (h *history) String() string {
	if *h == dropHistory {
		return "drop"
	}
	return "keep"
}

func (h *history) Type() string { return "keep|drop" }

func (h *history) Set(text string) error {
	switch text {
	case "keep":
		*h = keepHistory
	case "drop":
		*h = dropHistory
	default:
		return fmt.Errorf("use keep or drop")
	}
	return nil
}
