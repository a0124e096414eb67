// Package transfer copies a store into another: from a folder to a cluster and
// back, or into one with another number of shards.
//
//	copied, err := transfer.Copy(ctx, from, to, transfer.DefaultConfig(), found)
//
// # What a copy is
//
// The target is a store of its own, with an id of its own. It has every event of
// the source that counts, in the order of each entity, at new positions; every
// page, byte for byte, at the position that stands in the same place among the
// events of its entity; and the entries of indexes. A checkpoint lies where all
// events behind it are those that a start of the source would have read. So a node
// comes to the same state from the copy as from its source, and knows as much of
// the past. docs/design/copy.md says why that holds, and what was rejected.
//
// # What is promised
//
//   - The source is only read. If it changes meanwhile, Copy fails with
//     [ErrChanged]: nobody may serve from it.
//   - A damaged source is not copied: found is told of the damage, as package
//     inspect finds it, and Copy fails with [ErrDamaged].
//   - A copy that was broken off, in whatever way, goes on where it stopped when
//     Copy is called again with the same stores. Until it is done no node starts
//     on the target; [Unfinished] says so of it.
//   - Before it is done, all of the target is read back and compared with the
//     source, entity by entity: [ErrDiffers].
//
// # Concurrency
//
// A Copy belongs to one goroutine; frames and pages are written by several at a
// time. Its memory is bounded by what one shard holds: a few numbers for each of
// its entities and pages.
package transfer
