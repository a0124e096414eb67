package actors

import (
	"sync"
	"sync/atomic"
)

// A mailbox holds what waits for one actor: user messages and bulk messages,
// each up to a bound, and system messages, without one. Many goroutines push; at any time at most one,
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
// Bulk messages wait in a lane of their own, made for the actors that get some,
// and are popped when no other user message waits. Each may be a lot of work, so
// they are popped one by one under mu. While the actor is queued for bulk alone,
// slow says so; the push that changes that has it promoted. So that others
// can't starve them, a bulk message comes first once passBulk batches of others
// have passed it. An actor may hold its lane, so that what comes gathers there: until
// it is released, or until there is so much that nothing is gained by more.
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
	slow      bool   // scheduled, with nothing but bulk to do
	hold      int32  // bulk waits while there are fewer messages of it; 0: it is not held
	head      *chunk // user messages, oldest first; the consumer takes all at once
	tail      *chunk
	system    []any
	bulk      *lane // nil when empty

	// The consumer's.
	read int32  // next slot of out
	out  *chunk // what was taken and not popped; before head in order
}

// lane is the bulk messages of one actor.
type lane struct {
	head, tail *chunk
	read       int   // next slot of head
	n          int32 // messages
	passed     int   // batches of other messages that were taken since the last
}

// passBulk is how many batches of other messages may pass one of bulk.
const passBulk = 16

var lanes = sync.Pool{New: func() any { return new(lane) }}

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
	put(&m.head, &m.tail, s)
	m.queued.Add(1)
	wake = (!m.scheduled || m.slow) && !m.suspended
	if wake {
		m.scheduled, m.slow = true, false
	}
	m.mu.Unlock()
	return wake, nil
}

// pushBulk appends a bulk message, of which there may be bound. It reports
// whether the actor must be scheduled, behind those with other work.
func (m *mailbox) pushBulk(s slot, bound int32) (wake bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, ErrStopped
	}
	if m.bulk == nil {
		m.bulk = lanes.Get().(*lane)
	}
	if m.bulk.n >= bound {
		return false, ErrOverloaded
	}
	put(&m.bulk.head, &m.bulk.tail, s)
	m.bulk.n++
	return m.wakeBulk(), nil
}

// wakeBulk reports whether the actor must be scheduled for its bulk. Called with mu
// held.
func (m *mailbox) wakeBulk() bool {
	if m.scheduled || m.suspended || !m.bulkReady() {
		return false
	}
	m.scheduled, m.slow = true, true
	return true
}

// bulkReady reports whether there is bulk to handle. Called with mu held.
func (m *mailbox) bulkReady() bool { return m.bulk != nil && m.bulk.n >= m.hold }

// holdBulk lets bulk wait while there are fewer than most messages of it. It reports
// false if it waited already.
func (m *mailbox) holdBulk(most int32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hold > 0 {
		return false
	}
	m.hold = most
	return true
}

// releaseBulk undoes holdBulk. It reports whether the actor must be scheduled.
func (m *mailbox) releaseBulk() (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold = 0
	return m.wakeBulk()
}

// put appends a slot to a list of chunks.
func put(head, tail **chunk, s slot) {
	t := *tail
	if t == nil || t.n == chunkSlots {
		t = chunks.Get().(*chunk)
		if *tail == nil {
			*head = t
		} else {
			(*tail).next = t
		}
		*tail = t
	}
	t.slots[t.n] = s
	t.n++
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
	wake = !m.scheduled || m.slow
	m.scheduled, m.slow = true, false
	return wake
}

// pop returns the oldest user message or, with allowed, else the oldest of bulk.
// Only the consumer may call it.
func (m *mailbox) pop(allowed bool) (s slot, bulk, ok bool) {
	c := m.out
	if c == nil {
		m.mu.Lock()
		if l := m.bulk; allowed && m.bulkReady() && (m.head == nil || l.passed >= passBulk) {
			s := m.popBulk()
			m.mu.Unlock()
			return s, true, true
		} else if l != nil {
			l.passed++
		}
		c = m.head
		m.head, m.tail = nil, nil
		m.mu.Unlock()
		if c == nil {
			return slot{}, false, false
		}
		m.out, m.read = c, 0
	}
	s = c.slots[m.read]
	c.slots[m.read] = slot{}
	m.read++
	if int(m.read) == c.n {
		m.out, m.read = c.next, 0
		c.next, c.n = nil, 0
		chunks.Put(c)
	}
	m.queued.Add(-1)
	return s, false, true
}

// popBulk takes the oldest message of bulk, with those that it joins. Called with
// mu held.
func (m *mailbox) popBulk() slot {
	s := m.takeBulk()
	if j, ok := s.msg.(Joiner); ok {
		for l := m.bulk; l != nil && j.Join(l.head.slots[l.read].msg); l = m.bulk {
			m.takeBulk()
		}
	}
	return s
}

// takeBulk takes one message of bulk.
func (m *mailbox) takeBulk() slot {
	l := m.bulk
	c := l.head
	s := c.slots[l.read]
	c.slots[l.read] = slot{}
	l.read++
	l.n--
	l.passed = 0
	if l.read == c.n {
		if l.head, l.read = c.next, 0; l.head == nil {
			*l = lane{}
			lanes.Put(l)
			m.bulk = nil
		}
		c.next, c.n = nil, 0
		chunks.Put(c)
	}
	return s
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

// rest ends the consumer's turn. If there is more to do the caller must
// schedule the actor again, as slow if that is bulk; if not, the next push will.
func (m *mailbox) rest() (more, slow bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	more = len(m.system) > 0 || !m.suspended && (m.out != nil || m.head != nil)
	if !more && !m.suspended && m.bulkReady() {
		more, slow = true, true
	}
	m.scheduled, m.slow = more, slow
	return more, slow
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
