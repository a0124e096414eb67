package inspect

import (
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/persistence"
)

// Kind says what sort of damage a finding is, for programs.
type Kind string

// Kinds of damage. Those of events, pages and entries are found by package
// actors/entity.
const (
	BadRow        Kind = "shard-row"      // a shard's row can't be read, or contradicts itself
	BadSeal       Kind = "seal"           // the end of a finished epoch is missing, or in the middle of a frame
	BadCheckpoint Kind = "checkpoint"     // a checkpoint is where none can be
	BadFrame      Kind = "frame"          // a frame can't be read
	MissingFrame  Kind = "frame-missing"  // the log has a gap, or does not go to its end
	BadPage       Kind = "page"           // a page can't be read
	PageAhead     Kind = "page-ahead"     // a page reflects events that the log does not have
	PageMisplaced Kind = "page-misplaced" // a page is in another shard than its entity

	BadEvent     Kind = "event"         // an event can't be read, or the kind's code can't take it
	UnknownKind  Kind = "kind"          // there are entities of a kind that the program does not have
	UnknownPage  Kind = "page-unknown"  // a page is none of its kind, or of a later version
	PageDiffers  Kind = "page-differs"  // a page is not what its events make
	PageLost     Kind = "page-lost"     // events are in no page, and no start reads them again
	EntryMissing Kind = "entry-missing" // an index does not have an entity
	EntryStray   Kind = "entry-stray"   // an index has an entity where it is not
)

// Finding is something in a store that must not be.
type Finding struct {
	Kind  Kind              `json:"kind"`
	Shard persistence.Shard `json:"shard"`
	// Place is where, as a person would look for it.
	Place string `json:"place"`
	// Reason is what is wrong there.
	Reason string `json:"reason"`
	// Advice is what to do about it.
	Advice string `json:"advice"`
}

// String returns the finding as one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s; %s", f.Kind, f.Place, f.Reason, f.Advice)
}

// Restore is the advice for what is gone.
const Restore = "restore the store from a backup"

// found tells of damage at a position of the shard.
func (s *Shard) found(kind Kind, at persistence.Position, format string, args ...any) {
	place := fmt.Sprintf("shard %d", s.Row.Shard)
	if at != 0 {
		place += fmt.Sprintf(" at %s", at)
	}
	s.tell(Finding{kind, s.Row.Shard, place, fmt.Sprintf(format, args...), Restore})
}

// reason is what is wrong with a record that can't be read.
func reason(err error) string {
	var c *persistence.CorruptError
	if errors.As(err, &c) {
		return c.Reason
	}
	return err.Error()
}
