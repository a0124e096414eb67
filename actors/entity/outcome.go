package entity

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// Outcomes other than a value or a [Rejection]; see the package comment.
var (
	// ErrUnknown: the command may have taken effect, or may yet.
	ErrUnknown = errors.New("entity: the outcome is unknown")
	// ErrUnavailable: the command did not take effect; it may be sent again.
	ErrUnavailable = errors.New("entity: unavailable")
	// ErrNotServed: the node does not serve the shard of the call now. It comes with
	// ErrUnavailable.
	ErrNotServed = errors.New("entity: the shard is not served by this node")
	// ErrOverloaded: the command did not take effect, because too much waits
	// already; send it again after a while.
	ErrOverloaded = errors.New("entity: overloaded")
	// ErrCrashed: the entity's code panicked on the command, which did not
	// take effect.
	ErrCrashed = errors.New("entity: crashed")
	// ErrCorrupt: the entity's history can't be read.
	ErrCorrupt = errors.New("entity: corrupt")
	// ErrUnknownKind: the node does not have the kind.
	ErrUnknownKind = errors.New("entity: unknown kind")
)

// Code is the kind of a rejection.
type Code uint8

// The codes are those that callers treat differently.
const (
	// Failed: the command is well-formed, and the entity's state is against
	// it.
	Failed Code = iota + 1
	// Invalid: the command is malformed, whatever the state.
	Invalid
	// NotFound: there is no such thing, or no data.
	NotFound
)

// String returns the code's name.
func (c Code) String() string {
	switch c {
	case Failed:
		return "failed"
	case Invalid:
		return "invalid"
	case NotFound:
		return "not found"
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Rejection is the error of a command or question that the domain refused.
type Rejection struct {
	Code Code
	// Reason names the rejection for programs, such as NO_DATA. It may be
	// empty.
	Reason string
	// Message says to people what is wrong and what to do.
	Message string
}

// Error returns the message.
func (r *Rejection) Error() string { return r.Message }

// Because sets the reason and returns r.
func (r *Rejection) Because(reason string) *Rejection {
	r.Reason = reason
	return r
}

// Reject refuses a command because of the entity's state.
func Reject(format string, args ...any) *Rejection {
	return &Rejection{Code: Failed, Message: fmt.Sprintf(format, args...)}
}

// RejectInvalid refuses a command that is malformed.
func RejectInvalid(format string, args ...any) *Rejection {
	return &Rejection{Code: Invalid, Message: fmt.Sprintf(format, args...)}
}

// RejectNotFound refuses a question about what isn't there.
func RejectNotFound(format string, args ...any) *Rejection {
	return &Rejection{Code: NotFound, Message: fmt.Sprintf(format, args...)}
}

// refused turns what kept a call from its entity into an outcome.
func refused(id ID, err error) error {
	switch {
	case isRejection(err), errors.Is(err, ErrUnknownKind), errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, actors.ErrStopped), errors.Is(err, journal.ErrShardLost):
		return fmt.Errorf("%w: %w: %s: %w", ErrUnavailable, ErrNotServed, id, ours(err))
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrOverloaded):
		return fmt.Errorf("%s: %w", id, err)
	case errors.Is(err, actors.ErrOverloaded):
		return fmt.Errorf("%w: %s has too many calls waiting", ErrOverloaded, id)
	case errors.Is(err, actors.ErrCrashed):
		return fmt.Errorf("%w: %s: %w", ErrCrashed, id, err)
	default:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, id, ours(err))
	}
}

// ours hides the end of a context of the runtime's own, as of a shard that was lost
// or a journal that was closed: a caller would take it for the end of its own.
func ours(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New(err.Error())
	}
	return err
}

// unavailable is the error of a look at something that ended with err, while the
// caller's own ctx may have ended or not.
func unavailable(ctx context.Context, what string, err error) error {
	if ctx.Err() == nil {
		err = ours(err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}

func isRejection(err error) bool {
	var r *Rejection
	return errors.As(err, &r)
}

// CorruptError says which event of an entity can't be read or evolved. It
// matches [ErrCorrupt].
type CorruptError struct {
	ID       ID
	Position persistence.Position
	// Event says that it is the event at Position that can't be used, and not
	// a page that has come to Position: then it can be skipped.
	Event bool
	Cause error
}

// Error names the entity, the position and the cause.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("entity: %s is corrupt at position %s: %v", e.ID, e.Position, e.Cause)
}

// Is makes the error match ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }
