package entity

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
)

// RunCalls is how many calls of one entity travel as one message.
const RunCalls = 64

// SendAll sends commands or questions, each to the entity of its place in ids,
// and returns; each is called once with every outcome and its place, perhaps
// before SendAll returns, on goroutines of the runtime, several at a time: it
// must not block. It is Send for many: those of one entity travel as one
// message and wait at the gate as one, in their order. Options hold for all.
func (h *Handle[C, R]) SendAll(ctx context.Context, to Locator, ids []string, commands []C, each func(place int, reply R, token Token, err error), opts ...Option) {
	requests := make([]request[C, R], len(commands))
	open := make(map[string]*runEnd, len(commands))
	ends := make([]runEnd, 0, len(commands))
	for i := range requests {
		r := &requests[i]
		r.command, r.then, r.place = commands[i], each, i
		if !h.prepare(ctx, to, ids[i], r, opts) {
			continue
		}
		end := open[ids[i]]
		if end == nil || end.calls == RunCalls { // nothing should wait behind a longer one
			ends = append(ends, runEnd{first: &r.Call})
			end = &ends[len(ends)-1]
			open[ids[i]] = end
		} else {
			end.last.next = &r.Call
		}
		end.last = &r.Call
		end.calls++
	}
	for i := range ends {
		to.Deliver(ends[i].first)
	}
}

// runEnd is a run in the making.
type runEnd struct {
	first, last *Call
	calls       int
}

// callRun is calls of one entity that travel as one message.
type callRun struct {
	calls *Call  // those that are not handled yet
	at    *entry // where it was sent
}

func (r *callRun) isBulk() bool { return r.calls.bulk }

// Refuse ends the calls that are not handled. After a crash the first is to
// blame; the others could be handled by the next incarnation, and may be sent
// to it.
func (r *callRun) Refuse(err error) {
	if errors.Is(err, actors.ErrStopped) && r.at.giveBack(r) {
		return
	}
	crashed := errors.Is(err, actors.ErrCrashed)
	for c := r.calls; c != nil; {
		next := c.next // whoever made the call may reuse it
		c.finish(Token{}, refused(c.ID(), err))
		if crashed {
			err, crashed = errRestarting, false
		}
		c = next
	}
}

var errRestarting = errors.New("the entity is starting again")

// run handles the calls of a run, in order, and lets them wait at the gate as
// one. What gets in the way of one of them, a page that has to be read or a
// crash, cuts the run in two: the calls before it go to the gate.
func (a *entityActor) run(r *callRun) {
	if a.loading {
		a.stashed(r)
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	var g gate
	defer g.wait(a)
	for r.calls != nil {
		m := r.calls
		next := m.next
		events, state := a.handle(m, s)
		if state == lacking {
			a.fetch(r, s)
			return
		}
		r.calls = next
		if state == ended {
			continue
		}
		m.next = nil
		if err := a.append(m, s, events); err != nil {
			m.Settled(err)
			r.Refuse(err)
			return
		}
		g.add(m)
	}
}

// gate is calls of one run that were handled, and what they wait for.
type gate struct {
	first, last *Call
	position    persistence.Position
	appended    bool
}

func (g *gate) add(m *Call) {
	if g.first == nil {
		g.first = m
	} else {
		g.last.next = m
	}
	g.last = m
	g.position = max(g.position, m.position)
	g.appended = g.appended || m.appended
}

// wait lets the calls wait. A frame is checked after it is durable, so after all
// of them came: that is as good as a check for each.
func (g *gate) wait(a *entityActor) {
	switch {
	case g.first == nil:
	case g.appended:
		a.open.log.Wait(g.position, waitingRun{g.first})
	default:
		a.open.log.Confirm(g.position, waitingRun{g.first})
	}
}

// waitingRun is calls that wait at the gate as one.
type waitingRun struct{ calls *Call }

// Settled ends the calls.
func (r waitingRun) Settled(err error) {
	for c := r.calls; c != nil; {
		next := c.next // whoever made the call may reuse it
		c.Settled(err)
		c = next
	}
}

// refuseAll ends a call and those linked to it.
func refuseAll(c *Call, err error) { (&callRun{calls: c, at: &entry{}}).Refuse(err) }

// stashed keeps a message until what is being read is there.
func (a *entityActor) stashed(msg actors.Refusable) {
	if len(a.stash) >= a.host().cfg.Mailbox {
		msg.Refuse(fmt.Errorf("%w: too much waits for the entity's pages", actors.ErrOverloaded))
		return
	}
	a.stash = append(a.stash, msg)
}
