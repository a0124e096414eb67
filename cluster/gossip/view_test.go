package gossip

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// What memberlist says of processes, and what is told of nodes.
//
// Mutation: when a process does not take the place of one at its address, the node is
// told as it was before the restart until that one is missed.
func TestView(t *testing.T) {
	at := func(last byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 1) }
	type event struct {
		name string // of the process
		at   byte
		inc  persistence.Incarnation
		is   cluster.State // 0: lost
		want string        // what is told, "" for nothing
	}
	const joining, serving, left, lost = cluster.Joining, cluster.Serving, cluster.Left, cluster.State(0)
	for name, events := range map[string][]event{
		"comes, changes, dies": {
			{"b/1", 2, 0, joining, "b/0 joining"},
			{"b/1", 2, 0, joining, ""},
			{"b/1", 2, 3, serving, "b/3 serving"},
			{"b/1", 2, 0, lost, "b/3 serving gone"},
			{"b/1", 2, 0, lost, ""},
			{"b/1", 2, 3, serving, "b/3 serving"},
		},
		"leaves": {
			{"b/1", 2, 3, serving, "b/3 serving"},
			{"b/1", 2, 3, left, "b/3 left gone"},
			{"b/1", 2, 0, lost, ""},
		},
		"has left before it was seen": {
			{"b/1", 2, 3, left, ""},
			{"b/1", 2, 0, lost, ""},
		},
		"started again elsewhere: the old one stands for the node until the new one has joined the store": {
			{"b/1", 2, 3, serving, "b/3 serving"},
			{"b/2", 3, 0, joining, ""},
			{"b/2", 3, 4, joining, "b/4 joining"},
			{"b/1", 2, 0, lost, ""},
			{"b/2", 3, 0, lost, "b/4 joining gone"},
		},
		"started again elsewhere, and the old one is missed first": {
			{"b/1", 2, 3, serving, "b/3 serving"},
			{"b/2", 3, 0, joining, ""},
			{"b/1", 2, 0, lost, "b/0 joining"},
		},
		"started again where it was: the old one is gone": {
			{"b/1", 2, 3, serving, "b/3 serving"},
			{"b/2", 2, 0, joining, "b/0 joining"},
			{"b/1", 2, 3, serving, ""}, // hearsay
			{"b/1", 2, 0, lost, ""},
		},
		"two processes of one node: the first is fenced, and joins the store again": {
			{"b/1", 2, 3, serving, "b/3 serving"},
			{"b/2", 3, 4, serving, "b/4 serving"},
			{"b/1", 2, 5, serving, "b/5 serving"},
			{"b/1", 2, 0, lost, "b/4 serving"},
		},
		"two with one incarnation: the same for all": {
			{"b/1", 2, 0, joining, "b/0 joining"},
			{"b/2", 3, 0, serving, "b/0 serving"},
			{"b/1", 2, 0, serving, ""},
		},
		"this node is no news, another process with its id is": {
			{"a/1", 1, 3, serving, ""},
			{"a/2", 2, 0, joining, ""},
			{"a/2", 2, 4, serving, "a/4 serving"},
			{"a/2", 2, 4, serving, ""},
			{"a/2", 2, 0, lost, "a/4 serving gone"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newView("a/1")
			for i, e := range events {
				var news []cluster.Sighting
				if e.is == lost {
					news = v.lost(e.name)
				} else {
					m := cluster.Member{Node: persistence.NodeID(e.name[:1]), Incarnation: e.inc, State: e.is}
					news = v.saw(process{name: e.name, address: at(e.at), member: m})
				}
				got := ""
				for _, s := range news {
					got += tell(s)
				}
				if got != e.want {
					t.Errorf("event %d, %+v: told %q", i, e, got)
				}
			}
		})
	}
}

func TestViewMembersInOrder(t *testing.T) {
	v := newView("b/1")
	for _, id := range []string{"c", "a", "b"} {
		v.saw(process{name: id + "/1", member: cluster.Member{Node: persistence.NodeID(id), State: cluster.Serving}})
	}
	var got []string
	for _, m := range v.members() {
		got = append(got, string(m.Node))
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
