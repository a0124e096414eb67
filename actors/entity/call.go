package entity

import (
	"errors"
	"fmt"

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
}

// typed is what of a call depends on its types: its command and its reply.
type typed interface {
	// complete says how the call ended.
	complete(t Token, err error)
}

// ID returns the entity that the call is for.
func (c *Call) ID() ID { return ID{c.handler.kind.name, c.id} }

func (c *Call) isBulk() bool { return c.bulk }

// fromMemory reports whether the answer may rest on a check from before.
func (c *Call) fromMemory() bool { return c.handler.query && !c.linearizable }

// finish ends the call.
func (c *Call) finish(t Token, err error) {
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
	default:
		c.finish(Token{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, c.ID(), ours(err)))
	}
}
