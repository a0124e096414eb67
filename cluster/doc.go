// Package cluster makes one of several nodes that use one store: who is there, who
// has which shard, and how a request comes to the node that can answer it.
//
// # What it promises
//
// Any node takes any request, for any entity, and any list. It reaches the owner in
// one hop. While a shard changes hands, or its owner is gone, requests for it wait,
// within their deadline; they are not refused. What a caller is told is what package
// actors/entity promises, over any number of nodes:
//
//   - a command that may have arrived at a node that then was not heard of any more
//     has an unknown outcome; one that did not, or that had no effect there, is
//     sent again, and so is a question;
//   - a node that was replaced gets nothing acknowledged, and answers nothing that
//     its caller's token has seen more than;
//   - a node that does not reach its store, or only the smaller part of the others,
//     notices, answers nobody, and drops what is not acknowledged.
//
// Nothing of that rests on gossip, on clocks, or on this package: whose a shard is
// decides the store (docs/design/ownership.md). What is decided here is who asks the
// store for a shard, and when; a mistake costs time.
//
// # How it is used
//
// A [Node] is made with [New] before anything of it runs, then put together:
//
//	n, err := cluster.New(cfg)
//	n.Attach(&hostConfig)                        // the host tells it of its shards
//	host, err := entity.Open(ctx, hostConfig)    // joins the store, opens no shard
//	t, err := transport.New(…, n.Handle)
//	g, err := gossip.Start(ctx, … Sightings: n.Sighted)
//	err = n.Start(ctx, host, g, t, seeds)        // serves
//	…
//	err = n.Drain(ctx)                           // the others take its shards
//	err = host.Close(ctx)                        // it has no place in the store any more
//	err = n.Leave(ctx)
//	n.Close()
//
// which is what the root package does. What a node needs of others it declares:
// [Gossip] tells who is there, as cluster/gossip does, [Transport] carries requests, as
// cluster/transport does, and [Heartbeats] are signs of life in the store.
//
// # How it works
//
// One goroutine owns the state machine of package cluster/shard. It is told what
// gossip, the store, the host and the other nodes say, and the time; what it wants
// done (take a shard, hand one over, fence a node, tell the others) is done by others
// beside it, and how that ended is the next thing that it is told.
//
// The router has a lane for each shard. Calls go straight to the owner that is
// known, in this process or another. One that comes back because its shard is not
// served there waits in the lane, as does what comes behind it, until there is news of
// the shard, or for a few milliseconds. Calls of one entity that are sent together
// stay together on the way.
//
// # Concurrency
//
// All methods of a Node may be called from any goroutine. [Node.Deliver],
// [Node.Handle] and [Node.Sighted] never block. Its goroutines end with [Node.Close].
package cluster
