package cluster

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
)

// Member is what a node tells the others of itself.
type Member struct {
	// Node is the node's id, the same for as long as it uses the store.
	Node persistence.NodeID
	// Incarnation is the newest that the node has joined the store with, 0 until it
	// has. Of two announcements with one id the one with the higher is newer.
	Incarnation persistence.Incarnation
	// State says whether the node serves.
	State State
	// Weight is how many shards the node takes in proportion to others, 0 for a
	// node that only takes in and passes on.
	Weight uint32
	// Zone is where the node is, for people; "" when nobody said.
	Zone string
	// Transport is where other nodes reach it, and API where clients do, host:port.
	Transport, API string
	// Protocol is what the node speaks with others.
	Protocol Protocol
	// Levels are the levels of a store's formats that the node knows, and Level the one
	// that it has read in the store last.
	Levels persistence.Levels
	Level  persistence.Level
	// Version of the program, for people.
	Version string
}

// State is what a node says of itself.
type State = shard.State

// The states; see package shard.
const (
	Joining   = shard.Joining
	Serving   = shard.Serving
	LostTouch = shard.LostTouch
	Draining  = shard.Draining
	Left      = shard.Left
)

// Protocol is the range of versions in which a node speaks with others. Two nodes
// speak the highest that both know.
type Protocol struct{ Least, Most uint32 }

// Common returns the version that both speak; false when there is none.
func (p Protocol) Common(o Protocol) (uint32, bool) {
	most := min(p.Most, o.Most)
	return most, most >= max(p.Least, o.Least)
}

// String returns the range, as in "1-2".
func (p Protocol) String() string { return fmt.Sprintf("%d-%d", p.Least, p.Most) }

// Identity is what the nodes of one cluster have in common. Who has another is
// refused, with a message on both sides.
type Identity struct {
	// Cluster is the name of the cluster.
	Cluster string
	// Store is the id of the store, and Shards how many it has.
	Store  string
	Shards uint32
}

// Contradicts returns an error that says in what o, of the node that is named, is
// not of this cluster; nil when it is.
func (i Identity) Contradicts(who string, o Identity) error {
	switch {
	case i.Cluster != o.Cluster:
		return fmt.Errorf("%w: %s is of cluster %q, this node of %q; give all nodes of a cluster one name", ErrStranger, who, o.Cluster, i.Cluster)
	case i.Store != o.Store:
		return fmt.Errorf("%w: %s uses store %s, this node %s; all nodes of a cluster use one", ErrStranger, who, o.Store, i.Store)
	case i.Shards != o.Shards:
		return fmt.Errorf("%w: %s knows %d shards, this node %d", ErrStranger, who, o.Shards, i.Shards)
	}
	return nil
}

// ErrStranger is the error of a node that is not of this cluster.
var ErrStranger = errors.New("cluster: refused")

var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// CheckNode returns an error unless id can name a node of a cluster: 1 to 63
// letters, digits, dots, dashes and underlines, beginning with a letter or digit.
func CheckNode(id persistence.NodeID) error {
	if !nodeName.MatchString(string(id)) {
		return fmt.Errorf("cluster: %q can't name a node: 1 to 63 letters, digits, dots, dashes and underlines, beginning with a letter or digit", id)
	}
	return nil
}
