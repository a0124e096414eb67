package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// Random faults of the store while clients append, the shard is lost and opened
// again, by two nodes that hand it to each other, and take it from each other if
// the store is remote, pages are stored and checkpoints moved: I5, I6, I7, I8 and I15 hold all the time,
// and after the store is well again and everything late has come.
//
// Mutations seen to fail: settle acknowledging a frame that failed, or whose
// check failed, or taking what has come in once more after its check; check
// taking any error for a yes; Confirm settling at once (I5). OpenShard not waiting
// for its turn, or not giving up what is open; mayClaim returning nil;
// replayEpoch taking an error for the end of the log; Checkpoint not rounding
// down; a shard that is handed over not being lost to who did (I6). replayEpoch without the case f.Position >= to (I7).
func TestFaultyHistories(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range uint64(60) {
		for _, remote := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/remote=%t", i, remote), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { faultyHistory(t, seed+i, remote) })
			})
		}
	}
	if n := handedOver.Load(); n < 100 {
		t.Errorf("a shard was handed over %d times", n)
	}
}

// handedOver counts how often a shard was handed over in all histories.
var handedOver atomic.Int64

func faultyHistory(t *testing.T, seed uint64, remote bool) {
	rng := rand.New(rand.NewPCG(seed, 0))
	h := newHistory(t, remote)
	faults := append(persistencetest.Ordinary(seed, remote), persistencetest.CorruptReads(rng.Float64()), persistencetest.CorruptPages())
	rate := rng.Float64() * 0.3
	h.store.Inject(persistencetest.Random(seed, rate, faults...))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()

	n := &nodes{h: h, rng: rng, journals: map[persistence.NodeID]*journal.Journal{"a": h.boot(ctx, "a")}, owner: "a"}
	var clients, others sync.WaitGroup
	var appending atomic.Int64
	const count = 4
	appending.Store(count)
	for c := range count {
		rng := rand.New(rand.NewPCG(seed, uint64(c)+1))
		clients.Go(func() {
			defer appending.Add(-1)
			client(ctx, h, rng, c)
		})
	}
	for acts := 0; appending.Load() > 0; acts++ {
		n.act(ctx, &others, remote)
		if acts == 10_000 {
			t.Errorf("nobody gets on any more; the last to open the shard: %v", n.err)
			break
		}
	}
	stop()
	clients.Wait()
	others.Wait()

	h.heal()
	ctx = t.Context()
	for _, node := range []persistence.NodeID{"a", "b", "a"} {
		if _, err := h.store.Deliver(ctx); err != nil {
			t.Error(err)
		}
		j := h.boot(ctx, node)
		n.all = append(n.all, j)
		if _, err := h.open(ctx, j); err != nil && !errors.Is(err, persistence.ErrOwned) {
			t.Errorf("opening after healing: %v", err)
		}
	}
	for _, j := range n.journals {
		n.all = append(n.all, j)
	}
	for _, j := range n.all {
		closeJournal(t, j)
	}
	h.report()
}

// client appends commands of one entity, each when the one before is settled, or
// some at once.
func client(ctx context.Context, h *history, rng *rand.Rand, number int) {
	var writer *journal.Writer
	var of *journal.Shard
	for i := 0; i < 40 && ctx.Err() == nil; {
		changed := h.wait()
		o := h.some(rng)
		if o == nil || o.shard.Err() != nil {
			if o == nil || rng.IntN(4) == 0 {
				select {
				case <-changed:
				case <-ctx.Done():
				}
			}
			i += rng.IntN(2)
			continue
		}
		if o.shard != of {
			of, writer = o.shard, journal.NewWriter("test", fmt.Sprint(number))
		}
		var settled sync.WaitGroup
		for range 1 + rng.IntN(3) {
			events := make([]string, 1+rng.IntN(3))
			for e := range events {
				events[e] = fmt.Sprintf("%d/%d.%d", number, i, e)
			}
			i++
			settled.Add(1)
			h.append(o, writer, events, settled.Done)
		}
		if rng.IntN(3) == 0 {
			settled.Add(1)
			h.confirm(o, settled.Done)
		}
		settled.Wait()
	}
}

// nodes are those who open the shard, as their luck has it.
type nodes struct {
	h        *history
	rng      *rand.Rand
	journals map[persistence.NodeID]*journal.Journal
	all      []*journal.Journal // zombies, too
	owner    persistence.NodeID
	err      error // of the last attempt to open the shard
}

func (n *nodes) act(ctx context.Context, others *sync.WaitGroup, remote bool) {
	if errors.Is(n.err, persistence.ErrOwned) { // it was handed over, and nobody had heard of it
		n.owner, n.err = n.other(), nil
	}
	j := n.journals[n.owner]
	if j == nil {
		j = n.h.boot(ctx, n.owner)
		n.journals[n.owner] = j
	}
	switch n.rng.IntN(12) {
	case 0, 1:
		n.openIfLost(ctx, j)
	case 2: // two at once
		others.Go(func() { _, _ = n.h.open(ctx, j) })
		_, n.err = n.h.open(ctx, j)
	case 3, 4:
		if o := n.h.some(n.rng); o != nil && o.shard.Err() == nil {
			forget := n.rng.IntN(2) == 0
			others.Go(func() { _ = n.h.checkpoint(ctx, o, forget) })
		}
	case 5:
		_, _ = n.h.store.Deliver(ctx)
	case 6: // the node starts again; the process before may not know
		n.all = append(n.all, j)
		delete(n.journals, n.owner)
	case 7:
		if remote {
			n.takeOver(ctx, j)
		}
	case 8, 9:
		n.handOver(ctx, others)
	default:
		time.Sleep(time.Second) //nolint:forbidigo // in a synctest bubble: until nobody has anything to do
		n.openIfLost(ctx, j)
	}
}

func (n *nodes) openIfLost(ctx context.Context, j *journal.Journal) {
	n.h.mu.Lock()
	lost := len(n.h.shards) == 0 || n.h.shards[len(n.h.shards)-1].shard.Err() != nil
	n.h.mu.Unlock()
	if lost {
		_, n.err = n.h.open(ctx, j)
	}
}

func (n *nodes) other() persistence.NodeID {
	return map[persistence.NodeID]persistence.NodeID{"a": "b", "b": "a"}[n.owner]
}

// handOver gives the shard to the other node, or to one that it was, while clients
// append: it may be given up.
func (n *nodes) handOver(ctx context.Context, others *sync.WaitGroup) {
	o, to := n.h.some(n.rng), n.other()
	if n.journals[to] == nil {
		n.journals[to] = n.h.boot(ctx, to)
	}
	next, err := n.h.store.Ownership().Node(ctx, to)
	if o == nil || err != nil {
		return
	}
	patience := time.Duration(n.rng.IntN(int(time.Second)))
	give := func() bool {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_, err := o.shard.HandOver(ctx, next)
		if err == nil {
			n.h.handed.Add(1)
		}
		return err == nil
	}
	if n.rng.IntN(3) == 0 {
		others.Go(func() { give() })
	} else if give() {
		n.owner = to
	}
}

// takeOver fences the owner; the other node opens the shard.
func (n *nodes) takeOver(ctx context.Context, j *journal.Journal) {
	_, inc := j.Node()
	_, _ = n.h.store.Ownership().Fence(ctx, n.owner, inc)
	n.all = append(n.all, j)
	delete(n.journals, n.owner)
	n.owner = n.other()
}
