// Package entity makes actors that remember. An entity has a kind and an id,
// such as station/725030:14732; it decides on commands, remembers events, and
// answers questions. Its state is a set of pages, rebuilt from its events; the
// events of all entities of a shard share one log (persistence/journal).
//
// # How a kind is written
//
// Three pure functions make a kind of one page:
//
//	var (
//		Counter = entity.New("counter", evolve)
//		Add     = entity.Command(Counter, add, total)
//	)
//
//	func add(s *pb.Counter, c *pb.Add) (entity.Events, error) {
//		if c.N <= 0 {
//			return nil, entity.Reject("n must be positive, not %d", c.N)
//		}
//		return entity.Persist(&pb.Added{N: c.N}), nil
//	}
//
//	func evolve(s *pb.Counter, e proto.Message) { … }
//	func total(s *pb.Counter) *pb.Total { … }
//
// and asking one is a typed call on anything that locates entities, a node of
// one process or of a cluster:
//
//	t, err := Add.Ask(ctx, node, "ada", &pb.Add{N: 3})
//
// A kind with several pages is made with [NewKind], [Pages], [CommandOn] and
// [QueryOn]. Messages are protobuf messages, or plain types with a codec of
// their own ([Event]).
//
// Decide, evolve and answer get no context, no clock and no I/O; time arrives
// in the command. They must not keep what they are given, nor return parts of
// it. Evolving sees one page and one event at a time: what it needs of the past
// is in the event. So pages may be written and loaded at different times and
// still agree.
//
// # What is promised
//
// An entity handles one command at a time. Its events are in memory at once,
// so that the next command decides on them, and replies wait at a gate until
// everything that they rest on is acknowledged by the log, rejections and
// answers too. What a caller was told holds for ever.
//
// An ask has one of these outcomes:
//
//   - the value;
//   - a [Rejection]: the domain said no. It is not final: a late copy of the
//     same command may still be accepted;
//   - [ErrUnknown]: it may have happened; ask again, if the command can be
//     repeated;
//   - [ErrUnavailable] or [ErrOverloaded]: it did not happen;
//   - [ErrCrashed]: the entity's code panicked on it; it did not happen, and
//     the entity starts again from its events;
//   - [ErrCorrupt]: an event of the entity can't be read or evolved. The entity
//     answers nothing else until that is mended.
//
// The reply's [Token] says how far it had seen. Sent back with a later ask
// ([After]), it keeps the caller from ever reading older state.
//
// # Many at once
//
// [Handle.SendAll] sends a batch of commands as one message an entity. A load
// says that it is one ([Bulk]) and takes credit for what it is about to send
// ([Host.Bulk]): then it fills the log's frames, and nothing waits behind it.
// What waits for the same entity may be decided on as one ([Handle.Together]).
//
// # Finding, deleting, mending
//
// [Host.List] lists a kind's entities, and an index ([IndexOf], [Host.Find])
// those with a key, in order and without waking any. An entity ends with the
// event that [Delete] returns. One that is corrupt for an event that nobody
// understands is brought back by [Host.Skip].
//
// # Memory
//
// Entities are in memory while they are needed. With [HostConfig].Memory the
// least recently used leave, page by page; a kind says what its pages take with
// [PageCodec].Size. When nothing more can be woken, asks are told
// [ErrOverloaded].
//
// # Concurrency
//
// Kinds and handles are package variables, immutable once a host serves them.
// Everything may be called from any goroutine.
package entity
