package cluster

import "context"

// Gossip tells a node who the others are. Nothing that is safe rests on it: it may
// be late, and wrong, and two nodes may differ.
type Gossip interface {
	// Announce tells the others what this node says of itself from now on. It may
	// take a while to spread.
	Announce(m Member) error
	// Members returns the nodes that are believed to be alive, this one among them,
	// in order of their ids. Of two with one id it has the one with the higher
	// incarnation.
	Members() []Member
	// Join asks the nodes at these addresses, host:port, for the others. It returns
	// how many have answered, and an error when none has; this node's own address is
	// passed over, and no error when it is the only one. Nodes that are not there yet,
	// or are lost later, are looked for from then on.
	Join(ctx context.Context, addresses []string) (int, error)
	// Leave says goodbye, and waits until that has spread or ctx ends. The node is
	// still to be closed.
	Leave(ctx context.Context) error
	// Close ends it, without a word to the others.
	Close() error
}

// Sighting is news of a member other than the node itself, or of another process with
// the node's own id.
type Sighting struct {
	Member Member
	// Gone says that it is not seen any more: it has left, as Member.State says, or is
	// believed to be dead. Otherwise it has come or changed. The incarnation of a node
	// goes down when a process is gone and another with its id has not joined the store.
	Gone bool
}
