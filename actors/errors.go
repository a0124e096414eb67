package actors

import (
	"errors"
	"fmt"
)

// What a message can meet. The first group means that it was not and will not
// be handled; the second that it may have been: its outcome is unknown.
var (
	// ErrStopped says that the actor has stopped or is stopping, and that the
	// message was not handled.
	ErrStopped = errors.New("actors: the actor has stopped")
	// ErrOverloaded says that the actor's mailbox is full. The message was not
	// taken and is still the caller's.
	ErrOverloaded = errors.New("actors: the mailbox is full")
	// ErrCycle says that the ask would have waited for itself. It was not sent.
	ErrCycle = errors.New("actors: the ask would wait for itself")

	// ErrCrashed says that the actor panicked while it handled the message, or
	// was restarted while it owed the answer. Errors that wrap it are of type
	// *CrashError.
	ErrCrashed = errors.New("actors: the actor crashed")
	// ErrUnanswered says that the actor took the message and stopped while it
	// owed the answer.
	ErrUnanswered = errors.New("actors: the actor stopped before it answered")
)

// What a spawn can meet.
var (
	// ErrNameExists says that the parent has a child of that name, perhaps one
	// that is still stopping.
	ErrNameExists = errors.New("actors: the name is taken")
	// ErrBadName says that the name is empty.
	ErrBadName = errors.New("actors: the name is empty")
	// ErrBadProps says what is missing in Props or Config.
	ErrBadProps = errors.New("actors: bad configuration")
)

// errGoexit is the reason of a failure where Receive ended its goroutine.
var errGoexit = errors.New("actors: Receive called runtime.Goexit (t.FailNow does)")

// CrashError is what a panic in an actor becomes. errors.Is finds ErrCrashed
// in it and, if the panic value was an error, that error too.
type CrashError struct {
	Path   string // the actor that panicked
	Reason any    // the panic value
	Stack  []byte // where, as debug.Stack gives it

	unborn bool // Props.New failed: there is no incarnation that could resume
}

func (e *CrashError) Error() string {
	return fmt.Sprintf("%v: %s: %v", ErrCrashed, e.Path, e.Reason)
}

// Unwrap returns ErrCrashed and the panic value, if that was an error.
func (e *CrashError) Unwrap() []error {
	if err, ok := e.Reason.(error); ok {
		return []error{ErrCrashed, err}
	}
	return []error{ErrCrashed}
}

// Expected is what an actor panics with when its incarnation has to end and nothing
// is wrong with its code: what it rests on has gone, and it begins anew. It is
// supervised as any failure is, and told to the Listener; the log has a line and no
// stack.
type Expected struct {
	Err error // why
}

func (e Expected) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e Expected) Unwrap() error { return e.Err }

// sendError names the actor that a message did not reach. It formats only when
// asked to, since an overloaded actor refuses at a high rate.
type sendError struct {
	op, path string
	err      error
}

func (e *sendError) Error() string { return e.err.Error() + ": " + e.op + " " + e.path }
func (e *sendError) Unwrap() error { return e.err }
