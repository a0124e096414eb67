package actors

import (
	"context"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
)

// Context is what an actor can do in its turn. It is passed to Receive, is the
// same for every message of an actor, and must be used only while Receive runs
// and only in its goroutine. (What may be kept is Self, and what Context returns.)
type Context struct {
	ref *Ref
}

// Self is the actor's own Ref.
func (c *Context) Self() *Ref { return c.ref }

// Parent is the actor that spawned this one, or nil at the top.
func (c *Context) Parent() *Ref { return c.ref.parent }

// System is where the actor lives.
func (c *Context) System() *System { return c.ref.sys }

// Spawn makes a child. It returns at once; the child's first message, Started,
// is handled in the child's own turn. It fails with ErrNameExists while a child
// of that name lives or is stopping, and with ErrStopped if this actor is
// stopping.
func (c *Context) Spawn(name string, p *Props) (*Ref, error) {
	r := c.ref
	if r.life.Load() >= stopping {
		return nil, &sendError{"spawn in", r.Path(), ErrStopped}
	}
	r.mb.mu.Lock()
	exists := r.extras().family.has(name)
	r.mb.mu.Unlock()
	child, err := r.sys.spawn(r.invoker.(actor.SpawnerContext), r, name, p, exists)
	if err != nil {
		return nil, err
	}
	r.mb.mu.Lock()
	r.x.family.add(child)
	r.mb.mu.Unlock()
	r.sys.dispatcher.schedule(child)
	return child, nil
}

// Stop stops an actor, this one or any other: see Ref.Stop.
func (c *Context) Stop(ref *Ref) { ref.Stop() }

// Children returns the children, also those that are stopping, by name.
func (c *Context) Children() []*Ref { return c.ref.children() }

// Child returns the child of that name, or nil.
func (c *Context) Child(name string) *Ref {
	c.ref.mb.mu.Lock()
	defer c.ref.mb.mu.Unlock()
	if c.ref.x == nil {
		return nil
	}
	return c.ref.x.family[escapeName(name)]
}

// Forward passes the message being handled on, as it is or as msg: to answers
// it then, as if it had been sent there, and a ring of asks is still found. If
// Forward fails the message is this actor's still, to send elsewhere, or to
// refuse. A message is forwarded once.
func (c *Context) Forward(to *Ref, msg any) error {
	r := c.ref
	p := r.current.ask
	if p != nil && p.asker != nil {
		if err := p.moveTo(to); err != nil {
			return err
		}
	}
	if err := to.post(slot{msg: msg, ask: p}); err != nil {
		if p != nil && p.asker != nil {
			p.at.Store(r)
		}
		return &sendError{"forward to", to.Path(), err}
	}
	r.current = slot{} // it is not for this actor to refuse any more
	return nil
}

// Context returns a context that ends when this incarnation does, or when the
// actor is told to stop. It also says on whose behalf an ask is made, so it, or
// a context made from it, belongs into every Ask inside an actor. A goroutine
// that the actor starts may use it; what that goroutine asks counts as asked on
// behalf of the message that was being handled.
func (c *Context) Context() context.Context {
	r := c.ref
	if r.turnContext == nil {
		ac := &askContext{Context: r.baseContext(), self: r}
		if p := r.current.ask; p != nil {
			ac.prev = p.asker
		}
		r.turnContext = ac
	}
	return r.turnContext
}

// baseContext is the part of Context that all messages of an incarnation share.
func (r *Ref) baseContext() context.Context {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	x := r.extras()
	if x.base == nil {
		x.base, x.cancel = context.WithCancelCause(context.Background())
		if r.mb.closed {
			x.cancel(ErrStopped)
		}
	}
	return x.base
}

// endContext cancels the incarnation's context.
func (r *Ref) endContext() {
	r.mb.mu.Lock()
	x := r.x
	if x == nil || x.base == nil {
		r.mb.mu.Unlock()
		return
	}
	cancel := x.cancel
	if !r.mb.closed { // there will be another incarnation
		x.base, x.cancel = nil, nil
	}
	r.mb.mu.Unlock()
	cancel(ErrStopped)
}

// family is the children of an actor, by escaped name. A name is free again
// when the parent has seen its child's end, which is later than protoactor's
// registry says: there, a child spawned in between would be forgotten by its
// parent when the old one's end arrives.
type family map[string]*Ref

func (f family) has(name string) bool { _, ok := f[escapeName(name)]; return ok }

func (f *family) add(r *Ref) {
	if *f == nil {
		*f = make(family)
	}
	(*f)[lastSegment(r.pid.Id)] = r
}

func (f family) remove(pid *actor.PID) *Ref {
	name := lastSegment(pid.Id)
	r := f[name]
	delete(f, name)
	return r
}

func (f family) list() []*Ref {
	l := make([]*Ref, 0, len(f))
	for _, r := range f {
		l = append(l, r)
	}
	slices.SortFunc(l, func(a, b *Ref) int { return strings.Compare(a.pid.Id, b.pid.Id) })
	return l
}

func (r *Ref) children() []*Ref {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if r.x == nil {
		return nil
	}
	return r.x.family.list()
}
