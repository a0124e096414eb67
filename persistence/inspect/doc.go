// Package inspect looks into a store: what is in each shard, and what in it can't
// be right. It only reads, and claims nothing.
//
//	for n := range persistence.Shard(store.Info().Shards) {
//		summary, err := inspect.Read(ctx, store, n, func(f inspect.Finding) { … })
//	}
//
// # What is looked at
//
// The shard's row: every finished epoch has a seal. The log from low on: every
// frame can be read, one follows the other, each finished epoch goes to its seal
// and the current one to its end. The checkpoint lies between two frames, at or
// above low. Every page can be read, belongs to its shard, and is not ahead of
// the log. What is in the events and pages is the business of package
// actors/entity, which has the pages made anew from the events (Verify) and walks
// over both with [Shard.Log] and [Shard.Pages].
//
// Frames at or above a seal, and on a store of several nodes those behind a gap,
// are late writes of an owner that was replaced. They count for nothing, are no
// damage, and are only counted.
//
// # What is found
//
// Damage is told as a [Finding], and the walk goes on behind it. An error is what
// kept the walk from going on: the store is closed, or ctx has ended.
//
// # Stores that are in use
//
// A store that several nodes reach may be looked at while they serve. Its figures
// are then those of a moment, not of one and the same for all shards, and what a
// node does meanwhile is not taken for damage: a page that is ahead of the log that
// was walked over has the log looked at again, and so has a gap the low mark. An
// embedded store is never in use by another.
//
// Values here belong to one goroutine.
package inspect
