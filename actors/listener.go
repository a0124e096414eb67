package actors

import "time"

// Listener hears what happens in a System. Every field is optional. The
// functions are called from the goroutine that found out, often several at a
// time: they must be quick, must not panic and must not wait for an actor.
// None of them is given a message, only its type: messages may hold what must
// not be logged.
type Listener struct {
	// Failed is called when an actor panicked and its supervisor has decided, or
	// has ended without that, as all do that stop.
	Failed func(FailureInfo)
	// Restarted is called when a new incarnation takes over.
	Restarted func(RestartInfo)
	// Stopped is called when an actor has stopped, for each actor of a tree.
	Stopped func(StopInfo)
	// Overloaded is called when a full mailbox turned a message away.
	Overloaded func(path string)
	// DeadLetter is called when a message will never be handled, or was being
	// handled during a panic, and nobody was told: it is not Refusable and does
	// not belong to an ask.
	DeadLetter func(DeadLetterInfo)
}

// FailureInfo describes a failure and what is done about it.
type FailureInfo struct {
	Path      string
	Err       *CrashError
	Directive Directive     // what is done: Stop also when the limit of restarts is passed
	Failures  int           // within Supervision.Within, this one included
	Backoff   time.Duration // how long a restart waits
}

// RestartInfo describes a restart.
type RestartInfo struct {
	Path     string
	Restarts int // of this actor, ever
}

// StopInfo describes the end of an actor.
type StopInfo struct {
	Path string
	Err  *CrashError // why it was stopped, if it had failed
}

// DeadLetterInfo describes a message that nobody handles.
type DeadLetterInfo struct {
	Path string // whom it was for
	Type string // of the message, as %T prints it
	Err  error  // ErrStopped, or a *CrashError
}
