package entity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// shardHost is a host's side of one shard, for as long as the host lives.
type shardHost struct {
	host   *Host
	number persistence.Shard
	props  *actors.Props
	ref    atomic.Pointer[actors.Ref]
	first  chan<- error // takes the outcome of the first opening

	open    atomic.Pointer[openShard] // nil while the shard is not open
	stopped atomic.Pointer[error]     // why it can't be opened, until somebody mends it
	owned   atomic.Pointer[error]     // who owns it, while another node does
	opening sync.Once                 // reports to first

	handing atomic.Bool             // it is being handed over
	parked  atomic.Pointer[parking] // takes calls while it is about to change hands
	looks   looks
}

// openShard is a shard in one epoch: its log, and the entities in memory.
type openShard struct {
	host   *shardHost
	log    *journal.Shard
	tables []*table
	events int             // that its tail had when it was opened
	ctx    context.Context // ends when the shard is given up
	cancel context.CancelFunc
	// gone is what calls are told that it holds still when it was given away.
	gone atomic.Pointer[error]

	mu   sync.Mutex
	tail *journal.Tail
	kept map[ID]keptEvents // of entities that are, or were, corrupt
	// keeping are attempts that are under way to keep some.
	keeping map[ID]int
	// Those of them that have not been awake, and entities whose events were
	// taken and are not in their pages yet: beside the tail, those of which the
	// tables don't know everything.
	keptAsleep map[ID]bool
	rising     map[*entry]bool
	stamp      persistence.Position // of the newest change of kept
	unrecorded []persistence.Page   // of indexes that are complete

	builds []*building // of indexes; as it was when the shard was opened
	views  views
}

// Messages of a shard's actor.
type (
	opened struct {
		open *openShard
		err  error
		took time.Duration
	}
	wake      struct{ e *entry }
	lostShard struct{ err error }
	gaveAway  struct{ open *openShard }
	drained   struct{ done func() }
)

// Refuse says so for an actor that has stopped.
func (m drained) Refuse(error) { m.done() }

// drain calls done when the entities of a shard have had their turns that have bulk
// waiting now: they are in a queue, of which the shard's actor comes to the end.
func (h *Host) drain(n persistence.Shard, done func()) {
	if ref := h.shards[n].ref.Load(); ref == nil || ref.OfferBulk(drained{done}) != nil {
		done()
	}
}

func (s *shardHost) makeProps() {
	s.looks.init()
	s.props = &actors.Props{
		New:     func() actors.Actor { return &shardActor{host: s} },
		Mailbox: 1 << 16, // one wake-up an entity
		Supervision: actors.Supervision{
			MaxRestarts: 10, Within: time.Minute, MinBackoff: 10 * time.Millisecond, MaxBackoff: 5 * time.Second,
		},
	}
}

// deliver takes a call, and those linked to it, to their entity.
func (s *shardHost) deliver(call *Call) {
	if p := s.parked.Load(); p != nil && p.take(call) {
		return
	}
	s.deliverNow(call)
}

// deliverNow does so though calls may be parked.
func (s *shardHost) deliverNow(call *Call) {
	o := s.open.Load()
	if o == nil {
		refuseAll(call, s.closed())
		return
	}
	t := o.table(call.handler.kind)
	if t == nil {
		refuseAll(call, fmt.Errorf("%w %q: this node serves %s; start it with the kind",
			ErrUnknownKind, call.handler.kind.name, strings.Join(s.host.kindNames(), ", ")))
		return
	}
	if s.host.memory.full() && t.known(call.id) == nil {
		refuseAll(call, fmt.Errorf("%w: the memory of the node is full; nothing more can be woken for the moment", ErrOverloaded))
		return
	}
	if call.run != nil {
		t.send(call.id, call.run)
		return
	}
	t.send(call.id, call)
}

// closed says why the shard is not open.
func (s *shardHost) closed() error {
	if err := s.stopped.Load(); err != nil {
		return *err
	}
	if err := s.owned.Load(); err != nil {
		return *err
	}
	return notServed(fmt.Sprintf("shard %d is being opened", s.number))
}

// table returns the entities of a kind, nil when the node does not have it.
func (o *openShard) table(k *Kind) *table {
	for _, t := range o.tables { // they are few
		if t.kind == k {
			return t
		}
	}
	return nil
}

// wake asks the shard's actor to make the entity's.
func (o *openShard) wake(e *entry) {
	ref := o.host.ref.Load()
	if ref == nil {
		e.refuse(errors.New("the node is starting"))
		return
	}
	if err := ref.Offer(wake{e}); err != nil {
		e.refuse(err)
	}
}

// Refuse ends the calls that a wake-up was for.
func (w wake) Refuse(err error) { w.e.refuse(err) }

// over returns what calls are told when the shard was given away, and err if it
// was not.
func (o *openShard) over(err error) error {
	if gone := o.gone.Load(); gone != nil {
		return *gone
	}
	return err
}

// count adds the entities that are awake to the stats.
func (o *openShard) count(stats *Stats) {
	for _, t := range o.tables {
		t.mu.RLock()
		for _, e := range t.entries {
			if e.ref.Load() != nil {
				stats.Entities[t.kind.name]++
			}
			if e.damage.Load() != nil {
				stats.Corrupt++
			}
		}
		t.mu.RUnlock()
	}
}

// takeTail returns the events of an entity that were kept for it, or were read at
// the opening. The entity is dirty from the first of the latter on, before they
// leave the tail.
func (o *openShard) takeTail(e *entry) []persistence.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := ID{e.table.kind.name, e.id}
	if first, ok := o.tail.FirstOf(id.Kind, id.ID); ok {
		e.dirty.Store(uint64(first))
	}
	o.host.host.memory.add(-tailBytes(o.tail.Size(id.Kind, id.ID)))
	records := behindKept(o.kept[id].records, o.tail.Take(id.Kind, id.ID))
	delete(o.keptAsleep, id)
	if len(records) > 0 {
		e.rising, o.rising[e] = true, true
	}
	return records
}

// rise takes note that an entity does not know yet what its events say, so that
// those who list wait for it.
func (o *openShard) rise(e *entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e.rising, o.rising[e] = true, true
}

// risen takes note that an entity has come to what its events say.
func (o *openShard) risen(e *entry) {
	if e.rising {
		o.mu.Lock()
		defer o.mu.Unlock()
		e.rising = false
		delete(o.rising, e)
	}
}

// forget ends what is read for the shard, and counts out what is left of the
// tail, when the shard is given up.
func (o *openShard) forget() {
	o.cancel()
	o.mu.Lock()
	defer o.mu.Unlock()
	for owner := range o.tail.Entities() {
		o.host.host.memory.add(-tailBytes(o.tail.Size(owner.Kind, owner.ID)))
		o.tail.Drop(owner.Kind, owner.ID)
	}
}

// lost tells the shard's actor that its log is lost.
func (s *shardHost) lost(err error) {
	if ref := s.ref.Load(); ref != nil {
		if s.open.Swap(nil) != nil {
			// Full or stopped: it is starting over already, or ending.
			_ = ref.Offer(lostShard{err})
		}
	}
}

// shardActor supervises the entities of a shard. It opens the shard when it
// starts, and starts over, with all of its entities, when the shard is lost.
type shardActor struct {
	host *shardHost
	open *openShard
}

// Receive handles one message.
func (a *shardActor) Receive(c *actors.Context, msg any) {
	switch m := msg.(type) {
	case actors.Started:
		a.host.openAsync(c.Context(), c.Self())
	case opened:
		if m.err != nil {
			a.host.cannotOpen(m.err)
			return
		}
		a.open = m.open
		a.host.open.Store(m.open)
		if l := a.host.host.cfg.Listener.ShardOpened; l != nil {
			l(ShardOpening{Shard: a.host.number, Epoch: m.open.log.Epoch(), Events: m.open.events, Took: m.took})
		}
		a.host.report(nil)
		a.host.looks.end()
		m.open.buildIndexes()
		m.open.buildViews()
		if err := m.open.log.Err(); err != nil && a.host.open.Swap(nil) != nil {
			panic(actors.Expected{Err: fmt.Errorf("shard %d was lost while it opened: %w", a.host.number, err)}) //nolint:forbidigo // let it crash
		}
	case wake:
		a.spawn(c, m)
	case drained:
		m.done()
	case lostShard:
		// Supervision restarts this actor: its children stop, and the shard
		// is opened again.
		panic(actors.Expected{Err: fmt.Errorf("shard %d is lost: %w", a.host.number, m.err)}) //nolint:forbidigo // let it crash
	case gaveAway:
		if a.open == m.open {
			a.giveUp(c)
			a.host.openAsync(c.Context(), c.Self())
		}
	case actors.Stopping, actors.Restarting:
		if a.open != nil {
			a.host.open.CompareAndSwap(a.open, nil)
			a.open.forget()
		}
	}
}

// giveUp lets go of a shard that was given away, and of its entities.
func (a *shardActor) giveUp(c *actors.Context) {
	for _, child := range c.Children() {
		c.Stop(child)
	}
	a.open.forget()
	a.open = nil
}

// cannotOpen takes note that a shard can't be opened. One that is damaged stops,
// and the others go on without it; anything else concerns the node.
func (s *shardHost) cannotOpen(err error) {
	switch {
	case errors.Is(err, persistence.ErrCorrupt):
		err = fmt.Errorf("%w: shard %d is stopped, and the others go on: %w", ErrCorrupt, s.number, err)
	case s.report(err):
		return
	case errors.Is(err, ErrUnknownKind): // of a shard that was another node's
	case errors.Is(err, persistence.ErrFailed), errors.Is(err, persistence.ErrClosed):
		s.host.Fail(err)
		return
	default: // the host ends, or has failed
		return
	}
	s.stopped.Store(&err)
	s.looks.end()
	if l := s.host.cfg.Listener.ShardStopped; l != nil {
		l(s.number, err)
	}
	s.report(nil)
}

// report tells the first outcome to the host, which waits for it, and says
// whether this was the first.
func (s *shardHost) report(err error) (first bool) {
	s.opening.Do(func() {
		first = true
		s.first <- err
	})
	return first
}

// wait takes note that another node owns the shard, and tells it once an owner.
func (s *shardHost) wait(err error) {
	var owner string
	if owned, ok := errors.AsType[*persistence.OwnedError](err); ok {
		moved := &MovedError{Shard: s.number, To: owned.Row.Owner, Address: owned.Owner.Address, Epoch: owned.Row.Epoch}
		owner, err = string(moved.To)+" at "+moved.Address, moved
	} else {
		err = notServed(fmt.Sprintf("shard %d is not for this node to serve", s.number))
	}
	if before := s.owned.Load(); before == nil || (*before).Error() != err.Error() {
		s.owned.Store(&err)
		if s.host.begun.Load() && owner != "" { // at the start one line is enough
			s.host.cfg.Logger.Info("shard is another node's; waiting until that stops or is fenced", "shard", s.number, "owner", owner)
		}
		if l := s.host.cfg.Listener.ShardOwned; l != nil {
			l(s.number, err)
		}
	}
	s.report(nil)
}

// openAsync opens the shard on a goroutine of its own, as nothing may wait for
// the store inside an actor, and tells the actor.
func (s *shardHost) openAsync(ctx context.Context, self *actors.Ref) {
	s.host.wg.Go(func() {
		pause := s.host.cfg.OpenBackoff
		for {
			begin := time.Now()
			o, err := s.openLog(ctx)
			err = s.host.unreadable(ctx, err)
			if ctx.Err() == nil && errors.Is(err, persistence.ErrOwned) {
				s.wait(err)
				s.looks.end()
				s.looks.rest(ctx, s.host.cfg.ClaimEvery)
				pause = s.host.cfg.OpenBackoff
				continue
			}
			if was := s.owned.Swap(nil); was != nil && err == nil && isMoved(*was) {
				s.host.cfg.Logger.Info("shard was another node's and is this one's now", "shard", s.number, "epoch", uint64(o.log.Epoch()))
			}
			final := err == nil || ctx.Err() != nil || permanent(err)
			if !final {
				s.host.cfg.Logger.Warn("shard can't be opened; trying again", "shard", s.number, "error", err, "pause", pause)
				_ = clock.Sleep(ctx, clock.System(), pause)
				pause = min(2*pause, s.host.cfg.OpenBackoffMax)
				continue
			}
			if errors.Is(err, persistence.ErrLevel) && s.host.begun.Load() {
				level, _ := s.host.cfg.Store.Level().Read(ctx) // it only rises: unknown still
				s.host.outdated(ctx, level, err)
			} else if err != nil && ctx.Err() == nil {
				s.host.cfg.Logger.Error("shard can't be opened", "shard", s.number, "error", err)
			}
			if tellErr := self.Offer(opened{o, err, time.Since(begin)}); tellErr != nil {
				if o != nil {
					o.forget()
				}
				s.report(errors.Join(err, tellErr))
			}
			return
		}
	})
}

// permanent reports whether trying again doesn't help.
func permanent(err error) bool {
	for _, target := range []error{
		persistence.ErrCorrupt, persistence.ErrFenced, persistence.ErrFailed, persistence.ErrClosed,
		persistence.ErrLevel, ErrUnknownKind,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// openLog claims the shard and reads its tail.
func (s *shardHost) openLog(ctx context.Context) (*openShard, error) {
	p, err := s.host.standing(ctx)
	if err != nil {
		return nil, err
	}
	if mine := s.host.cfg.Mine; mine != nil {
		if !mine(s.number) {
			return nil, persistence.ErrOwned
		}
	} else if wait := time.Until(p.from); wait > 0 {
		_ = clock.Sleep(ctx, clock.System(), wait)
	}
	log, tail, err := p.journal.OpenShard(ctx, s.number)
	if err != nil {
		return nil, err
	}
	o := &openShard{
		host: s, log: log, tail: tail, events: tail.Events(),
		kept: make(map[ID]keptEvents), keeping: make(map[ID]int), keptAsleep: make(map[ID]bool), rising: make(map[*entry]bool),
	}
	o.ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, k := range s.host.cfg.Kinds {
		t := &table{open: o, kind: k, entries: make(map[string]*entry)}
		t.props = t.entityProps()
		o.tables = append(o.tables, t)
	}
	for owner := range tail.Entities() {
		s.host.memory.add(tailBytes(tail.Size(owner.Kind, owner.ID)))
	}
	if err := o.know(ctx); err != nil {
		o.forget()
		return nil, err
	}
	return o, nil
}

// know reads what the shard's pages say of it as a whole, all of it at once: each read is
// a round trip where the store is elsewhere, and whoever asks for the shard's entities
// waits meanwhile. Nothing is written before it is known that the node may have it.
func (o *openShard) know(ctx context.Context) error {
	host, number := o.host.host, o.log.Number()
	var kinds []string
	var indexes map[persistence.PageKey]bool
	var views map[string]viewRecord
	reads, reading := errgroup.WithContext(ctx)
	if before := host.cfg.BeforeShard; before != nil && host.begun.Load() {
		reads.Go(func() error { return before(reading, number) })
	}
	reads.Go(func() (err error) { kinds, err = host.cfg.Store.Pages().Kinds(reading, number); return err })
	reads.Go(func() (err error) { indexes, err = o.recordedIndexes(reading); return err })
	reads.Go(func() (err error) { views, err = o.recordedViews(reading); return err })
	reads.Go(func() error { return o.readKept(reading) })
	if err := reads.Wait(); err != nil {
		return err
	}
	for kind := range o.tail.Kinds() {
		if host.kinds[kind] == nil {
			return unknownKind(kind)
		}
	}
	for _, kind := range kinds {
		if host.kinds[kind] != nil {
			continue
		}
		if stored, err := o.stores(ctx, kind); err != nil {
			return err
		} else if stored {
			return unknownKind(kind)
		}
	}
	return errors.Join(o.openIndexes(ctx, kinds, indexes), o.openViews(ctx, views))
}

// stores reports whether there are pages of a kind that are not deleted.
func (o *openShard) stores(ctx context.Context, kind string) (bool, error) {
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), persistence.PageKey{Kind: kind}, true) {
		return page.Key.Kind == kind, err
	}
	return false, nil
}

func unknownKind(kind string) error {
	return fmt.Errorf("%w %q: the store holds entities of it; start the node with the kind", ErrUnknownKind, kind)
}

// spawn makes the actor of an entity, and tells it the calls that wait.
func (a *shardActor) spawn(c *actors.Context, m wake) {
	if m.e.table.open != a.open {
		m.Refuse(m.e.table.open.over(notServed("its shard is being opened")))
		return
	}
	if m.e.ref.Load() != nil {
		return
	}
	t := m.e.table
	ref, err := c.Spawn(t.kind.name+":"+m.e.id, t.props)
	switch {
	case errors.Is(err, actors.ErrNameExists):
		// The last one of that name is in its last moments: word of its end
		// comes before this message comes again.
		if err := c.Self().Offer(m); err != nil {
			m.Refuse(err)
		}
	case err != nil:
		m.Refuse(err)
	default:
		m.e.awake(ref)
	}
}
