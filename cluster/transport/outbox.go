package transport

import "time"

// An item is a message that waits to be written.
type item struct {
	frame          // number and left are set when it is written
	size   int     // what it counts
	end    instant // its deadline
	done   func(reply []byte, err error)
	credit int // of a reply: what its request counted
}

// perMessage is what a message counts beside its body: about what it costs to keep.
const perMessage = 64

// instant is a time since the transport began, by a clock that nobody sets.
type instant int64

const never instant = 1<<63 - 1

// An outbox is what waits to be written to one stream, in two lanes. It is not safe
// for concurrent use.
type outbox struct {
	lanes [lanes]struct {
		items queue
		bytes int
		// sent is how much of the first item's body is written; begun, that some
		// frame of it is.
		sent  int
		begun bool
		// drops: the message that was begun is given up, which is still to be said.
		drops bool
	}
}

func (o *outbox) push(it item) {
	l := &o.lanes[it.lane]
	l.items.push(it)
	l.bytes += it.size
}

// empty reports whether nothing waits.
func (o *outbox) empty() bool { return o.laneEmpty(urgent) && o.laneEmpty(bulk) }

func (o *outbox) laneEmpty(at lane) bool { return o.lanes[at].items.len() == 0 && !o.lanes[at].drops }

func (o *outbox) bytes() int { return o.lanes[urgent].bytes + o.lanes[bulk].bytes }

// A gate decides about items as they are written.
type gate interface {
	// begin is told of each new batch.
	begin()
	// enter is asked before the first frame of an item. It sets what is only known
	// now, and says whether it may be written, or has to wait, or is taken out.
	enter(it *item) verdict
	// left is told of one whose last frame is written.
	left(it *item)
}

type verdict uint8

const (
	pass verdict = iota
	wait
	discard
)

// bulkShare is the part of each batch that is for bulk when some waits: an eighth, so
// that it never stands still.
const bulkShare = 8

// fill appends frames to b until it is full, or what waits may not be written. What
// is urgent comes first. A message that does not fit is begun, and goes on in the next
// batch. b has room for size bytes of frames, and a header more.
func (o *outbox) fill(b []byte, size int, g gate) []byte {
	g.begin()
	end := len(b) + size
	first := end
	if !o.laneEmpty(bulk) {
		first -= size / bulkShare
	}
	b = o.fillFrom(urgent, b, first, g)
	b = o.fillFrom(bulk, b, end, g)
	return o.fillFrom(urgent, b, end, g) // what bulk has left
}

func (o *outbox) fillFrom(at lane, b []byte, end int, g gate) []byte {
	l := &o.lanes[at]
	if l.drops && len(b) < end {
		b = appendFrame(b, &frame{what: drop, lane: at})
		l.drops = false
	}
	for l.items.len() > 0 && len(b) < end {
		it := l.items.first()
		f := frame{what: piece, lane: at}
		if !l.begun {
			switch g.enter(it) {
			case wait:
				return b
			case discard:
				o.pop(at)
				continue
			case pass:
			}
			f = it.frame
		}
		n := min(len(it.body)-l.sent, end-len(b))
		f.body = it.body[l.sent : l.sent+n]
		b = appendFrame(b, &f)
		l.begun, l.sent = true, l.sent+n
		if l.sent < len(it.body) {
			return b
		}
		g.left(it)
		o.pop(at)
	}
	return b
}

// pop takes out the first item of a lane.
func (o *outbox) pop(at lane) {
	l := &o.lanes[at]
	l.bytes -= l.items.first().size
	l.items.pop()
	l.begun, l.sent = false, 0
}

// takeLate takes out the items whose deadline has passed, and returns them with the
// earliest of the others. One that was begun is given up.
func (o *outbox) takeLate(now instant, late []item) ([]item, instant) {
	earliest := never
	for at := range o.lanes {
		l := &o.lanes[at]
		before := len(late)
		first := true
		l.items.filter(func(it *item) bool {
			keep := it.end > now
			if keep {
				earliest = min(earliest, it.end)
			} else {
				late = append(late, *it)
				if first && l.begun {
					l.begun, l.sent, l.drops = false, 0, true
				}
			}
			first = false
			return keep
		})
		for _, it := range late[before:] {
			l.bytes -= it.size
		}
	}
	return late, earliest
}

// takeAll empties it.
func (o *outbox) takeAll(all []item) []item {
	for at := range o.lanes {
		o.lanes[at].items.filter(func(it *item) bool {
			all = append(all, *it)
			return false
		})
	}
	*o = outbox{}
	return all
}

// A queue of items, first in, first out, whose memory is used again.
type queue struct {
	ring  []item // a power of two
	begin uint
	count int
}

func (q *queue) len() int { return q.count }

func (q *queue) at(i int) *item { return &q.ring[(q.begin+uint(i))&uint(len(q.ring)-1)] }

func (q *queue) first() *item { return q.at(0) }

func (q *queue) push(it item) {
	if q.count == len(q.ring) {
		ring := make([]item, max(16, 2*len(q.ring)))
		for i := range q.count {
			ring[i] = *q.at(i)
		}
		q.ring, q.begin = ring, 0
	}
	q.count++
	*q.at(q.count - 1) = it
}

// keptItems is how large the ring of an empty queue may stay.
const keptItems = 1024

func (q *queue) pop() {
	*q.first() = item{} // its body and its function are let go
	q.begin++
	q.count--
	if q.count == 0 && len(q.ring) > keptItems {
		*q = queue{}
	}
}

// filter keeps the items for which it is told to, in their order.
func (q *queue) filter(keep func(*item) bool) {
	kept := 0
	for i := range q.count {
		it := q.at(i)
		if !keep(it) {
			continue
		}
		if kept != i {
			*q.at(kept) = *it
		}
		kept++
	}
	for i := kept; i < q.count; i++ {
		*q.at(i) = item{}
	}
	q.count = kept
}

// instantOf returns when a deadline is, in a transport that began at start.
func instantOf(deadline, start time.Time) instant {
	if deadline.IsZero() || deadline.Sub(start) > maxLeft {
		return never
	}
	return instant(deadline.Sub(start))
}
