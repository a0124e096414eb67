package journal

import "time"

// Shards that have frames to write take turns, in the order in which they came to have
// some; a shard has one frame under way at a time, the node as many as the store takes
// well. What is appended while a shard waits joins its frame.

// soon is how many turns before its own a shard is told of it, see [Shard.BeforeFrame]:
// about the time that its entities need to decide on what has gathered.
const soon = 4

// enqueue gives s a turn; s.queued is set.
func (j *Journal) enqueue(s *Shard) {
	j.mu.Lock()
	j.queue(s)
	wake := j.flying < j.mostInFlight()
	j.mu.Unlock()
	if wake {
		j.work.Signal()
	}
}

// queue appends to the shards that are ready. Called with mu held.
func (j *Journal) queue(s *Shard) {
	j.ready = append(j.ready, s)
	if len(j.ready) > soon {
		s.waitLong()
	}
}

// landed takes a frame off those under way. more says that its shard has
// another.
func (j *Journal) landed(s *Shard, more bool) {
	j.mu.Lock()
	j.flying--
	if more {
		j.queue(s)
	}
	if j.flying == 0 && len(j.ready) == 0 {
		j.idle.Broadcast()
	}
	j.mu.Unlock()
	j.work.Signal()
}

// write is the writer: it gives ready shards their turns.
func (j *Journal) write() {
	for {
		s, next := j.turn()
		if s == nil {
			return
		}
		if next != nil {
			next.gathered() // only this goroutine can give it its turn, later
		}
		s.send()
	}
}

// turn waits for a shard that is ready while there is room for a frame; nil
// when the journal closes. next, unless nil, is the one whose turn comes soon by now.
func (j *Journal) turn() (s, next *Shard) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for (len(j.ready) == 0 || j.flying >= j.mostInFlight()) && !j.closing {
		j.work.Wait()
	}
	if j.closing {
		return nil, nil
	}
	s = j.ready[0]
	j.ready[0] = nil
	j.ready = j.ready[1:]
	if len(j.ready) >= soon {
		next = j.ready[soon-1]
	}
	j.flying++
	return s, next
}

// mostInFlight is how many frames may be under way now. Called with mu held.
func (j *Journal) mostInFlight() int {
	if !j.local && j.pace.crowded() {
		return min(j.cfg.InFlight, j.cfg.CrowdedInFlight+j.late)
	}
	return j.cfg.InFlight
}

// rest is how long it is at least from one frame with bulk of a shard to its next one.
func (j *Journal) rest() time.Duration {
	if j.local || j.cfg.Gather == 0 {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.pace.crowded() {
		return 0
	}
	return min(gatherFrames*j.pace.usual, j.cfg.Gather)
}

// overdue is after how long a frame is late: one that the store can't take now, though
// it may take those of other shards, whose turns it must not use up.
const overdue = time.Second

// underWay begins to measure how long the store has a frame. It returns what is called
// at the end of that. That there may be more frames under way then is found when this
// one lands.
func (j *Journal) underWay() (stored func(took time.Duration)) {
	if j.local {
		return func(time.Duration) {}
	}
	var late, ended bool // under mu
	timer := time.AfterFunc(overdue, func() {
		j.mu.Lock()
		if late = !ended; late {
			j.late++
		}
		j.mu.Unlock()
		j.work.Signal()
	})
	return func(took time.Duration) {
		timer.Stop()
		j.mu.Lock()
		j.pace.add(time.Now(), took)
		if ended = true; late {
			j.late--
		}
		j.mu.Unlock()
	}
}

// pace tells a store that has much to do from one that is far away: the first is
// slower than it has been lately. That is the idea of TCP Vegas (Brakmo and Peterson,
// 1995), which takes the fastest answer for the length of the way, and what comes on
// top for a queue. While there is much to do all the time even the fastest is slow;
// so the window is long, longer than most loads are steady.
type pace struct {
	usual  time.Duration // a moving average
	least  time.Duration // in this window; 0 for none
	before time.Duration // in the one before it
	since  time.Time     // this window
}

const (
	paceWindow = 10 * time.Minute
	paceWeight = 16 // frames that the average is over, about
)

func (p *pace) add(now time.Time, took time.Duration) {
	if p.usual == 0 {
		p.usual = took
	}
	p.usual += (took - p.usual) / paceWeight
	if now.Sub(p.since) >= paceWindow {
		p.before, p.least, p.since = p.least, 0, now
	}
	if p.least == 0 || took < p.least {
		p.least = max(1, took)
	}
}

// crowded reports whether frames take more than twice what the fastest took of the
// window and the one before it.
func (p *pace) crowded() bool {
	fastest := p.least
	if p.before > 0 {
		fastest = min(fastest, p.before)
	}
	return p.usual > 2*fastest
}
