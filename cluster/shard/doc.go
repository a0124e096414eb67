// Package shard decides which node serves which shard, as one pure state machine a
// node: [Machine.Step] takes an [Input], something that gossip, the store, the local
// host of shards or an operator said, and returns [Effect]s, what is to be done
// about it. It has no clock, no goroutine and no I/O, and with the same inputs it does
// the same. Package cluster drives it.
//
// # What it promises
//
// Nothing that is safe rests on it. Whose a shard is decides the store, by conditional
// changes that are refused when somebody else was first (docs/design/ownership.md).
// The machine may be told what is wrong, late or twice, by a clock that stands still
// or jumps, and then serves a shard later than it could; two nodes never serve
// one. What it gives, when its inputs come to agree:
//
//   - every shard is served by one live node soon, the one that [Table] names on every
//     node, unless an operator has moved it elsewhere;
//   - a node that is gone costs one fence, and each of its shards one claim;
//   - nothing that is served by a live node is taken from it: it hands it over itself,
//     a few at a time, when the table has named another for a while;
//   - a node is fenced when two signals say that it is gone: gossip (or its own word
//     that it has lost touch), and a heartbeat in the store that stands still;
//   - of two sides that don't see each other but the store, the smaller stops serving.
//
// # Use
//
// Make a machine with [New], give it inputs one at a time, and carry out the effects
// in the order in which they come. Each [Take], [HandOver] and [Fence] is answered by
// an input, sooner or later, also when it failed. A [Tick] comes some ten times a
// second: all waiting is counted by what Tick says the time is, and nothing is
// retried without one.
//
// While the node's own state, as [Announce] gives it, is [LostTouch], the driver
// answers no caller and writes no heartbeat; while it is [Joining] neither. A heartbeat
// that stops is how a node on the smaller side of a split lets the others have its
// shards, whom its word does not reach.
//
// A host that is fenced joins the store anew by itself; [JoinedStore] says so, and
// that no shard is open. It opens shards when [Take] says so, or reports those that
// it opens of its own accord by [Opened].
//
// # Concurrency
//
// A Machine belongs to one goroutine. Values that it returns are the caller's.
package shard
