package mesonet

import (
	"context"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// Self is what the node says of itself: to the others of its cluster, or alone.
func (n *Node) Self() cluster.Member {
	if n.member != nil {
		return n.member.Self()
	}
	self := n.self
	self.Levels, self.Level = n.level.Level.Known(), n.level.Level.Seen()
	return self
}

// Finalize raises the level of the store's formats to the highest that all nodes know,
// or says what would become of it; see cluster.Register.
func (n *Node) Finalize(ctx context.Context, dry bool) (cluster.Finalization, error) {
	if n.member != nil {
		return n.member.Finalize(ctx, dry)
	}
	self := n.Self()
	return n.level.Finalize(ctx, []cluster.Finalist{{Node: self.Node, Levels: self.Levels, Level: self.Level}}, dry)
}

// Tree returns what runs in each shard that the node serves, and names up to so many
// entities of each that are awake. Ask for it as rarely as for Stats.
func (n *Node) Tree(names int) []entity.ShardTree { return n.host.Tree(names) }

// Status says how a shard is at this node. The store is not asked.
func (n *Node) Status(shard persistence.Shard) entity.ShardStatus { return n.host.Status(shard) }
