// Package journal is the write-ahead log of a node: it turns the events of all
// entities of a shard into frames, makes them durable in groups, and says when
// they may be acknowledged.
//
//	j, err := journal.Open(ctx, store, "node-1", journal.DefaultConfig())
//	shard, tail, err := j.OpenShard(ctx, 17)  // claims it and reads what is there
//	…  bring the entities of tail back to life …
//	end, err := shard.Append(writer, records) // in memory; the place is settled
//	shard.Wait(end, waiter)                   // told once end is acknowledged
//
// # What it promises
//
// A position is acknowledged when everything below it is durable and an
// ownership check that began after that has found this node's incarnation
// unchanged. So nothing that was acknowledged is missing from a later
// OpenShard, by whichever node, and a node that lost its place acknowledges
// nothing (invariants I5 and I6 of docs/design/log.md).
//
// The records of one Append are in one frame: after a crash all of them are
// there, or none.
//
// A shard that fails (an append with an unknown outcome, a fence) settles every
// waiter with an error at once and takes nothing more. Opening it again claims
// it into a new epoch, also from itself: an epoch is opened at most once (I15).
//
// [Shard.HandOver] gives a shard to another node, in order: what was appended is
// acknowledged first, and no answer is given once the other may have the shard.
//
// # How it is fast
//
// A shard has one frame under way at a time. What is appended meanwhile
// becomes the next frame, so that under load frames get larger, not more. The
// node has at most [Config.InFlight] frames under way over all its shards,
// which take turns, and fewer at a store that is slower than it can be: what has to
// wait grows better here than there. A shard of such a store rests after a frame, for
// [Config.Gather] at most, so that bulk gathers. Encoding, syncing and acknowledging go on at once: the
// writer goroutine encodes the next frames while the store syncs and the acker
// goroutine checks ownership, once for all frames that have come in, and
// settles waiters.
//
// # Concurrency
//
// All methods may be called from any goroutine. Waiters are settled on the
// acker's goroutine or the caller's and must not block.
package journal
