package transport

// pending are the requests of one connection that are written, in part or whole, and
// have no reply. It is not safe for concurrent use.
//
// A request's number is the place it has here and how often that place had been taken
// before, so that a number is never used twice and a second reply is recognised as
// one. A request that ends before its reply comes, at its deadline, keeps its place:
// the other node is still at work on it, which counts, and the reply may still come.
type pending struct {
	slots []slot
	free  []uint32
	count [lanes]int
	bytes [lanes]int
}

type slot struct {
	done  func(reply []byte, err error) // nil when it has ended
	end   instant
	turn  uint32 // how often the slot was taken
	size  int
	lane  lane
	whole bool // it is taken, and all of the request is written
}

// fits reports whether a request may be written where so much may be unanswered. One
// alone always may.
func (p *pending) fits(it *item, requests, bytes int) bool {
	n := p.count[it.lane]
	return n == 0 || n < requests && p.bytes[it.lane]+it.size <= bytes
}

// add takes in a request and returns its number.
func (p *pending) add(it *item) uint64 {
	if len(p.free) == 0 {
		p.slots = append(p.slots, slot{})
		p.free = append(p.free, uint32(len(p.slots)-1))
	}
	at := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	s := &p.slots[at]
	*s = slot{done: it.done, end: it.end, turn: s.turn + 1, size: it.size, lane: it.lane}
	p.count[s.lane]++
	p.bytes[s.lane] += s.size
	return uint64(s.turn)<<32 | uint64(at)
}

// wrote notes that all of a request is written.
func (p *pending) wrote(number uint64) { p.slots[uint32(number)].whole = true }

// remove takes out a request that was given up while it was written.
func (p *pending) remove(number uint64) {
	at := uint32(number)
	s := &p.slots[at]
	p.count[s.lane]--
	p.bytes[s.lane] -= s.size
	*s = slot{turn: s.turn}
	p.free = append(p.free, at)
}

// answered takes out a request that has its reply and returns its function, nil if it
// had ended before; false if there is none of this number.
func (p *pending) answered(number uint64) (func([]byte, error), bool) {
	at, turn := uint32(number), uint32(number>>32)
	if int(at) >= len(p.slots) {
		return nil, false
	}
	s := &p.slots[at]
	if s.turn != turn || !s.whole {
		return nil, false
	}
	done := s.done
	p.remove(number)
	return done, true
}

// late calls end for each function of a request whose deadline has passed, and returns
// the earliest deadline of the others.
func (p *pending) late(now instant, end func(func([]byte, error))) instant {
	earliest := never
	for i := range p.slots {
		s := &p.slots[i]
		switch {
		case s.done == nil || !s.whole: // one that is being written is in the outbox
		case s.end <= now:
			end(s.done)
			s.done = nil
		default:
			earliest = min(earliest, s.end)
		}
	}
	return earliest
}

// all calls end for each function of a request that has not ended and is written.
func (p *pending) all(end func(func([]byte, error))) {
	for i := range p.slots {
		if s := &p.slots[i]; s.done != nil && s.whole {
			end(s.done)
		}
	}
	*p = pending{}
}
