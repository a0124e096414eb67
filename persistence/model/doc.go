// Package model is the protocol of entities and their pages, small enough to be
// read in an hour and run in all its orders: a random-schedule model of one
// shard on one node. It is the specification that journal and entity follow,
// not code that a node runs, and it exports nothing.
//
// Each schedule draws, step by step, what happens next: a client asks, an
// entity decides, a frame goes out, the disk gets on with one of its writes, a
// page is copied, loaded or dropped, the checkpoint moves, an entity crashes,
// the shard is given up, the process is killed, the power goes. An oracle
// outside of the protocol (checker) keeps the whole history and what anyone was
// told, and compares. A schedule follows from its seed alone. The model has no
// goroutines and no clock: a step is a call.
//
//	go test ./persistence/model                                # schedules, and all mutations
//	go test ./persistence/model -run TestProtocol -schedules 100000
//	go test ./persistence/model -run TestSchedule -seed 76 -mutation last-write-wins -v
//	go test ./persistence/model -run TestRates -rates 10000 -v # how often each mutation is caught
//
// The third prints one schedule as a transcript, a line a step. A mutation
// leaves out one rule (mutation.go lists them by rule); the tests demand that
// each is caught, since a rule that nothing misses may be none.
//
// # The rules
//
// Of the store:
//
//   - S1 A writer is told when all of its write is synced, no sooner. A crash
//     may leave any part of a write that it was not told of.
//   - S2 A page gives way only to one with a higher position, whatever is
//     written last. A deleted page stays as a tombstone with its position.
//   - S3 What a read has shown outlives whatever is written after it: a reader
//     rests a seal, a checkpoint or a low mark on it.
//
// Of the log and the gate:
//
//   - L1 All events of a command are in one frame.
//   - L2 Whatever is told (accepted, refused, answered) waits until all events
//     of its entity that the decision saw are validated, and all that the
//     client's session had come to; the session goes on from there.
//   - L3 A new owner, itself or another, seals the epoch at the end of what it
//     read, begins an epoch that nobody has used, and has no state but pages
//     and tail. What waits for a position of an epoch ends with it: that the
//     next epoch is above it says nothing. Readers stop at seals.
//
// Of pages in memory:
//
//   - P1 A page with position p has all events below p that concern it, and no
//     other; in the store these are validated ones. So a page's contents follow
//     from its position, and copies may be taken, written and lost at any time.
//   - P2 The past is redone if and only if the event is at or above the page's
//     position, for each page by itself.
//   - P3 A new event evolves every page in memory that it touches, without
//     comparing: a page that was loaded may well have a higher position than
//     the entity's newest event. What the page then notes is the event's place
//     in the log, not a guess from before the append.
//   - P4 An event that touches a page which is not in memory, from the tail or
//     new, is kept for it, and holds the checkpoint back until the page has been
//     loaded and flushed.
//   - P5 A page has one read under way, and the incarnation of its entity that
//     asked for it takes it, or nobody.
//   - P6 A page leaves memory when all of its events are in a durable copy that
//     the store has acknowledged; an entity when that is so of all its pages,
//     none has events kept for it, and all of its events are validated: one that
//     touches no page too, as an answer may rest on it.
//
// Of flushes:
//
//   - F1 A copy is taken between two commands, together with its stamp: the
//     shard's validated position, or the end of the page's newest event if that
//     is higher.
//   - F2 It is written when everything below its stamp is validated. Waiting
//     for a moment when the page itself has nothing unvalidated is just as safe,
//     but a page in steady use has no such moment, and holds the checkpoint back
//     for ever (TestHotPage).
//   - F3 When the store has acknowledged it, the page's events below its stamp
//     are durable; events that came after the copy are still to be flushed.
//
// Of the checkpoint and what is deleted:
//
//   - C1 The checkpoint is the end of what is validated or, if earlier, the
//     first event that is not in an acknowledged durable copy of every page it
//     touches: of entities not woken, of pages not loaded, of pages in memory,
//     of entities that crashed and are not back.
//   - C2 It is rounded down to the beginning of a frame.
//   - C3 It is written after what it rests on is durable. Then low is raised, to
//     the checkpoint at most; when that is durable, frames that lie wholly below
//     low are deleted.
//
// Of entities that come and go:
//
//   - E1 An entity wakes with its pages and all of its tail.
//   - E2 One whose code crashed waits until all its events are validated and
//     reads them back from the log, from the checkpoint on.
//   - E3 A deletion concerns every page that the entity has: stored, in memory,
//     or known from events kept for it; at a recovery too. It is flushed like
//     any event.
//
// # What is not modelled
//
// Several nodes and replicas, which package replicated has. That a stamp is at
// least (own epoch, 0) follows here, and stamping otherwise does no harm
// (TestAlternatives), there either. Errors of the disk: on one's own disk they
// are for good. Effects, reminders, indexes, cursors, command ids, corrupt
// events, budgets of memory, encodings. A panic in the middle of an event is a
// crash before it. The row of a shard changes in one durable step.
package model
