package entity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// entityActor is one incarnation of an entity.
type entityActor struct {
	open *openShard
	kind *Kind
	e    *entry
	// view is reused for every call.
	view  View
	pages pages
	// loading: the events are being read back; calls are kept in stash.
	loading bool
	stash   []*Call
	corrupt error
}

// loaded is the answer to reload.
type loaded struct {
	records []persistence.Record
	err     error
}

func (o *openShard) entityProps(k *Kind) *actors.Props {
	return &actors.Props{
		New:     func() actors.Actor { return &entityActor{open: o, kind: k} },
		Mailbox: o.host.host.cfg.Mailbox,
	}
}

// Receive handles one message.
func (a *entityActor) Receive(c *actors.Context, msg any) {
	switch m := msg.(type) {
	case *Call:
		a.call(m)
	case actors.Started:
		a.start(c)
	case loaded:
		a.loaded(m)
	case actors.Restarting:
		a.refuseStash(errors.New("the entity is starting again"))
	case actors.Stopping:
		a.refuseStash(actors.ErrStopped)
	case actors.Stopped:
		if a.e != nil {
			a.e.ref.Store(nil) // the next call wakes it again
		}
	}
}

// start brings the state back: from the events that were read when the shard
// was opened or, for an incarnation after a crash, from the log.
func (a *entityActor) start(c *actors.Context) {
	_, id, _ := strings.Cut(c.Self().Name(), ":")
	a.e = a.open.entry(a.kind, id)
	a.view = View{id: ID{a.kind.name, id}, pages: &a.pages}
	if a.e.reload {
		a.loading = true
		a.open.reload(c.Context(), c.Self(), a.e)
		return
	}
	a.e.reload = true
	a.replay(a.open.takeTail(a.e))
}

// reload reads the entity's events back from the log, once all of them are
// acknowledged, and tells the actor.
func (o *openShard) reload(ctx context.Context, self *actors.Ref, e *entry) {
	host := o.host.host
	upTo := e.last
	host.wg.Go(func() {
		w := &gateWait{c: make(chan error, 1)}
		o.log.Wait(upTo, w)
		var records []persistence.Record
		err := <-w.c
		if err == nil {
			records, err = o.log.ReadEntity(ctx, e.kind.name, e.id, upTo)
		}
		// A mailbox that is full of calls, or an actor that ended: the calls
		// that it holds are refused either way.
		if tellErr := self.Tell(loaded{records, err}); tellErr != nil {
			host.cfg.Logger.Warn("entity could not be told its events; it is stopped", "entity", self.Path(), "error", tellErr)
			self.Stop()
		}
	})
}

type gateWait struct {
	once sync.Once
	c    chan error
}

// Settled passes the outcome on.
func (w *gateWait) Settled(err error) { w.once.Do(func() { w.c <- err }) }

func (a *entityActor) loaded(m loaded) {
	a.loading = false
	if m.err != nil {
		// Let it crash: supervision tries again after a pause.
		a.refuseStash(m.err)
		panic(fmt.Errorf("the events of %s can't be read back: %w", a.view.id, m.err)) //nolint:forbidigo // supervision takes it
	}
	a.replay(m.records)
	stash := a.stash
	a.stash = nil
	for i, call := range stash {
		a.stash = stash[i+1:] // refused by Restarting, should this one crash
		a.guarded(call)
	}
	a.stash = nil
}

// guarded handles a call that the mailbox no longer knows of: should it crash
// the entity, its caller is told here.
func (a *entityActor) guarded(call *Call) {
	ok := false
	defer func() {
		if !ok {
			call.finish(nil, Token{}, fmt.Errorf("%w: %s", ErrCrashed, call.id))
		}
	}()
	a.call(call)
	ok = true
}

func (a *entityActor) refuseStash(err error) {
	stash := a.stash
	a.stash = nil
	for _, call := range stash {
		call.Refuse(err)
	}
}

// replay evolves the pages with stored events. One that can't be read or
// evolved makes the entity corrupt: it answers nothing else from then on.
func (a *entityActor) replay(records []persistence.Record) {
	var scratch []string
	for _, r := range records {
		var err error
		if scratch, err = a.redo(r, scratch); err != nil {
			a.corrupt = &CorruptError{ID: a.view.id, Position: r.Position, Cause: err}
			a.open.host.host.cfg.Logger.Error("entity is corrupt and answers nothing until that is mended",
				"entity", a.view.id.String(), "position", r.Position.String(), "shard", a.open.log.Number(), "error", err)
			break
		}
	}
	if n := len(records); n > 0 {
		a.e.last = max(a.e.last, records[n-1].Position+1)
		a.e.stored.Store(true)
	}
}

// redo evolves the pages with one record, turning a panic into an error.
func (a *entityActor) redo(r persistence.Record, scratch []string) (_ []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("evolving with %s panicked: %v", r.Type.Name, p)
		}
	}()
	event, err := a.kind.decode(r)
	if err != nil {
		return scratch, err
	}
	return a.pages.evolve(a.kind, event, r.Position, scratch)
}

// scratch is what handling a command needs for a moment.
type scratch struct {
	records []journal.Record
	ends    []int
	bytes   []byte
	names   []string
	needs   []PageRef
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// call handles a command or question. Whatever panics here does so before the
// events are appended, so that a crash always means: it did not happen.
func (a *entityActor) call(c *Call) {
	switch {
	case a.loading:
		if len(a.stash) >= a.open.host.host.cfg.Mailbox {
			c.Refuse(actors.ErrOverloaded)
			return
		}
		a.stash = append(a.stash, c)
		return
	case a.corrupt != nil:
		c.finish(nil, Token{}, a.corrupt)
		return
	}
	if c.after > a.open.log.Acked() && c.after > a.open.log.Next() {
		c.finish(nil, Token{}, fmt.Errorf("%w: %s: the token %s is ahead of shard %d, which has come to %s",
			ErrUnavailable, c.id, c.after, c.shard, a.open.log.Next()))
		return
	}
	if !c.handler.query {
		if err := a.open.log.Full(); err != nil {
			c.finish(nil, Token{}, fmt.Errorf("%w: %w", ErrOverloaded, err))
			return
		}
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.needs = c.handler.needs(s.needs[:0], c.command)
	a.view.needs = s.needs
	events, reply, err := c.handler.decide(&a.view, c.command)
	if err == nil && len(events) > 0 {
		err = a.encode(s, events)
	}
	if err != nil {
		c.refusal = err
		events = nil
	}
	if len(events) > 0 {
		a.evolve(s, events)
	}
	if err == nil && c.handler.reply != nil {
		reply = c.handler.reply(&a.view)
	}
	c.reply = reply
	a.gate(c, s, len(events))
}

// encode prepares the events for the log.
func (a *entityActor) encode(s *scratch, events Events) error {
	s.records, s.ends, s.bytes = s.records[:0], s.ends[:0], s.bytes[:0]
	for _, e := range events {
		t, err := a.kind.typeOf(e)
		if err != nil {
			return err
		}
		if s.bytes, err = t.append(s.bytes, e); err != nil {
			return fmt.Errorf("entity: event %s of %s can't be encoded: %w", t.stored.Name, a.view.id, err)
		}
		s.records = append(s.records, journal.Record{Type: &t.stored})
		s.ends = append(s.ends, len(s.bytes))
	}
	from := 0
	for i, end := range s.ends { // only now that bytes no longer moves
		s.records[i].Payload = s.bytes[from:end]
		from = end
	}
	if err := a.open.log.CheckSize(s.records); err != nil {
		return RejectInvalid("%v; send less at once", err).Because("TOO_LARGE")
	}
	return nil
}

// evolve applies the events. Their positions are settled by the append; until
// then any will do that lie at or above the entity's last, since pages in memory
// have all events below and later ones lie above.
func (a *entityActor) evolve(s *scratch, events Events) {
	at := max(a.e.last, persistence.At(a.open.log.Epoch(), 0))
	for i, e := range events {
		var err error
		if s.names, err = a.pages.evolve(a.kind, e, at+persistence.Position(i), s.names); err != nil {
			panic(err) //nolint:forbidigo // a page that can't be made: a bug; supervision takes it
		}
	}
}

// gate appends the events and lets the call wait until all that it rests on is
// acknowledged.
func (a *entityActor) gate(c *Call, s *scratch, events int) {
	if events == 0 {
		c.position = max(a.e.last, c.after)
		a.open.log.Confirm(c.position, c)
		return
	}
	end, err := a.open.log.Append(a.e.writer, s.records[:events])
	if err != nil {
		// The shard is lost. The state has run ahead of the log, and goes
		// with the shard.
		c.Settled(err)
		return
	}
	a.e.last = end
	a.e.stored.Store(true)
	c.appended = true
	c.position = max(end, c.after)
	a.open.log.Wait(c.position, c)
}
