package entity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// A shard that is handed over is first made short: its pages are stored, while it
// is served, so that the next owner has little to read. Then calls are parked, and
// what had come before them is decided and acknowledged. When that is done the
// shard is lost to this node and sealed in the name of the next owner (package
// journal says in which order), and what was parked ends as unavailable, with the
// node that has the shard now. Nothing is forwarded: whoever knows the way to that
// node is above the host.
//
// Rejected: parking in the entities, so that calls in their mailboxes wait too.
// They would have to be put back in their order, behind each other and before what
// came later, for the rare case that the shard stays; what a mailbox holds is
// decided in microseconds, and is answered.
//
// Rejected: storing pages while calls are parked. What is stored last is little,
// but to find out what that is takes as long as reading it.

// handOvers is how many shards of a host may be handed over at once.
const handOvers = 16

// shortTail is a tail, in bytes, that the next owner reads in no time.
const shortTail = 256 << 10

// parkedMost is how many messages of a shard are parked at most.
const parkedMost = 1 << 14

// HandedOver says how a shard was handed over, or was not.
type HandedOver struct {
	Shard persistence.Shard
	// To is the next owner, as the store knows it.
	To persistence.NodeRow
	// Epoch is the one in which this node had the shard.
	Epoch persistence.Epoch
	// Pause is how long calls were parked, and Parked how many messages.
	Pause  time.Duration
	Parked int
	// Err says why the shard was not handed over, nil when it was.
	Err error
	// Kept says that nothing has changed, and the shard is served as before.
	Kept bool
}

// MovedError says whose a shard is that a call came for. It comes with
// [ErrUnavailable], and matches [ErrNotServed]: the call had no effect, and may be
// sent there.
type MovedError struct {
	Shard persistence.Shard
	// To is the node that has it now, and Address where that is, for people.
	To      persistence.NodeID
	Address string
	// Epoch is the one in which that node has it, or a lower one.
	Epoch persistence.Epoch
}

// Error says which node to ask.
func (e *MovedError) Error() string {
	return fmt.Sprintf("shard %d is served by node %q at %s; ask that one", e.Shard, e.To, e.Address)
}

// Is makes a MovedError match ErrNotServed.
func (e *MovedError) Is(target error) bool { return target == ErrNotServed }

// notServed is why a shard is not served here, where nobody knows by whom it is.
type notServed string

func (e notServed) Error() string { return string(e) }

// Is makes it match ErrNotServed.
func (e notServed) Is(target error) bool { return target == ErrNotServed }

// HandOver gives a shard that this host serves to another node of the same store,
// without a fence. Calls that come meanwhile are parked, and end as unavailable,
// with a [MovedError], when the shard is the other's; its host takes it at once
// when [Host.Take] is called there, and else within HostConfig.ClaimEvery.
//
// A [Rejection] says that it can't be done, and that nothing has changed. After
// another error [HandedOver.Kept] says whether the shard is served as before. If not,
// this host asks the store whose it is by now, and takes it if it is nobody
// else's.
//
// ctx bounds what comes before the change of owners; that is followed to its end.
func (h *Host) HandOver(ctx context.Context, shard persistence.Shard, to persistence.NodeID) (HandedOver, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.life, cancel)()
	select {
	case h.handing <- struct{}{}:
		defer func() { <-h.handing }()
	case <-ctx.Done():
		return HandedOver{}, fmt.Errorf("%w: shard %d was not handed over: %w", ErrUnavailable, shard, context.Cause(ctx))
	}
	s, next, err := h.mayHandOver(ctx, shard, to)
	if err != nil {
		return HandedOver{Shard: shard, Err: err, Kept: true}, err
	}
	o := s.open.Load()
	if o == nil {
		err := Reject("shard %d is not served by this node and can't be given away: %v", shard, s.closed())
		return HandedOver{Shard: shard, To: next, Err: err, Kept: true}, err
	}
	if !s.handing.CompareAndSwap(false, true) {
		err := Reject("shard %d is being handed over already; wait until that has ended", shard)
		return HandedOver{Shard: shard, To: next, Err: err, Kept: true}, err
	}
	defer s.handing.Store(false)
	done := s.handOver(ctx, o, next)
	if l := h.cfg.Listener.ShardHandedOver; l != nil {
		l(done)
	}
	return done, done.Err
}

// mayHandOver looks whether there is such a shard, and such a node.
func (h *Host) mayHandOver(ctx context.Context, shard persistence.Shard, to persistence.NodeID) (*shardHost, persistence.NodeRow, error) {
	if int(shard) >= len(h.shards) {
		return nil, persistence.NodeRow{}, RejectInvalid("there is no shard %d: they are 0 to %d", shard, len(h.shards)-1)
	}
	if to == h.cfg.Node {
		return nil, persistence.NodeRow{}, RejectInvalid("node %q is this one; name another to give shard %d to", to, shard)
	}
	next, err := h.cfg.Store.Ownership().Node(ctx, to)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return nil, next, RejectNotFound("no node %q has ever used this store; start it, or name another", to)
	case err != nil:
		return nil, next, unavailable(ctx, fmt.Sprintf("looking up node %q", to), err)
	}
	return h.shards[shard], next, nil
}

// handOver gives the shard away, as it is open.
func (s *shardHost) handOver(ctx context.Context, o *openShard, next persistence.NodeRow) HandedOver {
	h, done := s.host, HandedOver{Shard: s.number, To: next, Epoch: o.log.Epoch()}
	short := make(chan struct{})
	h.wg.Go(func() { // a pass over pages waits for their events, whatever its context says
		defer close(short)
		s.shorten(ctx, o)
	})
	select {
	case <-short:
	case <-ctx.Done():
		done.Err, done.Kept = unavailable(ctx, fmt.Sprintf("shard %d stays here", s.number), context.Cause(ctx)), true
		return done
	}

	begin, p := time.Now(), &parking{}
	s.parked.Store(p)
	drain, cancel := context.WithTimeoutCause(ctx, h.cfg.HandOverWait, fmt.Errorf("it took longer than %s", h.cfg.HandOverWait))
	_, err := o.log.HandOver(drain, next)
	cancel()
	done.Pause = time.Since(begin)
	if err != nil && o.log.Err() == nil {
		done.Err, done.Kept = unavailable(ctx, fmt.Sprintf("shard %d stays here", s.number), err), true
		done.Parked = p.resume(s.deliverNow)
		s.parked.Store(nil)
		return done
	}
	var why error = &MovedError{Shard: s.number, To: next.ID, Address: next.Address, Epoch: done.Epoch + 1}
	if err != nil {
		done.Err = unavailable(ctx, fmt.Sprintf("whether shard %d was handed over is being found out", s.number), err)
		why = notServed(fmt.Sprintf("shard %d is being opened again", s.number))
	}
	o.gone.Store(&why)
	if err == nil {
		s.owned.Store(&why)
	}
	given := s.open.CompareAndSwap(o, nil) // else it was lost meanwhile, and the actor knows
	done.Parked = p.end(func(c *Call) { refuseAll(c, why) })
	s.parked.Store(nil)
	if err == nil {
		h.cfg.Logger.Info("shard is handed over", "shard", s.number, "to", next.ID, "epoch", uint64(done.Epoch), "pause", done.Pause, "parked", done.Parked)
		if l := h.cfg.Listener.ShardOwned; l != nil {
			l(s.number, why)
		}
	} else {
		h.cfg.Logger.Warn("shard could not be handed over; whose it is decides the store", "shard", s.number, "to", next.ID, "error", err)
	}
	if ref := s.ref.Load(); given && ref != nil {
		_ = tell(ref, gaveAway{o}) // one that has stopped needs no word
	}
	return done
}

// shorten stores the pages of a shard, so that its tail is short.
func (s *shardHost) shorten(ctx context.Context, o *openShard) {
	for i := range 2 { // the second time what the first has taken
		n := o.log.TailBytes()
		if n == 0 || i > 0 && n < shortTail {
			return
		}
		if err := o.checkpoint(ctx, nil); err != nil {
			if ctx.Err() == nil {
				s.host.flushFailed(s, o, err) // the next owner reads more
			}
			return
		}
	}
}

// parking holds calls until it is known where they belong.
type parking struct {
	mu    sync.Mutex
	calls []*Call
	total int
	over  bool
}

// take parks a call; false when nothing is parked any more.
func (p *parking) take(c *Call) bool {
	p.mu.Lock()
	full := len(p.calls) >= parkedMost
	if p.over || full {
		p.mu.Unlock()
		if full {
			refuseAll(c, fmt.Errorf("%w: too much waits for the shard to be handed over", ErrOverloaded))
		}
		return full
	}
	p.calls = append(p.calls, c)
	p.total++
	p.mu.Unlock()
	return true
}

// resume delivers what is parked, in its order: what comes meanwhile is parked
// behind it, until there is nothing left. It returns how many there were.
func (p *parking) resume(deliver func(*Call)) int {
	for {
		p.mu.Lock()
		calls := p.calls
		p.calls, p.over = nil, len(calls) == 0
		total := p.total
		p.mu.Unlock()
		if len(calls) == 0 {
			return total
		}
		for _, c := range calls {
			deliver(c)
		}
	}
}

// end does something with each call that is parked, and parks no more.
func (p *parking) end(each func(*Call)) int {
	p.mu.Lock()
	calls := p.calls
	p.calls, p.over = nil, true
	total := p.total
	p.mu.Unlock()
	for _, c := range calls {
		each(c)
	}
	return total
}

// Take asks for a shard now that this host waits for because another node had it,
// and returns when it is served: call it when that node has handed the shard over.
// Nothing rests on it; without it the shard is taken within HostConfig.ClaimEvery.
// The error says whose the shard is still, or why it can't be served.
func (h *Host) Take(ctx context.Context, shard persistence.Shard) error {
	if int(shard) >= len(h.shards) {
		return RejectInvalid("there is no shard %d: they are 0 to %d", shard, len(h.shards)-1)
	}
	s := h.shards[shard]
	for range 2 { // the first outcome may be of a look that had begun before
		outcome := s.looks.wait()
		if s.open.Load() != nil {
			return nil
		}
		if err := s.stopped.Load(); err != nil {
			return *err
		}
		s.looks.now()
		select {
		case <-outcome:
		case <-ctx.Done():
			return unavailable(ctx, fmt.Sprintf("shard %d", shard), context.Cause(ctx))
		case <-h.life.Done():
			return fmt.Errorf("%w: the node stops", ErrUnavailable)
		}
	}
	if s.open.Load() != nil {
		return nil
	}
	return Reject("%v", s.closed())
}

// ShardStatus says how a shard is at a host.
type ShardStatus struct {
	Shard persistence.Shard
	// Open: the host serves it, in this epoch.
	Open  bool
	Epoch persistence.Epoch
	// Moved says whose it is, as far as the host knows, when it is another node's.
	Moved *MovedError
	// Err says why it is not served, nil when it is.
	Err error
	// TailBytes is how much of its log a recovery would read.
	TailBytes int
}

// Status says how a shard is here. The store is not asked.
func (h *Host) Status(shard persistence.Shard) ShardStatus {
	status := ShardStatus{Shard: shard}
	if int(shard) >= len(h.shards) {
		status.Err = RejectInvalid("there is no shard %d: they are 0 to %d", shard, len(h.shards)-1)
		return status
	}
	s := h.shards[shard]
	if o := s.open.Load(); o != nil {
		status.Open, status.Epoch, status.TailBytes = true, o.log.Epoch(), o.log.TailBytes()
		return status
	}
	status.Err = s.closed()
	if moved, ok := errors.AsType[*MovedError](status.Err); ok {
		status.Moved = moved
	}
	return status
}

// looks are those at a shard that another node has.
type looks struct {
	mu    sync.Mutex
	soon  chan struct{} // has something when the next one should not wait
	ended chan struct{} // closed after each
}

func (l *looks) init() { l.soon, l.ended = make(chan struct{}, 1), make(chan struct{}) }

// now lets the next look come at once.
func (l *looks) now() {
	select {
	case l.soon <- struct{}{}:
	default:
	}
}

// wait returns a channel that is closed when a look has ended.
func (l *looks) wait() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// end takes note that a look has ended.
func (l *looks) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.ended)
	l.ended = make(chan struct{})
}

// rest waits until the next look.
func (l *looks) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.soon:
	case <-ctx.Done():
	}
}

func isMoved(err error) bool {
	_, moved := errors.AsType[*MovedError](err)
	return moved
}
