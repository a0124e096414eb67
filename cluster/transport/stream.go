package transport

import (
	"runtime"
	"sync"
	"time"
)

// A pipe is a stream of grpc-go, at either end.
type pipe interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

// A stream is what both ends of a connection have in common: an outbox that a
// goroutine of its own writes from, and signs of life.
type stream struct {
	t     *Transport
	pipe  pipe
	meter *meter

	mu      sync.Mutex
	wake    sync.Cond // something to write, or failed
	asleep  bool      // the writer waits for wake
	out     outbox
	failure error // why it has ended; nil while it has not

	// Signs of life; the last two are the keeper's.
	beat     bool // say something, even if there is nothing
	wrote    bool // since the keeper came by
	paused   bool // nobody reads, on purpose
	lastRead uint64
	silent   int // heartbeats in which nothing came
}

func (s *stream) init(t *Transport, p pipe, m *meter) {
	s.t, s.pipe, s.meter = t, p, m
	s.wake.L = &s.mu
}

// rouse wakes the writer. mu is held.
func (s *stream) rouse() {
	if s.asleep {
		s.asleep = false
		s.wake.Signal()
	}
}

// write writes batches until the stream fails. after is called when a batch has been
// filled and mu is free again.
func (s *stream) write(g gate, after func()) error {
	size := s.t.cfg.BatchBytes
	var e envelope
	var messages counter
	for {
		b, err := s.next(size, gateCounter{g, &messages})
		after()
		if err != nil {
			return err
		}
		bytes := 0
		if e.out = b; b != nil {
			bytes = len(*b) - framesPrefix
		}
		if err := s.pipe.SendMsg(&e); err != nil {
			return err
		}
		if sent := s.t.cfg.Listener.Sent; sent != nil && b != nil {
			sent(int(messages), bytes)
		}
		messages = 0
	}
}

// next waits for something to write; nil is a sign of life. It returns also when the
// gate has taken out items, with what else there is.
func (s *stream) next(size int, g gate) (*[]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.failure != nil {
			return nil, s.failure
		}
		if !s.out.empty() {
			b := newBatch(s.t.pool)
			*b = s.out.fill(*b, size, g)
			if len(*b) > framesPrefix {
				s.wrote, s.beat = true, false
				return b, nil
			}
			s.t.pool.Put(b)
		}
		if s.beat || s.discarded(g) {
			s.beat, s.wrote = false, true
			return nil, nil
		}
		s.asleep = true
		s.wake.Wait()
		s.gather(size)
	}
}

// How often, and for how long, the writer lets others go first.
const (
	gatherTurns = 8
	gatherFor   = 100 * time.Microsecond
)

// gather lets those run who are about to send as well, so that one batch takes what
// would be several: whoever sends first wakes the writer, and the next is often a
// microsecond behind. It goes on while more comes, and that is soon: where processors
// are busy, each turn may take as long as others hold them. mu is held, but not
// meanwhile.
//
// Rejected: a wait by the clock, which one who asks alone would pay for.
func (s *stream) gather(size int) {
	begin := s.t.now()
	for range gatherTurns {
		before := s.out.bytes()
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
		if more := s.out.bytes(); more == before || more >= size || s.t.now()-begin > instant(gatherFor) {
			return
		}
	}
}

// discarded reports whether the gate has taken something out, which somebody has to
// be told.
func (s *stream) discarded(g gate) bool {
	d, ok := g.(interface{ discarded() bool })
	return ok && d.discarded()
}

type counter int

// gateCounter counts messages on their way through a gate.
type gateCounter struct {
	gate
	n *counter
}

func (g gateCounter) left(it *item) {
	*g.n++
	g.gate.left(it)
}

func (g gateCounter) discarded() bool {
	d, ok := g.gate.(interface{ discarded() bool })
	return ok && d.discarded()
}

// keep asks for a sign of life where none was given since it was called last, and
// returns an error when none has come for too long.
func (s *stream) keep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		if s.silent++; s.silent > 1 {
			_ = s.meter.Close() // the writer is stuck
		}
		return nil
	}
	if !s.wrote {
		s.beat = true
		s.rouse()
	}
	s.wrote = false
	read := s.meter.read.Load()
	if read != s.lastRead || s.paused {
		s.lastRead, s.silent = read, 0
		return nil
	}
	if s.silent++; s.silent < s.t.silence {
		return nil
	}
	return errSilent(time.Duration(s.silent) * s.t.cfg.Heartbeat)
}
