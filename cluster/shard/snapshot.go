package shard

import (
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/persistence"
)

// Snapshot is what a machine knows, for people and tests. It shares nothing with the
// machine.
type Snapshot struct {
	Now    Millis
	State  State
	Nodes  []NodeView  // in order of their ids, this one among them
	Shards []ShardView // in order
}

// NodeView is what is known of a node.
type NodeView struct {
	Node        persistence.NodeID
	Incarnation persistence.Incarnation
	// There says whether gossip has it, as State and Weight say, which are zero for
	// one that it never had.
	There  bool
	State  State
	Weight uint32
	// Down says that requests don't reach it, and Still that its heartbeat stands
	// still.
	Down, Still bool
	// Suspect says that gossip and heartbeat both say that it is gone, and that it
	// has shards which are to be freed by a fence.
	Suspect bool
}

// ShardView is what is known of a shard.
type ShardView struct { //nolint:revive // beside NodeView; View alone would say nothing
	Shard persistence.Shard
	// Owner is whose it is by the newest word, with the epoch, "" when there is none.
	// Requests go there if Answers says so.
	Owner   persistence.NodeID
	Epoch   persistence.Epoch
	Answers bool
	// Target is who should have it by the table, "" when nobody serves.
	Target persistence.NodeID
	// Open says that it is served here, and Pinned that it stays here though the table
	// names another.
	Open, Pinned bool
	// Taking says that it is being taken by this node, and To to whom it is being
	// handed over, if it is.
	Taking bool
	To     persistence.NodeID
}

// Snapshot returns what the machine knows.
func (m *Machine) Snapshot() Snapshot {
	v := Snapshot{Now: m.now, State: m.state}
	for _, n := range m.nodes {
		v.Nodes = append(v.Nodes, NodeView{
			Node: n.id, Incarnation: n.inc, There: n.there, State: n.member.State, Weight: n.member.Weight,
			Down: n.down, Still: m.still(n), Suspect: n.fence.sure,
		})
	}
	for i := range m.shards {
		s := &m.shards[i]
		v.Shards = append(v.Shards, ShardView{
			Shard: s.number, Owner: s.owner.Node, Epoch: s.owner.Epoch, Answers: m.answers(s), Target: s.target,
			Open: s.open, Pinned: s.pinned, Taking: s.doing == taking, To: s.to,
		})
	}
	return v
}

// String returns the snapshot as a line for each node, then one for each shard.
func (v Snapshot) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %d\n", v.State, v.Now)
	for _, n := range v.Nodes {
		b.WriteString(n.String())
		b.WriteByte('\n')
	}
	for _, s := range v.Shards {
		b.WriteString(s.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String returns the node in one line.
func (n NodeView) String() string {
	s := fmt.Sprintf("%s/%d", n.Node, n.Incarnation)
	switch {
	case n.There:
		s += fmt.Sprintf(" %s weight %d", n.State, n.Weight)
	case n.State != 0:
		s += " gone"
	default:
		s += " unseen"
	}
	for _, is := range []struct {
		so   bool
		what string
	}{{n.Down, "down"}, {n.Still, "still"}, {n.Suspect, "suspect"}} {
		if is.so {
			s += " " + is.what
		}
	}
	return s
}

// String returns the shard in one line.
func (s ShardView) String() string {
	line := fmt.Sprintf("%d of nobody", s.Shard)
	if s.Owner != "" {
		line = fmt.Sprintf("%d of %s epoch %d", s.Shard, s.Owner, s.Epoch)
	}
	if s.Target != s.Owner {
		line += " target " + string(s.Target)
	}
	for _, is := range []struct {
		so   bool
		what string
	}{{s.Open, "open"}, {s.Pinned, "pinned"}, {s.Taking, "taking"}, {s.To != "", "to " + string(s.To)}, {s.Owner != "" && !s.Answers, "silent"}} {
		if is.so {
			line += " " + is.what
		}
	}
	return line
}
