package entity

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// table is the entities of one kind in an open shard that are in memory, or on
// their way into it or out of it.
type table struct {
	open  *openShard
	kind  *Kind
	props *actors.Props

	overlay overlay

	mu      sync.RWMutex
	entries map[string]*entry
}

// entry is an entity in an open shard. It is made for the first message, and
// goes when the entity has left memory; until then there is no other.
//
// A message goes straight to the entity's actor. While there is none, because
// it has not been made or because it is leaving, messages gather in waiting, and
// whoever makes the actor hands them on before it publishes ref: so the calls of
// one caller arrive in order.
type entry struct {
	table *table
	id    string
	// ref is the actor, nil while there is none or it is leaving.
	ref atomic.Pointer[actors.Ref]
	// dirty is at or below the position of its first event that is not in a
	// stored page, 0 when there is none.
	dirty atomic.Uint64
	// bytes is about what the entity takes of memory, as counted. used is when
	// it was last asked, and oldest at or before the last use of the page that
	// nobody needed for the longest time: in ticks of the host.
	bytes        atomic.Int64
	used, oldest atomic.Uint32
	// damage is the error that it answers with, while it is corrupt.
	damage atomic.Pointer[error]

	// Of the actor, over its incarnations.
	writer       journal.Writer
	last         persistence.Position // end of its newest event
	incarnations uint32
	rising       bool // it has not come to what its events say; see openShard

	mu       sync.Mutex
	leaving  bool // the actor is stopping because nobody needs it
	gone     bool // not in the table any more: look again
	waiting  []actors.Refusable
	returned []actors.Refusable // what a leaving actor had in its mailbox
}

// entry returns the entity's entry, making it if need be.
func (t *table) entry(id string) (*entry, error) {
	t.mu.RLock()
	e := t.entries[id]
	t.mu.RUnlock()
	if e != nil {
		return e, nil
	}
	if err := CheckID(id); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[id]; e != nil {
		return e, nil
	}
	e = &entry{table: t, id: id, writer: journal.MakeWriter(t.kind.name, id)}
	t.entries[id] = e
	return e, nil
}

// known returns the entry of an entity that has an actor.
func (t *table) known(id string) *entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries[id]
}

// send sends a message to an entity, waking it if need be.
func (t *table) send(id string, msg actors.Refusable) {
	for {
		e, err := t.entry(id)
		if err != nil {
			msg.Refuse(err)
			return
		}
		if e.send(msg) {
			return
		}
	}
}

// send is the table's, unless the entry is gone.
func (e *entry) send(msg actors.Refusable) (ok bool) {
	switch m := msg.(type) {
	case *Call:
		m.at = e
	case *callRun:
		m.at = e
	}
	for {
		ref := e.ref.Load()
		if ref == nil {
			kept, begin, ok := e.keep(msg)
			switch {
			case !ok:
				return false
			case !kept:
				continue // it is awake by now
			case begin:
				e.table.open.wake(e)
			}
			return true
		}
		err := offer(ref, msg)
		switch {
		case err == nil:
		case errors.Is(err, actors.ErrStopped) && e.ref.Load() != ref:
			continue // it has left meanwhile
		default:
			msg.Refuse(err)
		}
		return true
	}
}

// offer puts a message into an actor's mailbox, bulk in its lane.
func offer(ref *actors.Ref, msg actors.Refusable) error {
	if b, ok := msg.(interface{ IsBulk() bool }); ok && b.IsBulk() {
		return ref.OfferBulk(msg)
	}
	return ref.Offer(msg)
}

// keep adds a message to those that wait for the actor, unless that is there by
// now (not kept) or the entry is gone (not ok). begin says that the actor has to
// be made.
func (e *entry) keep(msg actors.Refusable) (kept, begin, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.gone:
		return false, false, false
	case e.ref.Load() != nil:
		return false, false, true
	case len(e.waiting) >= e.table.open.host.host.cfg.Mailbox:
		msg.Refuse(fmt.Errorf("%w: too much waits for the entity to wake", actors.ErrOverloaded))
		return true, false, true
	}
	e.waiting = append(e.waiting, msg)
	return true, len(e.waiting) == 1 && !e.leaving, true
}

// refuse ends the calls that wait for the actor.
func (e *entry) refuse(err error) {
	e.mu.Lock()
	waiting := e.waiting
	e.waiting = nil
	e.mu.Unlock()
	for _, msg := range waiting {
		msg.Refuse(err)
	}
}

// awake publishes the actor, after it was told what waits.
func (e *entry) awake(ref *actors.Ref) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, msg := range e.waiting {
		if err := offer(ref, msg); err != nil {
			msg.Refuse(err)
		}
	}
	e.waiting = nil
	e.ref.Store(ref)
}

// leave begins the end of an actor that nobody needs. What is in its mailbox
// comes back, and what comes from now on waits for the next actor.
func (e *entry) leave(ref *actors.Ref) {
	e.mu.Lock()
	e.leaving = true
	e.ref.Store(nil)
	e.mu.Unlock()
	ref.Stop()
}

// giveBack keeps a message that a leaving actor did not handle; false when it is
// not leaving.
func (e *entry) giveBack(msg actors.Refusable) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leaving {
		e.returned = append(e.returned, msg)
	}
	return e.leaving
}

// stopped takes note of the end of the actor. One that was leaving is forgotten
// or, if somebody needs it after all, made again.
func (e *entry) stopped() {
	t := e.table
	t.mu.Lock()
	e.mu.Lock()
	e.ref.Store(nil)
	left := e.leaving
	e.leaving = false
	if left {
		e.incarnations = 0 // nothing was lost: the next one is the first again
	}
	e.waiting = append(e.returned, e.waiting...) // those were sent before these
	e.returned = nil
	again := left && len(e.waiting) > 0
	if left && !again {
		e.gone = true
		delete(t.entries, e.id)
	}
	e.mu.Unlock()
	t.mu.Unlock()
	if again {
		t.open.wake(e)
	}
}
