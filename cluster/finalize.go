package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
)

// HeldBack is the reason of a rejection: not every node is known to know a higher level.
const HeldBack = "LEVEL_HELD_BACK"

// Finalization is what raising the level of a store's formats came to, or would.
type Finalization struct {
	// Level is the one that the store had, and Next the one that it has now, or would
	// have. They are the same when there is nothing to raise.
	Level, Next persistence.Level
	// Raised says that it is at Next, by this or by another who did so meanwhile.
	Raised bool
	// Nodes are those that were asked what they know, or could not be.
	Nodes []Finalist
	// Held says why the level stays, "" when it need not.
	Held string
}

// Finalist is a node that has a say in the level.
type Finalist struct {
	Node persistence.NodeID
	// Version of its program, for people.
	Version string
	// Levels are those that it knows, and Level the one that it has read last; zero
	// when it did not say.
	Levels persistence.Levels
	Level  persistence.Level
	// Away says why it can't be relied on to be as it says, "" when it can.
	Away string
}

// decide says what the level becomes when all of the nodes know it.
func decide(known persistence.Levels, level persistence.Level, nodes []Finalist) Finalization {
	f := Finalization{Level: level, Next: level, Nodes: nodes}
	next, most := known.Most, known.Most
	var held []string
	for _, n := range nodes {
		if n.Away != "" {
			held = append(held, fmt.Sprintf("node %q %s, and may be of any release", n.Node, n.Away))
			continue
		}
		next, most = min(next, n.Levels.Most), max(most, n.Levels.Most)
		if n.Levels.Most <= level {
			held = append(held, fmt.Sprintf("node %q%s knows no level above %d", n.Node, ofVersion(n.Version), n.Levels.Most))
		}
	}
	switch {
	case most <= level: // nobody knows a higher one
	case len(held) > 0:
		f.Held = strings.Join(held, "; ")
	default:
		f.Next = next
	}
	return f
}

func ofVersion(v string) string {
	if v == "" {
		return ""
	}
	return " (" + v + ")"
}

// Register is where a level is raised, and who has shards there.
type Register struct {
	Level     persistence.LevelRegister
	Ownership persistence.Ownership
	Shards    uint32
}

// Finalize raises the level to the highest that all nodes know: those that are given,
// and any other that the store says has a shard. With dry it only says what would be.
// When the level can't be raised it is a rejection, [HeldBack].
func (r Register) Finalize(ctx context.Context, nodes []Finalist, dry bool) (Finalization, error) {
	owners, err := r.owners(ctx)
	if err != nil {
		return Finalization{}, err
	}
	for _, id := range owners {
		if !slices.ContainsFunc(nodes, func(n Finalist) bool { return n.Node == id }) {
			nodes = append(nodes, Finalist{Node: id, Away: "has shards and is not seen"})
		}
	}
	slices.SortFunc(nodes, func(a, b Finalist) int { return strings.Compare(string(a.Node), string(b.Node)) })
	level, err := r.Level.Read(ctx)
	if err != nil {
		return Finalization{}, err
	}
	for {
		f := decide(r.Level.Known(), level, nodes)
		switch {
		case dry || f.Held == "" && f.Next == level:
			return f, nil
		case f.Held != "":
			return f, entity.Reject("the store stays at level %d: %s; take those nodes to a newer release, or stop them, and ask again", level, f.Held).Because(HeldBack)
		}
		err := r.Level.Raise(ctx, level, f.Next)
		now, readErr := r.Level.Read(ctx)
		switch {
		case err == nil, readErr == nil && now >= f.Next: // or somebody else did, or it was this one's after all
			f.Raised, f.Next = true, max(now, f.Next)
			return f, nil
		case errors.Is(err, persistence.ErrLost) && readErr == nil && now > level:
			level = now // another raised it, and not as far
		default:
			return f, fmt.Errorf("%w: whether the store is at level %d now can't be found out; ask again: %w", entity.ErrUnknown, f.Next, errors.Join(err, readErr))
		}
	}
}

// owners returns the nodes that have shards by the store, and were not fenced.
func (r Register) owners(ctx context.Context) (ids []persistence.NodeID, err error) {
	nodes := make(map[persistence.NodeID]persistence.NodeRow)
	for s := range persistence.Shard(r.Shards) {
		row, err := r.Ownership.Shard(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("cluster: looking who has shard %d: %w", s, err)
		}
		if row.Epoch == 0 {
			continue
		}
		node, known := nodes[row.Owner]
		if !known {
			if node, err = r.Ownership.Node(ctx, row.Owner); err != nil {
				return nil, fmt.Errorf("cluster: looking who has shard %d: %w", s, err)
			}
			nodes[row.Owner] = node
		}
		if node.Incarnation <= row.Incarnation && !slices.Contains(ids, row.Owner) {
			ids = append(ids, row.Owner)
		}
	}
	return ids, nil
}

// Finalize raises the level of the store's formats to the highest that all nodes know,
// see [Register.Finalize]. It is safe to ask again.
func (n *Node) Finalize(ctx context.Context, dry bool) (Finalization, error) {
	if s := n.State(); !n.answers() {
		return Finalization{}, fmt.Errorf("%w: this node is %s, and can't tell who else there is", entity.ErrUnavailable, s)
	}
	r := Register{n.cfg.Level, n.cfg.Ownership, n.cfg.Shards}
	nodes := finalists(n.Self(), n.Members(), n.View())
	n.askLevels(ctx, nodes)
	f, err := r.Finalize(ctx, nodes, dry)
	if f.Raised {
		n.say()
	}
	return f, err
}

// finalists brings together what gossip and the machine know of each node.
func finalists(self Member, seen []Member, view shard.Snapshot) (all []Finalist) {
	for _, m := range seen {
		if m.Node == self.Node {
			m = self
		}
		f := Finalist{Node: m.Node, Version: m.Version, Levels: m.Levels, Level: m.Level}
		i := slices.IndexFunc(view.Nodes, func(v shard.NodeView) bool { return v.Node == m.Node })
		switch {
		case m.Node == self.Node:
		case m.State == LostTouch:
			f.Away = "has lost touch"
		case i < 0: // it has come this moment
		case view.Nodes[i].Suspect:
			f.Away = "seems gone"
		case view.Nodes[i].Still && m.State != Joining:
			f.Away = "leaves no sign of life"
		}
		all = append(all, f)
	}
	return all
}

// levelReply is what a node knows of levels, and has read.
type levelReply struct {
	Levels persistence.Levels
	Level  persistence.Level
}

func (n *Node) levelHere(context.Context, struct{}) (levelReply, error) {
	return levelReply{n.cfg.Level.Known(), n.cfg.Level.Seen()}, nil
}

// askWithin is how long a node has to say what it knows.
const askWithin = 3 * time.Second

// askLevels asks the nodes themselves: what gossip has of one may be of a process that
// was there before. Those that know no higher level by gossip have said enough.
func (n *Node) askLevels(ctx context.Context, nodes []Finalist) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var asking sync.WaitGroup
	for i := range nodes {
		f := &nodes[i]
		if f.Node == n.cfg.Self.Node || f.Away != "" || f.Levels.Most <= n.cfg.Level.Seen() {
			continue
		}
		asking.Go(func() {
			reply, err := ask[levelReply](ctx, n, f.Node, kindLevel, struct{}{})
			if err != nil {
				f.Away = "is not reached"
				return
			}
			f.Levels, f.Level = reply.Levels, reply.Level
		})
	}
	asking.Wait()
}
