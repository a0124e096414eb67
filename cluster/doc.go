// Package cluster makes one of several nodes that use one store: who is there, who
// has which shard, and how a request comes to the node that can answer it.
//
// What it needs of others it declares: [Gossip] tells who is there, as package
// cluster/gossip does, and [Transport] carries requests, as cluster/transport does.
// Whose a shard is decides the store alone.
package cluster
