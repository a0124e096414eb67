package entity_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

var (
	loadSeed = flag.Uint64("load-seed", 0, "the first seed of TestLoadWithFaults, 0 for any")
	loads    = flag.Int("loads", 1, "how many seeds TestLoadWithFaults takes")
)

// Callers send commands, runs, bulk and questions to chronicles, and list them, while
// pages are stored and leave a memory that is too small, on a store that fails at
// random, in storms. The host starts again now and then: after a stop, a crash, a
// failure of its store, or beside itself. All the time
//
//   - calls end, once, with one of the outcomes that the package comment lists but
//     for a crash and damage, and with the end of a context only where a caller gave
//     one that ended;
//   - an answer has come as far as all answers before it was asked for, or, to who
//     asks for less than what has been seen, as far as its token says;
//   - memory stays below its limit, as far as pages can be stored.
//
// In the end, and after two more starts, the log has every command that was
// acknowledged once, as a whole, where its token says, and those of one caller in
// the order in which they were sent; of those whose outcome is unknown the same or
// nothing; and nothing of the others. Every answer and rejection saw what the events
// below its token make, and every walk what was there while it walked. Verify finds
// nothing, all that was in memory leaves it, and all credit is back.
//
// Mutations seen to fail, each in the first few of 16 loads: Settled telling those
// with events that the command is unavailable, or sending it once more; gate settling
// at once, for either branch, or gate.wait after events; Confirm without a check;
// events of a command appended one by one; flushed taking note of pages that were not
// stored; a copy stamped with what is acknowledged alone; clean not looking at dirty
// entities; storeEntries leaving out what has gone, or the last entry; giveBack losing
// messages; fetch putting a call behind what came later; Acquire staying in the queue
// when its context ends; sweep doing nothing; takeTail not counting out what it takes;
// events joined to one that may change an index; flush never storing
// entries alone; ours hiding nothing.
func TestLoadWithFaults(t *testing.T) {
	seed := *loadSeed
	if seed == 0 {
		seed = rand.Uint64() >> 32
	}
	t.Logf("-load-seed=%d", seed)
	for i := range uint64(*loads) {
		for _, remote := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/remote=%t", seed+i, remote), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { newLoad(t, seed+i, remote).run() })
			})
		}
	}
	t.Logf("summary: %d loads from seed %d on, each here and from afar", *loads, seed)
}

// load is chronicles in use.
type load struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand // of the operator
	store   *persistencetest.Faulty
	minutes *minutes
	cfg     entity.HostConfig
	host    atomic.Pointer[entity.Host]
	old     atomic.Pointer[entity.Host] // goes on beside it, and does not know

	rounds  atomic.Int64 // of the callers
	storm   atomic.Bool  // operations fail at random
	crashed atomic.Bool  // pages are not stored any more
	dead    atomic.Bool  // the store has failed for good
	most    int64        // bytes that were in memory, while nothing is wrong
	starts  int
}

const (
	loadChronicles = 96
	loadCallers    = 12
	loadRounds     = 45
	loadStorms     = 30      // rounds with storms
	loadMemory     = 1 << 20 // two thirds of the chronicles' folios
)

func newLoad(t *testing.T, seed uint64, remote bool) *load {
	m, err := memory.New(8)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), minutes: newMinutes(),
		store: &persistencetest.Faulty{Store: m, Remote: remote},
	}
	faults := append(persistencetest.Ordinary(seed, remote), l.slow(remote), l.torn())
	random := persistencetest.Random(seed, 0.01+0.2*l.rng.Float64()*l.rng.Float64(), faults...)
	l.store.Inject(
		&persistencetest.Fault{Name: "storm", Pick: func(op persistencetest.Op) *persistencetest.Fault {
			if !l.stormy() {
				return nil
			}
			return random.Pick(op)
		}},
		persistencetest.Fail(persistencetest.OpWritePages).Only(func(persistencetest.Op) bool { return l.crashed.Load() }),
		&persistencetest.Fault{Name: "dead", Before: func(context.Context, persistencetest.Op) error {
			if l.dead.Load() {
				return persistence.ErrFailed
			}
			return nil
		}},
	)
	l.cfg = hostConfig(l.store, chronicle)
	l.cfg.Memory, l.cfg.PassivateAfter = loadMemory, 5*time.Second
	l.cfg.CheckpointBytes, l.cfg.Mailbox, l.cfg.Bulk = 2000, 24, 40
	l.cfg.Journal.ShardBytes = 4000
	return l
}

// stormy reports whether operations fail at random now. The load ends in a calm.
func (l *load) stormy() bool { return l.storm.Load() && l.rounds.Load() < loadCallers*loadStorms }

// slow lets operations take their time. A check on one's own disk takes none.
func (l *load) slow(remote bool) *persistencetest.Fault {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(l.seed, 3))
	return &persistencetest.Fault{
		Name: "slow",
		On:   func(op persistencetest.Op) bool { return remote || op.Kind != persistencetest.OpCheck },
		Before: func(ctx context.Context, _ persistencetest.Op) error {
			mu.Lock()
			pause := time.Duration(rng.Int64N(int64(time.Second)))
			mu.Unlock()
			return rest(ctx, pause)
		},
	}
}

// torn lets a part of the pages reach the store.
func (l *load) torn() *persistencetest.Fault {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(l.seed, 4))
	return &persistencetest.Fault{
		Name: "torn",
		On:   func(op persistencetest.Op) bool { return op.Kind == persistencetest.OpWritePages },
		Before: func(ctx context.Context, op persistencetest.Op) error {
			mu.Lock()
			some := slices.DeleteFunc(slices.Clone(op.Pages), func(persistence.Page) bool { return rng.IntN(2) == 0 })
			mu.Unlock()
			return errors.Join(l.store.Store.Pages().Write(ctx, some), fmt.Errorf("%w: torn", persistencetest.ErrInjected))
		},
	}
}

// rest lets time pass, that of the synctest bubble.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *load) run() {
	ctx := context.WithoutCancel(l.t.Context())
	l.start(ctx)
	var callers, others sync.WaitGroup
	stop := make(chan struct{})
	others.Go(func() { l.watch(stop) })
	others.Go(func() { l.operate(ctx, stop) })
	for c := range loadCallers {
		callers.Go(func() { l.call(ctx, c) })
	}
	ended := make(chan struct{})
	others.Go(func() {
		callers.Wait()
		close(ended)
	})
	select {
	case <-ended:
	case <-time.After(time.Hour):
		l.t.Errorf("calls hang: %s", l.minutes.left())
		return // and the bubble says where
	}
	close(stop)
	others.Wait()
	l.t.Logf("%d calls: %v, the longest took %s; %d starts, %d bytes at most", len(l.minutes.asked), l.minutes.ended, l.minutes.longest, l.starts, l.most)

	l.store.Heal()
	if _, err := l.store.Deliver(ctx); err != nil {
		l.t.Error(err)
	}
	for range 3 {
		l.settle(ctx)
		l.close(ctx, l.host.Load())
		l.verify()
		l.start(ctx)
	}
	l.close(ctx, l.host.Load())
	l.minutes.hold(chronicleLog(ctx, l.t, l.store), l.shardOf)
	for _, wrong := range l.minutes.wrong {
		l.t.Error(wrong)
	}
	if l.minutes.wrongs > len(l.minutes.wrong) {
		l.t.Errorf("and %d more", l.minutes.wrongs-len(l.minutes.wrong))
	}
}

func (l *load) verify() {
	done, found := verify(l.t, l.store, 0, chronicle)
	if len(found)+len(done.Unchecked) > 0 || done.Compared != done.Pages {
		l.t.Errorf("%d of %d pages were compared, %v were not, and found: %q", done.Compared, done.Pages, done.Unchecked, found)
	}
}

func (l *load) shardOf(id string) persistence.Shard {
	return persistence.ShardOf("chronicle", id, l.store.Info().Shards)
}

// start starts a host, again and again while that fails.
func (l *load) start(ctx context.Context) {
	for range 1000 {
		l.starts++
		h, err := entity.Open(ctx, l.cfg)
		if err == nil {
			l.host.Store(h)
			return
		}
		_ = rest(ctx, 100*time.Millisecond)
	}
	l.t.Fatal("no host can be started")
}

// settle asks every chronicle, and walks, until there are answers, which there must
// be after a while. Then everything leaves memory.
func (l *load) settle(ctx context.Context) {
	h := l.host.Load()
	for n := range loadChronicles {
		id := chronicleID(n)
		for try := 0; ; try++ {
			a := l.minutes.begin(asked{id: id, shard: l.shardOf(id), order: order{look: 7}, question: true, sender: loadCallers})
			var token entity.Token
			seen, err := audit.Ask(ctx, h, id, 7, entity.Into(&token))
			l.minutes.end(a, seen, token, err)
			if err == nil {
				break
			}
			if try == 600 {
				l.t.Errorf("%s does not answer, after a minute without faults: %v", id, err)
				break
			}
			_ = rest(ctx, 100*time.Millisecond)
		}
	}
	l.walk(ctx, h, false)
	l.walk(ctx, h, true)
	for range 100 {
		if h.Entries() == 0 {
			break
		}
		h.Checkpoint(ctx)
		h.Tick()
		h.Evict(ctx, 0)
		_ = rest(ctx, time.Millisecond) // the last is on its way out
	}
	if n, bytes := h.Entries(), h.Stats().MemoryBytes; n != 0 || bytes != 0 {
		l.t.Errorf("%d chronicles and %d bytes are left in memory", n, bytes)
	}
}

func chronicleID(n int) string { return fmt.Sprintf("l%02d", n) }

// watch looks at the memory all the time. While pages can't be stored they can't
// leave, and those of a shard that is lost stay until it is opened again; then it
// has to be below the limit soon.
func (l *load) watch(stop <-chan struct{}) {
	calm := time.Now()
	for {
		select {
		case <-stop:
			return
		case <-time.After(7 * time.Millisecond):
		}
		stats := l.host.Load().Stats()
		if l.stormy() || l.dead.Load() || l.crashed.Load() || stats.OpenShards < stats.Shards {
			calm = time.Now()
		}
		if time.Since(calm) < 2*time.Second { // longer than an operation takes
			continue
		}
		if l.most = max(l.most, stats.MemoryBytes); stats.MemoryBytes > loadMemory+loadMemory/4 {
			l.t.Errorf("%d bytes are in memory, the limit is %d", stats.MemoryBytes, loadMemory)
		}
	}
}

// operate does what the host would do by itself, at other times, and lets storms
// come and go, and the host start again.
func (l *load) operate(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(l.rng.Int64N(int64(500 * time.Millisecond)))):
		}
		h := l.host.Load()
		switch l.rng.IntN(16) {
		case 0, 1:
			h.Checkpoint(ctx)
		case 2, 3:
			h.Evict(ctx, uint32(l.rng.IntN(4)))
		case 4:
			h.Sweep(ctx)
		case 5, 6, 7:
			l.storm.Store(l.rng.IntN(3) > 0)
		case 8:
			if _, err := l.store.Deliver(ctx); err != nil {
				l.t.Error(err)
			}
		case 9:
			l.restart(ctx, h)
		}
	}
}

// restart lets the host start again: after an orderly stop, a crash, a failure of
// its store, or while the one before goes on and does not know.
func (l *load) restart(ctx context.Context, h *entity.Host) {
	switch l.rng.IntN(4) {
	case 0:
		l.close(ctx, h)
		l.start(ctx)
	case 1:
		l.crashed.Store(true)
		l.close(ctx, h)
		l.crashed.Store(false)
		l.start(ctx)
	case 2:
		l.dead.Store(true)
		_ = rest(ctx, time.Duration(l.rng.Int64N(int64(time.Second))))
		l.close(ctx, h)
		l.dead.Store(false)
		l.start(ctx)
	default:
		l.old.Store(h)
		l.start(ctx)
		_ = rest(ctx, time.Duration(l.rng.Int64N(int64(2*time.Second))))
		l.old.Store(nil)
		l.close(ctx, h)
	}
}

func (l *load) close(ctx context.Context, h *entity.Host) {
	if err := h.Close(ctx); err != nil {
		l.t.Error(err)
	}
	// All calls have ended, or are about to.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := h.Bulk().Acquire(ctx, l.cfg.Bulk); err != nil {
		l.t.Errorf("not all credit is back: %v", err)
	}
	h.Bulk().Release(l.cfg.Bulk)
}

// call is one caller.
func (l *load) call(ctx context.Context, number int) {
	rng := rand.New(rand.NewPCG(l.seed, uint64(number)+10))
	c := &caller{load: l, number: number, rng: rng}
	for range loadRounds {
		_ = rest(ctx, time.Duration(rng.Int64N(int64(500*time.Millisecond))))
		l.rounds.Add(1)
		h := l.host.Load()
		if old := l.old.Load(); old != nil && rng.IntN(2) == 0 {
			if h = old; rng.IntN(8) > 0 { // a command would let it know
				c.question(ctx, h)
				continue
			}
		}
		switch rng.IntN(12) {
		case 0, 1:
			c.ask(ctx, h)
		case 2, 3, 4:
			c.question(ctx, h)
		case 5, 6:
			c.burst(ctx, h)
		case 7:
			c.sendAll(ctx, h, false)
		case 8, 9:
			c.sendAll(ctx, h, true)
		case 10:
			l.walk(ctx, h, false)
		default:
			l.walk(ctx, h, true)
		}
	}
	c.sent.Wait()
}

type caller struct {
	*load
	number int
	rng    *rand.Rand
	sent   sync.WaitGroup
}

// some returns a chronicle: one of a few, mostly.
func (c *caller) some() string {
	if c.rng.IntN(2) == 0 {
		return chronicleID(c.rng.IntN(4))
	}
	return chronicleID(c.rng.IntN(loadChronicles))
}

func (c *caller) order() order {
	o := order{parts: uint8(1 + c.rng.IntN(3)), look: look3(c.rng.IntN(8))}
	switch c.rng.IntN(12) {
	case 0:
		o.parts = 0
	case 1:
		o.refuse = true
	case 2:
		o.parts, o.erase = 2, 1
	case 3:
		o.parts, o.erase = 3, 1
	}
	return c.minutes.newOrder(o)
}

// options returns some, and the token to be answered with.
func (c *caller) options(id string, token *entity.Token) []entity.Option {
	opts := []entity.Option{entity.Into(token)}
	if c.rng.IntN(3) == 0 {
		opts = append(opts, c.seen(id))
	}
	return opts
}

// seen returns the option that asks for no less than an answer has come to.
func (c *caller) seen(id string) entity.Option {
	shard := c.shardOf(id)
	c.minutes.mu.Lock()
	defer c.minutes.mu.Unlock()
	return entity.After(entity.Token{Shard: shard, Position: c.minutes.known[shard]})
}

// asking returns how much a question asks for. Where nothing of it is said, an
// answer may come from a node that has been replaced, as it was half a second ago.
func (c *caller) asking(id string) (opts []entity.Option, old bool) {
	switch c.rng.IntN(3) {
	case 0:
		return []entity.Option{c.seen(id)}, false
	case 1:
		return []entity.Option{entity.Linearizable()}, false
	}
	return nil, c.store.Remote
}

// limit returns a context that may end soon.
func (c *caller) limit(ctx context.Context) (context.Context, context.CancelFunc, bool) {
	if c.rng.IntN(4) > 0 {
		return ctx, func() {}, false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.rng.Int64N(int64(time.Second))))
	return ctx, cancel, true
}

func (c *caller) ask(ctx context.Context, h *entity.Host) {
	id, o := c.some(), c.order()
	ctx, cancel, limited := c.limit(ctx)
	defer cancel()
	a := c.minutes.begin(asked{id: id, shard: c.shardOf(id), order: o, sender: c.number, limited: limited})
	var token entity.Token
	seen, err := post.Ask(ctx, h, id, o, c.options(id, &token)...)
	c.minutes.end(a, seen, token, err)
}

func (c *caller) question(ctx context.Context, h *entity.Host) {
	id, look := c.some(), look3(c.rng.IntN(8))
	ctx, cancel, limited := c.limit(ctx)
	defer cancel()
	var token entity.Token
	opts, old := c.asking(id)
	a := c.minutes.begin(asked{id: id, shard: c.shardOf(id), order: order{look: look}, question: true, sender: c.number, limited: limited, any: old})
	seen, err := audit.Ask(ctx, h, id, look, append(opts, entity.Into(&token))...)
	c.minutes.end(a, seen, token, err)
}

// burst sends several to one chronicle, and does not wait.
func (c *caller) burst(ctx context.Context, h *entity.Host) {
	id := c.some()
	for range 1 + c.rng.IntN(10) {
		c.sent.Add(1)
		if c.rng.IntN(4) == 0 {
			look := look3(c.rng.IntN(8))
			opts, old := c.asking(id)
			a := c.minutes.begin(asked{id: id, shard: c.shardOf(id), order: order{look: look}, question: true, sender: c.number, any: old})
			audit.Send(ctx, h, id, look, func(seen sight, token entity.Token, err error) {
				c.minutes.end(a, seen, token, err)
				c.sent.Done()
			}, opts...)
			continue
		}
		o := c.order()
		a := c.minutes.begin(asked{id: id, shard: c.shardOf(id), order: o, sender: c.number})
		post.Send(ctx, h, id, o, func(seen sight, token entity.Token, err error) {
			c.minutes.end(a, seen, token, err)
			c.sent.Done()
		})
	}
}

// sendAll sends several to several chronicles.
func (c *caller) sendAll(ctx context.Context, h *entity.Host, bulk bool) {
	n := 1 + c.rng.IntN(40)
	var opts []entity.Option
	if bulk {
		limited, cancel := context.WithTimeout(ctx, time.Duration(c.rng.Int64N(int64(time.Second))))
		defer cancel()
		if err := h.Bulk().Acquire(limited, int64(n)); err != nil {
			if !errors.Is(err, entity.ErrOverloaded) {
				c.t.Error(err)
			}
			return
		}
		opts = append(opts, entity.Bulk())
	}
	ids, orders, all := make([]string, n), make([]order, n), make([]*asked, n)
	for i := range ids {
		ids[i], orders[i] = c.some(), c.order()
		all[i] = c.minutes.begin(asked{id: ids[i], shard: c.shardOf(ids[i]), order: orders[i], sender: c.number, bulk: bulk})
	}
	c.sent.Add(n)
	var left atomic.Int64
	left.Store(int64(n))
	post.SendAll(ctx, h, ids, orders, func(i int, seen sight, token entity.Token, err error) {
		c.minutes.end(all[i], seen, token, err)
		if left.Add(-1) == 0 && bulk {
			h.Bulk().Release(int64(n))
		}
		c.sent.Done()
	}, opts...)
}

// walk lists the chronicles, or looks into the index.
func (l *load) walk(ctx context.Context, h *entity.Host, number bool) {
	w := l.minutes.beginWalk(number)
	var err error
	if number {
		for e, bad := range h.Find(ctx, byNumber, entity.Entry{}) {
			if bad != nil {
				err = bad
				break
			}
			w.entries = append(w.entries, e)
		}
	} else {
		var ids []string
		ids, err = h.List(ctx, "chronicle", "", 2*loadChronicles)
		for _, id := range ids {
			w.entries = append(w.entries, entity.Entry{ID: id})
		}
	}
	w.next = make(map[string]persistence.Position)
	for n := range loadChronicles {
		w.next[chronicleID(n)] = h.Next(entity.ID{Kind: "chronicle", ID: chronicleID(n)})
	}
	l.minutes.endWalk(w, err)
}
