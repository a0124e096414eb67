package actors

import (
	"context"
	"sync"
	"sync/atomic"
)

// Reply is the answer to one message, travelling in it: whoever handles the
// message calls Resolve or Fail, now or later, from any goroutine. The first
// call wins and later ones are ignored. Any number of goroutines may Wait.
//
// The zero Reply is ready for use. A message that embeds a *Reply is Refusable.
// A Reply must not be copied.
type Reply[T any] struct {
	pending
	value T
}

// Resolve answers with v. It reports whether this was the first answer.
func (r *Reply[T]) Resolve(v T) bool {
	r.mu.Lock()
	if r.state.Load()&settled != 0 {
		r.mu.Unlock()
		return false
	}
	r.value = v
	r.settle() // unlocks
	return true
}

// Fail answers with an error, which must not be nil. It reports whether this
// was the first answer.
func (r *Reply[T]) Fail(err error) bool { return r.fail(err) }

// Refuse is Fail; it makes messages that embed the reply Refusable.
func (r *Reply[T]) Refuse(err error) { r.fail(err) }

// Detach says that somebody outside the actor will answer, even if the actor
// stops or restarts: a gate that waits for the disk, say. Without it, an ask
// that the actor took and has not answered fails when the incarnation ends.
func (r *Reply[T]) Detach() { r.detach() }

// Settled reports whether the answer is known.
func (r *Reply[T]) Settled() bool { return r.state.Load()&settled != 0 }

// Wait waits for the answer, or until ctx is done. If ctx comes from
// Context.Context, a spare worker runs in place of the one that waits.
func (r *Reply[T]) Wait(ctx context.Context) (T, error) {
	if err := r.waitIn(ctx); err != nil {
		var zero T
		return zero, err
	}
	return r.value, r.err
}

// Then calls f with the answer, at once if it is known and otherwise in the
// goroutine that answers, which f must not hold up.
func (r *Reply[T]) Then(f func(v T, err error)) {
	r.then(func() { f(r.value, r.err) })
}

// State of a pending. Detached is kept in a bit of its own so that the check
// after each message is one load.
const (
	settled  uint32 = 1
	detached uint32 = 2
)

// pending is what of a Reply does not depend on its type: the queue of waiters,
// and where an ask is on its way through the actors.
type pending struct {
	mu      sync.Mutex
	state   atomic.Uint32 // settled at most once, under mu
	linked  bool          // in owner's list; under owner.mb.mu
	err     error         // written before settled
	waiters *waiter       // under mu

	asker *askContext         // who waits, if an actor does; written before the message is sent
	at    atomic.Pointer[Ref] // for an asker: whose turn it waits for; nil once that was had

	owner      atomic.Pointer[Ref] // who took the message and owes the answer
	prev, next *pending            // in owner's list; under owner.mb.mu
}

// waiter is one goroutine in wait, or one function to call. Its channel holds
// one token, so that who settles never blocks.
type waiter struct {
	next *waiter
	ch   chan struct{}
	then func()
}

func newWaiter() any { return &waiter{ch: make(chan struct{}, 1)} }

func (p *pending) fail(err error) bool {
	p.mu.Lock()
	if p.state.Load()&settled != 0 {
		p.mu.Unlock()
		return false
	}
	p.err = err
	p.settle()
	return true
}

// settle publishes the answer and wakes who waits. Called with mu held; unlocks.
func (p *pending) settle() {
	p.state.Or(settled)
	w := p.waiters
	p.waiters = nil
	p.mu.Unlock()
	if owner := p.owner.Load(); owner != nil {
		owner.release(p)
	}
	for w != nil {
		next := w.next // w may be in use again after the send
		if w.next = nil; w.then != nil {
			w.then()
		} else {
			w.ch <- struct{}{}
		}
		w = next
	}
}

func (p *pending) detach() {
	p.state.Or(detached)
	if owner := p.owner.Load(); owner != nil {
		owner.release(p)
	}
}

func (p *pending) then(f func()) {
	p.mu.Lock()
	if p.state.Load()&settled != 0 {
		p.mu.Unlock()
		f()
		return
	}
	p.waiters = &waiter{next: p.waiters, then: f}
	p.mu.Unlock()
}

// wait returns when the answer is known or ctx is done. The pool saves the
// channel: a channel belongs to a testing/synctest bubble, so there is one pool
// a System, and none for a Reply that is waited for on its own.
func (p *pending) wait(ctx context.Context, pool *sync.Pool) error {
	p.mu.Lock()
	if p.state.Load()&settled != 0 {
		p.mu.Unlock()
		return nil
	}
	var w *waiter
	if pool != nil {
		w = pool.Get().(*waiter)
		defer pool.Put(w)
	} else {
		w = newWaiter().(*waiter)
	}
	w.next = p.waiters
	p.waiters = w
	p.mu.Unlock()
	done := ctx.Done()
	if done == nil {
		<-w.ch
		return nil
	}
	select {
	case <-w.ch:
		return nil
	case <-done:
	}
	if p.forget(w) {
		return ctx.Err()
	}
	<-w.ch // the answer came at the same time; take the token, w is used again
	return nil
}

// forget removes a waiter. It reports false if the answer was faster.
func (p *pending) forget(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := &p.waiters; *at != nil; at = &(*at).next {
		if *at == w {
			*at, w.next = w.next, nil
			return true
		}
	}
	return false
}

// hold notes that r took p's message and has not answered it, so that the ask
// fails if this incarnation ends first.
func (r *Ref) hold(p *pending) {
	p.owner.Store(r)
	r.mb.mu.Lock()
	p.linked = true
	p.prev, p.next = nil, r.held
	if p.next != nil {
		p.next.prev = p
	}
	r.held = p
	r.mb.mu.Unlock()
	if p.state.Load() != 0 { // settled or detached before it could see owner
		r.release(p)
	}
}

// release undoes hold.
func (r *Ref) release(p *pending) {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if !p.linked {
		return
	}
	p.linked = false
	if p.prev == nil {
		r.held = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
}

// failHeld fails every ask that r took and has not answered.
func (r *Ref) failHeld(err error) {
	r.mb.mu.Lock()
	p := r.held
	r.held = nil
	for q := p; q != nil; q = q.next {
		q.linked = false
	}
	r.mb.mu.Unlock()
	for p != nil {
		next := p.next
		p.prev, p.next = nil, nil
		p.fail(err)
		p = next
	}
}
