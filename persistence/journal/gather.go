package journal

import "time"

// What is in no hurry, bulk, gathers outside of the journal: whoever would append it
// holds it back while it would only wait here, and then appends much at once, which
// costs him, the network and the store less than little now and then. A shard says when
// that is.
//
// While a frame is under way what is appended has to wait anyway, see
// [Shard.BeforeFrame]. A store that has much to do gets a frame of each shard every
// [Config.Gather] at most, as the less it has to do, the sooner it answers: a shard
// that was answered sooner rests until then. Frames that go as fast as they
// can keep store and node busy with ever smaller ones, and what comes in between,
// a page or a pause of a garbage collector, has all others wait.

// gathering is what a shard knows of bulk. Its mutex is the shard's.
type gathering struct {
	// storing: the frame under way is not known to be durable. far: the shard's turn
	// comes, though not soon. waits: it rests, or was over with that and those are
	// appending who had gathered until then. Who waits for the end of these is in after.
	storing, far, waits bool
	after               []func()
	told                time.Time // when those in after were, the last time
	rest                *time.Timer
}

// gatherFrames is for how long a shard of a store that has much to do lets bulk gather,
// as a multiple of the time that a frame takes there: so no shard keeps more than this
// part of a frame under way, and eight of them no more than two.
const gatherFrames = 4

// BeforeFrame has f called, once, in time before the shard's next frame with bulk goes:
// when the store has answered for the frame that is under way and the shard has rested, when
// the shard's turn comes soon, or when the shard is lost; f must not block. It returns false
// when that is now: what is appended goes to the store at once. It is for whoever would
// rather append much then than little now, which goes no sooner. A frame waits until the
// one before is checked as well, or until all who were called have appended
// ([Config.Drain]), which is the time to append.
//
// On a store of this process alone it is always false: a frame is durable so soon there
// that to wait for it costs more than it gains.
func (s *Shard) BeforeFrame(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.bulk.storing && !s.bulk.far && !s.bulk.waits || s.lost != nil || s.j.local {
		return false
	}
	s.bulk.after = append(s.bulk.after, f)
	return true
}

// waitLong says that the shard's turn comes, and not soon.
func (s *Shard) waitLong() {
	s.mu.Lock()
	s.bulk.far = true
	s.mu.Unlock()
}

// gathered tells those who wait for the frame under way, the shard's turn, or the end of
// its rest.
func (s *Shard) gathered() {
	s.mu.Lock()
	waiting := s.bulk.after
	s.bulk.storing, s.bulk.far, s.bulk.after, s.bulk.told = false, false, nil, time.Now()
	s.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}

// gather is called when the frame under way is stored: bulk is appended now, or when the
// shard has rested.
func (s *Shard) gather() {
	if s.j.local {
		return // nobody waits
	}
	most := s.j.rest()
	s.mu.Lock()
	if s.bulk.waits { // since before the frame, which was in a hurry
		s.bulk.storing = false
		s.mu.Unlock()
		return
	}
	wait := most - time.Since(s.bulk.told)
	if wait > 0 && s.lost == nil && !s.j.hurried.Load() {
		s.bulk.waits, s.bulk.storing = true, false
		s.bulk.rest = time.AfterFunc(wait, s.rested)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.gathered()
}

// rested ends the rest: a frame goes when those who have gathered something have
// appended it, or after as long again: a log doesn't depend on who says so.
func (s *Shard) rested() {
	s.gathered()
	drain := s.j.cfg.Drain
	if drain == nil {
		s.hurry()
		return
	}
	timer := time.AfterFunc(s.j.cfg.Gather, s.hurry)
	drain(s.shard, func() {
		timer.Stop()
		s.hurry()
	})
}

// hurry has what is appended go as soon as it can.
func (s *Shard) hurry() {
	s.mu.Lock()
	s.bulk.waits = false
	wake := s.wants()
	s.mu.Unlock()
	if wake {
		s.j.enqueue(s)
	}
	s.letGo()
}

// letGo tells those who wait for a frame when there is none.
func (s *Shard) letGo() {
	if s.j.local {
		return
	}
	s.mu.Lock()
	idle := !s.bulk.waits && !s.flying && len(s.frames) == 0 && len(s.bulk.after) > 0
	s.mu.Unlock()
	if idle {
		s.gathered()
	}
}
