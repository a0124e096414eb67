package entity

import (
	"errors"
	"fmt"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// ID names an entity.
type ID struct{ Kind, ID string }

// String returns kind/id.
func (id ID) String() string { return id.Kind + "/" + id.ID }

// Token says how far a reply had seen the log of a shard: Position is the first
// position not seen.
type Token struct {
	Shard    persistence.Shard
	Position persistence.Position
}

// Locator finds entities: in this process, in a test, anywhere in a cluster.
type Locator interface {
	// ShardOf returns the shard that an entity is in.
	ShardOf(id ID) persistence.Shard
	// Deliver takes a call, with those of the same entity that are linked to
	// it, to the entity and sees to it that each is finished once, whatever
	// happens. It does not block.
	Deliver(call *Call)
}

// Call is one command or question on its way. It is made by a [Handle].
type Call struct {
	id      string
	handler *handler
	typed   typed                // the request that the call is part of; nil once it has ended
	after   persistence.Position // the answer must not be older
	into    *Token
	at      *entry   // where it was sent; it comes back if that leaves
	next    *Call    // of the same entity, sent with this one
	run     *callRun // that it is sent as the first of, or nil

	// What the entity has decided, waiting at the gate.
	refusal  error
	position persistence.Position // what it rests on
	shard    persistence.Shard
	bulk     bool
	// linearizable: the answer waits for a check that began after it was asked.
	linearizable bool
	appended     bool // it has events in the log
	router       Router
	deadline     int64 // of whoever waits, in nanoseconds of Unix time; 0 for none
}

// Router is a [Locator] that knows several hosts. It gets calls back that came to
// one that does not serve their shard, and had no effect.
type Router interface {
	// Returned takes a call that ended with err, which matches [ErrNotServed]. It
	// delivers it once more, or ends it with [Call.Refuse]. It must not block.
	Returned(c *Call, err error)
}

// ReturnTo says who gets the call back when it comes where its shard is not served,
// nil for nobody. Those linked to it
// come back one by one, in their order.
func (c *Call) ReturnTo(r Router) {
	for ; c != nil; c = c.next {
		c.router = r
	}
}

// Deadline is until when somebody waits for the outcome, if there is an end to it.
func (c *Call) Deadline() (end time.Time, ok bool) {
	return time.Unix(0, c.deadline), c.deadline != 0
}

// Within bounds how long the call may be on its way, where nobody has said so.
func (c *Call) Within(d time.Duration) {
	if c.deadline == 0 {
		c.deadline = time.Now().Add(d).UnixNano()
	}
}

// Shard is the shard that the call is for, and IsBulk whether it is part of a load.
func (c *Call) Shard() persistence.Shard { return c.shard }

// IsBulk reports whether the call is part of a load.
func (c *Call) IsBulk() bool { return c.bulk }

// IsQuestion reports whether the call changes nothing.
func (c *Call) IsQuestion() bool { return c.handler.query }

// typed is what of a call depends on its types: its command and its reply.
type typed interface {
	// complete says how the call ended.
	complete(t Token, err error)
}

// ID returns the entity that the call is for.
func (c *Call) ID() ID { return ID{c.handler.kind.name, c.id} }

// fromMemory reports whether the answer may rest on a check from before.
func (c *Call) fromMemory() bool { return c.handler.query && !c.linearizable }

// finish ends the call, or gives it back to its router.
func (c *Call) finish(t Token, err error) {
	if router := c.router; router != nil && err != nil && errors.Is(err, ErrNotServed) {
		c.router, c.at, c.next, c.run, c.refusal, c.position, c.appended = nil, nil, nil, nil, nil, 0, false
		router.Returned(c, err)
		return
	}
	r := c.typed
	c.typed = nil // once
	r.complete(t, err)
}

// Refuse ends the call with an outcome that says that it had no effect. The
// runtime calls it for calls that an actor never came to handle, or crashed on.
func (c *Call) Refuse(err error) {
	if c.at != nil && errors.Is(err, actors.ErrStopped) {
		if c.at.giveBack(c) {
			return
		}
		err = c.at.table.open.over(err)
	}
	c.finish(Token{}, refused(c.ID(), err))
}

// Settled ends the call: the gate has opened, or never will.
func (c *Call) Settled(err error) {
	t := Token{c.shard, c.position}
	if errors.Is(err, journal.ErrHandedOver) && c.at != nil {
		err = c.at.table.open.over(err)
	}
	switch {
	case err == nil:
		c.finish(t, c.refusal)
	case c.appended:
		c.finish(Token{}, fmt.Errorf("%w: %s: %w", ErrUnknown, c.ID(), ours(err)))
	case errors.Is(err, journal.ErrShardLost):
		c.finish(Token{}, fmt.Errorf("%w: %w: %s: %w", ErrUnavailable, ErrNotServed, c.ID(), ours(err)))
	default:
		c.finish(Token{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, c.ID(), ours(err)))
	}
}
