package persistence

// Heartbeat is a sign of life of a node, which stores that several processes reach
// keep. It is a hint: nothing that is safe rests on it.
type Heartbeat struct {
	Node        NodeID
	Incarnation Incarnation
	// Number counts the heartbeats of an incarnation, below 2^32.
	Number uint64
	// Peers are the nodes that the writer sees.
	Peers []string
}
