// Package rollcall is a client that asks a cluster for all of its stations, again and
// again, and looks whether the answers are what they were and how long they took:
// for those who show what becomes of a cluster that loses a node.
//
//	a := rollcall.New(ids, shards)
//	a.Through(first, second)
//	go a.Run(ctx)
//	err := a.Round(ctx)                // each station was asked
//	tally := a.Begin()                 // what came of it
//
// Each shard has a goroutine of its own that asks for it, so that a shard that does
// not answer holds up nobody but itself. All methods of an Asker may be called from
// any goroutine; its goroutines end with Run.
package rollcall

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather/station"
)

// Node is a node that can be asked.
type Node interface {
	GetStation(ctx context.Context, r *mesonetv1.GetStationRequest, opts ...grpc.CallOption) (*mesonetv1.GetStationResponse, error)
}

// Asker asks for all stations, again and again, through several nodes,
// and looks whether the answers are what they were. Each shard has somebody of its own
// who asks for it, so that one that does not answer holds up nobody but itself.
type Asker struct {
	shards [][]string // the stations of each

	mu     sync.Mutex
	nodes  []Node                        // that are asked, in turn
	first  map[string]*mesonetv1.Station // what each station answered at first
	counts map[string]uint64             // observations that each had at last
	tally  Tally
}

// Tally is what came of asks since it was begun.
type Tally struct {
	Asks, Failed, Other int
	Longest             time.Duration
	Failure             error // the last one
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

// New returns an asker of stations, in a store of so many shards.
func New(ids []string, shards uint32) *Asker {
	a := &Asker{
		shards: make([][]string, shards),
		first:  make(map[string]*mesonetv1.Station, len(ids)), counts: make(map[string]uint64, len(ids)),
	}
	for _, id := range ids {
		s := persistence.ShardOf(station.KindName, id, shards)
		a.shards[s] = append(a.shards[s], id)
	}
	a.Begin()
	return a
}

// Through says which nodes are asked from now on.
func (a *Asker) Through(nodes ...Node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes = nodes
}

// Begin begins the tally anew, and returns the one so far.
func (a *Asker) Begin() Tally {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.tally
	a.tally = Tally{shards: make([]shardTally, len(a.shards))}
	return old
}

// Run asks until ctx ends.
func (a *Asker) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for shard, ids := range a.shards {
		if len(ids) > 0 {
			all.Go(func() { a.askShard(ctx, shard, ids) })
		}
	}
}

func (a *Asker) askShard(ctx context.Context, shard int, ids []string) {
	pause := time.NewTicker(askEvery)
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
func (a *Asker) answered(shard int, id string, begun time.Time, s *mesonetv1.Station, err error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	t, of := &a.tally, &a.tally.shards[shard]
	t.Asks++
	of.asks++
	if took := now.Sub(begun); took > of.longest {
		of.longest, of.until = took, now
		t.Longest = max(t.Longest, took)
	}
	if err != nil {
		t.Failed++
		t.Failure = err
		return
	}
	of.begun = begun
	switch first, known := a.first[id]; {
	case !known:
		a.first[id] = s
	case !proto.Equal(first, s):
		t.Other++
	}
	a.counts[id] = uint64(s.GetObservations())
}

// Observations is how many all stations have, by their last answers.
func (a *Asker) Observations() (sum uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.counts {
		sum += n
	}
	return sum
}

// Round waits until each station was asked, and those of each shard answer that are
// asked from now on.
func (a *Asker) Round(ctx context.Context) error {
	after := time.Now()
	return Poll(ctx, func(context.Context) (bool, error) {
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

// Waited is until when the longest ask of any of the shards took.
func (a *Asker) Waited(shards []uint32) (until time.Time) {
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

// Poll waits until is says true.
func Poll(ctx context.Context, is func(ctx context.Context) (bool, error)) error {
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

// Owners waits until each shard answers at the node that it belongs to, and returns
// whose they are.
func Owners(ctx context.Context, c mesonetv1.ClusterServiceClient) (owners []string, err error) {
	err = Poll(ctx, func(ctx context.Context) (bool, error) {
		r, err := c.ListShards(ctx, &mesonetv1.ListShardsRequest{})
		owners = owners[:0]
		for _, s := range r.GetShards() {
			if s.GetOwner() != s.GetTarget() || !s.GetAnswers() {
				return false, err
			}
			owners = append(owners, s.GetOwner())
		}
		return err == nil, err
	})
	return owners, err
}

// Of returns the shards of a node.
func Of(owners []string, node string) (shards []uint32) {
	for i, owner := range owners {
		if owner == node {
			shards = append(shards, uint32(i))
		}
	}
	return shards
}
