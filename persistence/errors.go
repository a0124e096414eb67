package persistence

import (
	"errors"
	"fmt"
)

// Errors that stores return, always wrapped with what happened where. Anything
// else that a write returns leaves its outcome unknown.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("persistence: not found")
	// ErrFenced: the node's incarnation has been raised by another; nothing
	// that it has not acknowledged yet may be acknowledged any more.
	ErrFenced = errors.New("persistence: fenced: another process took this node's place")
	// ErrLost: a conditional change did not find what it expected and changed
	// nothing.
	ErrLost = errors.New("persistence: lost: the record has changed meanwhile")
	// ErrOwned: the shard belongs to a node that has not been fenced.
	ErrOwned = errors.New("persistence: shard is owned by another node")
	// ErrCorrupt: what was read is not what was written. See [CorruptError].
	ErrCorrupt = errors.New("persistence: corrupt")
	// ErrLocked: another process uses the store's folder.
	ErrLocked = errors.New("persistence: store is in use")
	// ErrFormat: the store was written by another version, or is no store.
	ErrFormat = errors.New("persistence: not a store of this format")
	// ErrLevel: the store is at a level of formats that this program doesn't know, see
	// [Levels.Check].
	ErrLevel = errors.New("persistence: unknown level of formats")
	// ErrReadOnly: the store was opened for reading only.
	ErrReadOnly = errors.New("persistence: store is open for reading only")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("persistence: store is closed")
	// ErrFailed: the store met an error after which it cannot promise
	// anything; it has to be closed and opened again.
	ErrFailed = errors.New("persistence: store has failed")
)

// OwnedError says whose a shard is. It matches [ErrOwned].
type OwnedError struct {
	// Row is that of the shard, and Owner that of the node in it.
	Row   ShardRow
	Owner NodeRow
}

// Error names the owner.
func (e *OwnedError) Error() string {
	return fmt.Sprintf("%v: %q at %s, incarnation %d", ErrOwned, e.Row.Owner, e.Owner.Address, e.Row.Incarnation)
}

// Is makes an OwnedError match ErrOwned.
func (e *OwnedError) Is(target error) bool { return target == ErrOwned }

// CorruptError says which record can't be read. It matches [ErrCorrupt].
type CorruptError struct {
	// Record is the kind of record: frame, page, shard row.
	Record string
	// Key says which, as a person would look for it.
	Key string
	// Reason is what is wrong with it.
	Reason string
}

// Error says which record is corrupt and how.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("persistence: corrupt %s %s: %s", e.Record, e.Key, e.Reason)
}

// Is makes a CorruptError match ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
