package entity

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Handle is a command or a question of a kind, to be asked of its entities.
type Handle[C, R any] struct{ h *handler }

// handler is a Handle without its types: the calls that it is given are parts of
// a *request of them.
type handler struct {
	kind  *Kind
	name  string
	query bool
	// needs appends to dst the pages that the decision reads.
	needs func(dst []PageRef, c *Call) []PageRef
	// decide returns the events and, unless reply is set, makes the reply.
	decide func(v *View, c *Call) (Events, error)
	// reply makes the reply from the pages after the events.
	reply func(v *View, c *Call)
	// together, unless nil, decides on several calls that are linked and makes
	// their replies; false when each has to be decided on by itself.
	together func(v *View, first *Call, n int) (Events, bool)
	// needTogether, unless nil, is needs for several calls that are linked.
	needTogether func(dst []PageRef, first *Call, n int) []PageRef
	// begin makes a call of a command of the right type, and result returns
	// the reply that was made for it.
	begin  func(command any) *Call
	result func(c *Call) any
	// wire is how its calls travel between nodes.
	wire wired
}

// newHandler returns a handler of commands C with replies R.
func newHandler[C, R any]() *handler {
	h := &handler{result: func(c *Call) any { return requestOf[C, R](c).reply }}
	h.begin = func(command any) *Call {
		r := &request[C, R]{command: command.(C)}
		r.handler, r.typed = h, r
		return &r.Call
	}
	h.wire = newWire[C, R](h)
	return h
}

// CommandOn declares a command C of a kind with several pages. needs appends to
// dst the pages that the decision reads; decide returns the events to remember
// and the reply, or an error to refuse it, best a [Rejection].
func CommandOn[C, R any](k *Kind, needs func(dst []PageRef, command C) []PageRef, decide func(v *View, command C) (Events, R, error)) *Handle[C, R] {
	h := newHandler[C, R]()
	h.needs = func(dst []PageRef, c *Call) []PageRef { return needs(dst, requestOf[C, R](c).command) }
	h.decide = func(v *View, c *Call) (events Events, err error) {
		r := requestOf[C, R](c)
		events, r.reply, err = decide(v, r.command)
		return events, err
	}
	k.handle(h, reflect.TypeFor[C]())
	return &Handle[C, R]{h}
}

// Together lets commands of SendAll that wait for the same entity be decided on as
// one: those of a batch and, where they are [Bulk], those of several. decide gets
// them in order and returns events that stand for what each would have decided
// after the events of those before it, and puts the reply of each into its place;
// or it returns false when it can't do that, say because one of them has to be
// refused, and each is decided on by itself. It has the pages that any of them
// needs. Together returns h.
//
// All of them then rest on the same events: when it is not known whether these
// were stored, the outcome of each is unknown.
func (h *Handle[C, R]) Together(decide func(v *View, commands []C, replies []R) (Events, bool)) *Handle[C, R] {
	type several struct {
		commands []C
		replies  []R
	}
	pool := sync.Pool{New: func() any { return new(several) }}
	h.h.together = func(v *View, first *Call, n int) (Events, bool) {
		s := pool.Get().(*several)
		s.commands, s.replies = s.commands[:0], slices.Grow(s.replies[:0], n)[:n]
		s.commands = appendCommands[C, R](s.commands, first, n)
		events, ok := decide(v, s.commands, s.replies)
		if ok {
			c := first
			for i := range n {
				requestOf[C, R](c).reply = s.replies[i]
				c = c.next
			}
		}
		clear(s.commands)
		clear(s.replies)
		pool.Put(s)
		return events, ok
	}
	return h
}

// NeedTogether says at once what several commands need that are decided on together:
// each page once, and all those that each of them needs by itself. Without it each is
// asked by itself, which for many small commands is a good part of what they cost.
// NeedTogether returns h.
func (h *Handle[C, R]) NeedTogether(needs func(dst []PageRef, commands []C) []PageRef) *Handle[C, R] {
	pool := sync.Pool{New: func() any { return new([]C) }}
	h.h.needTogether = func(dst []PageRef, first *Call, n int) []PageRef {
		all := pool.Get().(*[]C)
		*all = appendCommands[C, R]((*all)[:0], first, n)
		dst = needs(dst, *all)
		clear(*all)
		pool.Put(all)
		return dst
	}
	return h
}

// appendCommands appends the commands of linked calls.
func appendCommands[C, R any](commands []C, first *Call, n int) []C {
	for c := first; n > 0; c, n = c.next, n-1 {
		commands = append(commands, requestOf[C, R](c).command)
	}
	return commands
}

// QueryOn declares a question Q of a kind with several pages.
func QueryOn[Q, R any](k *Kind, needs func(dst []PageRef, question Q) []PageRef, answer func(v *View, question Q) (R, error)) *Handle[Q, R] {
	h := newHandler[Q, R]()
	h.query = true
	h.needs = func(dst []PageRef, c *Call) []PageRef { return needs(dst, requestOf[Q, R](c).command) }
	h.decide = func(v *View, c *Call) (_ Events, err error) {
		r := requestOf[Q, R](c)
		r.reply, err = answer(v, r.command)
		return nil, err
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

// Bulk makes the call part of a load that holds nothing else up: it may be
// overtaken by calls that are not bulk, also to the same entity.
func Bulk() Option { return func(c *Call) { c.bulk = true } }

// Linearizable makes the answer to a question wait for a check of ownership that
// began after the question came. Without it an answer comes from memory, on the
// word of a check that is half a second old at most; it still shows all that the
// caller's token says. Commands always wait for a check.
func Linearizable() Option { return func(c *Call) { c.linearizable = true } }

// request is a call with its types, and whoever is told of its end.
type request[C, R any] struct {
	Call
	command C
	reply   R
	seen    bool // the token is one: the reply, or a rejection, says how far it had seen

	// One of: somebody waits, without or with an end to it; or then is called; or
	// another node is told.
	waits sync.WaitGroup
	done  chan struct{}
	then  func(place int, reply R, token Token, err error)
	in    *inbound
	place int // in a batch
}

// requestOf returns the request that a call is part of.
func requestOf[C, R any](c *Call) *request[C, R] { return c.typed.(*request[C, R]) }

func (r *request[C, R]) complete(t Token, err error) {
	if err != nil {
		var none R
		r.reply = none
	}
	if r.then != nil {
		r.then(r.place, r.reply, t, err)
		return
	}
	if r.in != nil {
		r.handler.wire.(*wire[C, R]).answer(r, t, err)
		return
	}
	r.seen, r.refusal = t != (Token{}), err
	if r.done != nil {
		close(r.done)
	} else {
		r.waits.Done()
	}
}

// end returns the outcome to the caller, and the token, which a rejection has as
// well.
func (r *request[C, R]) end() (R, error) {
	if r.into != nil && r.seen {
		*r.into = Token{r.shard, r.position}
	}
	return r.reply, r.refusal
}

// Ask sends a command or question to an entity and waits for the outcome. When
// ctx ends first the outcome of a command is unknown.
func (h *Handle[C, R]) Ask(ctx context.Context, to Locator, id string, command C, opts ...Option) (R, error) {
	r := &request[C, R]{command: command}
	end := ctx.Done()
	if end == nil {
		r.waits.Add(1)
		h.send(ctx, to, id, r, opts)
		r.waits.Wait()
		return r.end()
	}
	r.done = make(chan struct{})
	h.send(ctx, to, id, r, opts)
	select {
	case <-r.done: // one that is there counts, whatever ctx says
		return r.end()
	default:
	}
	select {
	case <-r.done:
		return r.end()
	case <-end:
		var none R
		outcome := ErrUnknown
		if h.h.query {
			outcome = ErrUnavailable
		}
		return none, fmt.Errorf("%w: %s did not answer in time: %w", outcome, r.ID(), context.Cause(ctx))
	}
}

// Send sends a command or question and returns; done is called once with the
// outcome, perhaps before Send returns, on a goroutine of the runtime: it must
// not block. Calls that one goroutine sends to one entity are handled in order.
// The outcome comes however long it takes; ctx only says whether to begin.
func (h *Handle[C, R]) Send(ctx context.Context, to Locator, id string, command C, done func(reply R, token Token, err error), opts ...Option) {
	r := &request[C, R]{command: command, then: func(_ int, reply R, token Token, err error) { done(reply, token, err) }}
	h.send(ctx, to, id, r, opts)
}

// send delivers a request.
func (h *Handle[C, R]) send(ctx context.Context, to Locator, id string, r *request[C, R], opts []Option) {
	if h.prepare(ctx, to, id, r, opts) {
		to.Deliver(&r.Call)
	}
}

// prepare fills in a request; false when it has ended already.
func (h *Handle[C, R]) prepare(ctx context.Context, to Locator, id string, r *request[C, R], opts []Option) bool {
	r.id, r.handler, r.typed = id, h.h, r
	if ctx.Err() != nil {
		r.finish(Token{}, fmt.Errorf("%w: %s was not asked: %w", ErrUnavailable, r.ID(), context.Cause(ctx)))
		return false
	}
	r.shard = to.ShardOf(r.ID())
	if end, ok := ctx.Deadline(); ok {
		r.deadline = end.UnixNano()
	}
	for _, o := range opts {
		o(&r.Call)
	}
	return true
}
