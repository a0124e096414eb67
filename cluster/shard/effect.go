package shard

import (
	"fmt"

	"github.com/mesonet/mesonet/persistence"
)

// Effect is something that is to be done. Its string is one line, for people and for
// transcripts.
type Effect interface {
	fmt.Stringer
	effect()
}

// What is to be done.
type (
	// Announce says by gossip what the node is from now on.
	Announce struct{ State State }

	// Take opens a shard on this node, if the store lets us. The answer is [Opened],
	// [Refused] or [TakeFailed].
	Take struct{ Shard persistence.Shard }
	// HandOver gives a shard that this node serves to another. The answer is
	// [HandedOver].
	HandOver struct {
		Shard persistence.Shard
		To    persistence.NodeID
	}
	// Fence raises a node's incarnation in the store, from this one. The answer is
	// [Raised], also when it was higher already, or [FenceFailed].
	Fence struct {
		Node        persistence.NodeID
		Incarnation persistence.Incarnation
	}

	// Route says that requests for a shard go to a node from now on. With no node
	// they wait: nobody is known to serve it.
	Route struct {
		Shard persistence.Shard
		Node  persistence.NodeID
		Epoch persistence.Epoch
	}
	// Tell gives a word to the machine of another node, or of all others that gossip
	// shows when To is "". It is an [Owner], [Owns] or a [Raised]. It may be lost.
	Tell struct {
		To   persistence.NodeID
		Word Input
	}

	// Moved answers a [Move]: it is done when Why is "", and else Why says why it is
	// not, and the shard stays here.
	Moved struct {
		Shard persistence.Shard
		To    persistence.NodeID
		Why   string
	}
	// Drained says that the node has handed over all it could since [Drain]. Left are
	// shards that nobody can take for now; it is said again when that has changed.
	Drained struct{ Left []persistence.Shard }
)

func (Announce) effect() {}
func (Take) effect()     {}
func (HandOver) effect() {}
func (Fence) effect()    {}
func (Route) effect()    {}
func (Tell) effect()     {}
func (Moved) effect()    {}
func (Drained) effect()  {}

func (e Announce) String() string { return fmt.Sprintf("announce %s", e.State) }
func (e Take) String() string     { return fmt.Sprintf("take %d", e.Shard) }
func (e HandOver) String() string { return fmt.Sprintf("hand over %d to %s", e.Shard, e.To) }
func (e Fence) String() string    { return fmt.Sprintf("fence %s/%d", e.Node, e.Incarnation) }

func (e Route) String() string {
	if e.Node == "" {
		return fmt.Sprintf("route %d to nobody", e.Shard)
	}
	return fmt.Sprintf("route %d to %s epoch %d", e.Shard, e.Node, e.Epoch)
}

func (e Tell) String() string {
	if e.To == "" {
		return "tell all: " + e.Word.String()
	}
	return fmt.Sprintf("tell %s: %s", e.To, e.Word)
}

func (e Moved) String() string {
	if e.Why == "" {
		return fmt.Sprintf("moved %d to %s", e.Shard, e.To)
	}
	return fmt.Sprintf("not moved %d to %s: %s", e.Shard, e.To, e.Why)
}

func (e Drained) String() string {
	if len(e.Left) == 0 {
		return "drained"
	}
	return fmt.Sprintf("drained but for %v", e.Left)
}
