package model

import "slices"

// shard is the shard while it is open, in one epoch. What it began (writes,
// reads) may end after it; then nobody is there to hear of it.
type shard struct {
	w     *world
	epoch int

	// next is the position of the next event: events have their places at
	// once, in memory.
	next position
	// validated: all below is durable, contiguous, and checked. On one node
	// a check is free, so that what is durable is validated.
	validated position
	queue     [][]event // events that wait for their frame, by command
	flying    bool      // a frame is under way, one at a time
	frames    []frame   // from the checkpoint on, the one under way too
	gate      []reply

	places [entities]place
	copies []pageCopy // not given to the store yet

	checkpoint, low mark
	dropped         position // the log below was deleted
}

// mark is a position in the store that only rises.
type mark struct {
	begun   position // as it was last given to the store
	durable position // as the store has acknowledged it
}

// place is what a shard knows of an entity, awake or not.
type place struct {
	entity *entity // nil while it is not awake
	// tail holds the events that the pages of an entity may lack that is not
	// awake.
	tail []event
	// crashed: the tail must be read from the log first. Until then held is
	// the first event that is not in a durable page, 0 for none.
	crashed bool
	held    position
	// end is that of the entity's newest event. It outlives a crash, and is
	// forgotten when the entity is let go.
	end     position
	mailbox []*request
}

func (s *shard) isOpen() bool { return s.w.shard == s }

// nextFrame takes events that wait, all of a command or none.
func (s *shard) nextFrame() frame {
	n := 1 + s.w.rng.IntN(len(s.queue))
	events := slices.Concat(s.queue[:n]...)
	s.queue = slices.Clone(s.queue[n:])
	if last := len(events) - 1; last > 0 && s.w.broken(splitCommand) {
		s.queue = slices.Insert(s.queue, 0, events[last:])
		events = events[:last]
	}
	return frame{events[0].at, events[len(events)-1].at + 1, events}
}

func (s *shard) sendFrame() bool {
	if s.flying || len(s.queue) == 0 {
		return false
	}
	f := s.nextFrame()
	s.flying = true
	s.frames = append(s.frames, f)
	s.w.store.begin(&write{
		text: "frame " + f.String(), frame: true,
		records: []record{s.w.store.putFrame(f)},
		done:    func() { s.frameIsDurable(f) },
	})
	return true
}

func (s *shard) frameIsDurable(f frame) {
	if !s.isOpen() {
		return
	}
	s.flying = false
	s.validated = f.end
	s.w.tell("shard", "has validated up to %s", s.validated)
	s.openGate()
}

// frameOf returns where the frame begins that a position lies in: a recovery
// can begin to read there, and nowhere else.
func (s *shard) frameOf(p position) position {
	for _, f := range s.frames {
		if f.begin <= p && p < f.end {
			s.w.noteIf(f.begin < p, "a checkpoint is rounded down")
			return f.begin
		}
	}
	return p
}

// reply is an outcome at the gate. It rests on all below its token.
type reply struct {
	to *request
	outcome
}

// answer lets an outcome go when all is validated that its decision saw, or that
// its client has seen.
func (s *shard) answer(r *request, o outcome) {
	o.token = max(s.places[r.entity].end, r.after)
	if s.w.broken(forgetSession) {
		o.token = s.places[r.entity].end
	}
	s.gate = append(s.gate, reply{r, o})
	s.openGate()
}

func (s *shard) mayLeave(o outcome) bool {
	return o.token <= s.validated ||
		s.w.broken(acceptAtOnce) && o.verdict == accepted ||
		s.w.broken(rejectAtOnce) && o.verdict == rejected ||
		s.w.broken(answerAtOnce) && o.verdict == answered
}

func (s *shard) openGate() {
	var waiting []reply
	for _, r := range s.gate {
		if s.mayLeave(r.outcome) {
			r.to.client.hear(r.to, r.outcome)
		} else {
			waiting = append(waiting, r)
		}
	}
	s.gate = waiting
}

// close ends the shard. Its state, which may have run ahead of the log, goes
// with it, copies of pages too. What the store has, the store goes on with.
func (s *shard) close() {
	for _, r := range s.gate {
		r.to.client.hear(r.to, outcome{verdict: unknown})
	}
	for _, p := range s.places {
		for _, r := range p.mailbox {
			r.client.hear(r, outcome{verdict: unknown})
		}
	}
	s.w.shard = nil
}
