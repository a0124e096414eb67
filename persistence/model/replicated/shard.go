package replicated

import (
	"fmt"
	"slices"
)

// shard is the shard as a process has it open, in one epoch. Another process may
// have it open in a later one, and this one not know.
type shard struct {
	w     *world
	p     *process
	epoch int
	row   shardRow // as it was claimed: the seals of the former epochs

	// next is the position of the next event: events have their places at
	// once, in memory.
	next position
	// validated: all below is durable, contiguous, and a check that began
	// afterwards found this process to be the owner still.
	validated position
	queue     []event   // that wait for their frame
	flying    []*flight // frames under way, in their order
	frames    []frame   // from the checkpoint on, those under way too
	gate      []reply

	confirmed int // the step in which the newest check that succeeded began
	checked   int // the time at which it began, by the process's own clock

	places [entities]place
	copies []pageCopy // not given to the store yet

	checkpoint mark
	low        position // in the row
	deleted    position // the log below was deleted

	parked bool // takes no requests: the shard is about to move
	silent bool // answers nothing: the shard may have moved
	closed bool
}

// mark is a position in the store that only rises.
type mark struct {
	begun   position // as it was last given to the store
	durable position // as two replicas have acknowledged it
}

// flight is a frame under way.
type flight struct {
	frame
	write   *write
	durable bool
}

// place is what a shard knows of an entity, awake or not.
type place struct {
	entity *entity // nil while it is not awake
	waking bool
	// tail holds the events that the pages of an entity may lack that is not
	// awake.
	tail []event
	// crashed: the tail must be read from the log first. Until then held is
	// the first event that is not in a durable page, 0 for none.
	crashed    bool
	restarting bool
	held       position
	end        position // of the entity's newest event in this epoch
	mailbox    []call
}

// close ends the shard in this process. Its state, which may have run ahead of
// the log, goes with it; what the network has, the network goes on with.
func (s *shard) close(why string) {
	s.w.tell(s.p.name, "closes epoch %d: %s", s.epoch, why)
	s.closed = true
	if s.p.shard == s {
		s.p.shard = nil
	}
	for _, t := range s.p.tasks {
		if t.shard == s {
			t.dead = true
		}
	}
}

// replaced: something of a later epoch was met, so that another has the shard.
func (s *shard) replaced(by string) {
	s.w.note("an owner learns that it was replaced from " + by)
	s.close("replaced, says " + by)
}

// sendFrame writes events that wait.
func (s *shard) sendFrame() bool {
	if len(s.flying) >= 2 || len(s.queue) == 0 {
		return false
	}
	n := 1 + s.w.rng.IntN(len(s.queue))
	events := slices.Clone(s.queue[:n])
	s.queue = slices.Clone(s.queue[n:])
	f := &flight{frame: frame{events[0].at, events[n-1].at + 1, events}}
	f.write = s.frameWrite(f)
	s.flying = append(s.flying, f)
	s.frames = append(s.frames, f.frame)
	s.p.send(f.write)
	return true
}

func (s *shard) frameWrite(f *flight) *write {
	stored := f.frame
	return &write{
		text:  "frame " + stored.String(),
		put:   func(r *replica) { r.putFrame(stored) },
		heard: func() { s.isDurable(f) },
	}
}

func (s *shard) isDurable(f *flight) {
	f.durable = true
	if s.w.broken(ackUnchecked) && !s.closed {
		s.validated = max(s.validated, s.durable())
		s.openGate()
	}
}

// retry writes the identical bytes again.
func (s *shard) retry() bool {
	i := slices.IndexFunc(s.flying, func(f *flight) bool { return !f.durable })
	if i < 0 {
		return false
	}
	f := s.flying[i]
	if last := i == len(s.flying)-1; last && len(s.queue) > 0 && s.w.broken(retryWithMore) {
		f.events = append(slices.Clone(f.events), s.queue[0])
		f.end = s.queue[0].at + 1
		s.queue = slices.Clone(s.queue[1:])
		s.frames[len(s.frames)-1] = f.frame
		f.write = s.frameWrite(f)
		s.p.send(f.write)
		return true
	}
	s.p.resend(f.write)
	return true
}

// durable returns the end of what is durable without a gap.
func (s *shard) durable() position {
	end := s.validated
	for _, f := range s.flying {
		if !f.durable {
			if s.w.broken(ackAcrossGap) {
				continue
			}
			break
		}
		end = f.end
	}
	return end
}

// check is an ownership check: a plain read of the own incarnation at QUORUM. It
// counts for what was durable, and for what had been asked, when it began.
func (s *shard) check(t *task) {
	began, clock, covers := s.w.step, s.p.clock, s.durable()
	inc := t.readCopies(s.p.node)
	if inc > s.p.inc {
		s.w.note("a check finds the incarnation raised")
		s.p.die(fmt.Sprintf("finds that it was fenced: incarnation %d", inc))
		return
	}
	if s.w.broken(checkBeforeDurable) {
		covers = s.durable()
	}
	if s.w.broken(countFromCheckEnd) {
		clock = s.p.clock
	}
	if began > s.confirmed {
		s.confirmed, s.checked = began, clock
	}
	s.validated = max(s.validated, covers)
	s.flying = slices.DeleteFunc(s.flying, func(f *flight) bool { return f.end <= s.validated })
	s.w.tell(s.p.name, "has validated up to %s, by a check that began in step %d", s.validated, began)
	s.openGate()
}

// frameOf returns where the frame begins that a position lies in: a recovery
// can begin to read there, and nowhere else.
func (s *shard) frameOf(p position) position {
	for _, f := range s.frames {
		if f.begin <= p && p < f.end {
			return f.begin
		}
	}
	return p
}
