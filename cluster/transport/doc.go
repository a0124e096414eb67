// Package transport carries requests from node to node over grpc-go, and brings back
// replies. It is a [cluster.Transport].
//
//	t, err := transport.New(transport.DefaultConfig(identity, "node-1", protocol, socket), handler)
//	t.Send(cluster.Peer{Node: "node-2", Address: "10.0.0.2:7120"}, request, done)
//
// # Promises
//
// Each request ends once, with its reply or an error, whatever breaks and whenever. An
// error that is [cluster.ErrUnsent] says that the other node's handler has not seen the
// request and never will, and [cluster.ErrFull] the same; one that is
// [cluster.ErrBroken] says that it may have. When a connection breaks, all requests on
// it end at that moment, not at their deadlines. A request whose deadline passes before
// all of it is written is unsent; one that was written ends as broken within some
// milliseconds of its deadline. Requests are sent once: to repeat them is for those who
// know what they mean.
//
// Requests of one lane to one node are handled in the order in which they were sent,
// for as long as one connection lasts. There are two lanes: what is bulk waits for what
// is not, but for an eighth of each batch, so that it never stands still.
//
// Memory is bounded. So many bytes of each lane wait to be written to a node, and what
// is more is turned away at once; so many requests, and bytes, are with the other node
// and have no reply, and what is more waits here, each lane for itself: a load that the
// other node does not get done holds up no question. A message is as long as
// Config.MaxMessage at most, and one that is longer gets an error that says so.
//
// A node that falls silent is noticed in Config.Silence, a second, in whichever
// direction its link is cut; one that is only busy is not, as signs of life come by
// themselves. One that has come back is reached by the next request, a tenth of a
// second later at most.
//
// Strangers are refused, and both sides say why, in words for operators: another
// cluster, store, number of shards, no common protocol, another node than the one that
// is expected at the address, a second process with this node's id, a certificate that
// is not good. Input that is malformed is counted and its connection is closed; it
// never stops the node.
//
// # One stream for each direction of asking
//
// A node dials the nodes that it asks, when it first does, and gets the replies on the
// same stream; so there are two between two nodes that ask each other. With one for
// both they would have to agree which of two is to stay when both dial at once, and a
// break would have to be noticed by the one that may not dial. A request and its reply
// are on one connection in both cases, and one stream has nothing that two lack but
// batches with requests and replies in them.
//
// # Concurrency
//
// A [Transport] is safe for concurrent use. A connection has a goroutine that writes
// and one that reads at each end, beside those of grpc-go; one more a node notices
// silence and deadlines. None is made for a request. The handler is called on the
// reader's goroutine, one request after the other for each node that asks, and done on
// that of the reader or the writer, or within Send. Neither may block, nor call Close.
//
// A request's body is the transport's until done is called, its reply is the caller's.
// The handler may not keep the body after it has returned. A reply's body is the
// transport's from then on. A second reply does nothing.
//
// # On the wire
//
// proto/mesonet/cluster/v1 has the service and what nodes say of themselves;
// docs/design/transport.md has the frames, why it is made like this, and what was
// rejected.
package transport
