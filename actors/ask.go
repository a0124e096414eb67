package actors

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
)

// Ask sends a message made by the function, which carries the Reply, and waits
// for the answer. It never hangs: a full mailbox is ErrOverloaded and a stopped
// actor ErrStopped, at once; a panic is ErrCrashed; an actor that ends while it
// owes the answer ErrUnanswered or ErrCrashed; and when ctx is done, its error.
//
// The first two, and ErrCycle, mean that the message was not and will not be
// handled; the others that the outcome is unknown.
//
// An actor that asks inside its Receive must pass c.Context(), or a context
// made from it: only then is a ring of asks found (ErrCycle), the worker that
// waits replaced, and the wait ended when the actor is told to stop.
func Ask[T any](ctx context.Context, to *Ref, message func(*Reply[T]) any) (T, error) {
	r := new(Reply[T])
	if err := to.ask(ctx, &r.pending, message(r)); err != nil {
		var zero T
		return zero, err
	}
	return r.value, r.err
}

// Request is Ask without the wait: whatever Ask would return is in the reply,
// sooner or later. An actor that asks in this way goes on with other messages
// meanwhile, and usually has the answer sent to itself with Reply.Then.
func Request[T any](to *Ref, message func(*Reply[T]) any) *Reply[T] {
	r := new(Reply[T])
	if err := to.send("ask", slot{msg: message(r), ask: &r.pending}); err != nil {
		r.fail(err)
	}
	return r
}

// ask sends msg and waits for p.
func (r *Ref) ask(ctx context.Context, p *pending, msg any) error {
	if err := ctx.Err(); err != nil {
		return &sendError{"ask", r.Path(), err}
	}
	asker, _ := ctx.Value(askerKey{}).(*askContext)
	if asker != nil {
		if err := asker.check(r); err != nil {
			return err
		}
		p.asker = asker
		p.at.Store(r)
		if !asker.over.Load() {
			if err := asker.self.enterWait(p, r); err != nil {
				return err
			}
			defer asker.self.leaveWait()
		}
	}
	if err := r.send("ask", slot{msg: msg, ask: p}); err != nil {
		return err
	}
	if err := p.wait(ctx, &r.sys.waiters); err != nil {
		return &sendError{"ask", r.Path(), err}
	}
	return nil
}

// waitIn waits for p on behalf of whoever ctx belongs to.
func (p *pending) waitIn(ctx context.Context) error {
	if asker, _ := ctx.Value(askerKey{}).(*askContext); asker != nil && !asker.over.Load() {
		d := asker.self.sys.dispatcher
		d.enterWait()
		defer d.leaveWait()
	}
	return p.wait(ctx, nil)
}

// askContext is what Context.Context returns: a context that knows on whose
// behalf an ask is made, and on whose behalf the message being handled was.
type askContext struct {
	context.Context             // ends with the incarnation
	self            *Ref        // whose message is being handled
	prev            *askContext // who asked for that, and waits
	over            atomic.Bool // the Receive that it was made in has returned
}

type askerKey struct{}

// Value makes an askContext findable below any context made from it.
func (c *askContext) Value(key any) any {
	if _, ok := key.(askerKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// check fails if to waits for c: directly, or over others that ask for it.
func (c *askContext) check(to *Ref) error {
	for a := c; a != nil; a = a.prev {
		if a.self == to {
			return c.cycle(to)
		}
	}
	return nil
}

// cycle names the ring, from to, along the asks, to to.
func (c *askContext) cycle(to *Ref) error {
	ring := []string{to.Path()}
	for a := c; a != nil; a = a.prev {
		ring = append(ring, a.self.Path())
		if a.self == to {
			break
		}
	}
	for i, j := 0, len(ring)-1; i < j; i, j = i+1, j-1 {
		ring[i], ring[j] = ring[j], ring[i]
	}
	return fmt.Errorf("%w: %s", ErrCycle, strings.Join(ring, " → "))
}

// enterWait notes that r, in its Receive, is about to wait for p, which target
// will be sent, and lets another worker run. It fails if target, or whoever
// target waits for, waits for r already. Two asks that cross each other are
// not in each other's chain; this finds them: the second sees the first.
func (r *Ref) enterWait(p *pending, target *Ref) error {
	d := r.sys.dispatcher
	d.mu.Lock()
	if path := r.ring(target); path != nil {
		d.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrCycle, strings.Join(path, " → "))
	}
	r.waitsFor.Store(p)
	d.running--
	d.wake()
	d.mu.Unlock()
	return nil
}

func (r *Ref) leaveWait() {
	d := r.sys.dispatcher
	d.mu.Lock()
	r.waitsFor.Store(nil)
	d.running++
	d.mu.Unlock()
}

// moveTo notes that an actor's ask is passed on to another than it was sent to.
func (p *pending) moveTo(to *Ref) error {
	if err := p.asker.check(to); err != nil {
		return err
	}
	waiting := p.asker.self
	d := waiting.sys.dispatcher
	d.mu.Lock()
	defer d.mu.Unlock()
	if waiting.waitsFor.Load() == p {
		if path := waiting.ring(to); path != nil {
			return fmt.Errorf("%w: %s", ErrCycle, strings.Join(path, " → "))
		}
	}
	p.at.Store(to)
	return nil
}

// maxRing bounds the walk of ring: messages move while it looks.
const maxRing = 1000

// ring follows who waits for whom from target, and returns the path if it leads
// to r. Called with the dispatcher's lock held, under which edges are added.
func (r *Ref) ring(target *Ref) []string {
	var path []string
	for at := target; at != nil && len(path) < maxRing; {
		if at == r {
			return append(append([]string{r.Path()}, path...), r.Path())
		}
		p := at.waitsFor.Load()
		if p == nil {
			return nil
		}
		path = append(path, at.Path())
		at = p.at.Load()
	}
	return nil
}
