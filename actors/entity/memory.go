package entity

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// memory keeps what entities and their pages take below a limit: a goroutine of
// the host looks now and then, and has what nobody needed for the longest time
// leave, page by page; an entity goes with its last page. Pages that are not
// stored as they are are stored first.
//
// Time is counted in ticks, one a look. An entity notes the tick at which it was
// asked, a page that at which it was used. How old something is need not be known
// better: what leaves too early is read again.
//
// Counting is approximate, and up to date only within a few events of each page.
// The limit is therefore one for the caches of a node, not the last byte of a
// process.
//
// What was weighed instead: a list in the order of use, as caches have it, costs
// a lock and four writes to cold memory an ask, and two pointers an entity. A
// sweep costs a look at each entity when memory is full, and frees a sixteenth
// of it; so it is paid for by what is read anew.
type memory struct {
	host  *Host
	limit int64         // 0 for none
	idle  uint32        // ticks after which an entity leaves anyway, 0 for never
	bytes atomic.Int64  // in use
	tick  atomic.Uint32 // now
	high  int64         // from here on something has to leave
	over  chan struct{} // has room for one word that high was passed

	complained uint32 // of the watching goroutine
}

// entityBytes is about what an entity takes without its pages: the actor, its
// mailbox and place in the tree, its entry in the table. TestMemoryOfAnEntity
// holds it against the heap.
const entityBytes = 1300

// recordBytes is about what an event of the tail takes beside its payload.
const recordBytes = 40

func (m *memory) init(h *Host) {
	m.host, m.limit = h, h.cfg.Memory
	m.high, m.over = m.limit/16*15, make(chan struct{}, 1)
	if h.cfg.PassivateAfter > 0 {
		m.idle = uint32(max(1, h.cfg.PassivateAfter/h.cfg.MemoryEvery))
	}
	m.tick.Store(1) // 0 is before everything
}

// add counts bytes in or out.
func (m *memory) add(n int64) {
	if n == 0 {
		return
	}
	if sum := m.bytes.Add(n); n > 0 && m.limit > 0 && sum > m.high {
		select {
		case m.over <- struct{}{}:
		default:
		}
	}
}

// full reports whether nothing more may be woken: what is under way has gone
// over the limit already.
func (m *memory) full() bool { return m.limit > 0 && m.bytes.Load() > m.limit+m.limit/8 }

// room returns about how many entities may still wake.
func (m *memory) room() int64 {
	if m.limit == 0 {
		return 1 << 40
	}
	return max(0, m.limit-m.bytes.Load()) / entityBytes
}

// watch looks after the memory until the host closes.
func (m *memory) watch(stop <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ticker := time.NewTicker(m.host.cfg.MemoryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			m.tick.Add(1)
			m.passivate(ctx)
		case <-m.over: // a load fills the memory faster than time passes
		}
		m.sweep(ctx)
		m.host.credit.wake()
	}
}

// passivate lets entities go that were idle for long.
func (m *memory) passivate(ctx context.Context) {
	if now := m.tick.Load(); m.idle > 0 && now%max(1, m.idle/8) == 0 {
		m.evict(ctx, now, m.idle, 0)
	}
}

// sweep lets entities go while memory is over fifteen sixteenths of the limit,
// down to seven eighths.
func (m *memory) sweep(ctx context.Context) {
	now := m.tick.Load()
	if m.limit == 0 || m.bytes.Load() <= m.high {
		return
	}
	target := m.limit / 8 * 7
	for before := m.bytes.Load(); before > target; {
		m.evict(ctx, now, m.cut(now, before-target), target)
		after := m.bytes.Load()
		if after > before-before/64 { // what is left is in use; more at the next look
			m.complain(after)
			return
		}
		before = after
		m.host.credit.wake()
	}
}

// complain says, now and then, that the limit can't be kept.
func (m *memory) complain(bytes int64) {
	if now := m.tick.Load(); bytes > m.limit && now-m.complained >= complainAfter {
		m.complained = now
		m.host.cfg.Logger.Warn("entities in use take more memory than they may; give the node more, or less to do", "bytes", bytes, "limit", m.limit)
	}
}

// complainAfter is how many ticks are between two complaints.
const complainAfter = 100

// ages is how many ticks are told apart: older is old.
const ages = 1 << 12

// cut returns the age from which on entities have to be asked for their old
// pages, so that so many bytes may be had.
func (m *memory) cut(now uint32, bytes int64) uint32 {
	var sums [ages]int64
	m.each(func(e *entry) bool {
		sums[min(now-e.oldest.Load(), ages-1)] += e.bytes.Load()
		return true
	})
	for age := uint32(ages - 1); age > 0; age-- {
		if bytes -= sums[age]; bytes <= 0 {
			return age
		}
	}
	return 0
}

// each calls visit for the entities in memory until it returns false. The table
// that the entity is in is locked meanwhile.
func (m *memory) each(visit func(*entry) bool) {
	for _, s := range m.host.shards {
		o := s.open.Load()
		if o == nil {
			continue
		}
		for _, t := range o.tables {
			if !t.each(visit) {
				return
			}
		}
	}
}

func (t *table) each(visit func(*entry) bool) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, e := range t.entries {
		if !visit(e) {
			return false
		}
	}
	return true
}

// evictShards is how many shards are asked at once: what they store is synced
// together.
const evictShards = 8

// evict asks entities for their pages of that age and older, some shards at a
// time, until no more bytes are in use than target.
func (m *memory) evict(ctx context.Context, now, age uint32, target int64) {
	var all errgroup.Group
	all.SetLimit(evictShards)
	for _, s := range m.host.shards {
		o := s.open.Load()
		if o == nil || o.log.Err() != nil || ctx.Err() != nil || target > 0 && m.bytes.Load() <= target {
			continue
		}
		all.Go(func() error {
			if err := m.evictShard(ctx, o, now, age, target); err != nil {
				m.host.flushFailed(s, o, err)
			}
			return nil
		})
	}
	_ = all.Wait() // it has no errors: each shard's was told
}

func (m *memory) evictShard(ctx context.Context, o *openShard, now, age uint32, target int64) error {
	var old []dirtyEntity
	for _, t := range o.tables {
		t.each(func(e *entry) bool {
			if now-e.oldest.Load() >= age && e.ref.Load() != nil {
				old = append(old, dirtyEntity{table: t, id: e.id})
			}
			return true
		})
	}
	for len(old) > 0 && (target == 0 || m.bytes.Load() > target) {
		n := min(flushChunk, len(old))
		if err := o.flush(ctx, old[:n], &eviction{now - age}, nil); err != nil {
			return err
		}
		old = old[n:]
		m.host.credit.wake()
	}
	return nil
}

// eviction is a request for pages to leave memory: those that were last used at
// or before a tick.
type eviction struct{ before uint32 }

// evict drops the pages that nobody needed since, if they are stored as they
// are, and lets the entity go if nothing is left of it that anybody would miss.
func (a *entityActor) evict(m *eviction) {
	n, bytes := 0, int64(0)
	for i := len(a.pages) - 1; i >= 0; i-- {
		if p := a.pages[i]; p.used <= m.before && p.dirty == 0 { // so no copy is under way
			n++
			bytes += int64(p.bytes)
			a.pages.drop(i)
			a.whole = false
		}
	}
	a.weigh()
	if l := a.host().cfg.Listener.PagesEvicted; l != nil && n > 0 {
		l(n, bytes)
	}
}

// leave lets the entity go if nobody needed it since and nothing of it is only
// in memory: no page, no event that is not validated, no call that waits. A copy
// of a page that is being stored keeps the page.
func (a *entityActor) leave(m *eviction) {
	if a.loading || a.corrupt != nil || len(a.pages) > 0 || len(a.stash) > 0 || a.e.used.Load() > m.before ||
		a.e.dirty.Load() != 0 || a.pending != nil || a.e.last > a.open.log.Acked() {
		return
	}
	a.e.leave(a.self)
	if l := a.host().cfg.Listener.EntityPassivated; l != nil {
		l(a.kind.name)
	}
}

// weigh counts what the entity takes now.
func (a *entityActor) weigh() {
	sum := int64(entityBytes + len(a.e.id))
	oldest := a.e.used.Load()
	for _, p := range a.pages {
		sum += int64(p.bytes)
		oldest = min(oldest, p.used)
	}
	if a.pending != nil {
		sum += a.pending.memory()
	}
	a.e.oldest.Store(oldest)
	a.host().memory.add(sum - a.e.bytes.Swap(sum))
}

// weightless counts the entity out.
func (e *entry) weightless() { e.table.open.host.host.memory.add(-e.bytes.Swap(0)) }

// use notes that the entity is needed now.
func (a *entityActor) use() {
	if now := a.host().memory.tick.Load(); a.e.used.Load() != now {
		a.e.used.Store(now)
	}
}

// tailBytes returns about how many bytes events take in the tail.
func tailBytes(events, payloads int) int64 { return recordBytes*int64(events) + int64(payloads) }
