// Package replicated is the protocol by which nodes share one shard over a
// replicated store, small enough to be read in an hour and run in all its orders:
// a random-schedule model of several processes, three replicas and two registers.
// It is the specification that the journal, the entities and a replicated store
// follow, not code that a node runs, and it exports nothing. Package model beside
// it is the same for what happens within one node.
//
// Each schedule draws, step by step, what happens next: a client sends, a message
// comes, an entity decides, a write reaches a replica, an owner begins a check, a
// page is written, the checkpoint moves, somebody suspects somebody, a claim gets
// an answer, a process stands still, crashes, or has its clock moved. Writes come
// late, twice, as hints or never; a conditional change may be applied without
// anybody hearing of it, be lost, or be executed long after. What takes several
// steps (a claim, a check, a boot, a move) is a task: a coroutine that reads from
// top to bottom and between any two of whose steps anything may happen. An oracle
// outside of the protocol (checker) sees all replicas and registers, keeps the
// whole history and what anyone was told, and compares. A schedule follows from
// its seed alone. The model has no goroutines that run at once and no time: a step
// is a call.
//
//	go test ./persistence/model/replicated                                # schedules, scenes, mutations
//	go test ./persistence/model/replicated -run TestProtocol -schedules 100000
//	go test ./persistence/model/replicated -run TestSchedule -seed 7 -mutation claim-unfenced -v
//	go test ./persistence/model/replicated -run TestScene$ -mutation resume-after-move -seed 3 -v
//	go test ./persistence/model/replicated -run TestFind -find 20000 -v   # a seed for each mutation
//	go test ./persistence/model/replicated -run TestRates -rates 200 -v   # how often each is caught
//
// The third prints one schedule as a transcript, a line a step; the fourth does so
// with a scene, and with -quiet without the mutation. A mutation leaves out one
// rule (mutation.go lists them by rule); the tests demand that each is caught.
// Mistakes that need so much to come together that random schedules rarely meet
// them have a scene (scenes_test.go): a schedule of which the course is given.
// Alternatives are changes that the model finds as safe as the protocol.
//
// # The rules
//
// Of replicas, for what is not in a register (frames, pages, checkpoints):
//
//   - R1 A write is durable when two of three replicas have acknowledged it.
//   - R2 A read asks two replicas, and what it returned has become durable.
//   - R3 The write time of a record is its position, so that the higher one
//     stays, whatever comes last. A deletion has a time at or above what it
//     deletes, so that nothing comes back.
//
// Of incarnations. A node's register holds its incarnation and the token of the
// boot that raised it.
//
//   - B1 A boot raises the incarnation, which fences the node's own past.
//   - B2 It is this process's only if the row shows its token.
//   - F1 A shard is claimed from another only if a SERIAL read shows the owner's
//     incarnation raised: such a read commits what it shows.
//   - F2 A change with an uncertain outcome is settled by a SERIAL read, never
//     taken for done. It may still be executed at any time after.
//
// Of claims. The shard's register holds the epoch, its owner and the owner's
// incarnation, low, the token of the claim, and the seals of former epochs.
//
//   - C1 An epoch is opened once, by the claim that made it, and by no one whose
//     name merely stands in the row. Who lost touch with its shard, or was given
//     it, claims it from itself.
//   - C2 Who claims from itself has closed the shard before it reads the tail.
//   - C3 A claim reads the row, then the checkpoint, then the tail from there,
//     each sealed epoch to its seal, the current one to its first gap. That is
//     the new seal.
//   - C4 It fails if anything was deleted meanwhile: the checkpoint, read again,
//     has moved; and low, in the condition, has. Either is enough. A frame that
//     is missing below a seal is damage only if neither has.
//   - C5 One conditional change seals the epoch and begins the next, if the epoch
//     is the one that was seen. Owner and incarnation may stand in the condition
//     too, and say nothing that the epoch does not.
//   - C6 After an uncertain outcome the claim was applied if the row has its
//     token; otherwise everything is read again.
//   - C7 Readers stop at seals.
//
// Of appends and answers:
//
//   - A1 A frame is sent again as identical bytes at the same position.
//   - A2 Validated is what is durable without a gap, when a check that began
//     afterwards has found the incarnation unchanged: a plain read of one's own
//     row at QUORUM.
//   - A3 Whatever is told waits until all that its decision saw is validated.
//   - A4 A refusal and a linearizable answer wait for a check that began after
//     the request came.
//   - A5 An answer from memory is given while the newest check is not old,
//     counted from its beginning by the process's own clock.
//   - A6 It is given to a session only if everything below the session's token is
//     validated. Under any clock a session never goes back.
//
// Of moves:
//
//   - M1 The owner takes no more requests and lets its frames finish. If they
//     don't, it goes on as before: nothing has been asked for yet.
//   - M2 Then it stops answering, before it asks for the change that seals its
//     epoch in the name of the next owner.
//   - M3 However that ends, the epoch is over for it. An uncertain change may be
//     asked for again, but as it was: one epoch, one seal, one token.
//   - M4 It names an incarnation that the next owner has had. If it has another
//     by now, the shard is free for anybody.
//   - M5 What was known of the log stays in the row: seals and low.
//
// Of pages and entities:
//
//   - P1 A copy is written when everything below its stamp is validated. The
//     stamp is what the shard has validated, at least the beginning of its own
//     epoch, or the end of the page's newest event if that is higher.
//   - P2 A page of a later epoch says that its reader has been replaced.
//   - P3 An entity is let go when all of its events are validated, and its pages
//     durable as they are.
//   - P4 An entity that reads its tail back reads the checkpoint again afterwards,
//     and starts over if it moved.
//
// Of the checkpoint and what is deleted:
//
//   - K1 The checkpoint is the end of what is validated or, if earlier, the first
//     event that is not in an acknowledged copy of every page it touches.
//   - K2 When it is acknowledged low is raised to it, by a conditional change;
//     when that is certain, frames below low are deleted.
//
// Of commands with an id:
//
//   - D1 An entity knows the newest commands of each client that took effect. One
//     of these is answered again; one below them has an unknown outcome.
//   - D2 Newest are those with the highest numbers: a late copy of a command that
//     was refused may take effect after its successors, and must not push them
//     out.
//
// # What is not modelled
//
// Several shards, and the check that they share. What is within a node: loading
// and dropping single pages, commands of several events, deletion of entities,
// events that touch no page (package model has them). Reading a tail by chunks,
// each from other replicas: here two replicas are read one after the other, whole.
// Forgetting old seals. Effects, reminders, indexes, cursors, views, and readers
// of the log beside the owner. That two processes of one node do not fence each
// other for ever: no promise is broken if they do. Replicas that lose what they
// acknowledged, changes of their number, encodings.
package replicated
