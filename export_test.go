package mesonet

// BreakStore is what the store does when it fails in the background.
func (n *Node) BreakStore(err error) { n.failing <- err }
