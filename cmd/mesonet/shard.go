package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
)

func shardCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "shard",
		Short: "Who serves which part of a keyspace of Cassandra: list, claim, release",
		Example: `  mesonet shard list "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1"
  mesonet shard claim "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1" --from node-a`,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s list, %[1]s claim or %[1]s release", c.CommandPath())
		},
	}
	c.AddCommand(shardListCommand(a), shardClaimCommand(a), shardReleaseCommand(a))
	return c
}

// openCluster opens the store that a URL names.
func openCluster(ctx context.Context, url string) (*cassandra.Store, error) {
	cfg, err := storeURL(url)
	if err != nil {
		return nil, err
	}
	store, err := cassandra.Open(ctx, cfg)
	if err != nil {
		return nil, schemaError(ctx, cfg, err)
	}
	return store, nil
}

// Whose a shard is.
const (
	shardOwned = "owned"
	shardFree  = "free" // its owner has been fenced, or has stopped
	shardNew   = "new"  // it never had one
)

// ownership is whose the shards of a store are.
type ownership struct {
	Store  string         `json:"store"`
	Shards []shardOwner   `json:"shards"`
	Nodes  []shardOwnedBy `json:"nodes"`
}

type shardOwner struct {
	Shard       uint32 `json:"shard"`
	State       string `json:"state"`
	Epoch       uint32 `json:"epoch"`
	Owner       string `json:"owner"`
	Incarnation uint64 `json:"incarnation"`
	Seal        string `json:"seal"`
	Low         string `json:"low"`
}

// shardOwnedBy is a node that has, or had, shards.
type shardOwnedBy struct {
	Node        string `json:"node"`
	Address     string `json:"address"`
	Incarnation uint64 `json:"incarnation"`
	Shards      int    `json:"shards"`
}

// readOwnership reads whose every shard is.
func readOwnership(ctx context.Context, store *cassandra.Store) (*ownership, error) {
	own := store.Ownership()
	all := &ownership{Store: store.Info().ID.String(), Shards: []shardOwner{}, Nodes: []shardOwnedBy{}}
	nodes := make(map[persistence.NodeID]*shardOwnedBy)
	for n := range persistence.Shard(store.Info().Shards) {
		row, err := own.Shard(ctx, n)
		if err != nil {
			return nil, err
		}
		s := shardOwner{
			Shard: uint32(n), State: shardNew, Epoch: uint32(row.Epoch), Owner: string(row.Owner),
			Incarnation: uint64(row.Incarnation), Low: row.Low.String(),
		}
		if len(row.Seals) > 0 {
			s.Seal = row.Seals[len(row.Seals)-1].String()
		}
		if row.Epoch != 0 {
			node := nodes[row.Owner]
			if node == nil {
				r, err := own.Node(ctx, row.Owner)
				if err != nil {
					return nil, err
				}
				node = &shardOwnedBy{Node: string(r.ID), Address: r.Address, Incarnation: uint64(r.Incarnation)}
				nodes[row.Owner] = node
			}
			s.State = shardFree
			if node.Incarnation <= uint64(row.Incarnation) {
				s.State = shardOwned
				node.Shards++
			}
		}
		all.Shards = append(all.Shards, s)
	}
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		all.Nodes = append(all.Nodes, *nodes[id])
	}
	return all, nil
}

func (o *ownership) table(w io.Writer) {
	t := table{header: []string{">SHARD", "STATE", "OWNER", ">INCARNATION", ">EPOCH", ">SEAL", ">LOW"}}
	for _, s := range o.Shards {
		t.add(fmt.Sprint(s.Shard), s.State, orUnknown(s.Owner), fmt.Sprint(s.Incarnation), fmt.Sprint(s.Epoch), orUnknown(s.Seal), s.Low)
	}
	t.write(w)
	for _, n := range o.Nodes {
		fmt.Fprintf(w, "%s has %s, in incarnation %d: %s\n", printable(n.Node), counted(n.Shards, "shard", "shards"), n.Incarnation, printable(n.Address))
	}
}

func shardListCommand(a *app) *cobra.Command {
	var output format
	c := &cobra.Command{
		Use:   "list URL",
		Short: "Show whose each shard is",
		Long: `Shows whose each shard is, from the store itself. A shard is owned, or it is free:
its owner has stopped or was fenced, and the next server that asks takes it. SEAL is
the end of the epoch before the present one, LOW where the log begins.`,
		Example: `  mesonet shard list "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1"
  mesonet shard list cassandra://127.0.0.1/mesonet -o csv`,
		Args: arguments("URL"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := openCluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			all, err := readOwnership(cmd.Context(), store)
			if err != nil {
				return err
			}
			return a.show(output, all)
		},
	}
	output.flag(c)
	return c
}

// freed is what a claim, or a release, did.
type freed struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"fenced_incarnation"`
	Shards      int    `json:"shards"`
}

func (f *freed) table(w io.Writer) {
	if f.Shards == 0 {
		fmt.Fprintf(w, "node %s has no shards: nothing to do\n", printable(f.Node))
		return
	}
	fmt.Fprintf(w, "node %s was fenced in incarnation %d, and its %s free: a server that waits takes them in seconds, one that starts does so then\n",
		printable(f.Node), f.Incarnation, counted(f.Shards, "shard is", "shards are"))
}

// takeover takes its shards from a node.
type takeover struct {
	node  string
	watch time.Duration
	// alive says what to do when the node lives.
	alive string
	yes   bool
}

// run fences the node, unless it is seen to live.
func (t *takeover) run(ctx context.Context, store *cassandra.Store) (*freed, error) {
	all, err := readOwnership(ctx, store)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all.Nodes, func(n shardOwnedBy) bool { return n.Node == t.node })
	if at < 0 {
		return nil, t.unknown(all)
	}
	node := all.Nodes[at]
	done := &freed{Node: node.Node, Incarnation: node.Incarnation, Shards: node.Shards}
	if node.Shards == 0 {
		return done, nil
	}
	if !t.yes {
		if alive, err := t.lives(ctx, store); err != nil {
			return nil, err
		} else if alive {
			return nil, fail(exitFailed, "node %s lives: it left a sign of life within %s; %s", t.node, t.watch, t.alive)
		}
	}
	_, err = store.Ownership().Fence(ctx, persistence.NodeID(node.Node), persistence.Incarnation(node.Incarnation))
	if errors.Is(err, persistence.ErrLost) {
		return nil, fail(exitFailed, "node %s has started anew, or was fenced, while this looked; look again with: mesonet shard list", t.node)
	}
	return done, err
}

func (t *takeover) unknown(all *ownership) error {
	var names []string
	for _, n := range all.Nodes {
		names = append(names, n.Node)
	}
	if len(names) == 0 {
		return fail(exitNotFound, "no node has ever had a shard of this store; start one with: mesonet server --store URL")
	}
	return fail(exitNotFound, "there is no node %q in the store; there are: %s", t.node, strings.Join(names, ", "))
}

// lives reports whether the node leaves a sign of life within the time of watching.
func (t *takeover) lives(ctx context.Context, store *cassandra.Store) (bool, error) {
	last := func() (persistence.Heartbeat, error) {
		beats, err := store.Heartbeats(ctx)
		for _, b := range beats {
			if string(b.Node) == t.node {
				return b, err
			}
		}
		return persistence.Heartbeat{}, err
	}
	first, err := last()
	if err != nil {
		return false, err
	}
	end := time.After(t.watch)
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-end:
			return false, nil
		case <-time.After(time.Second):
		}
		if now, err := last(); err != nil || now.Incarnation != first.Incarnation || now.Number != first.Number {
			return err == nil, err
		}
	}
}

// takeoverCommand is one that takes its shards from a node.
func takeoverCommand(a *app, c *cobra.Command, t *takeover, flag, what string) *cobra.Command {
	var output format
	c.Args = arguments("URL")
	c.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if t.node == "" {
			return misuse("whose shards? name the node with --%s; mesonet shard list shows them", flag)
		}
		if t.watch < 0 {
			return misuse("a time of %s is none to watch a node; write --watch 5s", t.watch)
		}
		store, err := openCluster(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		done, err := t.run(cmd.Context(), store)
		if err != nil {
			return err
		}
		return a.show(output, done)
	}
	c.Flags().StringVar(&t.node, flag, "", what)
	c.Flags().DurationVar(&t.watch, "watch", 5*time.Second, "how long to look for signs of life, one of which comes a second")
	output.flag(c)
	return c
}

func shardClaimCommand(a *app) *cobra.Command {
	t := &takeover{alive: "stop it, which gives its shards to others, or write --yes to take them while it runs: its callers then learn that the outcome of what they sent is unknown"}
	c := &cobra.Command{
		Use:   "claim URL --from NODE",
		Short: "Take its shards from a node that is dead or hangs",
		Long: `Fences a node, that is raises its incarnation in the store: nothing that it does
from then on is acknowledged or seen, and its shards are free. A server that runs on
the keyspace and waits for them takes them within seconds. Nothing that was
acknowledged is lost. A node that leaves signs of life is not fenced without --yes.
One that goes on after all notices, drops what it had not acknowledged, and joins
again: it takes the shards that are free then.`,
		Example: `  mesonet shard claim "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1" --from node-a
  mesonet shard claim cassandra://127.0.0.1/mesonet --from node-a --yes`,
	}
	takeoverCommand(a, c, t, "from", "`node` that is to have no shards any more")
	c.Flags().BoolVar(&t.yes, "yes", false, "take them even if the node lives")
	return c
}

func shardReleaseCommand(a *app) *cobra.Command {
	t := &takeover{alive: "stop it: a server that stops releases its shards itself"}
	c := &cobra.Command{
		Use:   "release URL --of NODE",
		Short: "Let others have the shards of a node that has stopped",
		Long: `A server that stops (SIGTERM) releases its shards. This is for one that could not,
as its store was away or it was killed, and will not be started again. It refuses a
node that leaves signs of life; see mesonet shard claim for those.`,
		Example: `  mesonet shard release "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1" --of node-a`,
	}
	return takeoverCommand(a, c, t, "of", "`node` that has stopped")
}
