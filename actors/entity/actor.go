package entity

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// entityActor is one incarnation of an entity.
type entityActor struct {
	open        *openShard
	kind        *Kind
	e           *entry
	self        *actors.Ref
	incarnation uint32
	// view is reused for every call.
	view  View
	pages pages
	// loading: something is being read; what comes meanwhile waits in stash,
	// and the events that were read when the shard was opened in tail.
	loading bool
	stash   []actors.Refusable
	tail    []persistence.Record
	corrupt error
	keeping persistence.Position // stamp of the newest attempt to keep its events, while it is under way
	// listed: the store, or what is pending, says that the entity exists.
	// whole: all pages that it has are in memory.
	listed, whole, releasing bool
	apart                    bool     // events are not joined, to find a bad one
	pending                  *pending // nil when the stored entries of indexes are as they should be
	unshown                  bool     // pending has changed since it was published
}

func (t *table) entityProps() *actors.Props {
	return &actors.Props{
		New:     func() actors.Actor { return &entityActor{open: t.open, kind: t.kind} },
		Mailbox: t.open.host.host.cfg.Mailbox,
	}
}

// Receive handles one message.
func (a *entityActor) Receive(c *actors.Context, msg any) {
	switch m := msg.(type) {
	case *Call:
		a.call(m)
	case *callRun:
		a.run(m)
	case flushRequest:
		a.flush(m)
	case flushed:
		a.flushed(m)
	case loaded:
		a.loaded(c, m)
	case ping:
		a.answer(m)
	case eventsKept:
		a.keptNow(m)
	case eventsReleased:
		a.released(m)
	case actors.Started:
		a.start(c)
	case actors.Restarting:
		a.refuseStash(errRestarting)
		if a.e != nil {
			a.e.weightless()
		}
	case actors.Stopping:
		a.refuseStash(actors.ErrStopped)
	case actors.Stopped:
		if a.e != nil {
			a.e.weightless()
			a.e.stopped()
		}
	}
}

// start begins to bring the state back: the events that were read when the shard
// was opened or, for an incarnation after a crash, are read from the log again,
// on the pages that they touch. Other pages are read when they are needed.
func (a *entityActor) start(c *actors.Context) {
	_, id, _ := strings.Cut(c.Self().Name(), ":")
	a.e = a.open.table(a.kind).known(id)
	a.e.incarnations++
	a.incarnation = a.e.incarnations
	a.e.damage.Store(nil)
	if l := a.host().cfg.Listener.EntityWoke; l != nil && a.incarnation == 1 {
		l(a.kind.name)
	}
	a.view = View{id: ID{a.kind.name, id}, pages: &a.pages}
	a.self = c.Self()
	a.use()
	a.weigh()
	if a.incarnation > 1 {
		a.load(nil, false, true)
		return
	}
	if a.tail = a.open.takeTail(a.e); len(a.tail) > 0 {
		a.e.last = a.tail[len(a.tail)-1].Position + 1
		a.load(nil, false, false)
	}
}

func (a *entityActor) host() *Host { return a.open.host.host }

type gateWait struct {
	once sync.Once
	c    chan error
}

// Settled passes the outcome on.
func (w *gateWait) Settled(err error) { w.once.Do(func() { w.c <- err }) }

// guarded handles a message that the mailbox no longer knows of: should it crash
// the entity, its sender is told here.
func (a *entityActor) guarded(c *actors.Context, msg actors.Refusable) {
	ok := false
	defer func() {
		if !ok {
			msg.Refuse(actors.ErrCrashed)
		}
	}()
	a.Receive(c, msg)
	ok = true
}

func (a *entityActor) refuseStash(err error) {
	stash := a.stash
	a.stash = nil
	for _, msg := range stash {
		msg.Refuse(err)
	}
}

// replay evolves the pages with stored events. One that can't be evolved makes
// the entity corrupt: it answers nothing else from then on. Which one that is
// among some that were joined is found out by reading all of them anew, apart.
func (a *entityActor) replay(all []past) {
	var refs []PageRef
	var names []string
	for i := range all {
		p := &all[i]
		var err error
		switch refs, names, err = a.redo(p, refs, names); {
		case err == nil:
		case len(p.records) > 1:
			a.unlearn()
			a.apart = true
			a.load(nil, false, true)
			return
		default:
			a.stop(&CorruptError{ID: a.view.id, Position: p.first(), Event: true, Cause: err})
			return
		}
	}
}

// unlearn drops what a replay has come to, which may be in the middle of an event,
// before everything is read anew.
func (a *entityActor) unlearn() {
	a.pages, a.pending, a.unshown = nil, nil, false
	a.listed, a.whole = false, false
}

// scratch is what handling a command needs for a moment.
type scratch struct {
	records []journal.Record
	ends    []int
	bytes   []byte
	names   []string
	needs   []PageRef
	found   []*page   // those of needs
	located []*page   // by the last look
	missing []PageRef // by the last look
	touched []PageRef // by the events, one after the other
	upTo    []int     // where the ones of an event end
	whole   bool      // all pages of the entity are needed
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// call handles a command or question.
func (a *entityActor) call(m *Call) {
	if a.loading {
		a.stashed(m)
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	events, state := a.handle(m, s)
	switch state {
	case ended:
	case lacking:
		a.fetch(m, s)
	case handled:
		a.gate(m, s, events)
	}
}

// What became of a call.
type handling uint8

const (
	handled handling = iota // it has to pass the gate
	ended                   // it was answered: nothing was decided
	lacking                 // pages that it needs are not in memory; see scratch.missing
)

// handle decides on a command or question and evolves the pages with its events,
// whose number it returns. Whatever panics here does so before the events are
// appended, so that a crash always means: it did not happen.
func (a *entityActor) handle(m *Call, s *scratch) (int, handling) {
	if m.handler == a.kind.skipping.h {
		a.skip(m, s)
		return 0, ended
	}
	if err := a.ready(m); err != nil {
		m.finish(Token{}, err)
		return 0, ended
	}
	s.needs = m.handler.needs(s.needs[:0], m)
	if !a.look(s) {
		return 0, lacking
	}
	events, err := m.handler.decide(&a.view, m)
	if a.wants(s) {
		return 0, lacking
	}
	ready := true
	if err == nil {
		ready, err = a.accept(s, events)
	}
	switch {
	case !ready:
		return 0, lacking
	case err != nil:
		m.refusal = err
		return 0, handled
	case m.handler.reply != nil:
		m.handler.reply(&a.view, m)
	}
	return len(events), handled
}

// look has the view show the pages that are needed; false when some are not in
// memory.
func (a *entityActor) look(s *scratch) bool {
	s.whole = false
	if a.lacks(s, s.needs) {
		return false
	}
	a.use()
	s.found, s.located = s.located, s.found
	a.view.needs, a.view.found = s.needs, s.found
	a.view.whole, a.view.tick, a.view.lacking = a.whole, a.host().memory.tick.Load(), nil
	return true
}

// wants reports whether the decision has looked at pages that are not in memory:
// then it is decided anew once they are.
func (a *entityActor) wants(s *scratch) bool {
	s.missing = append(s.missing[:0], a.view.lacking...)
	return len(s.missing) > 0
}

// accept prepares what was decided for the log, and evolves the pages with it. It
// is not ready when some of these are not in memory: then it is decided anew, as
// deciding changes nothing. An error says that the events can't be stored.
func (a *entityActor) accept(s *scratch, events Events) (ready bool, err error) {
	if len(events) == 0 {
		return true, nil
	}
	if a.lacks(s, a.touch(s, events)) {
		return false, nil
	}
	if err := a.encode(s, events); err != nil {
		return true, err
	}
	a.evolve(s, events)
	return true, nil
}

// ready returns why the call can't be handled.
func (a *entityActor) ready(m *Call) error {
	if a.corrupt != nil {
		return a.corrupt
	}
	if m.after > a.open.log.Acked() && m.after > a.open.log.Next() {
		return fmt.Errorf("%w: %s: the token %s is ahead of shard %d, which has come to %s",
			ErrUnavailable, a.view.id, m.after, m.shard, a.open.log.Next())
	}
	if !m.handler.query {
		if err := a.open.log.Full(); err != nil {
			return fmt.Errorf("%w: %w", ErrOverloaded, err)
		}
	}
	return nil
}

// lacks finds which of the pages are not in memory.
func (a *entityActor) lacks(s *scratch, refs []PageRef) bool {
	s.located, s.missing = a.locate(s.located[:0], s.missing[:0], refs)
	return len(s.missing) > 0 || s.whole && !a.whole
}

// fetch begins to read the pages that are missing, and keeps the call until they
// are there.
func (a *entityActor) fetch(msg actors.Refusable, s *scratch) {
	a.stash = append([]actors.Refusable{msg}, a.stash...) // before those that came later
	a.load(s.missing, s.whole && !a.whole, false)
}

// touch lists the pages that events touch. A deletion touches all that the
// entity has, stored or made by an event before it.
func (a *entityActor) touch(s *scratch, events Events) []PageRef {
	s.touched, s.upTo = s.touched[:0], s.upTo[:0]
	for _, e := range events {
		if _, ok := e.(deletion); ok {
			s.whole = true
			before := len(s.touched)
			s.touched = a.pages.refs(s.touched)
			for _, ref := range s.touched[:before] {
				if !slices.Contains(s.touched[before:], ref) {
					s.touched = append(s.touched, ref)
				}
			}
		} else {
			s.touched, s.names = touched(s.touched, s.names, a.kind, e)
		}
		s.upTo = append(s.upTo, len(s.touched))
	}
	return s.touched
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
// then they are at or above the shard's next. The entity is dirty from there on,
// and says so before it appends.
func (a *entityActor) evolve(s *scratch, events Events) {
	at := a.open.log.Next()
	if a.e.dirty.Load() == 0 {
		a.e.dirty.Store(uint64(at))
	}
	from, before := 0, len(a.pages)
	for i, e := range events {
		refs := s.touched[from:s.upTo[i]]
		if err := a.indexed(e, false, func() error { return a.pages.evolve(e, at, refs) }); err != nil {
			panic(err) //nolint:forbidigo // a page that can't be made: a bug; supervision takes it
		}
		at++
		from = s.upTo[i]
	}
	weigh := len(a.pages) != before
	now := a.host().memory.tick.Load()
	for _, ref := range s.touched {
		p := a.pages.find(ref)
		p.used = now // also of one that was made
		if p.fresh >= weighAfter {
			p.measure(-1)
			weigh = true
		}
	}
	if weigh {
		a.weigh()
	}
}

// weighAfter is after how many events a page is measured again.
const weighAfter = 16

// gate appends the events and lets the call wait until all that it rests on is
// acknowledged.
func (a *entityActor) gate(m *Call, s *scratch, events int) {
	switch err := a.append(m, s, events); {
	case err != nil:
		m.Settled(err)
	default:
		a.open.settle(m.position, events > 0, m.fromMemory(), m)
	}
}

// settle settles w once everything below p is acknowledged. Whoever has appended
// waits for a check of his frames, which begins after all of them came; who has not
// waits for one that begins now, unless his answer may come from memory.
func (o *openShard) settle(p persistence.Position, appended, fromMemory bool, w journal.Waiter) {
	switch {
	case appended:
		o.log.Wait(p, w)
	case fromMemory:
		o.log.Recall(p, w)
	default:
		o.log.Confirm(p, w)
	}
}

// append appends the events of a call, if there are any, and notes what the call
// rests on. An error means that the shard is lost: the state has run ahead of
// the log, and goes with the shard.
func (a *entityActor) append(m *Call, s *scratch, events int) error {
	if events == 0 {
		m.position = max(a.e.last, m.after, a.open.log.Acked())
		return nil
	}
	put := a.open.log.Append
	if m.bulk {
		put = a.open.log.AppendBulk
	}
	end, err := put(&a.e.writer, s.records[:events])
	if err != nil {
		return err
	}
	a.e.last = end
	if a.unshown {
		a.publish() // before anybody is told
	}
	m.appended = true
	m.position = max(end, m.after)
	return nil
}
