package ingest

import (
	"fmt"
	"sync"
)

// MaxQuarantined is the most bytes of a line that a quarantine is given.
const MaxQuarantined = 4 << 10

// Quarantined is a line that was not stored, and why.
type Quarantined struct {
	// Source is the name of the source, and Line of which the line that it
	// begins on, from 1.
	Source string
	Line   int64
	// Text is the line, up to MaxQuarantined bytes of it. It is nil for a
	// reading that the sink has refused, which Reading holds instead.
	Text []byte
	// Reason says what is wrong.
	Reason string
	// Format is the name of the format or mapping by which it was read.
	Format string
	// Header is the line that names the columns of a table of text, up to
	// MaxQuarantined bytes of it, and HeaderLine its number: without it the text
	// can't be read again. It is nil where there is none, and shared.
	Header     []byte
	HeaderLine int64
	// Reading is nil for a line that is none.
	Reading *Reading
}

// quarantine hands lines to whoever keeps them, one at a time.
type quarantine struct {
	mu   sync.Mutex
	keep func(Quarantined) error // nil: nobody does
}

func (q *quarantine) put(one Quarantined) error {
	if q.keep == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.keep(one); err != nil {
		return fmt.Errorf("ingest: the quarantine does not take line %d of %s, so the load has ended: %w", one.Line, one.Source, err)
	}
	return nil
}
