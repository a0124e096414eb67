package persistence

import (
	"context"
	"fmt"
)

// Level is that of the formats of a store: of frames, page cells and checkpoints
// together. docs/design/log.md has what is promised of it.
type Level uint32

// The levels that there are. What writes one of them asks [LevelRegister.Seen] which.
const (
	// Level1 is the beginning: frames and cells of version 1, and checkpoints that
	// are pages without data. A store without a record of its level is at it.
	Level1 Level = 1
)

// KnownLevels is what this release reads and writes. Stores take it from their
// configuration, so that tests can be of another release.
func KnownLevels() Levels { return Levels{Least: Level1, Most: Level1} }

// Levels is a range of levels that a release knows.
type Levels struct{ Least, Most Level }

// Validate returns an error unless l is a range.
func (l Levels) Validate() error {
	if l.Least < Level1 || l.Most < l.Least {
		return fmt.Errorf("persistence: levels %d to %d are no range; begin with KnownLevels", l.Least, l.Most)
	}
	return nil
}

// OrKnown returns l, and for the zero value what this release knows: what the
// configuration of a store means.
func (l Levels) OrKnown() Levels {
	if l == (Levels{}) {
		return KnownLevels()
	}
	return l
}

// Know reports whether n is among them.
func (l Levels) Know(n Level) bool { return l.Least <= n && n <= l.Most }

// String returns the range as it stands in a sentence: "level 1" or "levels 1 to 2".
func (l Levels) String() string {
	if l.Least == l.Most {
		return fmt.Sprintf("level %d", l.Least)
	}
	return fmt.Sprintf("levels %d to %d", l.Least, l.Most)
}

// Check returns nil when n is among them, or an [ErrLevel] that says both and what to
// do.
func (l Levels) Check(n Level) error {
	switch {
	case l.Know(n):
		return nil
	case n > l.Most:
		return fmt.Errorf("%w: the store is at level %d, and this release knows %s; run a release that knows level %d", ErrLevel, n, l, n)
	}
	return fmt.Errorf("%w: the store is at level %d, and this release knows %s; upgrade through a release that knows levels %d to %d, and run mesonet cluster finalize there",
		ErrLevel, n, l, n, l.Least)
}

// LevelRegister holds the level of a store. It only rises.
type LevelRegister interface {
	// Known are the levels that this program knows, as the store was opened.
	Known() Levels
	// Seen is the level that was read last, and the one that is written now: never
	// above the record. It asks nobody.
	Seen() Level
	// Read reads the record. It sees all raises that were reported done, or that any
	// Read has shown, before it began. A level that isn't known comes beside ErrLevel,
	// and is not taken for seen.
	Read(ctx context.Context) (Level, error)
	// Raise raises the record from one known level to a higher one, or returns ErrLost
	// when it is at another by now. Of two who raise it to the same level at a time both
	// may be told that they did. Any other error leaves the outcome unknown: Read says
	// it.
	Raise(ctx context.Context, from, to Level) error
}

// CheckRaise returns an error unless a program that knows l may raise a level so.
func (l Levels) CheckRaise(from, to Level) error {
	if to <= from || !l.Know(to) || !l.Know(from) {
		return fmt.Errorf("persistence: this release knows %s, and can't raise a store from level %d to %d", l, from, to)
	}
	return nil
}

// LostRaise is the error of a raise that found another level than it wanted.
func LostRaise(from, found Level) error {
	return fmt.Errorf("%w: the store is at level %d, not at %d", ErrLost, found, from)
}
