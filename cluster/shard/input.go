package shard

import (
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/persistence"
)

// Input is something that a machine is told. Its string is one line, for people and
// for transcripts.
type Input interface {
	fmt.Stringer
	input()
}

// State is what a node says of itself. The values are a contract between versions.
type State uint8

// A node goes from Joining to Serving, to LostTouch and back, and in the end to
// Draining and Left.
const (
	// Joining: it has no shards yet and is no target for any.
	Joining State = iota + 1
	// Serving: it takes shards.
	Serving
	// LostTouch: it can't reach the store, or is on the smaller side of a split, and
	// answers nothing; its shards are for others to take.
	LostTouch
	// Draining: it hands its shards over, and takes none.
	Draining
	// Left: it said goodbye.
	Left
)

var stateNames = [...]string{Joining: "joining", Serving: "serving", LostTouch: "lost touch", Draining: "draining", Left: "left"}

// String returns the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) && s > 0 {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Member is what is known of a node by gossip.
type Member struct {
	Node        persistence.NodeID
	Incarnation persistence.Incarnation
	State       State
	// Weight is how many shards the node takes in proportion to others.
	Weight uint32
}

// What a machine is told.
type (
	// Tick says what time it is. One that goes back counts as one that stands
	// still.
	Tick struct{ Now Millis }

	// JoinedStore says that the node has, from now on, this incarnation, and no shard
	// open. It comes at the start, and whenever the host has joined anew.
	JoinedStore struct{ Incarnation persistence.Incarnation }
	// JoinedGossip says that the node has met the others, or is the first.
	JoinedGossip struct{}

	// Seen says that gossip has a member, new or changed. It comes for each one.
	Seen struct{ Member Member }
	// Gone says that gossip has it no more: it said goodbye and has fenced itself, or
	// is believed to be dead.
	Gone struct {
		Node        persistence.NodeID
		Incarnation persistence.Incarnation
		Left        bool
	}
	// Link says whether requests reach a node. They do until somebody says
	// otherwise.
	Link struct {
		Node persistence.NodeID
		Up   bool
	}

	// Beats is what one read of the heartbeats in the store has shown, the node's own
	// among them. A read that failed is no input.
	Beats struct{ Rows []Beat }
	// Checked says whether the store has answered the node's ownership check, whatever
	// the answer. One that takes too long has failed.
	Checked struct{ OK bool }
	// Raised says that the store has this incarnation of a node, or a higher one: all
	// before are fenced. It answers a [Fence], whoever was first, and others tell.
	Raised struct {
		Node        persistence.NodeID
		Incarnation persistence.Incarnation
	}
	// FenceFailed answers a [Fence] of which is not known what has become.
	FenceFailed struct{ Node persistence.NodeID }

	// Opened says that this node serves a shard now.
	Opened struct {
		Shard persistence.Shard
		Epoch persistence.Epoch
	}
	// Refused answers a [Take]: the store says that the shard is another's, whose
	// incarnation has not been raised.
	Refused struct{ Owner Owner }
	// TakeFailed answers a [Take] of which nothing is known.
	TakeFailed struct{ Shard persistence.Shard }
	// Lost says that this node does not serve a shard any more.
	Lost struct{ Shard persistence.Shard }
	// HandedOver answers a [HandOver].
	HandedOver struct {
		Shard   persistence.Shard
		To      persistence.NodeID
		Outcome Outcome
		// Incarnation and Epoch are the new owner's, if it was given.
		Incarnation persistence.Incarnation
		Epoch       persistence.Epoch
	}

	// Owner is word of who has a shard, of another node or from the store. Word of an
	// older epoch than is known changes nothing.
	Owner struct {
		Shard persistence.Shard
		Node  persistence.NodeID
		// Incarnation is the one with which Node has it, 0 when who said so does not
		// know.
		Incarnation persistence.Incarnation
		Epoch       persistence.Epoch
		// Pinned says that an operator wants it there.
		Pinned bool
	}

	// Owns is word of several shards, as a node says of all that it serves.
	Owns struct{ Words []Owner }

	// Drain asks the node to hand over all it has.
	Drain struct{}
	// Move asks the node to hand a shard that it serves to another, which keeps it,
	// whatever the table says, until it drains or has lost it; see [Moved].
	Move struct {
		Shard persistence.Shard
		To    persistence.NodeID
	}
)

// Beat is a row of the heartbeats in the store.
type Beat struct {
	Node        persistence.NodeID
	Incarnation persistence.Incarnation
	// Count goes up with each beat.
	Count uint64
	// Sees are the nodes that gossip showed to the writer.
	Sees []persistence.NodeID
}

// Outcome is how a hand-over has ended.
type Outcome uint8

// Outcomes of a hand-over.
const (
	// Given: it is the other's.
	Given Outcome = iota + 1
	// Kept: nothing has changed, it is served here as before.
	Kept
	// Unknown: it is not served here, and the store knows whose it is.
	Unknown
)

var outcomeNames = [...]string{Given: "given", Kept: "kept", Unknown: "unknown"}

// String returns the outcome's name.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) && o > 0 {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

func (Tick) input()         {}
func (JoinedStore) input()  {}
func (JoinedGossip) input() {}
func (Seen) input()         {}
func (Gone) input()         {}
func (Link) input()         {}
func (Beats) input()        {}
func (Checked) input()      {}
func (Raised) input()       {}
func (FenceFailed) input()  {}
func (Opened) input()       {}
func (Refused) input()      {}
func (TakeFailed) input()   {}
func (Lost) input()         {}
func (HandedOver) input()   {}
func (Owner) input()        {}
func (Owns) input()         {}
func (Drain) input()        {}
func (Move) input()         {}

func (i Tick) String() string { return fmt.Sprintf("tick %d", i.Now) }
func (i JoinedStore) String() string {
	return fmt.Sprintf("joined store as incarnation %d", i.Incarnation)
}
func (JoinedGossip) String() string { return "joined gossip" }
func (i Seen) String() string       { return "seen " + i.Member.String() }

func (i Gone) String() string {
	if i.Left {
		return fmt.Sprintf("gone %s/%d left", i.Node, i.Incarnation)
	}
	return fmt.Sprintf("gone %s/%d dead", i.Node, i.Incarnation)
}

func (i Link) String() string {
	if i.Up {
		return fmt.Sprintf("link %s up", i.Node)
	}
	return fmt.Sprintf("link %s down", i.Node)
}

func (i Beats) String() string {
	var rows []string
	for _, b := range i.Rows {
		rows = append(rows, b.String())
	}
	return "beats " + strings.Join(rows, " ")
}

func (i Checked) String() string {
	if i.OK {
		return "checked ok"
	}
	return "checked failed"
}

func (i Raised) String() string      { return fmt.Sprintf("raised %s/%d", i.Node, i.Incarnation) }
func (i FenceFailed) String() string { return fmt.Sprintf("fence failed %s", i.Node) }
func (i Opened) String() string      { return fmt.Sprintf("opened %d epoch %d", i.Shard, i.Epoch) }
func (i Refused) String() string     { return "refused " + i.Owner.body() }
func (i TakeFailed) String() string  { return fmt.Sprintf("take failed %d", i.Shard) }
func (i Lost) String() string        { return fmt.Sprintf("lost %d", i.Shard) }

func (i HandedOver) String() string {
	if i.Outcome == Given {
		return fmt.Sprintf("handed over %d to %s/%d epoch %d", i.Shard, i.To, i.Incarnation, i.Epoch)
	}
	return fmt.Sprintf("handed over %d to %s: %s", i.Shard, i.To, i.Outcome)
}

func (i Owner) String() string { return "owner " + i.body() }

func (i Owner) body() string {
	s := fmt.Sprintf("%d %s/%d epoch %d", i.Shard, i.Node, i.Incarnation, i.Epoch)
	if i.Pinned {
		s += " pinned"
	}
	return s
}

func (i Owns) String() string {
	var words []string
	for _, w := range i.Words {
		words = append(words, w.body())
	}
	return "owns " + strings.Join(words, ", ")
}

func (Drain) String() string  { return "drain" }
func (i Move) String() string { return fmt.Sprintf("move %d to %s", i.Shard, i.To) }

// String returns the member as n1/3 serving, with its weight.
func (m Member) String() string {
	return fmt.Sprintf("%s/%d %s weight %d", m.Node, m.Incarnation, m.State, m.Weight)
}

// String returns the row as n1/3:17(n1,n2).
func (b Beat) String() string {
	var sees []string
	for _, n := range b.Sees {
		sees = append(sees, string(n))
	}
	return fmt.Sprintf("%s/%d:%d(%s)", b.Node, b.Incarnation, b.Count, strings.Join(sees, ","))
}
