package actors

import "fmt"

// Actor is the behaviour of one incarnation of an actor. The runtime calls
// Receive with one message at a time, from varying goroutines but never from
// two at once, so an Actor needs no locks for its own fields.
//
// A Receive that panics fails the incarnation: see Supervision. It should not
// block; if it must wait for another actor it uses Ask with c.Context().
type Actor interface {
	Receive(c *Context, msg any)
}

// Func is an Actor that is one function.
type Func func(c *Context, msg any)

// Receive calls f.
func (f Func) Receive(c *Context, msg any) { f(c, msg) }

// What the runtime tells an actor about its own life.
type (
	// Started is the first message of every incarnation.
	Started struct{}
	// Restarting is the last message of an incarnation that failed and will be
	// replaced. Its children are alive still, and are stopped next.
	Restarting struct {
		Reason any // the panic value
	}
	// Stopping tells an actor that it will stop. Its children are alive still,
	// and are stopped next.
	Stopping struct{}
	// Stopped is the last message of an actor; its children have stopped.
	Stopped struct{}
	// Terminated says that an actor that was watched has stopped; its name is
	// free again.
	Terminated struct {
		Ref *Ref
	}
)

// Refusable is a message that wants to know if it will never be handled, or if
// its handling ended in a panic. The runtime calls Refuse once, with ErrStopped
// or with a *CrashError. Refuse must not block; it is called from whatever
// goroutine found out.
//
// A message that embeds a *Reply is Refusable by it.
type Refusable interface {
	Refuse(err error)
}

// Joiner is a bulk message that can take in others like it. When its turn has
// come, Join is called with the message behind it, and again with the next, until
// it returns false: what it has joined goes out of the mailbox and is its own to
// see to, also when it is refused. Join must not block, nor use the runtime.
type Joiner interface {
	Join(next any) bool
}

// DefaultMailbox is the bound of a mailbox whose Props name none.
const DefaultMailbox = 1024

// Props say how to make a kind of actor. They are read, never written, by the
// runtime: a million actors may share one. A Props must not be changed once it
// was used.
type Props struct {
	// New makes the Actor of a new incarnation. It runs in the actor's own turn:
	// a panic in it is a failure of that actor.
	New func() Actor
	// Mailbox is how many messages may wait; 0 means DefaultMailbox. What the
	// runtime itself sends is never refused, but Terminated and the messages of
	// timers take their room.
	Mailbox int
	// Supervision decides what becomes of *children* that fail. Its zero fields
	// mean those of DefaultSupervision.
	Supervision Supervision
}

func (p *Props) validate() error {
	switch {
	case p == nil || p.New == nil:
		return fmt.Errorf("%w: Props.New is nil", ErrBadProps)
	case p.Mailbox < 0:
		return fmt.Errorf("%w: Props.Mailbox is %d, want 0 (%d) or more", ErrBadProps, p.Mailbox, DefaultMailbox)
	}
	return p.Supervision.validate()
}

func (p *Props) bound() int32 {
	if p.Mailbox == 0 {
		return DefaultMailbox
	}
	return int32(min(p.Mailbox, 1<<31-1))
}
