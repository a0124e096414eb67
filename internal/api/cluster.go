package api

import (
	"context"
	"slices"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// ListMembers returns the nodes of the cluster, as this one knows them.
func (s *Server) ListMembers(context.Context, *mesonetv1.ListMembersRequest) (*mesonetv1.ListMembersResponse, error) {
	c := s.node.Cluster()
	if c == nil {
		self := toMember(s.node.Self())
		self.Asked, self.Version = true, s.cfg.Version
		for n := range persistence.Shard(s.node.Store().Shards) {
			if s.node.Status(n).Open {
				self.Shards++
			}
		}
		return &mesonetv1.ListMembersResponse{Members: []*mesonetv1.Member{self}}, nil
	}
	return &mesonetv1.ListMembersResponse{Members: toMembers(c.Self(), c.Members(), c.View())}, nil
}

// toMembers brings together what gossip and the machine know of each node.
func toMembers(self cluster.Member, seen []cluster.Member, view shard.Snapshot) []*mesonetv1.Member {
	shards := make(map[persistence.NodeID]uint32)
	for _, v := range view.Shards {
		shards[v.Owner]++
	}
	var all []*mesonetv1.Member
	there := make(map[persistence.NodeID]*mesonetv1.Member)
	for _, m := range seen {
		if m.Node == self.Node {
			m = self // gossip may be behind
		}
		there[m.Node] = toMember(m)
		all = append(all, there[m.Node])
	}
	for _, v := range view.Nodes {
		m := there[v.Node]
		if m == nil {
			if shards[v.Node] == 0 {
				continue // of a node that was once here, and owns nothing, there is nothing to say
			}
			m = &mesonetv1.Member{Node: string(v.Node), State: mesonetv1.Member_STATE_GONE, Incarnation: uint64(v.Incarnation)}
			all = append(all, m)
		}
		m.HeartbeatStill, m.Unreachable, m.Suspect = v.Still, v.Down, v.Suspect
	}
	for _, m := range all {
		m.Shards = shards[persistence.NodeID(m.GetNode())]
		m.Asked = m.GetNode() == string(self.Node)
	}
	slices.SortFunc(all, func(a, b *mesonetv1.Member) int {
		if a.GetNode() < b.GetNode() {
			return -1
		}
		return 1
	})
	return all
}

func toMember(m cluster.Member) *mesonetv1.Member {
	return &mesonetv1.Member{
		Node: string(m.Node), State: toState(m.State), Incarnation: uint64(m.Incarnation), Zone: m.Zone, Weight: m.Weight,
		Api: m.API, Requests: m.Transport, Version: m.Version, ProtocolLeast: m.Protocol.Least, ProtocolMost: m.Protocol.Most,
		LevelLeast: uint32(m.Levels.Least), LevelMost: uint32(m.Levels.Most), Level: uint32(m.Level),
	}
}

func toState(s cluster.State) mesonetv1.Member_State {
	switch s {
	case cluster.Joining:
		return mesonetv1.Member_STATE_JOINING
	case cluster.Serving:
		return mesonetv1.Member_STATE_SERVING
	case cluster.LostTouch:
		return mesonetv1.Member_STATE_LOST_TOUCH
	case cluster.Draining:
		return mesonetv1.Member_STATE_DRAINING
	case cluster.Left:
		return mesonetv1.Member_STATE_LEFT
	}
	return mesonetv1.Member_STATE_UNSPECIFIED
}

// ListShards returns the shards, as this node knows them.
func (s *Server) ListShards(context.Context, *mesonetv1.ListShardsRequest) (*mesonetv1.ListShardsResponse, error) {
	r := &mesonetv1.ListShardsResponse{}
	if c := s.node.Cluster(); c != nil {
		for _, v := range c.View().Shards {
			r.Shards = append(r.Shards, &mesonetv1.Shard{
				Shard: uint32(v.Shard), Owner: string(v.Owner), Epoch: uint32(v.Epoch), Answers: v.Answers, Target: string(v.Target),
				Open: v.Open, Taking: v.Taking, MovingTo: string(v.To), Pinned: v.Pinned,
			})
		}
		return r, nil
	}
	self := string(s.node.Self().Node)
	for n := range persistence.Shard(s.node.Store().Shards) {
		v := &mesonetv1.Shard{Shard: uint32(n), Target: self}
		switch status := s.node.Status(n); {
		case status.Open:
			v.Owner, v.Epoch, v.Answers, v.Open = self, uint32(status.Epoch), true, true
		case status.Moved != nil: // another node that stands alone uses the store
			v.Owner, v.Epoch, v.Target = string(status.Moved.To), uint32(status.Moved.Epoch), string(status.Moved.To)
		}
		r.Shards = append(r.Shards, v)
	}
	return r, nil
}

// mostNames is how many entities of a shard a tree names.
const mostNames = 1000

// GetTree returns what runs on this node.
func (s *Server) GetTree(_ context.Context, r *mesonetv1.GetTreeRequest) (*mesonetv1.GetTreeResponse, error) {
	if r.GetNames() > mostNames {
		return nil, invalid("names has to be at most 1000: so many entities of each shard are named")
	}
	self := s.node.Self()
	tree := &mesonetv1.GetTreeResponse{Node: string(self.Node), State: toState(self.State)}
	for _, one := range s.node.Tree(int(r.GetNames())) {
		t := &mesonetv1.ShardTree{Shard: uint32(one.Shard), Epoch: uint32(one.Epoch), TailBytes: uint64(one.TailBytes)}
		for _, k := range one.Kinds {
			t.Kinds = append(t.Kinds, &mesonetv1.KindTree{Kind: k.Kind, Awake: uint64(k.Awake), Ids: k.IDs})
		}
		tree.Shards = append(tree.Shards, t)
	}
	for _, v := range s.node.Views() {
		tree.Views = append(tree.Views, &mesonetv1.ViewTree{View: v.Name, Shards: uint32(v.Shards), Complete: uint32(v.Complete)})
	}
	return tree, nil
}

// errStandsAlone is what is said to who would change a cluster that there is not.
var errStandsAlone = entity.Reject("this node stands alone: there is no other to take its shards; start nodes with --cluster-gossip on a store that all of them use").Because(cluster.Alone)

// MoveShard moves a shard to another node.
func (s *Server) MoveShard(ctx context.Context, r *mesonetv1.MoveShardRequest) (*mesonetv1.MoveShardResponse, error) {
	c := s.node.Cluster()
	if c == nil {
		return nil, Status(errStandsAlone)
	}
	if r.GetTo() == "" {
		return nil, invalid("to is empty: name the node that is to have the shard")
	}
	if err := c.MoveShard(ctx, persistence.Shard(r.GetShard()), persistence.NodeID(r.GetTo())); err != nil {
		return nil, Status(err)
	}
	return &mesonetv1.MoveShardResponse{}, nil
}

// DrainNode lets a node hand over its shards.
func (s *Server) DrainNode(ctx context.Context, r *mesonetv1.DrainNodeRequest) (*mesonetv1.DrainNodeResponse, error) {
	c := s.node.Cluster()
	if c == nil {
		return nil, Status(errStandsAlone)
	}
	if r.GetNode() == "" {
		return nil, invalid("node is empty: name the node that is to hand its shards over")
	}
	left, err := c.DrainNode(ctx, persistence.NodeID(r.GetNode()))
	if err != nil {
		return nil, Status(err)
	}
	response := &mesonetv1.DrainNodeResponse{}
	for _, n := range left {
		response.Left = append(response.Left, uint32(n))
	}
	return response, nil
}

// FinalizeStore raises the level of the store's formats.
func (s *Server) FinalizeStore(ctx context.Context, r *mesonetv1.FinalizeStoreRequest) (*mesonetv1.FinalizeStoreResponse, error) {
	f, err := s.node.Finalize(ctx, r.GetDryRun())
	if err != nil {
		return nil, Status(err)
	}
	response := &mesonetv1.FinalizeStoreResponse{Level: uint32(f.Level), Next: uint32(f.Next), Raised: f.Raised, HeldBack: f.Held}
	for _, n := range f.Nodes {
		if n.Version == "" && n.Node == s.node.Self().Node { // it stands alone
			n.Version = s.cfg.Version
		}
		response.Nodes = append(response.Nodes, &mesonetv1.Finalist{
			Node: string(n.Node), Version: n.Version, Away: n.Away,
			LevelLeast: uint32(n.Levels.Least), LevelMost: uint32(n.Levels.Most), Level: uint32(n.Level),
		})
	}
	return response, nil
}
