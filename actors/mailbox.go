package actors

import (
	"sync"
	"sync/atomic"
)

// A mailbox holds what waits for one actor: user messages, up to a bound, and
// system messages, without one. Many goroutines push; at any time at most one,
// the worker whose turn the actor has, pops.
//
// It is a plain data structure that starts nothing. Every operation that can
// make work says so ("wake"), and the caller then hands the actor to the
// dispatcher. The field scheduled is the whole protocol between the two: it is
// true from the push that finds something to do until rest finds nothing, and
// an actor is in the dispatcher's queue, or in a worker's hands, exactly while
// it is true. Both sides change it under mu. So no wake-up is lost, and an
// actor is never run twice at once.
//
// User messages live in a list of chunks. A producer appends to the list under
// mu; the consumer takes the whole list under mu and then pops from it without
// a lock. So an actor under load costs one lock a message (the producer's) and
// one a batch, growing copies nothing, and a mailbox that has run empty has
// given its last chunk back: an idle actor pays for no buffer. Order is the
// order of the lock. A consumer that stops half-way (its turn is over, or the
// actor is suspended) leaves the rest where it is, and pops it first when it
// comes back.
//
// The bound counts what waits, not what is being handled: queued goes up under
// mu and down, atomically, with each pop. So it can be found too high by a
// message, never too low: the bound holds.
//
// What was tried or weighed instead:
//   - protoactor's mailboxes: the default has no bound; the bounded one spins
//     when full, which stops a worker, or drops, which loses the message
//     without telling anybody.
//   - A ring that doubles: either an idle actor keeps the largest buffer that
//     it ever needed (at a million actors, that is the memory), or it frees
//     it when it runs empty, and an actor whose load comes in waves (which is
//     what asks are) allocates and copies in every wave.
//   - A lock-free queue of many producers: a bound needs a second shared
//     counter that must be put right when the push then fails, closing needs a
//     third state, and exactly-once refusal at a stop needs the three to agree.
//     The lock is held for some ten instructions.
//   - A channel an actor: 96 bytes and the full buffer from the start, and a
//     goroutine an actor to wait for it.
type mailbox struct {
	queued atomic.Int32 // user messages that wait; ≤ bound, but for forced ones
	urgent atomic.Bool  // len(system) > 0; a hint that saves the consumer the lock

	mu        sync.Mutex
	scheduled bool   // in the dispatcher's queue or in a worker's hands
	suspended bool   // the actor has failed: user messages wait, system messages don't
	closed    bool   // no user message enters any more
	ended     bool   // nothing enters any more
	head      *chunk // user messages, oldest first; the consumer takes all at once
	tail      *chunk
	system    []any

	// The consumer's.
	out  *chunk // what was taken and not popped; before head in order
	read int    // next slot of out
}

// slot is one user message and the ask that it belongs to, if any.
type slot struct {
	msg any
	ask *pending
}

// chunkSlots makes a chunk fill a size class of 512 bytes.
const chunkSlots = 20

// chunk is a piece of a queue. Slots below n are written, by the producers
// under mu; slots that were popped are zero.
type chunk struct {
	next  *chunk
	n     int
	slots [chunkSlots]slot
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// push appends a user message. It fails with ErrStopped after close, and with
// ErrOverloaded if bound messages wait already; a bound of 0 means none.
func (m *mailbox) push(s slot, bound int32) (wake bool, err error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false, ErrStopped
	}
	if bound > 0 && m.queued.Load() >= bound {
		m.mu.Unlock()
		return false, ErrOverloaded
	}
	t := m.tail
	if t == nil || t.n == chunkSlots {
		t = chunks.Get().(*chunk)
		if m.tail == nil {
			m.head = t
		} else {
			m.tail.next = t
		}
		m.tail = t
	}
	t.slots[t.n] = s
	t.n++
	m.queued.Add(1)
	wake = !m.scheduled && !m.suspended
	if wake {
		m.scheduled = true
	}
	m.mu.Unlock()
	return wake, nil
}

// pushSystem appends a system message. It reports whether the actor must be
// scheduled; after end the message is dropped.
func (m *mailbox) pushSystem(msg any) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false
	}
	m.system = append(m.system, msg)
	m.urgent.Store(true)
	wake = !m.scheduled
	m.scheduled = true
	return wake
}

// pop returns the oldest user message. Only the consumer may call it.
func (m *mailbox) pop() (slot, bool) {
	c := m.out
	if c == nil {
		m.mu.Lock()
		c = m.head
		m.head, m.tail = nil, nil
		m.mu.Unlock()
		if c == nil {
			return slot{}, false
		}
		m.out, m.read = c, 0
	}
	s := c.slots[m.read]
	c.slots[m.read] = slot{}
	m.read++
	if m.read == c.n {
		m.out, m.read = c.next, 0
		c.next, c.n = nil, 0
		chunks.Put(c)
	}
	m.queued.Add(-1)
	return s, true
}

// popSystem returns the oldest system message. Only the consumer may call it.
func (m *mailbox) popSystem() (any, bool) {
	if !m.urgent.Load() {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.system) == 0 {
		return nil, false
	}
	msg := m.system[0]
	m.system[0] = nil
	if m.system = m.system[1:]; len(m.system) == 0 {
		m.system = nil
		m.urgent.Store(false)
	}
	return msg, true
}

// rest ends the consumer's turn. If it returns true there is more to do, and
// the caller must schedule the actor again; if false, the next push will.
func (m *mailbox) rest() (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	more = len(m.system) > 0 || !m.suspended && (m.out != nil || m.head != nil)
	m.scheduled = more
	return more
}

// suspend keeps user messages waiting, or lets them go on. Only the consumer
// may call it, so rest sees the change.
func (m *mailbox) suspend(yes bool) {
	m.mu.Lock()
	m.suspended = yes
	m.mu.Unlock()
}

// end keeps everything out.
func (m *mailbox) end() {
	m.mu.Lock()
	m.closed, m.ended = true, true
	m.system = nil
	m.urgent.Store(false)
	m.mu.Unlock()
}
