package entity

import (
	"context"
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
	a := &ask[R]{outcome: make(chan outcome[R], 1)}
	a.done = a
	h.send(ctx, to, id, command, &a.Call, opts)
	select {
	case o := <-a.outcome: // one that is there counts, whatever ctx says
		return a.end(o)
	default:
	}
	select {
	case o := <-a.outcome:
		return a.end(o)
	case <-ctx.Done():
		var none R
		outcome := ErrUnknown
		if h.h.query {
			outcome = ErrUnavailable
		}
		return none, fmt.Errorf("%w: %s did not answer in time: %w", outcome, a.id, context.Cause(ctx))
	}
}

// ask is a call whose caller waits.
type ask[R any] struct {
	Call
	outcome chan outcome[R]
}

type outcome[R any] struct {
	reply R
	token Token
	err   error
}

func (a *ask[R]) complete(reply any, t Token, err error) {
	r, _ := reply.(R) // nil with an error
	a.outcome <- outcome[R]{r, t, err}
}

// end returns the outcome to the caller, and the token, which a rejection has as
// well.
func (a *ask[R]) end(o outcome[R]) (R, error) {
	if a.into != nil && o.token != (Token{}) {
		*a.into = o.token
	}
	return o.reply, o.err
}

// Send sends a command or question and returns; done is called once with the
// outcome, perhaps before Send returns, on a goroutine of the runtime: it must
// not block. Calls that one goroutine sends to one entity are handled in order.
// The outcome comes however long it takes; ctx only says whether to begin.
func (h *Handle[C, R]) Send(ctx context.Context, to Locator, id string, command C, done func(reply R, token Token, err error), opts ...Option) {
	s := &sent[R]{then: done}
	s.done = s
	h.send(ctx, to, id, command, &s.Call, opts)
}

// sent is a call whose caller is told.
type sent[R any] struct {
	Call
	then func(reply R, token Token, err error)
}

func (s *sent[R]) complete(reply any, t Token, err error) {
	r, _ := reply.(R) // nil with an error
	s.then(r, t, err)
}

func (h *Handle[C, R]) send(ctx context.Context, to Locator, id string, command C, call *Call, opts []Option) {
	call.id, call.handler, call.command = ID{h.h.kind.name, id}, h.h, command
	if ctx.Err() != nil {
		call.finish(nil, Token{}, fmt.Errorf("%w: %s was not asked: %w", ErrUnavailable, call.id, context.Cause(ctx)))
		return
	}
	if err := CheckID(id); err != nil {
		call.finish(nil, Token{}, err)
		return
	}
	call.shard = to.ShardOf(call.id)
	for _, o := range opts {
		o(call)
	}
	to.Deliver(call)
}
