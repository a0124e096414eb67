// Package actors is a tree of supervised actors: goroutine-cheap objects with a
// name and a mailbox, each of which handles one message at a time.
//
//	type counter struct{ n int }
//
//	type add int                              // a message
//	type total struct{ *actors.Reply[int] }   // a message with an answer
//
//	func (a *counter) Receive(c *actors.Context, msg any) {
//		switch m := msg.(type) {
//		case add:
//			a.n += int(m)
//		case total:
//			m.Resolve(a.n)
//		}
//	}
//
//	s, err := actors.NewSystem(actors.DefaultConfig())
//	defer s.Stop(ctx)
//	ref, err := s.Spawn("counter", &actors.Props{New: func() actors.Actor { return new(counter) }})
//	err = ref.Tell(add(3))
//	n, err := actors.Ask(ctx, ref, func(r *actors.Reply[int]) any { return total{r} })
//
// An actor spawns children with its Context, and so a tree grows; a path such as
// shard-17/725030:14732 names an actor in it. State that must outlive the
// process is the business of package entity.
//
// # Promises
//
// Order. Messages from one sender to one actor arrive in the order sent; bulk
// may be overtaken by what is not. An actor handles one at a time, and what it
// did for one is visible to it in the next.
//
// Bounds. A mailbox holds Props.Mailbox messages, and Tell says ErrOverloaded at
// once when it is full; nothing ever blocks a sender. What the runtime itself
// sends (stops, deaths, timers, failures) is never refused.
//
// Bulk. What is sent with OfferBulk has room of its own and holds up nothing
// else: it is handled when no actor has anything else to do, or after a while. A
// message that is a [Joiner] takes in those like it that wait behind it; an actor that
// wants more of them to gather holds its bulk for a while (Ref.HoldBulk).
//
// Nothing is lost in silence. A message that will never be handled is refused:
// Refuse is called, once, if it is Refusable; the ask that it belongs to fails;
// and if there is neither, Listener.DeadLetter hears its type. That is so for
// what waits when an actor stops, for what is sent later, and for the message
// that an actor panics on. So an Ask always ends: with the answer; with
// ErrOverloaded, ErrStopped or ErrCycle, which mean that it did not and will not
// happen; or with ErrCrashed, ErrUnanswered or its context's error, which mean
// that it may have.
//
// Supervision. A panic costs the actor its incarnation and nobody else anything.
// Its parent decides (Supervision): restart after an exponential backoff, resume,
// stop, or escalate; too many failures within a window stop it. A restart keeps
// the mailbox and nothing else: children, timers, watches, the context and the
// state belong to the incarnation. At the top of the tree Config.Supervision
// decides. An actor that wants to begin anew, since what it rests on has gone,
// panics with [Expected].
//
// Death watch. Who watches an actor is told Terminated, once, when it has
// stopped: after everything that the actor sent before, and when its name is
// free again.
//
// Stop. A parent is told Stopping before its children are, and Stopped when they
// have stopped. System.Stop does that to the whole tree and returns when no
// actor, timer or goroutine of it is left.
//
// # Asking inside an actor
//
// A Receive should not block. It may wait for another actor with Ask, given
// c.Context() or a context made from it: the waiting worker is replaced
// meanwhile, a ring of asks fails at once with ErrCycle and names its members,
// and the wait ends if the actor is told to stop. Two things are looked at: the
// chain of asks that the context carries, which covers goroutines that act on an
// actor's behalf; and who waits for whom, which covers asks that cross each
// other. A message passed on with Context.Forward stays in the chain; one that
// is told on does not. Messages that arrive during the wait wait too. Request
// asks without waiting.
//
// An actor that takes a question and answers later owes the answer: if its
// incarnation ends first, the ask fails. Reply.Detach hands the debt to somebody
// else.
//
// # Concurrency
//
// System, Ref, Reply and Timer are safe from any goroutine. Context is the
// actor's, inside Receive. Actors run on Config.Workers goroutines, made on
// demand and shared by all; an actor has a turn of Config.Turn messages, then
// the next one. Listener functions and Refuse are called from whatever goroutine
// found out. Time is the standard package time: under testing/synctest
// everything here works in virtual time, if the System is made in the bubble.
//
// # What is protoactor's
//
// Below is github.com/asynkron/protoactor-go, of which no type shows. Used are
// its actor system and registry of processes (a path is in use once), its PIDs,
// and its actor contexts, which hold the set of children, carry failures to the
// parent and keep the order of restarts and stops. Replaced are:
//
//   - the mailbox: its default has no bound, its bounded one spins or drops; see
//     the comment on mailbox
//   - the dispatcher: it makes a goroutine a wake-up
//   - the Future: 9 allocations and 512 bytes an ask, and it wakes one of several
//     waiters; a Reply is one allocation of 96, and 4 to 5 times as fast
//   - the calls of the user's actor: from its context a panic in the last
//     messages of a life leaves a half-changed state (a panic in Stopping turns
//     a stop into a restart)
//   - the supervisor strategies: one-for-one has no backoff, the exponential one
//     is linear, has no limit, and its timers are nobody's; after an escalation
//     that ends in a resume, the child stays suspended for ever
//   - death watch: it tells a parent that watches its child twice, and a late
//     watcher while the actor is still stopping
//   - names: its registry frees one before the parent knows of the end, and a
//     child spawned in between is then forgotten by its parent
//   - ReceiveTimeout, which races; the dead-letter log, which prints payloads
//     and starts goroutines; its informational log lines
package actors
