// Package clustertest runs a whole cluster in one process, to be broken on purpose.
//
// A [World] has a store in memory that all nodes reach, and a network of gossip and
// requests between them; each node is a real cluster.Node over a real host of
// entities, with a clock of its own. Run it in a bubble of testing/synctest, so that
// minutes of it take moments:
//
//	synctest.Test(t, func(t *testing.T) {
//		w := clustertest.New(t, clustertest.Config{Shards: 8, Kinds: …})
//		defer w.Close()
//		a, b := w.Start("a"), w.Start("b")
//		w.Cut(clustertest.Gossip, "a", "b")
//		…
//	})
//
// What can be done to it: nodes crash, leave, start again, stand still for a while
// ([World.Pause]: nothing of the node goes on or comes to it, and what it had under way
// comes late), and lose links one way or both ways, of gossip, of requests or to the
// store; clocks stand still, run fast and jump. The order of what goroutines do is the
// scheduler's: a seed replays what was done to the cluster, not what came of it.
package clustertest
