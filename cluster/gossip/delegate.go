package gossip

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
)

// delegate is what memberlist calls, often with its locks held: nothing here calls
// memberlist, and nothing blocks.
type delegate struct{ g *Gossip }

var (
	_ memberlist.Delegate      = delegate{}
	_ memberlist.EventDelegate = delegate{}
	_ memberlist.AliveDelegate = delegate{}
	_ memberlist.MergeDelegate = delegate{}
)

// NodeMeta returns what this process says of itself.
func (d delegate) NodeMeta(int) []byte { return d.g.self.Load().encoded }

// NotifyAlive judges each word that a process is alive, from whomever it comes.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	if n.Name == d.g.name {
		return nil
	}
	_, err := d.g.judge(n)
	return err
}

// NotifyMerge judges the processes that another node knows, when one of the two joins
// the other. Both do it, and one that is refused refuses all: it is how a node learns
// that it is in the wrong place before it is in it.
func (d delegate) NotifyMerge(nodes []*memberlist.Node) error {
	for _, n := range nodes {
		if n.Name == d.g.name || n.State == memberlist.StateDead || n.State == memberlist.StateLeft {
			continue
		}
		a, err := d.g.judge(n)
		if err != nil {
			return err
		}
		// Who can speak with this node may still not be able to speak with another.
		for _, p := range d.g.others() {
			if p.name == n.Name {
				continue
			}
			if r := incompatible(describe(a, n), a.member.Protocol, "node "+string(p.member.Node), p.member.Protocol); r != nil {
				d.g.door.refused(r, n.Name)
				return r
			}
		}
	}
	return nil
}

// judge returns what the process says of itself, or the error for which it is refused.
func (g *Gossip) judge(n *memberlist.Node) (announcement, error) {
	a, err := decodeAnnouncement(n.Meta)
	if err == nil {
		if id, _, ok := strings.Cut(n.Name, "/"); !ok || id != string(a.member.Node) {
			err = fmt.Errorf("%w: process %q says that it is of node %q", errMalformed, n.Name, a.member.Node)
		}
	}
	if err != nil {
		g.door.malformed(n.Address(), err.Error())
		return a, err
	}
	if r := g.strangeness(describe(a, n), a); r != nil {
		g.door.refused(r, n.Name)
		return a, r
	}
	return a, nil
}

func describe(a announcement, n *memberlist.Node) string {
	return fmt.Sprintf("node %s at %s", a.member.Node, n.Address())
}

// NotifyJoin takes in a process that was not there, or was believed dead.
func (d delegate) NotifyJoin(n *memberlist.Node) { d.g.heard(n) }

// NotifyUpdate takes in that a process says something else of itself.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.g.heard(n) }

func (g *Gossip) heard(n *memberlist.Node) {
	a, err := decodeAnnouncement(n.Meta)
	if err != nil {
		return // it was judged before
	}
	p := process{name: n.Name, address: addressOf(n), member: a.member}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.met = g.met || p.name != g.name
	delete(g.missing, p.address)
	g.news.put(g.view.saw(p))
}

// NotifyLeave takes in that a process is dead, or has left.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	g := d.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if p, known := g.view.processes[n.Name]; known && n.Name != g.name && p.member.State != cluster.Left && !p.replaced {
		g.miss(p.address, time.Now())
	}
	g.news.put(g.view.lost(n.Name))
}

func addressOf(n *memberlist.Node) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(n.Addr)
	return netip.AddrPortFrom(addr.Unmap(), n.Port)
}

// others returns the other processes that are there.
func (g *Gossip) others() []process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.view.others()
}

// NotifyMsg, GetBroadcasts, LocalState and MergeRemoteState are for messages of
// memberlist's users. There are none.
func (d delegate) NotifyMsg([]byte) {}

// GetBroadcasts returns none.
func (d delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState returns none.
func (d delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState takes none.
func (d delegate) MergeRemoteState([]byte, bool) {}
