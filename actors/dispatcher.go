package actors

import (
	"runtime"
	"sync"
)

// A dispatcher runs the actors of one System on a few workers. An actor with
// something to do waits in one queue, has a turn of at most limit messages, and
// goes to the end of the queue if there is more: so none starves.
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
	work       sync.Cond // permits > 0 or closed
	head, tail *Ref      // the queue, linked by Ref.next
	running    int       // workers that run: neither parked nor waiting for an ask
	parked     int       // workers in work.Wait that no permit is meant for
	permits    int       // parked workers that were told to go on and have not yet
	closed     bool
	wg         sync.WaitGroup // workers
}

func newDispatcher(workers, limit int) *dispatcher {
	d := &dispatcher{target: workers, limit: limit}
	d.work.L = &d.mu
	return d
}

// schedule queues an actor. The caller has it from its mailbox that it is
// neither queued nor running.
func (d *dispatcher) schedule(r *Ref) {
	d.mu.Lock()
	d.push(r)
	d.wake()
	d.mu.Unlock()
}

func (d *dispatcher) push(r *Ref) {
	if d.tail == nil {
		d.head = r
	} else {
		d.tail.next = r
	}
	d.tail = r
}

func (d *dispatcher) pop() *Ref {
	r := d.head
	if d.head, r.next = r.next, nil; d.head == nil {
		d.tail = nil
	}
	return r
}

// wake makes one more worker run, if one may and there is something to do.
func (d *dispatcher) wake() {
	if d.running >= d.target || d.head == nil {
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
			more := current.mb.rest()
			d.mu.Lock()
			if more {
				d.push(current)
			}
			d.running--
			d.wake()
			d.mu.Unlock()
		}
		d.wg.Done()
	}()
	d.mu.Lock()
	for {
		if d.head == nil && !d.closed && d.running <= d.target {
			// Whoever was answered in the last turn often asks again at once:
			// letting them run is cheaper than going to sleep and being woken.
			d.mu.Unlock()
			runtime.Gosched()
			d.mu.Lock()
		}
		for d.head == nil || d.running > d.target {
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
		more := current.mb.rest()
		d.mu.Lock()
		if more {
			d.push(current)
		}
		current = nil
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
