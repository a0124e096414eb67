package actors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Ref stands for an actor, through all its incarnations. It can be kept, passed
// around, compared and used as a key; every method may be called from any
// goroutine. A Ref whose actor has stopped stays valid and refuses messages; an
// actor of the same name that is spawned later has another Ref.
//
// It is also where the actor itself is kept: one allocation of 256 bytes,
// so what only some actors need is in extras.
type Ref struct {
	mb mailbox

	// Under the dispatcher's lock.
	next, nextBulk *Ref  // in its queues
	queue          uint8 // where it waits: nowhere, inQueue or inBulk
	taken          bool  // in a worker's hands
	linkedBulk     bool  // has a place in the bulk queue, perhaps one that it left
	unwinding      bool  // of the actor's turn: runtime.Goexit was called in a lifecycle message

	// Set when the actor is spawned, never changed.
	sys     *System
	parent  *Ref // nil at the top
	props   *Props
	pid     *actor.PID
	invoker actor.MessageInvoker // protoactor's context of this actor

	life     atomic.Uint32 // a state; written in the actor's turn
	restarts atomic.Uint32
	waitsFor atomic.Pointer[pending] // the ask that its Receive waits for

	// Of the actor's turn.
	actor       Actor // nil before the first and between incarnations
	context     Context
	current     slot        // the message being handled
	turnContext *askContext // made for it, on demand
	incarnation uint32
	watched     uint32 // the incarnation of its parent that watches it, or 0; of the parent's turn

	// Under mb.mu.
	held   *pending // asks that it took and has not answered
	timers *Timer   // not fired and not stopped
	x      *extras
}

// extras is the part of a Ref that most actors never need. It is under mb.mu,
// unless a field says otherwise.
type extras struct {
	family   family // its children
	watchers []watch
	watching map[*Ref]struct{} // of the actor's turn
	done     chan struct{}     // closed when it has stopped; made by Done

	base   context.Context // of this incarnation; made by Context.Context
	cancel context.CancelCauseFunc

	crash     *CrashError // why it is suspended
	told      *CrashError // the last one that the Listener was told of
	failures  []time.Time // within the window of its supervisor
	backoff   *time.Timer // restarts it
	escalated []*Ref      // children whose failure it was failed for
}

// The states of an actor's life. Failed and those after it handle no user message.
const (
	starting uint32 = iota
	running
	failed
	restarting // waits for its children to stop
	stopping   // likewise
	stopped
)

// Tell sends a message, or says at once why not; it never blocks.
//
// ErrOverloaded: the mailbox is full, and the message is still the caller's.
// ErrStopped: the actor has stopped or is stopping, and the message has been
// refused (see Refusable; Offer does not do that).
//
// Messages from one goroutine, or from one actor, arrive in the order sent.
func (r *Ref) Tell(msg any) error { return r.send("tell", slot{msg: msg}) }

// Offer is Tell, but a message that is not taken stays the caller's whatever
// the reason: it is not refused and no dead letter.
func (r *Ref) Offer(msg any) error {
	if err := r.post(slot{msg: msg}); err != nil {
		return &sendError{"offer to", r.Path(), err}
	}
	return nil
}

// OfferBulk is Offer for bulk work: the message is handled when nothing else
// waits for the actor, nor for any other, or after a while in any case. So it
// holds up nothing but bulk, and may be overtaken by messages that are sent
// later. A mailbox has room for Props.Mailbox of them beside the others.
func (r *Ref) OfferBulk(msg any) error {
	wake, err := r.mb.pushBulk(slot{msg: msg}, r.props.bound())
	switch {
	case wake:
		r.sys.dispatcher.scheduleBulk(r)
	case err != nil:
		if errors.Is(err, ErrOverloaded) {
			r.sys.overloaded(r)
		}
		return &sendError{"offer to", r.Path(), err}
	}
	return nil
}

// HoldBulk lets bulk that comes to the actor gather, until ReleaseBulk or until most
// messages of it wait: for an actor that would gain nothing by handling them one by one
// now, as what it makes of them has to wait anyway. It is for the actor itself, in its
// turn; false says that bulk is held already.
func (r *Ref) HoldBulk(most int) bool { return r.mb.holdBulk(int32(most)) }

// ReleaseBulk undoes HoldBulk, from any goroutine. It does not block.
func (r *Ref) ReleaseBulk() {
	if r.mb.releaseBulk() {
		r.sys.dispatcher.scheduleBulk(r)
	}
}

// send posts a message and refuses it if the actor has stopped.
func (r *Ref) send(op string, s slot) error {
	err := r.post(s)
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrStopped) {
		r.refuse(s, err)
	}
	return &sendError{op, r.Path(), err}
}

// post puts a message into the mailbox.
func (r *Ref) post(s slot) error {
	wake, err := r.mb.push(s, r.props.bound())
	if wake {
		r.sys.dispatcher.schedule(r)
	} else if errors.Is(err, ErrOverloaded) {
		r.sys.overloaded(r)
	}
	return err
}

// force posts what the runtime sends to itself, over the bound. It reports
// false if the actor is stopping.
func (r *Ref) force(msg any) bool {
	wake, err := r.mb.push(slot{msg: msg}, 0)
	if wake {
		r.sys.dispatcher.schedule(r)
	}
	return err == nil
}

// Stop tells the actor to stop: it finishes the message in hand, is told
// Stopping, its children stop, it is told Stopped. Messages that wait are
// refused with ErrStopped, as are those sent from now on. Stop does not wait
// for any of this; see Done. A second Stop changes nothing.
func (r *Ref) Stop() { r.postSystem(stopMessage) }

// Done is closed when the actor has stopped and its name is free.
func (r *Ref) Done() <-chan struct{} {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	x := r.extras()
	if x.done == nil {
		x.done = make(chan struct{})
		if r.life.Load() == stopped {
			close(x.done)
		}
	}
	return x.done
}

// Path names the actor in its System: the names of those above it and its own,
// joined with '/', each with '/', '%' and unprintable bytes written %XX. No two
// living actors of a System have the same path.
func (r *Ref) Path() string { return r.pid.Id[1:] }

// Name is the name that the actor was spawned with.
func (r *Ref) Name() string { return unescapeName(lastSegment(r.pid.Id)) }

// Parent is the actor that spawned this one, or nil at the top.
func (r *Ref) Parent() *Ref { return r.parent }

// String returns the path.
func (r *Ref) String() string { return r.Path() }

// extras returns what is kept on the side. Called with mb.mu held.
func (r *Ref) extras() *extras {
	if r.x == nil {
		r.x = new(extras)
	}
	return r.x
}

// refuse tells whoever cares that a message will not be handled, or that its
// handling ended in a panic. It is called once a message.
func (r *Ref) refuse(s slot, err error) {
	told := false
	switch m := s.msg.(type) {
	case *tick:
		m.refuse(err)
		return
	case *termination:
		return
	case Refusable:
		r.callRefuse(m, err)
		told = true
	}
	if s.ask != nil {
		s.ask.fail(err)
		told = true
	}
	if !told {
		r.sys.deadLetter(r, s.msg, err)
	}
}

func (r *Ref) callRefuse(m Refusable, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.sys.log.Error("actors: Refuse panicked", "actor", r.Path(), "message", fmt.Sprintf("%T", m), "panic", v)
		}
	}()
	m.Refuse(err)
}
