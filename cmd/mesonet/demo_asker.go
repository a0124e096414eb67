package main

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	stationkind "github.com/mesonet/mesonet/weather/station"
)

// asker is a client that asks for all stations, again and again, through several nodes,
// and looks whether the answers are what they were. Each shard has somebody of its own
// who asks for it, so that one that does not answer holds up nobody but itself.
type asker struct {
	shards [][]string // the stations of each
	every  time.Duration

	mu     sync.Mutex
	nodes  []*client                     // that are asked, in turn
	first  map[string]*mesonetv1.Station // what each station answered at first
	counts map[string]uint64             // observations that each had at last
	tally  tally
}

// tally is what came of asks since it was begun.
type tally struct {
	asks, failed, other int
	longest             time.Duration
	failure             error // the last one
	shards              []shardTally
}

// shardTally is that of one shard.
type shardTally struct {
	asks    int
	longest time.Duration
	until   time.Time // when the longest ended
	begun   time.Time // when the last began that was answered
}

// askEvery is how long each shard has peace between two asks: the nodes, the client
// and whoever reads are on one machine.
const askEvery = 5 * time.Millisecond

func newAsker(ids []string, shards uint32) *asker {
	a := &asker{
		shards: make([][]string, shards), every: askEvery,
		first: make(map[string]*mesonetv1.Station, len(ids)), counts: make(map[string]uint64, len(ids)),
	}
	for _, id := range ids {
		s := persistence.ShardOf(stationkind.KindName, id, shards)
		a.shards[s] = append(a.shards[s], id)
	}
	a.begin()
	return a
}

// through says which nodes are asked from now on.
func (a *asker) through(nodes ...*client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes = nodes
}

// begin begins the tally anew, and returns the one so far.
func (a *asker) begin() tally {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.tally
	a.tally = tally{shards: make([]shardTally, len(a.shards))}
	return old
}

// run asks until ctx ends.
func (a *asker) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for shard, ids := range a.shards {
		if len(ids) > 0 {
			all.Go(func() { a.askShard(ctx, shard, ids) })
		}
	}
}

func (a *asker) askShard(ctx context.Context, shard int, ids []string) {
	pause := time.NewTicker(a.every)
	defer pause.Stop()
	for i := 0; ; i++ {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		a.mu.Lock()
		node := a.nodes[(i+shard)%len(a.nodes)]
		a.mu.Unlock()
		id, begun := ids[i%len(ids)], time.Now()
		r, err := node.GetStation(ctx, &mesonetv1.GetStationRequest{Station: id})
		if ctx.Err() != nil {
			return
		}
		a.answered(shard, id, begun, r.GetStation(), err)
	}
}

// answered counts an ask that has ended.
func (a *asker) answered(shard int, id string, begun time.Time, s *mesonetv1.Station, err error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	t, of := &a.tally, &a.tally.shards[shard]
	t.asks++
	of.asks++
	if took := now.Sub(begun); took > of.longest {
		of.longest, of.until = took, now
		t.longest = max(t.longest, took)
	}
	if err != nil {
		t.failed++
		t.failure = err
		return
	}
	of.begun = begun
	switch first, known := a.first[id]; {
	case !known:
		a.first[id] = s
	case !proto.Equal(first, s):
		t.other++
	}
	a.counts[id] = uint64(s.GetObservations())
}

// observations is how many all stations have, by their last answers.
func (a *asker) observations() (sum uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.counts {
		sum += n
	}
	return sum
}

// round waits until each station was asked, and those of each shard answer that were
// asked after a moment.
func (a *asker) round(ctx context.Context, after time.Time) error {
	return poll(ctx, func(context.Context) (bool, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for s, ids := range a.shards {
			if of := a.tally.shards[s]; len(ids) > 0 && (of.asks < len(ids) || of.begun.Before(after)) {
				return false, nil
			}
		}
		return true, nil
	})
}

// waited is until when the longest ask of any of the shards took.
func (a *asker) waited(shards []uint32) (until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range shards {
		if end := a.tally.shards[s].until; end.After(until) {
			until = end
		}
	}
	return until
}

// pollEvery is how often it is looked whether something is so that nobody tells.
const pollEvery = 20 * time.Millisecond

// poll waits until is says true.
func poll(ctx context.Context, is func(ctx context.Context) (bool, error)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if so, err := is(ctx); so || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
