package shard

import (
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/persistence"
)

// Millis is a time of the node's own clock, or a length of time, in milliseconds.
type Millis int64

// Config says who the machine's node is, and how patient it is.
type Config struct {
	// Node is the node's id, and Weight how many shards it takes in proportion to
	// others; 0 for none.
	Node   persistence.NodeID
	Weight uint32
	// Shards is how many the store has.
	Shards uint32

	// LostAfter is how long the node's own checks fail before it says that it has
	// lost touch with the store.
	LostAfter Millis
	// SplitAfter is how long gossip and heartbeats differ about who is there before
	// the smaller side stops serving.
	SplitAfter Millis
	// A heartbeat stands still when StillReads reads of it, at least, have shown
	// nothing new, over StillFor.
	StillFor   Millis
	StillReads int
	// TouchGrace is how long a node may say that it has lost touch before it can be
	// fenced.
	TouchGrace Millis
	// UnseenFor is how long an owner may be unknown to gossip before it counts as
	// gone.
	UnseenFor Millis
	// FenceStep is how long each survivor waits for the one before it to fence.
	FenceStep Millis

	// SettleFor is how long the table has to stand still before shards are asked for
	// of which nobody has said whose they are.
	SettleFor Millis
	// StableFor is how long the table has to name another node before a shard is
	// handed over to it.
	StableFor Millis
	// RestFor is how long a shard stays that comes back to a node which has handed it
	// over, no longer ago than that: nodes that differ about where it belongs would pass
	// it to and fro.
	RestFor Millis
	// HoldOff is how long a node that was fenced leaves its former shards to those
	// who fenced it.
	HoldOff Millis
	// LookEvery is how often a shard is asked for that should be this node's and is
	// another's: it may have been handed over without a word that arrived.
	LookEvery Millis
	// TellEvery is how often all others are told what this node serves, though they
	// should know.
	TellEvery Millis

	// Retry is the pause before a take, a hand-over or a fence that failed is tried
	// again; it doubles up to RetryMost.
	Retry, RetryMost Millis
	// Takes is how many may be under way at once, HandOvers how many to keep the
	// table, and DrainAtOnce how many while draining.
	Takes, HandOvers, DrainAtOnce int
}

// DefaultConfig returns the configuration of a node that serves.
func DefaultConfig(node persistence.NodeID, shards uint32) Config {
	return Config{
		Node: node, Weight: 100, Shards: shards,

		LostAfter:  2000, // two checks
		SplitAfter: 5000, // gossip finds who is gone, or back, in two
		StillFor:   600,  // a heartbeat is written a few times a second
		StillReads: 2,    // one may have been of a replica that was behind
		TouchGrace: 3000, // all lose touch when the store is away, and come back within a check or two
		UnseenFor:  2000, // as long as gossip takes
		FenceStep:  500,  // a fence and word of it take some ten

		SettleFor: 500, // nodes that start at once find each other
		StableFor: 2000,
		RestFor:   30_000,
		HoldOff:   5000,
		LookEvery: 5000,
		TellEvery: 10_000,

		Retry: 200, RetryMost: 5000,
		Takes: 16, HandOvers: 8, DrainAtOnce: 16,
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	var errs []error
	if c.Node == "" {
		errs = append(errs, errors.New("shard: the machine needs the id of its node"))
	}
	if err := persistence.ValidShards(c.Shards); err != nil {
		errs = append(errs, fmt.Errorf("shard: %w", err))
	}
	for _, d := range []Millis{
		c.LostAfter, c.SplitAfter, c.StillFor, c.TouchGrace, c.UnseenFor, c.FenceStep, c.SettleFor,
		c.StableFor, c.RestFor, c.HoldOff, c.LookEvery, c.TellEvery,
	} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("shard: no wait can be shorter than none, as %d ms is", d))
		}
	}
	if c.StillReads < 1 || c.Retry < 1 || c.RetryMost < c.Retry || c.Takes < 1 || c.HandOvers < 1 || c.DrainAtOnce < 1 {
		errs = append(errs, errors.New("shard: counts and pauses must be above 0; begin with DefaultConfig"))
	}
	return errors.Join(errs...)
}
