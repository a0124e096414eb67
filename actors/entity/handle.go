package entity

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// Handle is a command or a question of a kind, to be asked of its entities.
type Handle[C, R any] struct{ h *handler }

// handler is a Handle without its types.
type handler struct {
	kind  *Kind
	name  string
	query bool
	needs func(dst []PageRef, command any) []PageRef
	// decide returns the events and, unless reply is set, the reply.
	decide func(v *View, command any) (Events, any, error)
	// reply makes the reply from the pages after the events.
	reply func(v *View) any
}

// CommandOn declares a command C of a kind with several pages. needs appends to
// dst the pages that the decision reads; decide returns the events to remember
// and the reply, or an error to refuse it, best a [Rejection].
func CommandOn[C, R any](k *Kind, needs func(dst []PageRef, command C) []PageRef, decide func(v *View, command C) (Events, R, error)) *Handle[C, R] {
	h := &handler{
		needs: func(dst []PageRef, command any) []PageRef { return needs(dst, command.(C)) },
		decide: func(v *View, command any) (Events, any, error) {
			events, r, err := decide(v, command.(C))
			return events, r, err
		},
	}
	k.handle(h, reflect.TypeFor[C]())
	return &Handle[C, R]{h}
}

// QueryOn declares a question Q of a kind with several pages.
func QueryOn[Q, R any](k *Kind, needs func(dst []PageRef, question Q) []PageRef, answer func(v *View, question Q) (R, error)) *Handle[Q, R] {
	h := &handler{
		query: true,
		needs: func(dst []PageRef, question any) []PageRef { return needs(dst, question.(Q)) },
		decide: func(v *View, question any) (Events, any, error) {
			r, err := answer(v, question.(Q))
			return nil, r, err
		},
	}
	k.handle(h, reflect.TypeFor[Q]())
	return &Handle[Q, R]{h}
}

// Option changes one ask.
type Option func(*Call)

// After makes the answer at least as new as a token says. Of a token of another
// shard than the entity's nothing is asked.
func After(t Token) Option {
	return func(c *Call) {
		if t.Shard == c.shard {
			c.after = max(c.after, t.Position)
		}
	}
}

// Into stores the reply's token in t. A rejection has one too; other errors leave
// t as it is.
func Into(t *Token) Option { return func(c *Call) { c.into = t } }

// Ask sends a command or question to an entity and waits for the outcome. When
// ctx ends first the outcome of a command is unknown.
func (h *Handle[C, R]) Ask(ctx context.Context, to Locator, id string, command C, opts ...Option) (R, error) {
	type outcome struct {
		reply R
		token Token
		err   error
	}
	c := make(chan outcome, 1)
	call := h.send(ctx, to, id, command, func(r R, t Token, err error) { c <- outcome{r, t, err} }, opts)
	select {
	case o := <-c:
		call.keep(o.token)
		return o.reply, o.err
	default:
	}
	select {
	case o := <-c:
		call.keep(o.token)
		return o.reply, o.err
	case <-ctx.Done():
		var none R
		outcome := ErrUnknown
		if h.h.query {
			outcome = ErrUnavailable
		}
		return none, fmt.Errorf("%w: %s did not answer in time: %w", outcome, call.id, context.Cause(ctx))
	}
}

// Send sends a command or question and returns; done is called once with the
// outcome, perhaps before Send returns, on a goroutine of the runtime: it must
// not block. Calls that one goroutine sends to one entity are handled in order.
// The outcome comes however long it takes; ctx only says whether to begin.
func (h *Handle[C, R]) Send(ctx context.Context, to Locator, id string, command C, done func(reply R, token Token, err error), opts ...Option) {
	h.send(ctx, to, id, command, done, opts)
}

func (h *Handle[C, R]) send(ctx context.Context, to Locator, id string, command C, done func(R, Token, error), opts []Option) *Call {
	call := &Call{
		id:      ID{h.h.kind.name, id},
		handler: h.h,
		command: command,
		done: func(reply any, t Token, err error) {
			r, _ := reply.(R) // nil with an error
			done(r, t, err)
		},
	}
	if err := errors.Join(ctx.Err(), CheckID(id)); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %s was not asked: %w", ErrUnavailable, call.id, context.Cause(ctx))
		}
		call.finish(nil, Token{}, err)
		return call
	}
	call.shard = to.ShardOf(call.id)
	for _, o := range opts {
		o(call)
	}
	to.Deliver(call)
	return call
}
