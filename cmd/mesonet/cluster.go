package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

func clusterCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "The nodes that share a store: members, shards, tree, move, drain, finalize",
		Long: `Shows the nodes of a cluster, and which of them serves what, as the node at --addr
knows them; another may differ for a while. Any node can be asked to move a shard or
to drain another. A node that stands alone shows itself.`,
		Example: "  mesonet cluster members",
		Args:    noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s members, %[1]s shards, %[1]s tree, %[1]s move, %[1]s drain or %[1]s finalize", c.CommandPath())
		},
	}
	c.AddCommand(clusterMembersCommand(a), clusterShardsCommand(a), clusterTreeCommand(a), clusterMoveCommand(a), clusterDrainCommand(a),
		clusterFinalizeCommand(a))
	return c
}

// clusterMember is a node of the cluster.
type clusterMember struct {
	Node           string `json:"node"`
	State          string `json:"state"`
	Shards         uint32 `json:"shards"`
	Weight         uint32 `json:"weight"`
	Zone           string `json:"zone"`
	API            string `json:"api"`
	Requests       string `json:"requests"`
	Incarnation    uint64 `json:"incarnation"`
	Version        string `json:"version"`
	ProtocolLeast  uint32 `json:"protocol_least"`
	ProtocolMost   uint32 `json:"protocol_most"`
	LevelLeast     uint32 `json:"level_least"`
	LevelMost      uint32 `json:"level_most"`
	Level          uint32 `json:"level"`
	Asked          bool   `json:"asked"`
	HeartbeatStill bool   `json:"heartbeat_still"`
	Unreachable    bool   `json:"unreachable"`
	Suspect        bool   `json:"suspect"`
}

// remarks are what people should notice.
func (m *clusterMember) remarks() string {
	var all []string
	for _, is := range []struct {
		so   bool
		what string
	}{
		{m.Asked, "asked"},
		{m.HeartbeatStill, "no heartbeat"},
		{m.Unreachable, "not reached"},
		{m.Suspect, "seems gone"},
	} {
		if is.so {
			all = append(all, is.what)
		}
	}
	return orUnknown(strings.Join(all, ", "))
}

type clusterMembers struct {
	Members []clusterMember `json:"members"`
}

func (l *clusterMembers) list() listing { return listOf(slices.Values(l.Members)) }

func (l *clusterMembers) table(w io.Writer) {
	t := table{header: []string{"NODE", "STATE", ">SHARDS", ">WEIGHT", "ZONE", "API", "REQUESTS", ">INCARNATION", ">PROTOCOL", ">LEVEL", ">KNOWS", "VERSION", "REMARKS"}}
	for _, m := range l.Members {
		protocol := unknown // of one that nobody hears of
		if m.ProtocolMost > 0 {
			protocol = fmt.Sprint(m.ProtocolLeast)
		}
		if m.ProtocolMost > m.ProtocolLeast {
			protocol += fmt.Sprintf("-%d", m.ProtocolMost)
		}
		t.add(m.Node, spaced(m.State), count(m.Shards), count(m.Weight), orUnknown(m.Zone), orUnknown(m.API), orUnknown(m.Requests),
			strconv.FormatUint(m.Incarnation, 10), protocol, levelName(m.Level), levelRange(m.LevelLeast, m.LevelMost),
			orUnknown(m.Version), m.remarks())
	}
	t.write(w)
}

// stateName is a state of a node as it is called.
func stateName(s mesonetv1.Member_State) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATE_"))
}

// members returns the nodes that the server knows.
func (c *client) members(ctx context.Context) (*clusterMembers, error) {
	r, err := c.ListMembers(ctx, &mesonetv1.ListMembersRequest{})
	if err != nil {
		return nil, err
	}
	l := &clusterMembers{Members: []clusterMember{}}
	for _, m := range r.GetMembers() {
		l.Members = append(l.Members, clusterMember{
			Node: m.GetNode(), State: stateName(m.GetState()), Shards: m.GetShards(), Weight: m.GetWeight(), Zone: m.GetZone(),
			API: m.GetApi(), Requests: m.GetRequests(), Incarnation: m.GetIncarnation(), Version: m.GetVersion(),
			ProtocolLeast: m.GetProtocolLeast(), ProtocolMost: m.GetProtocolMost(), Asked: m.GetAsked(),
			LevelLeast: m.GetLevelLeast(), LevelMost: m.GetLevelMost(), Level: m.GetLevel(),
			HeartbeatStill: m.GetHeartbeatStill(), Unreachable: m.GetUnreachable(), Suspect: m.GetSuspect(),
		})
	}
	return l, nil
}

func clusterMembersCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "members",
		Short: "Show the nodes, their states and how many shards each has",
		Long: `Shows the nodes of the cluster: those that are believed to be alive, and those that
are gone and have shards still. A node that serves takes shards in proportion to its
weight; one that drains gives them away; one that has lost touch answers nothing.
LEVEL is that of the store's formats as the node has read it, KNOWS which ones its
release knows. REMARKS names the node that was asked, and what it misses of others.`,
		Example: `  mesonet cluster members
  mesonet cluster members --addr 127.0.0.1:7211 -o json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return q.answer(a, func(server *client) (answer, error) { return server.members(cmd.Context()) })
		},
	}
	q.connection.flags(c)
	q.output.flag(c)
	return c
}

// clusterShard is a shard, as the server knows it.
type clusterShard struct {
	Shard    uint32 `json:"shard"`
	Owner    string `json:"owner"`
	Epoch    uint32 `json:"epoch"`
	Answers  bool   `json:"answers"`
	Target   string `json:"target"`
	Open     bool   `json:"open"`
	Taking   bool   `json:"taking"`
	MovingTo string `json:"moving_to"`
	Pinned   bool   `json:"pinned"`
}

// remarks are what people should notice.
func (s *clusterShard) remarks() string {
	var all []string
	if s.Owner != "" && !s.Answers {
		all = append(all, "does not answer")
	}
	if s.Taking {
		all = append(all, "being taken")
	}
	if s.MovingTo != "" {
		all = append(all, "going to "+s.MovingTo)
	}
	if s.Pinned {
		all = append(all, "moved here")
	}
	return orUnknown(strings.Join(all, ", "))
}

type clusterShards struct {
	Shards []clusterShard `json:"shards"`
}

func (l *clusterShards) list() listing { return listOf(slices.Values(l.Shards)) }

func (l *clusterShards) table(w io.Writer) {
	t := table{header: []string{">SHARD", "OWNER", ">EPOCH", "BELONGS TO", "HERE", "REMARKS"}}
	for _, s := range l.Shards {
		here := "-"
		if s.Open {
			here = "open"
		}
		t.add(strconv.FormatUint(uint64(s.Shard), 10), orUnknown(s.Owner), strconv.FormatUint(uint64(s.Epoch), 10), orUnknown(s.Target), here, s.remarks())
	}
	t.write(w)
}

// shards returns the shards as the server knows them.
func (c *client) shards(ctx context.Context) (*clusterShards, error) {
	r, err := c.ListShards(ctx, &mesonetv1.ListShardsRequest{})
	if err != nil {
		return nil, err
	}
	l := &clusterShards{Shards: []clusterShard{}}
	for _, s := range r.GetShards() {
		l.Shards = append(l.Shards, clusterShard{
			Shard: s.GetShard(), Owner: s.GetOwner(), Epoch: s.GetEpoch(), Answers: s.GetAnswers(), Target: s.GetTarget(),
			Open: s.GetOpen(), Taking: s.GetTaking(), MovingTo: s.GetMovingTo(), Pinned: s.GetPinned(),
		})
	}
	return l, nil
}

func clusterShardsCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "shards",
		Short: "Show which node serves each shard, and which one should",
		Long: `Shows the node that serves each shard, by the newest word that the node asked has
heard, and the one that it belongs to. They differ while nodes come and go, and for
a shard that was moved by hand. What the store itself says: mesonet shard list.`,
		Example: `  mesonet cluster shards
  mesonet cluster shards -o csv`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return q.answer(a, func(server *client) (answer, error) { return server.shards(cmd.Context()) })
		},
	}
	q.connection.flags(c)
	q.output.flag(c)
	return c
}

// nodeTree is what runs on a node.
type nodeTree struct {
	Node   string      `json:"node"`
	State  string      `json:"state"`
	Shards []shardTree `json:"shards"`
	Views  []viewTree  `json:"views"`
}

type shardTree struct {
	Shard     uint32     `json:"shard"`
	Epoch     uint32     `json:"epoch"`
	TailBytes uint64     `json:"tail_bytes"`
	Kinds     []kindTree `json:"kinds"`
}

type kindTree struct {
	Kind  string   `json:"kind"`
	Awake uint64   `json:"awake"`
	IDs   []string `json:"ids"`
}

type viewTree struct {
	View     string `json:"view"`
	Shards   uint32 `json:"shards"`
	Complete uint32 `json:"complete"`
}

// treeRow is a kind in a shard as it stands alone, or a shard where nothing is awake.
type treeRow struct {
	Node      string   `json:"node"`
	Shard     uint32   `json:"shard"`
	Epoch     uint32   `json:"epoch"`
	TailBytes uint64   `json:"tail_bytes"`
	Kind      string   `json:"kind"`
	Awake     uint64   `json:"awake"`
	IDs       []string `json:"ids"`
}

func (n *nodeTree) list() listing { return listOf(n.rows()) }

func (n *nodeTree) rows() iter.Seq[treeRow] {
	return func(yield func(treeRow) bool) {
		for _, s := range n.Shards {
			kinds := s.Kinds
			if len(kinds) == 0 {
				kinds = []kindTree{{IDs: []string{}}}
			}
			for _, k := range kinds {
				if !yield(treeRow{n.Node, s.Shard, s.Epoch, s.TailBytes, k.Kind, k.Awake, k.IDs}) {
					return
				}
			}
		}
	}
}

// branch is a line of a tree, with those below it.
type branch struct {
	text  string
	below []branch
}

func (b branch) write(w io.Writer, indent string) {
	for i, one := range b.below {
		begin, next := "├── ", "│   "
		if i == len(b.below)-1 {
			begin, next = "└── ", "    "
		}
		fmt.Fprintf(w, "%s%s%s\n", indent, begin, printable(one.text))
		one.write(w, indent+next)
	}
}

func (n *nodeTree) table(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, with %s\n", printable(n.Node), spaced(n.State), counted(len(n.Shards), "shard", "shards"))
	var root branch
	for _, s := range n.Shards {
		one := branch{text: fmt.Sprintf("shard/%d  epoch %d, %s of log not in pages", s.Shard, s.Epoch, counted(s.TailBytes, "byte", "bytes"))}
		for _, k := range s.Kinds {
			if len(k.IDs) == 0 {
				one.below = append(one.below, branch{text: fmt.Sprintf("%s  %s awake", k.Kind, count(k.Awake))})
				continue
			}
			for _, id := range k.IDs {
				one.below = append(one.below, branch{text: k.Kind + "/" + id})
			}
			if more := k.Awake - uint64(len(k.IDs)); more > 0 {
				one.below = append(one.below, branch{text: fmt.Sprintf("%s  %s more awake", k.Kind, count(more))})
			}
		}
		root.below = append(root.below, one)
	}
	for _, v := range n.Views {
		root.below = append(root.below, branch{text: fmt.Sprintf("view/%s  complete in %d of %s", v.View, v.Complete, counted(v.Shards, "shard", "shards"))})
	}
	root.write(w, "")
}

// mostNames is how many entities of a shard a server names.
const mostNames = 1000

func clusterTreeCommand(a *app) *cobra.Command {
	var q asking
	var names int
	c := &cobra.Command{
		Use:   "tree",
		Short: "Show what runs on a node: its shards, and what is awake in them",
		Long: `Shows what runs on the node at --addr: the shards that it serves, how many entities
of each kind are awake in them, and the views that it keeps. With --names it names
some of the entities; mesonet entity get shows one.`,
		Example: `  mesonet cluster tree
  mesonet cluster tree --addr 127.0.0.1:7211 --names 10`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if names < 0 || names > mostNames {
				return misuse("--names is 0 to %d entities of each shard, not %d", mostNames, names)
			}
			return q.answer(a, func(server *client) (answer, error) {
				r, err := server.GetTree(cmd.Context(), &mesonetv1.GetTreeRequest{Names: uint32(names)})
				return newTree(r), err
			})
		},
	}
	c.Flags().IntVar(&names, "names", 0, "name so many entities of each shard")
	q.connection.flags(c)
	q.output.flag(c)
	return c
}

func newTree(r *mesonetv1.GetTreeResponse) *nodeTree {
	n := &nodeTree{Node: r.GetNode(), State: stateName(r.GetState()), Shards: []shardTree{}, Views: []viewTree{}}
	for _, s := range r.GetShards() {
		one := shardTree{Shard: s.GetShard(), Epoch: s.GetEpoch(), TailBytes: s.GetTailBytes(), Kinds: []kindTree{}}
		for _, k := range s.GetKinds() {
			one.Kinds = append(one.Kinds, kindTree{Kind: k.GetKind(), Awake: k.GetAwake(), IDs: append([]string{}, k.GetIds()...)})
		}
		n.Shards = append(n.Shards, one)
	}
	for _, v := range r.GetViews() {
		n.Views = append(n.Views, viewTree{View: v.GetView(), Shards: v.GetShards(), Complete: v.GetComplete()})
	}
	return n
}

// moved is a shard that was moved.
type moved struct {
	Shard uint32 `json:"shard"`
	Node  string `json:"node"`
}

func (m *moved) table(w io.Writer) {
	fmt.Fprintf(w, "shard %d is at %s, until that node drains or loses it\n", m.Shard, printable(m.Node))
}

func clusterMoveCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "move SHARD NODE",
		Short: "Move a shard to another node, which keeps it",
		Long: `Lets the node that serves a shard hand it over to another. Calls to it wait for a
moment, and none fails. The other keeps it until it drains or loses it, also where
the shard belongs elsewhere. Asking again is safe.`,
		Example: "  mesonet cluster move 17 node-b",
		Args:    arguments("SHARD", "NODE"),
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) != 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return q.nodeNames(contextOf(c)), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseUint(args[0], 10, 32)
			if err != nil {
				return misuse("%q is not the number of a shard; write it as 17, and the node behind it", args[0])
			}
			if args[1] == "" {
				return misuse("a node has a name; see mesonet cluster members")
			}
			m := &moved{uint32(number), args[1]}
			return q.answer(a, func(server *client) (answer, error) {
				_, err := server.MoveShard(cmd.Context(), &mesonetv1.MoveShardRequest{Shard: m.Shard, To: m.Node})
				return m, err
			})
		},
	}
	q.connection.flags(c)
	q.output.flag(c)
	return c
}

// drained is what is left of a node that was drained.
type drained struct {
	Node string   `json:"node"`
	Left []uint32 `json:"left"`
}

func (d *drained) table(w io.Writer) {
	fmt.Fprintf(w, "%s has no shards left and takes none until it is started again; it can be stopped now\n", printable(d.Node))
}

// drainTime is how long a drain may take, unless it is said otherwise.
const drainTime = 2 * time.Minute

func clusterDrainCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "drain NODE",
		Short: "Hand over all shards of a node, so that it can be stopped",
		Long: `Lets a node hand all of its shards over to the others and waits for it. The node
goes on taking calls and passes them on; it takes no shards until it is started
again. A server that is stopped drains by itself: this is to see it done before.`,
		Example: `  mesonet cluster drain node-b
  mesonet cluster drain node-b --timeout 5m`,
		Args: arguments("NODE"),
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) != 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return q.nodeNames(contextOf(c)), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return misuse("a node has a name; see mesonet cluster members")
			}
			if !cmd.Flags().Changed("timeout") {
				q.timeout = drainTime
			}
			return q.answer(a, func(server *client) (answer, error) {
				r, err := server.DrainNode(cmd.Context(), &mesonetv1.DrainNodeRequest{Node: args[0]})
				if err != nil {
					return nil, err
				}
				d := &drained{Node: args[0], Left: append([]uint32{}, r.GetLeft()...)}
				if n := len(d.Left); n > 0 {
					return nil, fail(exitUnavailable, "%s has %s still, and goes on handing them over; ask again, with more --timeout, or see mesonet cluster shards",
						d.Node, counted(n, "shard", "shards"))
				}
				return d, nil
			})
		},
	}
	q.connection.flags(c)
	timeout := c.Flags().Lookup("timeout")
	timeout.DefValue, timeout.Usage = drainTime.String(), "how long to wait until nothing is left"
	q.output.flag(c)
	return c
}

// nodeNames returns the nodes of the cluster that a command would ask, nil when it
// does not answer.
func (n *connection) nodeNames(ctx context.Context) []cobra.Completion {
	server, err := dial(n.addr, completionTime, false)
	if err != nil {
		return nil
	}
	defer server.close()
	l, err := server.members(ctx)
	if err != nil {
		return nil
	}
	names := make([]cobra.Completion, 0, len(l.Members))
	for _, m := range l.Members {
		names = append(names, cobra.CompletionWithDesc(m.Node, spaced(m.State)+", "+counted(m.Shards, "shard", "shards")))
	}
	return names
}
