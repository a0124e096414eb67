package mesonet

// BreakStore is what the store does when it fails in the background.
func (n *Node) BreakStore(err error) { n.failing <- err }

// EntityShare is how much of a node's memory is for its entities.
func EntityShare(memory int64) int64 { return Config{Memory: memory}.shares(32).entities }
