package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
)

// acker validates what has become durable. Its goroutine takes everything that
// has come in, begins one ownership check for all of it, and settles it by the
// outcome. What comes in during a check waits for the next, which may begin
// before that one has ended: a check counts only for what was there when it began.
// At a store that has much to do it does so only if that one takes long.
type acker struct {
	j *Journal

	running sync.WaitGroup
	room    chan struct{} // for checks that are under way
	// checked is when the last check that found this node unchanged has begun.
	checked atomic.Pointer[time.Time]

	mu       sync.Mutex
	some     sync.Cond
	frames   []completion
	confirms []confirmation
	checking map[*batch]bool
	closed   bool
}

// batch is what waits for one check.
type batch struct {
	frames   []completion
	confirms []confirmation // the acker's lock; empty once they are settled
}

// completion is a frame that the store has answered.
type completion struct {
	s   *Shard
	f   *frame
	err error
}

func (a *acker) init(j *Journal) {
	a.j = j
	a.some.L = &a.mu
	a.room = make(chan struct{}, j.cfg.Checks)
	a.checking = make(map[*batch]bool)
}

// recent reports whether a check has begun so lately that an answer from memory
// may rest on it.
func (a *acker) recent() bool {
	if a.j.local {
		return a.look() == nil
	}
	at := a.checked.Load()
	if at == nil {
		return false
	}
	age := a.j.cfg.Clock.Now().Sub(*at)
	return age >= 0 && age <= a.j.cfg.CheckAge
}

func (a *acker) push(c completion) {
	a.mu.Lock()
	a.frames = append(a.frames, c)
	a.mu.Unlock()
	a.some.Signal()
}

// confirm settles w after a check that begins now or later.
func (a *acker) confirm(s *Shard, w Waiter) {
	if a.j.local { // handing it over would cost more
		w.Settled(a.verdict(s, a.look()))
		return
	}
	a.mu.Lock()
	closed := a.closed
	if !closed {
		a.confirms = append(a.confirms, confirmation{s, w})
	}
	a.mu.Unlock()
	if closed {
		w.Settled(fmt.Errorf("%w: the journal is closed", ErrShardLost))
		return
	}
	a.some.Signal()
}

// verdict is how a confirmation ends after a check that ended with err.
func (a *acker) verdict(s *Shard, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrShardLost, err)
	}
	if s.gone.Load() {
		return s.Err()
	}
	return nil
}

func (a *acker) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.some.Broadcast()
}

// take waits for work and returns all there is; false when there is none and
// the journal closes.
func (a *acker) take() (*batch, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.frames) == 0 && len(a.confirms) == 0 && !a.closed {
		a.some.Wait()
	}
	b := &batch{a.frames, a.confirms}
	a.frames, a.confirms = nil, nil
	if len(b.frames)+len(b.confirms) == 0 {
		return nil, false
	}
	a.checking[b] = true
	return b, true
}

// release returns the confirmations of a batch that nobody has settled yet.
func (a *acker) release(b *batch) []confirmation {
	a.mu.Lock()
	defer a.mu.Unlock()
	confirms := b.confirms
	b.confirms = nil
	delete(a.checking, b)
	return confirms
}

// giveUp settles all who wait for a check to confirm something, as their shards are
// lost: a store that does not answer may keep the check for long.
func (a *acker) giveUp() {
	a.mu.Lock()
	all := a.confirms
	a.confirms = nil
	for b := range a.checking {
		all = append(all, b.confirms...)
		b.confirms = nil
	}
	a.mu.Unlock()
	for _, c := range all {
		c.w.Settled(a.verdict(c.s, nil))
	}
}

func (a *acker) run() {
	for {
		a.room <- struct{}{}
		b, ok := a.take()
		if !ok {
			a.running.Wait()
			return
		}
		if a.j.local {
			a.settle(b, a.check())
			<-a.room
			continue
		}
		checked := make(chan struct{})
		// A shard has one frame under way, so that its frames are in order
		// though those of others overtake each other.
		a.running.Go(func() {
			err := a.check()
			close(checked)
			a.settle(b, err)
			<-a.room
		})
		a.rest(checked)
	}
}

// rest waits until a check has been made, or takes long, at a store that has much to
// do: there more frames wait for the next one then, and fewer checks are made.
func (a *acker) rest(checked <-chan struct{}) {
	most := a.j.rest()
	if most == 0 {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-checked:
	case <-timer.C:
	}
}

// look asks the store once. Where the store is local that is a look at memory,
// made for each answer, so that nothing is noted down of it.
func (a *acker) look() error { return a.j.store.Ownership().Check(a.j.ctx, a.j.node, a.j.inc) }

// settle settles a batch by the outcome of its check.
func (a *acker) settle(b *batch, err error) {
	if errors.Is(err, persistence.ErrFenced) {
		a.j.fenced(err)
	}
	for _, c := range b.frames {
		switch {
		case c.err != nil:
			c.s.lose(fmt.Errorf("%w: writing at %s of shard %d: %w", ErrShardLost, c.f.first, c.s.shard, c.err))
			a.j.landed(c.s, false)
		case err != nil:
			c.s.lose(fmt.Errorf("%w: %w", ErrShardLost, err))
			a.j.landed(c.s, false)
		default:
			c.s.acknowledge(c.f)
		}
	}
	for _, c := range a.release(b) {
		c.w.Settled(a.verdict(c.s, err))
	}
}

// check asks whether the node's incarnation is unchanged, again and again while
// there is no answer. An error is final: fenced, or the journal or store has
// ended.
func (a *acker) check() error {
	pause := a.j.cfg.CheckBackoff
	for {
		begun := a.j.cfg.Clock.Now()
		err := a.look()
		switch {
		case err == nil:
			a.checked.Store(&begun)
			return nil
		case errors.Is(err, persistence.ErrFenced),
			errors.Is(err, persistence.ErrClosed),
			errors.Is(err, persistence.ErrFailed):
			return err
		case a.j.ctx.Err() != nil:
			return fmt.Errorf("the journal is closed: %w", context.Cause(a.j.ctx))
		case a.j.local:
			return err
		}
		_ = clock.Sleep(a.j.ctx, clock.System(), pause)
		pause = min(2*pause, a.j.cfg.CheckBackoffMax)
	}
}
