package actors

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A dispatcher runs the actors of one System on a few workers. An actor with
// something to do waits in a queue, has a turn of at most limit messages, and
// goes to the end of the queue if there is more: so none starves.
//
// Actors that have nothing but bulk to do wait in a queue of their own, which
// gets its turn when the other is empty, and after passBulk turns of others in
// any case; a turn of theirs ends after a message when the other is not. One that gets something else to do
// is promoted: it is queued in the other queue too, and the place that it leaves
// in its own, recognized by queue, counts no more.
//
// Workers are kept because a goroutine that is made for a wake-up grows its
// stack anew each time (12-21 % of the CPU, measured). They are made on demand,
// at most target of them run, and one that waits for an ask inside a Receive
// does not count: another one runs in its place for as long. So actors that
// wait for each other cannot use the workers up.
type dispatcher struct {
	target int // how many workers may run
	limit  int // messages a turn

	mu         sync.Mutex
	work       sync.Cond                 // permits > 0 or closed
	head, tail *Ref                      // the queue, linked by Ref.next
	bulk       struct{ head, tail *Ref } // that of bulk, linked by Ref.nextBulk
	others     atomic.Bool               // the queue is not empty: for turns of bulk; written under mu
	waiting    int                       // actors in either queue
	passed     int                       // turns of others since the last of bulk
	running    int                       // workers that run: neither parked nor waiting for an ask
	parked     int                       // workers in work.Wait that no permit is meant for
	permits    int                       // parked workers that were told to go on and have not yet
	closed     bool
	wg         sync.WaitGroup // workers
}

func newDispatcher(workers, limit int) *dispatcher {
	d := &dispatcher{target: workers, limit: limit}
	d.work.L = &d.mu
	return d
}

// Where an actor is queued.
const (
	nowhere uint8 = iota
	inQueue
	inBulk
)

// schedule queues an actor that has something to do, unless it is queued or
// running by now. The caller has it from its mailbox that it was not, or only
// with bulk to do.
func (d *dispatcher) schedule(r *Ref) {
	d.mu.Lock()
	switch {
	case r.queue == inBulk:
		d.link(r)
	case r.queue == nowhere && !r.taken: // else rest saw, or will see, what there is
		d.push(r, false)
		d.wake()
	}
	d.mu.Unlock()
}

// scheduleBulk queues an actor that has nothing but bulk to do.
func (d *dispatcher) scheduleBulk(r *Ref) {
	d.mu.Lock()
	if r.queue == nowhere && !r.taken {
		d.push(r, true)
		d.wake()
	}
	d.mu.Unlock()
}

func (d *dispatcher) push(r *Ref, slow bool) {
	d.waiting++
	if !slow {
		d.link(r)
		return
	}
	r.queue = inBulk
	if r.linkedBulk { // a place that it left when it was promoted
		return
	}
	r.linkedBulk = true
	if d.bulk.tail == nil {
		d.bulk.head = r
	} else {
		d.bulk.tail.nextBulk = r
	}
	d.bulk.tail = r
}

// link appends to the queue.
func (d *dispatcher) link(r *Ref) {
	r.queue = inQueue
	if d.tail == nil {
		d.head = r
		d.others.Store(true)
	} else {
		d.tail.next = r
	}
	d.tail = r
}

// pop takes the actor whose turn it is; one waits.
func (d *dispatcher) pop() *Ref {
	d.waiting--
	r := d.head
	if r == nil || d.passed >= passBulk {
		if b := d.popBulk(); b != nil {
			d.passed = 0
			return b
		}
	}
	if d.bulk.head != nil {
		d.passed++
	}
	if d.head, r.next = r.next, nil; d.head == nil {
		d.tail = nil
		d.others.Store(false)
	}
	r.queue, r.taken = nowhere, true
	return r
}

// popBulk takes the first actor of the other queue, nil when it is empty.
func (d *dispatcher) popBulk() *Ref {
	for r := d.bulk.head; r != nil; r = d.bulk.head {
		if d.bulk.head, r.nextBulk = r.nextBulk, nil; d.bulk.head == nil {
			d.bulk.tail = nil
		}
		r.linkedBulk = false
		if r.queue == inBulk {
			r.queue, r.taken = nowhere, true
			return r
		}
	}
	return nil
}

// wake makes one more worker run, if one may and there is something to do.
func (d *dispatcher) wake() {
	if d.running >= d.target || d.waiting == 0 {
		return
	}
	d.running++
	if d.parked > 0 {
		d.parked--
		d.permits++
		d.work.Signal()
		return
	}
	d.wg.Add(1)
	go d.worker()
}

// worker runs actors until the dispatcher is closed.
func (d *dispatcher) worker() {
	var current *Ref
	defer func() {
		if current != nil { // Receive ended this goroutine with runtime.Goexit
			d.mu.Lock()
			d.rest(current)
			d.running--
			d.wake()
			d.mu.Unlock()
		}
		d.wg.Done()
	}()
	d.mu.Lock()
	for {
		if d.waiting == 0 && !d.closed && d.running <= d.target {
			// Whoever was answered in the last turn often asks again at once:
			// letting them run is cheaper than going to sleep and being woken.
			d.mu.Unlock()
			runtime.Gosched()
			d.mu.Lock()
		}
		for d.waiting == 0 || d.running > d.target {
			d.running--
			if d.closed || d.parked > d.target {
				// More than so many spares are not worth keeping.
				d.wake() // what this one leaves undone
				d.mu.Unlock()
				return
			}
			d.parked++
			for d.permits == 0 && !d.closed {
				d.work.Wait()
			}
			if d.permits > 0 {
				d.permits-- // whoever gave it has counted this worker
			} else {
				d.parked--
				d.running++
			}
		}
		current = d.pop()
		d.mu.Unlock()
		current.turn(d.limit)
		d.mu.Lock()
		d.rest(current)
		current = nil
	}
}

// rest ends an actor's turn. The mailbox is asked with mu held: a push that it
// makes schedule finds the actor at rest.
func (d *dispatcher) rest(r *Ref) {
	r.taken = false
	if more, slow := r.mb.rest(); more {
		d.push(r, slow)
	}
}

// enterWait says that the caller's worker is about to wait for an ask.
func (d *dispatcher) enterWait() {
	d.mu.Lock()
	d.running--
	d.wake()
	d.mu.Unlock()
}

// leaveWait undoes enterWait. There may be a worker too many now; the next one
// that ends its turn parks.
func (d *dispatcher) leaveWait() {
	d.mu.Lock()
	d.running++
	d.mu.Unlock()
}

// close ends the workers and waits for them. Nothing is scheduled any more.
func (d *dispatcher) close() {
	d.mu.Lock()
	d.closed = true
	d.work.Broadcast()
	d.mu.Unlock()
	d.wg.Wait()
}
