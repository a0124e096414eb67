package entity

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
)

// The pages that events have changed are stored in the background, a shard at a
// time, and the shard's checkpoint follows them, so that a recovery reads a tail
// of bounded length. A pass over a shard asks every entity with a page that is
// not stored as it is (it is dirty), and every one that has not been awake since
// its events were read, to hand over its pages; it stores them, tells the
// entities, and then stores the checkpoint, which is never above
//
//   - what is acknowledged: pages hold nothing else (I9), as an entity's copies
//     are held until all events in them are acknowledged;
//   - the first event of an entity that has not been awake;
//   - the first event that is not in a stored page.
//
// An entity says from where it is dirty *before* it appends, with a position
// that lies at or below its event's. Whoever then reads what is acknowledged
// first, and looks at the entities afterwards, misses none.

// flushRequest asks an entity for its dirty pages.
type flushRequest struct {
	pass  *flushPass
	once  *sync.Once
	evict *eviction // when pages are to leave memory, nil else
}

// Refuse answers for an entity that can't.
func (r flushRequest) Refuse(error) { r.answer(nil) }

// answer hands pages over, perhaps none.
func (r flushRequest) answer(h *heldPages) {
	r.once.Do(func() { r.pass.take(h) })
}

// flushOwner is an entity whose pages are being stored.
type flushOwner struct {
	ref *actors.Ref
	msg flushed
}

// flushed tells an entity what became of its pages.
type flushed struct {
	incarnation uint32
	refs        []PageRef
	entries     *entryWrite
	evict       *eviction
	err         error
	settled     *sync.WaitGroup
}

// Refuse says that nobody is there to be told.
func (m flushed) Refuse(error) { m.settled.Done() }

// flushPass is one round of requests and answers.
type flushPass struct {
	answered sync.WaitGroup
	mu       sync.Mutex
	entries  []persistence.Page // of indexes; stored before
	pages    []persistence.Page
	owners   []*flushOwner
}

func (p *flushPass) take(h *heldPages) {
	p.mu.Lock()
	if h != nil {
		p.entries = append(p.entries, h.entries...)
		p.pages = append(p.pages, h.pages...)
		p.owners = append(p.owners, h.owner)
	}
	p.mu.Unlock()
	p.answered.Done()
}

// flushChunk is how many entities hand over their pages at once, and pacedChunk how
// many when these are stored few at a time.
const flushChunk, pacedChunk = 256, 64

// A flushPace returns how many pages may be on their way to the store at once, now. nil
// is for all of them.
type flushPace func() int

// fewPages is how many pages are stored at once while there is no hurry: so few that
// events, which share the store with them, hardly notice.
const fewPages = 4

// pacedPages is how many pages are stored at once when the longest tail has so many
// bytes, of those that it may have: few at first, then ever more, as many as are at twice
// that length. So a pass takes about as long as it may.
func pacedPages(tail, may int) int {
	over := float64(tail-may) / float64(may)
	return int(min(max(fewPages, flushChunk*over*over*over), flushChunk))
}

// wholeEntities returns how many of the pages to store at once when it may be so many:
// these, and the other ones of the last entity, unless they are many, as a store may
// write an entity's as one.
func wholeEntities(pages []persistence.Page, few int) int {
	n := min(few, len(pages))
	for most := min(max(few, pacedChunk), len(pages)); n < most; n++ {
		if this, last := pages[n].Key, pages[n-1].Key; this.Kind != last.Kind || this.ID != last.ID {
			break
		}
	}
	return n
}

// pace is that of passes over shards whose tails may have so many bytes: events wait
// for their own store alone, but share one that is elsewhere with pages.
func (h *Host) pace(may int) flushPace {
	if may == 0 || h.cfg.Store.Info().Local {
		return nil
	}
	return func() int {
		longest := 0
		for _, s := range h.shards {
			if o := s.open.Load(); o != nil {
				longest = max(longest, o.log.TailBytes())
			}
		}
		return pacedPages(longest, may)
	}
}

// dirtyEntity is an entity to ask for its pages.
type dirtyEntity struct {
	table *table
	id    string
	from  persistence.Position
}

// checkpoint stores the dirty pages of the shard, oldest first, and then how far
// they reach.
func (o *openShard) checkpoint(ctx context.Context, pace flushPace) error {
	dirty, chunk := o.dirty(), flushChunk
	if pace != nil {
		chunk = pacedChunk
	}
	for len(dirty) > 0 {
		n := min(chunk, len(dirty))
		if err := o.flush(ctx, dirty[:n], nil, pace); err != nil {
			return err
		}
		dirty = dirty[n:]
	}
	p, err := o.log.Checkpoint(ctx, o.clean())
	if l := o.host.host.cfg.Listener.Checkpointed; l != nil && err == nil && p > 0 {
		l(o.log.Number(), p)
	}
	if err == nil && o.host.host.cfg.DropHistory {
		err = o.log.DropHistory(ctx)
	}
	return err
}

// dirty lists the entities to flush.
func (o *openShard) dirty() []dirtyEntity {
	o.mu.Lock()
	all := o.inTail(math.MaxInt)
	o.mu.Unlock()
	for _, t := range o.tables {
		t.mu.RLock()
		for id, e := range t.entries {
			if from := e.dirty.Load(); from != 0 {
				all = append(all, dirtyEntity{t, id, persistence.Position(from)})
			}
		}
		t.mu.RUnlock()
	}
	slices.SortFunc(all, func(a, b dirtyEntity) int { return cmp.Compare(a.from, b.from) })
	return all
}

// clean returns a position below which every event is in stored pages.
func (o *openShard) clean() persistence.Position {
	p := o.log.Acked() // first: see above
	o.mu.Lock()
	if first, ok := o.tail.First(); ok {
		p = min(p, first)
	}
	o.mu.Unlock()
	for _, t := range o.tables { // after the tail: what leaves that is dirty by then
		t.mu.RLock()
		for _, e := range t.entries {
			if from := e.dirty.Load(); from != 0 {
				p = min(p, persistence.Position(from))
			}
		}
		t.mu.RUnlock()
	}
	return p
}

// flush stores the dirty pages of some entities and tells them; with evict, of
// pages that are to leave memory.
func (o *openShard) flush(ctx context.Context, some []dirtyEntity, evict *eviction, pace flushPace) error {
	pass := &flushPass{}
	pass.answered.Add(len(some))
	for _, d := range some {
		d.table.send(d.id, flushRequest{pass, new(sync.Once), evict})
	}
	pass.answered.Wait() // every request is answered, also by an entity that stops
	var err error
	if len(pass.entries)+len(pass.pages) > 0 {
		err = o.store(ctx, pass.entries, pass.pages, pace)
	}
	var settled sync.WaitGroup
	for _, owner := range pass.owners {
		owner.msg.err, owner.msg.settled = err, &settled
		settled.Add(1)
		if err := tell(owner.ref, owner.msg); err != nil {
			owner.msg.Refuse(err)
		}
	}
	settled.Wait()
	return err
}

// store writes pages of entities, after their entries in indexes, and tells the
// listener.
func (o *openShard) store(ctx context.Context, entries, pages []persistence.Page, pace flushPace) (err error) {
	begin := time.Now()
	records := o.takeRecords()
	if entries = append(entries, records...); len(entries) > 0 {
		err = o.host.host.cfg.Store.Pages().Write(ctx, entries)
	}
	if err == nil && len(records) > 0 {
		o.recordsStored()
	}
	for left := pages; err == nil && len(left) > 0; {
		n := len(left)
		if pace != nil {
			n = wholeEntities(left, pace())
		}
		if err = o.renderPages(ctx, left[:n]); err == nil { // before the pages: see tableview.go
			if err = o.host.host.cfg.Store.Pages().Write(ctx, left[:n]); err == nil {
				o.views.stored(left[:n])
			}
		}
		left = left[n:]
	}
	if l := o.host.host.cfg.Listener.PagesStored; l != nil {
		f := PageFlush{Shard: o.log.Number(), Pages: len(pages), Took: time.Since(begin), Err: err}
		for _, p := range pages {
			f.Bytes += len(p.Data)
		}
		l(f)
	}
	return err
}

// tell sends a message that must not be lost to an actor, however full its
// mailbox is. It only fails when the actor has stopped.
func tell(ref *actors.Ref, msg any) error {
	for {
		err := ref.Offer(msg)
		if !errors.Is(err, actors.ErrOverloaded) {
			return err
		}
		<-time.After(time.Millisecond)
	}
}

// flush takes copies of the dirty pages, and hands them over once all events in
// them are acknowledged. Waiting first and copying then would wait for ever for
// an entity that always has an event under way.
func (a *entityActor) flush(m flushRequest) {
	switch {
	case a.loading:
		a.stash = append(a.stash, m) // never refused: a pass waits for it
		return
	case a.corrupt != nil:
		if a.keeping == 0 {
			a.keepEvents()
		}
		m.answer(nil)
		return
	case a.open.log.Err() != nil:
		m.answer(nil) // the pages may have events that the log did not take any more
		return
	case m.evict != nil:
		a.evict(m.evict)
	}
	// All events of the entity below the stamp are in its pages, and all that
	// are in its pages lie below.
	stamp := max(a.open.log.Acked(), a.e.last)
	held := &heldPages{request: m, owner: &flushOwner{ref: a.self, msg: flushed{incarnation: a.incarnation, evict: m.evict}}}
	dirty := false
	for _, p := range a.pages {
		dirty = dirty || p.dirty != 0
		if p.dirty == 0 || p.flushing || m.evict != nil && p.used > m.evict.before {
			continue
		}
		p.flushing, p.again = true, 0
		stored := persistence.Page{
			Key:      persistence.PageKey{Shard: a.open.log.Number(), Kind: a.kind.name, ID: a.e.id, Page: p.ref.String()},
			Position: stamp, Version: p.ref.set.version, Deleted: p.state == nil,
		}
		if p.state != nil {
			stored.Data = p.ref.set.append(nil, p.state)
		}
		p.measure(len(stored.Data))
		held.pages = append(held.pages, stored)
		held.owner.msg.refs = append(held.owner.msg.refs, p.ref)
	}
	// Entries go with the next page. They go alone when there is none: a replay
	// came upon entries of events that are in the stored pages already.
	if len(held.pages) == 0 && (dirty || a.pending == nil) {
		a.settle()
		if m.evict != nil {
			a.leave(m.evict)
		}
		m.answer(nil)
		return
	}
	held.owner.msg.entries, held.entries = a.storeEntries(stamp)
	a.open.log.Wait(a.e.last, held)
}

// heldPages are copies of pages that wait until their events are acknowledged.
type heldPages struct {
	request flushRequest
	owner   *flushOwner
	entries []persistence.Page
	pages   []persistence.Page
}

// Settled hands the pages over. When the shard is lost they are dropped, as the
// entity is.
func (h *heldPages) Settled(err error) {
	if err != nil {
		h.request.answer(nil)
		return
	}
	h.request.answer(h)
}

// flushed takes note of what is stored.
func (a *entityActor) flushed(m flushed) {
	defer m.settled.Done()
	if m.incarnation != a.incarnation {
		return // what was stored is read again, or has been
	}
	for _, ref := range m.refs {
		p := a.pages.find(ref)
		if p == nil {
			continue // the entity was found corrupt meanwhile
		}
		p.flushing = false
		if m.err == nil {
			p.dirty = p.again
		}
		p.again = 0
	}
	if m.err == nil {
		a.storedEntries(m.entries)
	}
	a.settle()
	// While pages are looked up in the store none may leave: what is read may be
	// from before this one was stored.
	if m.evict != nil && !a.loading {
		a.evict(m.evict)
		a.leave(m.evict)
		return
	}
	a.weigh() // its entries are no longer pending, perhaps
}

// settle says from where the entity is dirty.
func (a *entityActor) settle() {
	var from persistence.Position
	for _, p := range a.pages {
		if p.dirty != 0 && (from == 0 || p.dirty < from) {
			from = p.dirty
		}
	}
	if a.corrupt != nil || a.loading { // not all that is dirty is in memory
		return
	}
	if a.pending != nil && a.pending.owed || a.release(from) {
		from = 1 // until that is done
	}
	a.e.dirty.Store(uint64(from))
}

// checkpoints stores the pages of shards whose tail has grown long, until the
// host closes.
func (h *Host) checkpoints(ctx context.Context) {
	every(ctx, h.cfg.CheckpointEvery, func() {
		h.wakeTails(ctx.Done())
		h.checkpointShards(ctx, h.cfg.CheckpointBytes)
	})
}

// every does something at intervals, until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		do()
	}
}

// wakeTails wakes the entities whose events were read when their shards were
// opened, a few at a time, as long as there is room for them in memory: nobody
// may ever ask them, and the tail would never be let go of.
func (h *Host) wakeTails(stop <-chan struct{}) {
	for _, s := range h.shards {
		for {
			o := s.open.Load()
			if o == nil || o.log.Err() != nil || h.memory.room() < wakeChunk {
				break
			}
			select {
			case <-stop:
				return
			default:
			}
			// One that can't wake now is tried again at the next look.
			if woken, refused, err := o.wakeSome(o.ctx); woken == 0 || refused || err != nil {
				break
			}
		}
	}
}

// checkpointShards stores the pages of shards whose tail has at least so many
// bytes.
func (h *Host) checkpointShards(ctx context.Context, bytes int) {
	for _, s := range h.shards {
		o := s.open.Load()
		if o == nil || o.log.Err() != nil || ctx.Err() != nil {
			continue
		}
		if n := o.log.TailBytes(); n < bytes || n == 0 && o.keeps() == 0 {
			continue
		}
		if err := o.checkpoint(ctx, h.pace(bytes)); err != nil && ctx.Err() == nil {
			h.flushFailed(s, o, err)
		}
	}
}

// flushFailed says that pages could not be stored, unless the shard is lost
// anyway.
func (h *Host) flushFailed(s *shardHost, o *openShard, err error) {
	if o.log.Err() == nil && !errors.Is(err, errViewsWait) {
		h.cfg.Logger.Warn("pages of a shard could not be stored; trying again", "shard", s.number, "error", err)
	}
}
