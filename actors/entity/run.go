package entity

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	open := make(map[string]*callRun, len(commands))
	runs := make([]callRun, 0, len(commands))
	for i := range requests {
		r := &requests[i]
		r.command, r.then, r.place = commands[i], each, i
		if !h.prepare(ctx, to, ids[i], r, opts) {
			continue
		}
		one := callRun{calls: &r.Call, last: &r.Call, length: 1}
		if run := open[ids[i]]; run != nil && run.join(&one) {
			continue
		}
		runs = append(runs, one)
		run := &runs[len(runs)-1]
		r.run, open[ids[i]] = run, run
	}
	for i := range runs {
		to.Deliver(runs[i].calls)
	}
}

// callRun is calls of one entity that travel as one message.
type callRun struct {
	calls  *Call  // those that are not handled yet
	last   *Call  // the last of them
	at     *entry // where it was sent
	length int32  // when its turn came
	joint  bool   // some calls are being decided on together: who is to blame for a crash is not known
}

// Join takes in the run behind this one in a mailbox.
func (r *callRun) Join(next any) bool {
	o, ok := next.(*callRun)
	return ok && r.join(o)
}

// join takes in another run, unless they are too many: nothing should wait behind
// a longer one.
func (r *callRun) join(o *callRun) bool {
	if r.length+o.length > RunCalls {
		return false
	}
	r.last.next, r.last, r.length = o.calls, o.last, r.length+o.length
	return true
}

func (r *callRun) IsBulk() bool { return r.calls.bulk }

// Refuse ends the calls that are not handled. After a crash the first is to
// blame, unless it was decided on together with others; the rest could be handled
// by the next incarnation, and may be sent to it.
func (r *callRun) Refuse(err error) {
	if errors.Is(err, actors.ErrStopped) {
		if r.at.giveBack(r) {
			return
		}
		if r.at.table != nil {
			err = r.at.table.open.over(err)
		}
	}
	crashed := errors.Is(err, actors.ErrCrashed)
	if crashed && r.joint {
		err, crashed = errRestarting, false
	}
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
//
// Calls of one command that can decide on several are decided on together. Not so
// by an entity that has crashed: then the call that crashes it is alone with the
// blame.
func (a *entityActor) run(r *callRun) {
	if a.loading {
		a.stashed(r)
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	var g gate
	defer g.wait(a)
	if r.calls.bulk {
		defer a.lull()
	}
	apart := a.incarnation > 1
	for r.calls != nil {
		if n := r.alike(); n > 1 && !apart {
			events, state := a.handleTogether(r, n, s)
			switch state {
			case lacking:
				a.fetch(r, s)
				return
			case ended: // nothing of it
				apart = true
				continue
			case handled:
			}
			if err := a.appendTogether(r, n, s, events, &g); err != nil {
				r.Refuse(err)
				return
			}
			continue
		}
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

// lull lets what else comes of a load gather while a frame is under way to the store:
// what is decided now has to wait for the next frame as well, and one decision on many
// costs less than many, here and in the log.
func (a *entityActor) lull() {
	if a.self.HoldBulk(RunCalls) && !a.open.log.BeforeFrame(a.self.ReleaseBulk) {
		a.self.ReleaseBulk()
	}
}

// alike returns how many of the first calls can be decided on together.
func (r *callRun) alike() (n int) {
	h := r.calls.handler
	if h.together == nil {
		return 1
	}
	for c := r.calls; c != nil && c.handler == h; c = c.next {
		n++
	}
	return n
}

// handleTogether decides on the first calls of a run and evolves the pages with
// their events, whose number it returns. It ends with nothing done where they
// have to be handled one by one.
func (a *entityActor) handleTogether(r *callRun, n int, s *scratch) (int, handling) {
	h, c := r.calls.handler, r.calls
	seen := c.after
	for i := range n {
		if (i == 0 || c.after > seen) && a.ready(c) != nil { // what is so for one is so for all who have seen no more
			return 0, ended
		}
		seen = max(seen, c.after)
		c = c.next
	}
	s.needs = h.needsOf(s.needs[:0], r.calls, n)
	if !a.look(s) {
		return 0, lacking
	}
	r.joint = true // stays so after a panic
	events, ok := h.together(&a.view, r.calls, n)
	if a.wants(s) {
		r.joint = false
		return 0, lacking
	}
	ready, err := true, error(nil)
	if ok {
		ready, err = a.accept(s, events)
	}
	r.joint = false
	switch {
	case !ready:
		return 0, lacking
	case !ok, err != nil: // the error: more than a frame takes
		return 0, ended
	}
	return len(events), handled
}

// needsOf appends to dst what linked calls need, each page once.
func (h *handler) needsOf(dst []PageRef, first *Call, n int) []PageRef {
	if h.needTogether != nil {
		return h.needTogether(dst, first, n)
	}
	for c := first; n > 0; c, n = c.next, n-1 {
		dst = h.addNeeds(dst, c)
	}
	return dst
}

// addNeeds adds what a call needs to what others do.
func (h *handler) addNeeds(others []PageRef, c *Call) []PageRef {
	n := len(others)
	all := h.needs(others, c)
	for _, ref := range all[n:] {
		if !slices.Contains(all[:n], ref) {
			all[n] = ref
			n++
		}
	}
	return all[:n]
}

// appendTogether appends the events of the first calls of a run, as append does
// for one call, and adds the calls to the gate. After an error they are in the run
// still, and none took effect.
func (a *entityActor) appendTogether(r *callRun, n int, s *scratch, events int, g *gate) error {
	first := r.calls
	if err := a.append(first, s, events); err != nil {
		return err
	}
	position := first.position
	for range n {
		m := r.calls
		r.calls, m.next = m.next, nil
		m.appended, m.position = first.appended, max(position, m.after)
		g.add(m)
	}
	return nil
}

// gate is calls of one run that were handled, and what they wait for.
type gate struct {
	first, last *Call
	position    persistence.Position
	appended    bool
	confirm     bool // one of them needs a check that begins now
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
	g.confirm = g.confirm || !m.fromMemory()
}

// wait lets the calls wait. A frame is checked after it is durable, so after all
// of them came: that is as good as a check for each.
func (g *gate) wait(a *entityActor) {
	if g.first != nil {
		a.open.settle(g.position, g.appended, !g.confirm, waitingRun{g.first})
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

// RefuseAll ends a call and those linked to it, each as by [Call.Refuse].
func (c *Call) RefuseAll(err error) {
	for c != nil {
		next := c.next
		c.Refuse(err)
		c = next
	}
}
