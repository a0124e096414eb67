package main

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// size is a flag's number of bytes, written as 256MiB or 2GB: at least so many.
type size struct {
	bytes, least int64
}

func (s *size) String() string {
	return humanize.IBytes(uint64(s.bytes))
}

func (s *size) Type() string { return "size" }

func (s *size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	switch {
	case err != nil || n > 1<<50:
		return fmt.Errorf("write a size such as 256MiB or 2GiB")
	case int64(n) < s.least:
		return fmt.Errorf("%s is too little; write %s or more", humanize.IBytes(n), humanize.IBytes(uint64(s.least)))
	}
	s.bytes = int64(n)
	return nil
}
