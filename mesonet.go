// Package mesonet runs a node: actors that remember, on a store of its own.
//
//	node, err := mesonet.Start(ctx, mesonet.DefaultConfig("./data"), Counter)
//	if err != nil { … }
//	defer node.Stop(ctx)
//	total, err := Add.Ask(ctx, node, "ada", &pb.Add{N: 3})
//
// How kinds of actors are written, and what is promised to those who ask them,
// is said in package actors/entity. The store is a folder that is made when it
// is missing; what was acknowledged is there again after a kill, a crash or a
// loss of power.
//
// Nodes of several processes may use one store that all reach, as package
// persistence/cassandra opens it and Config.Store takes it. Each shard has one of
// them as its owner. With Config.Cluster they find each other, share out the shards,
// and each answers for all; package cluster says how. Without it a node serves the
// shards that nobody owns, and those whose owner has stopped or was fenced as soon as
// it finds that; entities of the others are unavailable.
//
// A [Node] is safe for use by many goroutines. Its goroutines end with Stop.
// When the store fails for good, [Node.Done] is closed and [Node.Err] says why;
// nothing is acknowledged from that moment on, and the node can only be stopped.
package mesonet

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/internal/malloc"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/pebble"
)

// Config says how a node runs.
type Config struct {
	// Dir is the folder of the embedded store. It is ignored when Store is
	// set.
	Dir string
	// Shards is the number of shards of a store that is created in Dir, a
	// power of two. A store that exists keeps its own.
	Shards uint32
	// Store, when set, is used instead of a folder. The node doesn't close it.
	Store persistence.Store
	// Node is the node's name. It stays the same for as long as the node uses
	// the store, over restarts. On a store that others use too each node has a name
	// of its own: of two processes with the same one, the older fails.
	Node persistence.NodeID
	// Address is where the node can be reached. It is for people, whom other nodes
	// tell who has a shard.
	Address string
	// Cluster, when set, makes the node one of a cluster, whose nodes all use Store.
	Cluster *Cluster
	// CheckpointBytes is how long the tail of a shard's log may grow before
	// the pages that it changed are stored. The tails of all shards are what a
	// start after a crash has to read.
	CheckpointBytes int
	// CheckpointEvery is how often the tails are looked at, and MemoryEvery how
	// often the memory is.
	CheckpointEvery, MemoryEvery time.Duration
	// Memory is about how many bytes the node may take, 0 for no limit. Two
	// fifths of what is above 128 MiB are for entities and their pages, of
	// which those that nobody needed for the longest time leave; the rest is for the
	// store, the log, the program, and what Go needs to collect its garbage.
	// What else runs in the process is not counted.
	Memory int64
	// PassivateAfter is after how long without a call an entity leaves memory
	// though there is room, and a page with it that nobody needed; 0 for never.
	PassivateAfter time.Duration
	// DropHistory deletes the log below the checkpoints, which no start needs.
	// By default it is kept.
	DropHistory bool
	// Views are rendered into tables whenever pages are stored.
	Views []*entity.TableView
	// Logger gets what people should know of.
	Logger *slog.Logger
	// Listener is told what becomes of shards, entities and pages, and
	// LogListener what becomes of their log; see the types for when.
	Listener    entity.Listener
	LogListener journal.Listener
	// Before, when set, is called when all shards are open that no other node has,
	// and before pages are stored: the place to look whether the kinds are made for
	// what the store holds. With its error Start fails, and the pages are as they
	// were.
	Before func(ctx context.Context, host *entity.Host) error
	// BeforeShard, when set, does so for each shard that is opened later. With its
	// error the shard stays closed, and is tried again. It is called for several shards
	// at a time.
	BeforeShard func(ctx context.Context, shard persistence.Shard) error
}

// DefaultConfig returns the configuration of a node on its own with its store
// in dir.
func DefaultConfig(dir string) Config {
	host := entity.DefaultHostConfig(nil, "")
	return Config{
		Dir:    dir,
		Shards: pebble.DefaultConfig(dir).Shards,
		Node:   "local",

		CheckpointEvery: host.CheckpointEvery,
		MemoryEvery:     host.MemoryEvery,
		PassivateAfter:  host.PassivateAfter,
		CheckpointBytes: 8 << 20, // 256 MiB for 32 shards: read back in about a second
		Logger:          slog.Default(),
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	var errs []error
	if c.Store == nil {
		cfg := pebble.DefaultConfig(c.Dir)
		cfg.Shards = c.Shards
		errs = append(errs, cfg.Validate())
	}
	if c.CheckpointBytes < 1 {
		errs = append(errs, fmt.Errorf("mesonet: a checkpoint after %d bytes makes no sense; begin with DefaultConfig", c.CheckpointBytes))
	}
	if c.Memory < 0 || c.Memory > 0 && c.Memory < MinMemory {
		errs = append(errs, fmt.Errorf("mesonet: %d bytes of memory are too few for a node; give it %d MiB or more, or 0 for no limit", c.Memory, int64(MinMemory)>>20))
	}
	if c.PassivateAfter < 0 {
		errs = append(errs, fmt.Errorf("mesonet: entities can't leave memory after %s; write 0 for never", c.PassivateAfter))
	}
	if c.CheckpointEvery <= 0 || c.MemoryEvery <= 0 {
		errs = append(errs, errors.New("mesonet: tails and memory have to be looked at at intervals above 0; begin with DefaultConfig"))
	}
	if c.Node == "" {
		errs = append(errs, errors.New("mesonet: the node needs a name"))
	}
	if c.Cluster != nil {
		errs = append(errs, c.Cluster.Validate())
		if c.Store == nil {
			errs = append(errs, errors.New("mesonet: nodes of a cluster use one store that all reach; give the node a Store"))
		}
	}
	return errors.Join(errs...)
}

// MinMemory is the least limit of a node's memory, in bytes.
const MinMemory = 160 << 20

// LimitMemory has this process keep to what a node of so much memory may take: Go's
// runtime gets [GoMemory] as its limit, unless GOMEMLIMIT gives it another, and C's
// allocator, from which the store has tables, gives large pieces back. It is for the
// main function, before Start, which leaves the process as it is. 0 changes nothing.
func LimitMemory(memory int64) {
	if memory <= 0 {
		return
	}
	malloc.ReturnLarge()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(GoMemory(memory))
	}
}

// GoMemory returns what the Go runtime of a process with a node of so much memory
// should keep to: five eighths less 32 MiB, or half of what is little. The rest is the
// program itself, some 40 MiB, and what the store has outside of Go's memory: its cache
// and tables, some 65 MiB of 256. Entities take two fifths (shares), and the collector
// needs room above them.
func GoMemory(memory int64) int64 { return max(memory/2, memory/8*5-32<<20) }

// shares divides the memory of a node.
type shares struct {
	entities   int64
	memTable   uint64 // of which the store may have five for a moment
	cache      int64  // of the store
	shardBytes int    // of events that wait to be written, a shard
	tail       int    // of the tail of a shard, which a start has in memory
}

func (c Config) shares(shards uint32) shares {
	store := pebble.DefaultConfig(c.Dir)
	s := shares{memTable: store.MemTable, cache: store.Cache, shardBytes: journal.DefaultConfig().ShardBytes, tail: c.CheckpointBytes}
	if c.Memory > 0 {
		s.entities = (c.Memory - 128<<20) / 5 * 2
		s.memTable = min(s.memTable, uint64(c.Memory/48))
		s.cache = min(s.cache, c.Memory/16)
		s.shardBytes = min(s.shardBytes, max(64<<10, int(c.Memory/16/int64(shards))))
		s.tail = min(s.tail, max(64<<10, int(c.Memory/16/int64(shards))))
	}
	return s
}

// Node is a running node. It is the [entity.Locator] of all entities.
type Node struct {
	host     *entity.Host
	member   *membership       // nil when it stands alone
	entities entities          // of all nodes of its cluster, or of the host alone
	self     cluster.Member    // what it says of itself then
	level    cluster.Register  // of its store
	store    persistence.Store // nil when it is the caller's

	failing chan error     // takes why the store has failed
	stopped chan struct{}  // closed when the store is
	watch   sync.WaitGroup // hands that on to the host
}

var _ entities = (*Node)(nil)

// entities is what a host and a whole cluster have in common.
type entities interface {
	entity.Locator
	Find(ctx context.Context, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error]
	FindIn(ctx context.Context, shard persistence.Shard, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error]
	List(ctx context.Context, kind, after string, limit int) ([]string, error)
	Describe(ctx context.Context, id entity.ID) (entity.Description, error)
	Skip(ctx context.Context, id entity.ID, position persistence.Position) error
}

// Views tells how far the views of [Config] are complete.
func (n *Node) Views() []entity.ViewProgress { return n.host.Views() }

// Start opens the store and serves entities of the kinds. Every kind that the
// store holds entities of must be among them.
func Start(ctx context.Context, cfg Config, kinds ...entity.Definition) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	node := &Node{failing: make(chan error, 1), stopped: make(chan struct{})}
	node.self = cluster.Member{Node: cfg.Node, API: cfg.Address, State: cluster.Serving, Protocol: protocol}
	store := cfg.Store
	if store == nil {
		pc := pebble.DefaultConfig(cfg.Dir)
		pc.Shards, pc.Logger = cfg.Shards, cfg.Logger
		share := cfg.shares(cfg.Shards)
		pc.MemTable, pc.Cache = share.memTable, share.cache
		pc.OnFailure = func(err error) { node.failing <- err } // once
		opened, err := pebble.Open(ctx, pc)
		if err != nil {
			return nil, fmt.Errorf("mesonet: the node can't start: %w", err)
		}
		store, node.store = opened, opened
	}
	node.level = cluster.Register{Level: store.Level(), Ownership: store.Ownership(), Shards: store.Info().Shards}
	hc := entity.DefaultHostConfig(store, cfg.Node)
	share := cfg.shares(store.Info().Shards)
	hc.Logger, hc.CheckpointBytes, hc.Journal.ShardBytes = cfg.Logger, share.tail, share.shardBytes
	hc.CheckpointEvery, hc.MemoryEvery = cfg.CheckpointEvery, cfg.MemoryEvery
	hc.Views = cfg.Views
	hc.Memory, hc.PassivateAfter, hc.DropHistory = share.entities, cfg.PassivateAfter, cfg.DropHistory
	hc.Listener, hc.Journal.Listener, hc.Before = cfg.Listener, cfg.LogListener, cfg.Before
	hc.Address, hc.BeforeShard = cfg.Address, cfg.BeforeShard
	for _, k := range kinds {
		hc.Kinds = append(hc.Kinds, k.Definition())
	}
	if cfg.Cluster != nil {
		member, err := newMembership(ctx, cfg, store, &hc)
		if err != nil {
			return nil, errors.Join(err, node.closeStore())
		}
		node.member = member
	}
	host, err := entity.Open(ctx, hc)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mesonet: the node can't start: %w", err), node.endMembership(ctx, false), node.closeStore())
	}
	node.host, node.entities = host, host
	if node.member != nil {
		node.entities = node.member.Node
	}
	node.watch.Go(func() { // a store may fail while nobody writes
		select {
		case err := <-node.failing:
			host.Fail(err)
		case <-node.stopped:
		}
	})
	if node.member != nil {
		if err := node.member.start(ctx, host); err != nil {
			return nil, errors.Join(fmt.Errorf("mesonet: the node can't take part in its cluster: %w", err), node.Stop(context.WithoutCancel(ctx)))
		}
	}
	return node, nil
}

func (n *Node) endMembership(ctx context.Context, leave bool) error {
	if n.member == nil {
		return nil
	}
	return n.member.end(context.WithoutCancel(ctx), leave)
}

// ShardOf returns the shard of an entity.
func (n *Node) ShardOf(id entity.ID) persistence.Shard { return n.entities.ShardOf(id) }

// Deliver takes a call to its entity, on whatever node that is.
func (n *Node) Deliver(call *entity.Call) {
	n.entities.Deliver(call)
}

// Kinds returns the names of the kinds that the node serves, in order.
func (n *Node) Kinds() []string { return n.host.Kinds() }

// Describe describes an entity as the runtime sees it, without waking it.
func (n *Node) Describe(ctx context.Context, id entity.ID) (entity.Description, error) {
	return n.entities.Describe(ctx, id)
}

// Skip leaves out the event by which an entity is corrupt, for ever; see
// entity.Host.
func (n *Node) Skip(ctx context.Context, id entity.ID, position persistence.Position) error {
	return n.entities.Skip(ctx, id, position)
}

// HandOver gives a shard to another node of the same store, and Take takes one that
// was handed over, at once; see entity.Host.
func (n *Node) HandOver(ctx context.Context, shard persistence.Shard, to persistence.NodeID) (entity.HandedOver, error) {
	return n.host.HandOver(ctx, shard, to)
}

// Take asks for a shard that another node had; see entity.Host.
func (n *Node) Take(ctx context.Context, shard persistence.Shard) error {
	return n.host.Take(ctx, shard)
}

// Find yields the entries of an index from one on; see entity.Host.
func (n *Node) Find(ctx context.Context, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error] {
	return n.entities.Find(ctx, i, from)
}

// FindIn is Find of one shard; see entity.Host.
func (n *Node) FindIn(ctx context.Context, shard persistence.Shard, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error] {
	return n.entities.FindIn(ctx, shard, i, from)
}

// Bulk is the credit for bulk of this node.
func (n *Node) Bulk() *entity.Credit { return n.host.Bulk() }

// List returns ids of a kind's entities that have events, in order, the first
// limit after an id.
func (n *Node) List(ctx context.Context, kind, after string, limit int) ([]string, error) {
	return n.entities.List(ctx, kind, after, limit)
}

// Store describes the store that the node runs on.
func (n *Node) Store() persistence.Info { return n.host.Info() }

// Stats returns what the node holds now. It walks over the entities that are
// awake: ask for it now and then, not with every request.
func (n *Node) Stats() entity.Stats { return n.host.Stats() }

// Done is closed when the node can't go on; Err then says why.
func (n *Node) Done() <-chan struct{} { return n.host.Failed() }

// Err returns why the node can't go on, nil while it can.
func (n *Node) Err() error { return n.host.Err() }

// Stop ends the node: what waits to be handled is refused, what was decided is
// written and answered. When ctx ends first, what is not written by then has an
// unknown outcome. A node of a cluster hands its shards to others first.
func (n *Node) Stop(ctx context.Context) error {
	if n.member != nil && n.member.gossip != nil && n.host.Err() == nil {
		n.member.drain(ctx)
	}
	var err error
	if errors.Is(n.host.Err(), entity.ErrKilled) { // the others find out by themselves
		err = errors.Join(n.endMembership(ctx, false), n.host.Close(ctx), n.closeStore())
	} else {
		closed := n.host.Close(ctx)
		err = errors.Join(closed, n.endMembership(ctx, closed == nil), n.closeStore())
	}
	close(n.stopped)
	n.watch.Wait()
	return err
}

func (n *Node) closeStore() error {
	if n.store == nil {
		return nil
	}
	return n.store.Close()
}
