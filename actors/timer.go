package actors

import "time"

// Timer is a message that an actor will send itself; Context.After makes one.
type Timer struct {
	ref         *Ref
	incarnation uint32
	msg         any

	// Under ref.mb.mu.
	state      uint8
	t          *time.Timer
	prev, next *Timer // in ref.timers while waiting
}

const (
	timerWaiting uint8 = iota
	timerFired         // its message is in the mailbox
	timerOver          // delivered or stopped
)

// tick is a Timer whose message is in the mailbox.
type tick Timer

// After sends msg to the actor itself when d has passed, also if the mailbox is
// full. The message dies with this incarnation: if that restarts or stops first,
// the message is not delivered (and, if it is Refusable, refused).
func (c *Context) After(d time.Duration, msg any) *Timer {
	r := c.ref
	t := &Timer{ref: r, incarnation: r.incarnation, msg: msg}
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	r.sys.timers.Add(1)
	t.next = r.timers
	if t.next != nil {
		t.next.prev = t
	}
	r.timers = t
	t.t = time.AfterFunc(d, t.fire)
	return t
}

// Stop keeps the message from being delivered. It reports false if that is too
// late, or was done before. It may be called from any goroutine.
func (t *Timer) Stop() bool {
	r := t.ref
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	switch t.state {
	case timerOver:
		return false
	case timerWaiting:
		t.unlink()
		if t.t.Stop() {
			r.sys.timers.Done()
		}
	}
	t.state = timerOver
	return true
}

func (t *Timer) fire() {
	r := t.ref
	defer r.sys.timers.Done()
	r.mb.mu.Lock()
	if t.state != timerWaiting {
		r.mb.mu.Unlock()
		return
	}
	t.state = timerFired
	t.unlink()
	r.mb.mu.Unlock()
	if !r.force((*tick)(t)) {
		(*tick)(t).refuse(ErrStopped)
	}
}

// take reports whether the message is to be handled, and not stopped meanwhile.
func (t *tick) take() bool {
	t.ref.mb.mu.Lock()
	defer t.ref.mb.mu.Unlock()
	was := t.state
	t.state = timerOver
	return was == timerFired
}

// refuse refuses the message of a timer that fired. It ends with the
// incarnation, which the actor knows, so it is no dead letter; but an answer
// that was to come of it must not stay away.
func (t *tick) refuse(err error) {
	if t.take() {
		(*Timer)(t).refuse(err)
	}
}

func (t *Timer) refuse(err error) {
	if m, ok := t.msg.(Refusable); ok {
		t.ref.callRefuse(m, err)
	}
}

// unlink takes t out of its actor's list. Called with mb.mu held.
func (t *Timer) unlink() {
	if t.prev == nil {
		t.ref.timers = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
}

// stopTimers ends the timers of an incarnation.
func (r *Ref) stopTimers() {
	r.mb.mu.Lock()
	t := r.timers
	r.timers = nil
	for o := t; o != nil; o = o.next {
		o.state = timerOver
		if o.t.Stop() {
			r.sys.timers.Done()
		}
	}
	r.mb.mu.Unlock()
	for t != nil {
		next := t.next
		t.prev, t.next = nil, nil
		t.refuse(ErrStopped)
		t = next
	}
}
