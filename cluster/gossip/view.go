package gossip

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// A view makes nodes of processes: what memberlist says of processes goes in, what is
// new of nodes comes out. It is not safe for concurrent use.
type view struct {
	self      string // the name of this process; it is no news
	processes map[string]process
	shown     map[persistence.NodeID]string // the process that stands for the node
}

// A process is one that is believed to be alive.
type process struct {
	name    string
	address netip.AddrPort
	member  cluster.Member
	// replaced says that another process of the node has its address since: two can't
	// listen at one, so this one is gone, though nobody has missed it yet.
	replaced bool
}

func newView(self string) *view {
	return &view{self: self, processes: map[string]process{}, shown: map[persistence.NodeID]string{}}
}

// saw takes in what a process says of itself.
func (v *view) saw(p process) []cluster.Sighting {
	old, known := v.processes[p.name]
	p.replaced = known && old.replaced
	if !known {
		for name, other := range v.processes {
			if other.member.Node == p.member.Node && other.address == p.address && name != v.self {
				other.replaced = true
				v.processes[name] = other
			}
		}
	}
	before := v.standing(p.member.Node)
	v.processes[p.name] = p
	return v.news(p.member.Node, before)
}

// lost takes in that a process is not there any more.
func (v *view) lost(name string) []cluster.Sighting {
	p, known := v.processes[name]
	if !known {
		return nil
	}
	before := v.standing(p.member.Node)
	delete(v.processes, name)
	return v.news(p.member.Node, before)
}

// standing returns the process that stands for the node at the moment.
func (v *view) standing(id persistence.NodeID) process { return v.processes[v.shown[id]] }

// news finds out which process stands for the node now, and says what is new.
func (v *view) news(id persistence.NodeID, before process) []cluster.Sighting {
	after, found := v.best(id)
	if found {
		v.shown[id] = after.name
	} else {
		delete(v.shown, id)
	}
	ofOthers := func(p process) bool { return p.name != "" && p.name != v.self }
	switch {
	case found && ofOthers(after):
		if after.name == before.name && after.member == before.member {
			return nil
		}
		return []cluster.Sighting{{Member: after.member}}
	case ofOthers(before):
		member := before.member
		if last, there := v.processes[before.name]; there {
			member = last.member // it says that it has left
		}
		return []cluster.Sighting{{Member: member, Gone: true}}
	default:
		return nil
	}
}

// best returns the process of the node with the highest incarnation; of two with the
// same, every node has to choose the same.
func (v *view) best(id persistence.NodeID) (best process, found bool) {
	for _, p := range v.processes {
		if p.member.Node != id || p.replaced || p.member.State == cluster.Left {
			continue
		}
		newer := cmp.Or(cmp.Compare(p.member.Incarnation, best.member.Incarnation), strings.Compare(p.name, best.name)) > 0
		if !found || newer {
			best, found = p, true
		}
	}
	return best, found
}

// members returns the nodes in order of their ids.
func (v *view) members() []cluster.Member {
	members := make([]cluster.Member, 0, len(v.shown))
	for _, id := range slices.Sorted(maps.Keys(v.shown)) {
		members = append(members, v.processes[v.shown[id]].member)
	}
	return members
}

// others returns the processes but this one that are there.
func (v *view) others() []process {
	others := make([]process, 0, len(v.processes))
	for name, p := range v.processes {
		if name != v.self && !p.replaced && p.member.State != cluster.Left {
			others = append(others, p)
		}
	}
	return others
}
