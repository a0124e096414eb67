package transport

import (
	"math"
	"time"
)

// lookAt has the keeper look at deadlines when this one has passed.
func (t *Transport) lookAt(end instant) {
	for {
		next := t.next.Load()
		if int64(end) >= next {
			return
		}
		if t.next.CompareAndSwap(next, int64(end)) {
			break
		}
	}
	select {
	case t.sooner <- struct{}{}:
	default:
	}
}

// deadlineStep is how far deadlines are rounded up, so that many that follow each
// other closely are looked at once.
const deadlineStep = 5 * time.Millisecond

// keep gives signs of life, notices their absence, and ends requests whose deadlines
// have passed. One goroutine does so for all connections: most deadlines are never
// reached, so that it is enough to know that none is earlier than next.
func (t *Transport) keep() {
	beat := time.NewTicker(t.cfg.Heartbeat)
	defer beat.Stop()
	deadline := time.NewTimer(0)
	defer deadline.Stop()
	for {
		select {
		case <-t.closing:
			return
		case <-beat.C:
			t.keepAlive()
		case <-deadline.C:
			t.endLate()
		case <-t.sooner:
		}
		if next := t.next.Load(); next != math.MaxInt64 {
			deadline.Reset(time.Duration(instant(next)-t.now()) + deadlineStep)
		} else {
			deadline.Stop()
		}
	}
}

func (t *Transport) keepAlive() {
	outs, ins := t.connections()
	for _, o := range outs {
		if err := o.keepAlive(); err != nil {
			o.fail(err)
		}
	}
	for _, in := range ins {
		if err := in.keep(); err != nil {
			in.fail(err)
		}
	}
	t.closeMute()
}

// keepAlive is keep of a connection that may not be there yet, for which connecting
// has a timeout of its own.
func (o *outgoing) keepAlive() error {
	o.mu.Lock()
	up := o.up
	o.mu.Unlock()
	if !up {
		return nil
	}
	return o.keep()
}

func (t *Transport) endLate() {
	if instant(t.next.Load()) > t.now() {
		return
	}
	t.next.Store(math.MaxInt64) // before looking: what is sent meanwhile sets it again
	outs, _ := t.connections()
	now := t.now()
	for _, o := range outs {
		if end := o.late(now); end != never {
			t.lookAt(end)
		}
	}
}
