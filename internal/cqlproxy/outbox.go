package cqlproxy

import (
	"io"
	"sync"
)

// An outbox is what is to be written to one side of a connection. Putting
// something in never blocks, so that no rule has to wait for a peer that does
// not read; what piles up is bounded by the number of streams.
type outbox struct {
	mu      sync.Mutex
	changed sync.Cond
	queue   []outgoing
	paused  int  // how many faults hold it
	ending  bool // nothing will be put in any more
	aborted bool // nothing will be written any more
}

// An outgoing frame was made before or after the connection changed to
// segments.
type outgoing struct {
	frame     frame
	segmented bool
}

func newOutbox() *outbox {
	o := &outbox{}
	o.changed.L = &o.mu
	return o
}

func (o *outbox) put(f frame, segmented bool) {
	o.change(func() {
		if !o.ending && !o.aborted {
			o.queue = append(o.queue, outgoing{f, segmented})
		}
	})
}

func (o *outbox) pause()  { o.change(func() { o.paused++ }) }
func (o *outbox) resume() { o.change(func() { o.paused-- }) }

// finish has run return when all is written.
func (o *outbox) finish() { o.change(func() { o.ending = true }) }

// abort has run return soon.
func (o *outbox) abort() { o.change(func() { o.aborted, o.queue = true, nil }) }

func (o *outbox) change(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
	o.changed.Signal()
}

// run writes what is put in, all that has come meanwhile at once.
func (o *outbox) run(w io.Writer) error {
	defer o.abort()
	var buffer []byte
	for {
		batch := o.take()
		if len(batch) == 0 {
			return nil
		}
		buffer = encode(buffer[:0], batch)
		if _, err := w.Write(buffer); err != nil {
			return err
		}
	}
}

// take waits for frames and returns all of them, or none at the end.
func (o *outbox) take() []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.aborted && (o.paused > 0 || len(o.queue) == 0 && !o.ending) {
		o.changed.Wait()
	}
	batch := o.queue
	o.queue = nil
	return batch
}

func encode(to []byte, batch []outgoing) []byte {
	var inSegments []frame
	for _, out := range batch {
		if out.segmented {
			inSegments = append(inSegments, out.frame)
		} else {
			to = out.frame.append(to) // only before the first segment
		}
	}
	return appendSegments(to, inSegments)
}
