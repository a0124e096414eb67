package persistence

import (
	"fmt"
	"strconv"
	"strings"
)

// FirstEpoch is the epoch of a shard's first owner. A position doubles as a
// write timestamp in stores that resolve conflicts by time, so that it must lie
// above any wall clock in microseconds: 4096<<40 µs is in the year 2112.
const FirstEpoch Epoch = 4096

// LastEpoch is the highest epoch whose positions still fit a signed 64-bit
// timestamp.
const LastEpoch Epoch = 1<<(63-seqBits) - 1

const (
	seqBits = 40
	seqMask = 1<<seqBits - 1
)

// Epoch numbers the ownerships of one shard. It only rises.
type Epoch uint32

// Position is a place in a shard's log: an epoch and the number of an event in
// it, packed as epoch<<40 | seq. Positions of one shard are totally ordered by
// <. The zero Position is before everything.
//
// This packing is a contract of the store's format (docs/design/log.md).
type Position uint64

// At returns the position of event seq in epoch e. It panics when either does
// not fit: no event could be stored there.
func At(e Epoch, seq uint64) Position {
	if e > LastEpoch || seq > seqMask {
		panic(fmt.Sprintf("persistence: no position for epoch %d, seq %d", e, seq)) //nolint:forbidigo // a programmer's error: 2^40 events in one epoch
	}
	return Position(uint64(e)<<seqBits | seq)
}

// Epoch returns the epoch of p.
func (p Position) Epoch() Epoch { return Epoch(p >> seqBits) }

// Seq returns the number of the event within its epoch, from 0.
func (p Position) Seq() uint64 { return uint64(p) & seqMask }

// String returns p as epoch:seq, the form in which messages and tools show it.
func (p Position) String() string {
	return strconv.FormatUint(uint64(p.Epoch()), 10) + ":" + strconv.FormatUint(p.Seq(), 10)
}

// ParsePosition reads the form that [Position.String] gives.
func ParsePosition(s string) (Position, error) {
	epoch, seq, ok := strings.Cut(s, ":")
	if !ok {
		return 0, fmt.Errorf("persistence: position %q is not of the form epoch:seq, such as 4096:12", s)
	}
	e, err := strconv.ParseUint(epoch, 10, 32)
	if err != nil || Epoch(e) > LastEpoch {
		return 0, fmt.Errorf("persistence: position %q: epoch must be a number up to %d", s, LastEpoch)
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || n > seqMask {
		return 0, fmt.Errorf("persistence: position %q: seq must be a number up to %d", s, uint64(seqMask))
	}
	return At(Epoch(e), n), nil
}
