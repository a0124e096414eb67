package actors

import (
	"fmt"
	"time"
)

// Directive is what a supervisor does about a child that failed.
type Directive int

const (
	// Restart replaces the child's incarnation by a new one, after the backoff.
	// The message that failed is not repeated; those that wait are kept.
	Restart Directive = iota
	// Resume lets the same incarnation go on with the next message.
	Resume
	// Stop stops the child.
	Stop
	// Escalate fails the supervisor itself; its own supervisor decides. At the
	// top of the tree, where there is none, it is Stop.
	Escalate
)

func (d Directive) String() string {
	switch d {
	case Restart:
		return "restart"
	case Resume:
		return "resume"
	case Stop:
		return "stop"
	case Escalate:
		return "escalate"
	}
	return fmt.Sprintf("directive %d", int(d))
}

// Supervision is how an actor treats its children's failures: each child by
// itself (one-for-one). A failed child handles no message until it is restarted
// or resumed; its mailbox takes them, up to its bound.
//
// The zero value of a field means that of DefaultSupervision.
type Supervision struct {
	// MaxRestarts is how many failures of a child within Within lead to a
	// restart; one more stops it. Negative: no limit.
	MaxRestarts int
	// Within is the window for MaxRestarts and for the backoff: failures longer
	// ago are forgotten. A window shorter than MaxRestarts failures take, with
	// their backoffs, makes the limit one that is never reached.
	Within time.Duration
	// MinBackoff is how long the first restart waits. Each further failure
	// within the window doubles it, up to MaxBackoff. Negative: restart at once.
	MinBackoff, MaxBackoff time.Duration
	// Decide says what to do, given the panic value. It is called in the
	// supervisor's turn (at the top: in the child's). If it panics the child is
	// stopped. Nil: Restart.
	Decide func(reason any) Directive
}

// DefaultSupervision restarts, at most ten times a minute, waiting 50 ms and
// then twice as long each time, up to 10 s. (Ten failures then take 33 s, so
// that an actor that cannot even start reaches the limit.)
func DefaultSupervision() Supervision {
	return Supervision{
		MaxRestarts: 10,
		Within:      time.Minute,
		MinBackoff:  50 * time.Millisecond,
		MaxBackoff:  10 * time.Second,
		Decide:      func(any) Directive { return Restart },
	}
}

func (s Supervision) validate() error {
	s = s.filled()
	switch {
	case s.Within < 0:
		return fmt.Errorf("%w: Supervision.Within is %v, want more than 0", ErrBadProps, s.Within)
	case s.MaxBackoff < s.MinBackoff:
		return fmt.Errorf("%w: Supervision.MaxBackoff is %v, less than MinBackoff %v", ErrBadProps, s.MaxBackoff, s.MinBackoff)
	}
	return nil
}

// filled returns s with its zero fields set.
func (s Supervision) filled() Supervision {
	d := DefaultSupervision()
	if s.MaxRestarts == 0 {
		s.MaxRestarts = d.MaxRestarts
	}
	if s.Within == 0 {
		s.Within = d.Within
	}
	if s.MinBackoff == 0 {
		s.MinBackoff = d.MinBackoff
	}
	if s.MaxBackoff == 0 {
		s.MaxBackoff = max(d.MaxBackoff, s.MinBackoff)
	}
	if s.Decide == nil {
		s.Decide = d.Decide
	}
	return s
}

// backoff returns how long the n-th failure's restart waits, n from 1.
func (s Supervision) backoff(n int) time.Duration {
	if s.MinBackoff < 0 {
		return 0
	}
	d := s.MinBackoff
	for ; n > 1; n-- {
		if d > s.MaxBackoff/2 {
			return s.MaxBackoff
		}
		d *= 2
	}
	return min(d, s.MaxBackoff)
}

// supervise decides about a failed child. sup is its parent's; escalate fails
// the parent, and is nil at the top. It runs in the parent's turn, or, at the
// top, in the child's; either way nothing else decides about this child.
func (r *Ref) supervise(sup Supervision, escalate func(*CrashError)) {
	crash := r.crash()
	directive := r.decide(sup, crash)
	if directive == Escalate && escalate == nil {
		directive = Stop
	}
	if directive == Resume && crash.unborn {
		directive = Restart
	}
	now := time.Now()
	failures := r.countFailure(now, sup.Within)
	var backoff time.Duration
	if directive == Restart {
		if sup.MaxRestarts >= 0 && failures > sup.MaxRestarts {
			directive = Stop
		} else {
			backoff = sup.backoff(failures)
		}
	}
	r.sys.failed(r, crash, directive, failures, backoff)
	switch directive {
	case Resume:
		r.postSystem(resume{})
	case Restart:
		if backoff == 0 {
			r.postSystem(restartMessage)
		} else {
			r.restartAfter(backoff)
		}
	case Escalate:
		escalate(crash)
	default:
		r.Stop()
	}
}

// decide asks the user's function, which may panic.
func (r *Ref) decide(sup Supervision, crash *CrashError) (directive Directive) {
	defer func() {
		if v := recover(); v != nil {
			directive = Stop
			r.sys.log.Error("actors: Supervision.Decide panicked; the child is stopped", "actor", crash.Path, "panic", v)
		}
	}()
	return sup.Decide(crash.Reason)
}

// countFailure notes a failure and returns how many there were within the
// window, this one included.
func (r *Ref) countFailure(now time.Time, within time.Duration) int {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	x := r.extras()
	old := 0
	for old < len(x.failures) && now.Sub(x.failures[old]) >= within {
		old++
	}
	x.failures = append(x.failures[:0], x.failures[old:]...)
	x.failures = append(x.failures, now)
	return len(x.failures)
}

// resume is the system message for that directive. (protoactor's ResumeMailbox
// also follows each of its restarts, even when the new incarnation has failed
// meanwhile.)
type resume struct{}

// restartAfter restarts r when the backoff is over, unless it is stopped first.
func (r *Ref) restartAfter(d time.Duration) {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if r.mb.closed {
		return
	}
	r.sys.timers.Add(1)
	r.extras().backoff = time.AfterFunc(d, func() {
		defer r.sys.timers.Done()
		r.postSystem(restartMessage)
	})
}

// stopBackoff keeps a restart from coming.
func (r *Ref) stopBackoff() {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if t := r.extras().backoff; t != nil && t.Stop() {
		r.sys.timers.Done()
	}
}
