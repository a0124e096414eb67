// Package client asks a mesonet server from Go, and tries again what may be
// tried again.
//
//	c, err := client.Dial(client.DefaultConfig("127.0.0.1:7210"))
//	…
//	defer c.Close()
//	rain, err := c.Weather().GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: "725030:14732", Year: 2008})
//
// [Client.Stations], [Client.Weather], [Client.Measures], [Client.Observations],
// [Client.Quarantine] and [Client.Entities] are the generated clients of package
// mesonetv1, whose .proto files say what each call promises. [Client.Conn] is for
// others. [Client.Ingest] is a sink for ingest.Load.
//
// # Outcomes
//
// A call that fails returns an [*Error]. What became of it decides whether it is
// made again, and what errors.Is says of the error if that did not help:
//
//	outcome      what happened               is it tried again           errors.Is
//	rejected     nothing: the answer is no   no                          ErrRejected; of them
//	                                                                     ErrNotFound, ErrNoData
//	unavailable  nothing                     yes                         ErrUnavailable
//	overloaded   nothing                     yes, when the server        ErrOverloaded
//	                                         wants it
//	unknown      all or nothing, or it is    if it may be repeated       ErrUnknown
//	             still to come
//	corrupt      nothing: what is stored     no                          ErrCorrupt
//	             can't be read
//	failed       see the message: a bug,     no                          none; ErrUnknown if
//	             another version, too much                               nobody can tell
//	             in one call
//
// The server says which it is, with a reason in google.rpc.ErrorInfo. When it
// can't, because it can't be reached or the connection broke, gRPC's status has
// none; then a call that was never sent is unavailable, and one that was is
// unknown. A question has no effect, so of one whose answer did not come nothing
// is unknown: it is unavailable.
//
// What may be repeated is what its .proto file gives an idempotency_level:
// questions, and commands that do nothing the second time, as RegisterStations.
// Deleting is not of them: the second time says that there is nothing to delete.
//
// If one attempt came to unknown, the error is ErrUnknown whatever those after it
// came to, and never ErrUnavailable: nobody can tell what the first did.
//
// # Several servers
//
// Any node of a cluster takes any call, so Config.Addrs may name several. All calls go
// to one of them. When that can't be reached, says that it is unavailable, breaks
// off, or does not answer for Config.AttemptTimeout, it is left for the next: at once
// by the call that met it, if it may be made again, and by all that come after. Only
// when none of them could do it is there a pause. The client stays where it is when
// the first is back. One that is overloaded is not left: the load would follow.
//
// # Time
//
// A call has until the deadline of its context or, if that has none, for
// Config.Timeout. It never takes longer: a pause after which no time would be
// left is not begun, and the error comes at once. It says how many attempts were
// made, how long they took and what the last one came to; it is
// context.DeadlineExceeded or context.Canceled too when that is why it ended.
// Pauses double, and part of each is random (see [Retry]).
//
// A part of a reply may fail while others stand, as one station of many; nothing
// is tried again for that. [OfFailure] is its error. Only when all parts say that they
// are unavailable is the next server asked, of several, each once.
//
// Streams are not opened again, since what was received would come twice; the first
// server that can be reached gets them. Their errors are an [*Error] too. The sink of [Client.Ingest] is the exception: it
// opens a new stream, and the loader sends again what was not acknowledged, which
// is safe for readings.
//
// # Sessions
//
// A client keeps the tokens that come with replies, on streams and with
// rejections, and sends them with its questions. So it reads what it wrote, and
// never an older state than it has seen, whichever node answers. That costs a
// question 22 bytes and half a microsecond for each shard that the client has
// touched. Callers need not set the field read of a request; what they set holds.
// [Client.Tokens] and [Client.Saw] hand a session on.
//
// # Concurrency
//
// A Client is for many goroutines at once, over one connection a server, and they
// share its session. A [Sink] belongs to one. Nothing goes on in the background but
// gRPC's connections, until [Client.Close], and a sink's stream, until
// [Sink.Close].
package client
