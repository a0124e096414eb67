// Package gossip tells a node of a cluster who the others are: [cluster.Gossip] on
// hashicorp/memberlist, which is SWIM with the additions of Lifeguard (Das, Gupta,
// Motivala, "SWIM", DSN 2002; Dadgar, Phillips, Currey, "Lifeguard", 2017).
//
// # Promises
//
// A node that comes, changes or leaves is known to all within moments, and one that
// dies within one or two seconds. A node that stood still and goes on comes back by
// itself, and so do the halves of a cluster that was split, however long. Nothing that
// is safe may rest on any of it: gossip may be late, and wrong, and two nodes may differ.
//
// Only nodes of one cluster find each other. One with another cluster name, store,
// number of shards or gossip key, or that speaks no protocol that all speak, is
// refused, and both sides say why, once each, in their logs. What is no gossip at all
// is counted and dropped. See [Listener].
//
// # Use
//
//	config := gossip.DefaultConfig()
//	config.Self, config.Identity = self, identity
//	config.Bind, config.Keys = "10.0.0.1:7946", keys
//	config.Sightings = func(s cluster.Sighting) { … }
//	g, err := gossip.Start(ctx, config)
//	…
//	_, err = g.Join(ctx, []string{"mesonet.default.svc.cluster.local"})
//	…
//	err = g.Leave(ctx) // tells the others
//	err = g.Close()
//
// A member of memberlist is a process: its name is the node's id and a random mark, so
// that a node that is started again is nobody's dead name. The incarnation with which
// the process has joined the store is in its metadata, for it may rise while it runs.
// Of several processes with one id the one with the highest incarnation stands for the
// node. One that begins where another of the same id was takes its place at once.
//
// # Keys
//
// All that is sent is encrypted with the first of [Config].Keys, and what is encrypted
// with any of them is understood. To change the key, give all nodes the new one as the
// second, then as the first, then take the old one away, restarting nodes one by one.
// Without keys whoever reaches the port can say anything; that is for loopback.
//
// # Concurrency
//
// All methods may be called at any time, from any goroutine. [Config].Sightings is
// called from one goroutine, in order; it must not wait for Close. Close waits for all
// goroutines, those of memberlist among them.
package gossip
