package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
)

// Config says who a node is, and how patient.
type Config struct {
	// Self is what the node says of itself; State and Incarnation are filled in.
	Self Member
	// Shards is how many the store has.
	Shards uint32
	// Heartbeats are the signs of life in the store, Ownership its registers, and Level
	// that of its formats.
	Heartbeats Heartbeats
	Ownership  persistence.Ownership
	Level      persistence.LevelRegister
	// Clock is the node's own.
	Clock clock.Clock

	// BeatEvery is how often the node leaves a sign of life, and how often it reads
	// those of the others while somebody is missing; it does so every WatchEvery
	// otherwise.
	BeatEvery, WatchEvery time.Duration
	// TickEvery is how often what waits for time is looked at.
	TickEvery time.Duration
	// CheckWithin is how long the node may hear nothing of its store before that
	// counts as a check that failed.
	CheckWithin time.Duration
	// StepWithin bounds one taking of a shard, one hand-over and one fence.
	StepWithin time.Duration
	// WaitMost is how long a call may be on its way for which nobody has named an
	// end.
	WaitMost time.Duration
	// CutMost is how long a node may not be reached that is seen all the same before
	// calls to it wait no more.
	CutMost time.Duration
	// ListWait is how long a list waits for a shard that nobody serves.
	ListWait time.Duration
	// RetryFirst is the pause before calls are sent again that came back; it doubles
	// up to RetryMost. News of their shard ends it.
	RetryFirst, RetryMost time.Duration
	// Parked is how many calls may wait for their shards to be served.
	Parked int
	// Lists is how many requests of other nodes for lists are answered at once.
	Lists int

	// Tune changes how patient the machine is that decides who has which shard.
	Tune func(*shard.Config)
	// Logger gets what operators should know of.
	Logger *slog.Logger
	// Listener is told what happens.
	Listener Listener
}

// Listener is a set of functions that are told what a node does in its cluster.
// Any may be nil. They are called from whatever goroutine found out, and must not
// block.
type Listener struct {
	// State: the node says this of itself from now on.
	State func(State)
	// Status: the node stands so from now on.
	Status func(Status)
	// Input and Effect: the machine was told something, and wants something done.
	Input  func(shard.Input)
	Effect func(shard.Effect)
	// Forwarded: so many calls went to another node.
	Forwarded func(calls int)
	// Parked: so many calls wait for their shards now.
	Parked func(calls int)
	// Failed: a call that waited was given up.
	Failed func(err error)
}

// Heartbeats are signs of life that nodes leave in the store. They are hints.
type Heartbeats interface {
	// Beat stores a heartbeat. The later one of a node wins.
	Beat(ctx context.Context, h persistence.Heartbeat) error
	// Heartbeats returns the last one of each node.
	Heartbeats(ctx context.Context) ([]persistence.Heartbeat, error)
}

// DefaultConfig returns the configuration of a node that serves.
func DefaultConfig(self Member, store persistence.Store, beats Heartbeats) Config {
	return Config{
		Self: self, Shards: store.Info().Shards, Heartbeats: beats, Ownership: store.Ownership(), Level: store.Level(), Clock: clock.System(),
		BeatEvery: 200 * time.Millisecond, WatchEvery: time.Second,
		TickEvery: 50 * time.Millisecond, CheckWithin: 1500 * time.Millisecond, StepWithin: 10 * time.Second,
		WaitMost: 10 * time.Second, CutMost: 3 * time.Second, ListWait: 5 * time.Second, RetryFirst: 5 * time.Millisecond, RetryMost: 100 * time.Millisecond,
		Parked: 1 << 16, Lists: 64,
		Logger: slog.Default(),
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	errs := []error{CheckNode(c.Self.Node), persistence.ValidShards(c.Shards)}
	if c.Heartbeats == nil || c.Ownership == nil || c.Level == nil || c.Clock == nil {
		errs = append(errs, errors.New("cluster: a node needs heartbeats, ownership, a level and a clock; begin with DefaultConfig"))
	}
	for _, d := range []time.Duration{c.BeatEvery, c.WatchEvery, c.TickEvery, c.CheckWithin, c.StepWithin, c.WaitMost, c.CutMost, c.ListWait, c.RetryFirst, c.RetryMost - c.RetryFirst + 1} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("cluster: a pause of %s can't be; all are above 0, and RetryMost is not below RetryFirst", d))
		}
	}
	if c.Parked < 1 || c.Lists < 1 {
		errs = append(errs, errors.New("cluster: at least one call has to have room, and one list"))
	}
	return errors.Join(errs...)
}

func (c Config) machine() shard.Config {
	m := shard.DefaultConfig(c.Self.Node, c.Shards)
	m.Weight = c.Self.Weight
	if c.Tune != nil {
		c.Tune(&m)
	}
	return m
}
