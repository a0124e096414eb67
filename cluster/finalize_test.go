package cluster

import (
	"strings"
	"testing"

	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
)

// What the level becomes, by what each node knows and how it is.
//
// Mutations seen to fail: decide that passes over who is away; that takes the highest
// level of any node; finalists that mind neither Suspect, nor Still, nor LostTouch,
// each.
func TestDecide(t *testing.T) {
	node := func(id persistence.NodeID, most persistence.Level, state State) Member {
		return Member{Node: id, State: state, Levels: persistence.Levels{Least: 1, Most: most}, Level: 1, Version: "v" + string(id)}
	}
	self := node("a", 2, Serving)
	for name, test := range map[string]struct {
		level persistence.Level
		seen  []Member
		view  []shard.NodeView
		next  persistence.Level
		held  string // "" when it is not
	}{
		"alone":              {1, []Member{self}, nil, 2, ""},
		"nothing to raise":   {2, []Member{self}, nil, 2, ""},
		"all know it":        {1, []Member{self, node("b", 2, Serving), node("c", 3, Draining)}, nil, 2, ""},
		"one does not":       {1, []Member{self, node("b", 1, Serving), node("c", 2, Serving)}, nil, 1, `node "b" (vb) knows no level above 1`},
		"one that joins":     {1, []Member{self, node("b", 1, Joining)}, nil, 1, `node "b" (vb) knows no level above 1`},
		"one knows more":     {2, []Member{self, node("b", 3, Serving)}, nil, 2, `node "a" (va) knows no level above 2`},
		"one has lost touch": {1, []Member{self, node("b", 2, LostTouch)}, nil, 1, `node "b" has lost touch`},
		"one is suspected":   {1, []Member{self, node("b", 2, Serving)}, []shard.NodeView{{Node: "b", There: true, Suspect: true}}, 1, `node "b" seems gone`},
		"one is still":       {1, []Member{self, node("b", 2, Serving)}, []shard.NodeView{{Node: "b", There: true, Still: true}}, 1, `node "b" leaves no sign of life`},
		"one has no sign of life yet": {
			1, []Member{self, node("b", 2, Joining)}, []shard.NodeView{{Node: "b", There: true, Still: true}}, 2, "",
		},
		"nobody knows more, and one is away": {2, []Member{self, node("b", 2, LostTouch)}, nil, 2, ""},
	} {
		f := decide(self.Levels, test.level, finalists(self, test.seen, shard.Snapshot{Nodes: test.view}))
		if f.Level != test.level || f.Next != test.next || (f.Held == "") != (test.held == "") || !strings.Contains(f.Held, test.held) {
			t.Errorf("%s: %+v\nwant %d to %d, held by %q", name, f, test.level, test.next, test.held)
		}
	}
}
