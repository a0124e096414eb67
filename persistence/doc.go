// Package persistence says what a store must promise so that actors may trust
// it with their state, and fixes the two things that are written down for
// ever: positions and frames.
//
// A store keeps three kinds of record, each behind an interface of its own:
//
//   - [Log]: the events of a shard, in frames. A frame is one group commit of
//     all entities of the shard; it is written once, at one [Position], and
//     never changes.
//   - [Pages]: pieces of state, each stamped with the position that it
//     reflects. The higher position wins, whatever arrives last.
//   - [Ownership]: who may write. A node has an incarnation, a register that
//     only rises; a shard has an epoch, which rises with each change of its
//     owner. The end of a finished epoch is its seal, and a seal never
//     changes.
//
// A fourth, [LevelRegister], says in which formats these are written, so that
// programs of two releases can use one store, see [Level].
//
// The rules by which these are used (append, check, acknowledge; fence, claim,
// seal) live in persistence/journal, once for all stores. A store only has to
// keep the promises written at each method here; persistence/persistencetest
// checks them, and every store passes it.
//
// # Words
//
// Durable means that it survives the loss of power (embedded) or of a minority
// of replicas. Seals, checkpoints and low marks are exclusive ends: the first
// position not covered.
//
// # Concurrency
//
// All methods of a store may be called from any goroutine. Slices passed to a
// store belong to it until the call, or its callback, has returned; slices
// returned by a store belong to the caller.
package persistence
