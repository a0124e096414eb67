package entity

import (
	"fmt"

	"github.com/mesonet/mesonet/persistence"
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
	// Deliver takes a call to its entity and sees to it that it is finished
	// once, whatever happens. It does not block.
	Deliver(call *Call)
}

// Call is one command or question on its way. It is made by a [Handle].
type Call struct {
	id      ID
	shard   persistence.Shard
	handler *handler
	command any
	after   persistence.Position // the answer must not be older
	into    *Token
	done    completer

	// What the entity has decided, waiting at the gate.
	reply    any
	refusal  error
	position persistence.Position // what it rests on
	appended bool                 // it has events in the log
}

// ID returns the entity that the call is for.
func (c *Call) ID() ID { return c.id }

// completer is told how a call ended.
type completer interface {
	complete(reply any, t Token, err error)
}

// finish ends the call.
func (c *Call) finish(reply any, t Token, err error) {
	done := c.done
	c.done = nil // once
	done.complete(reply, t, err)
}

// Refuse ends the call with an outcome that says that it had no effect. The
// runtime calls it for calls that an actor never came to handle, or crashed on.
func (c *Call) Refuse(err error) { c.finish(nil, Token{}, refused(c.id, err)) }

// Settled ends the call: the gate has opened, or never will.
func (c *Call) Settled(err error) {
	t := Token{c.shard, c.position}
	switch {
	case err == nil && c.refusal != nil:
		c.finish(nil, t, c.refusal)
	case err == nil:
		c.finish(c.reply, t, nil)
	case c.appended:
		c.finish(nil, Token{}, fmt.Errorf("%w: %s: %w", ErrUnknown, c.id, err))
	default:
		c.finish(nil, Token{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, c.id, err))
	}
}
