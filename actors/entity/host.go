package entity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// HostConfig says what a host serves and with what.
type HostConfig struct {
	// Store keeps the state; the host's caller closes it, after the host.
	Store persistence.Store
	// Node names the node in the store, and Address says where it is.
	Node    persistence.NodeID
	Address string
	// Kinds are the kinds of entities that the host serves. Every kind that
	// the store holds entities of must be among them.
	Kinds []*Kind
	// Journal holds the limits of the log.
	Journal journal.Config
	// Mailbox is how many calls may wait at one entity.
	Mailbox int
	// CheckpointBytes is how long the tail of a shard's log may grow, in
	// bytes, before its pages are stored and it begins anew. A recovery reads
	// the tails of all shards.
	CheckpointBytes int
	// DropHistory deletes the log below the checkpoints. By default it is kept:
	// audits, rebuilds of pages and streams read it.
	DropHistory bool
	// CheckpointEvery is how often the tails are looked at.
	CheckpointEvery time.Duration
	// Memory is how many bytes entities and their pages may take, about; 0 for
	// no limit. Beyond it, what nobody needed for the longest time leaves.
	Memory int64
	// MemoryEvery is how often that is looked at.
	MemoryEvery time.Duration
	// PassivateAfter is after how long without a call an entity leaves memory
	// though there is room; 0 for never. One that is asked again soon has to
	// be read, and was stored in between: much longer than the time between
	// two readings of a station, say.
	PassivateAfter time.Duration
	// Bulk is how many units of bulk may be under way, see [Credit].
	Bulk int64
	// OpenBackoff is the pause before a shard that could not be opened is
	// tried again; it doubles up to OpenBackoffMax.
	OpenBackoff, OpenBackoffMax time.Duration
	// ClaimEvery is how often a shard that another node owns is asked for. It is
	// taken once that node has been fenced.
	ClaimEvery time.Duration
	// Mine, when set, says which shards are for this node to take, for a host whose
	// shards are shared out by somebody: others are not asked for, whoever has them.
	// It is asked before each attempt, see [Host.Take], and must not block.
	Mine func(shard persistence.Shard) bool
	// HandOverWait is how long calls may be parked while what is under way in a
	// shard ends that is to be handed over. Then it stays.
	HandOverWait time.Duration
	// CheckEvery is how often a node on a store that others reach too looks
	// whether it has been fenced, and whether the store answers.
	CheckEvery time.Duration
	// LevelEvery is how often it looks there whether the formats were raised.
	LevelEvery time.Duration
	// Views are rendered into tables whenever pages are stored.
	Views []*TableView
	// Logger gets crashes, corrupt entities and lost shards.
	Logger *slog.Logger
	// Listener is told what happens.
	Listener Listener
	// Before, when set, is called when all shards are open but for those that
	// other nodes own, before the host stores pages and evolves more than what
	// Before asks for: the place to look whether the kinds are made for what the
	// store holds. Its error ends the opening, and no page is stored then, as the
	// kinds may have evolved it wrongly.
	Before func(ctx context.Context, h *Host) error
	// BeforeShard, when set, does so for each shard that is opened after Before,
	// as others may have written to the store meanwhile. While it returns an error
	// the shard stays closed, and is tried again. It is called for several shards at a
	// time.
	BeforeShard func(ctx context.Context, shard persistence.Shard) error
}

// DefaultHostConfig returns the configuration of a host for one node.
func DefaultHostConfig(store persistence.Store, node persistence.NodeID, kinds ...*Kind) HostConfig {
	return HostConfig{
		Store: store, Node: node, Kinds: kinds,
		Journal:         journal.DefaultConfig(),
		Mailbox:         1024,
		CheckpointBytes: 8 << 20,
		CheckpointEvery: 200 * time.Millisecond,
		Memory:          0,
		MemoryEvery:     100 * time.Millisecond, // as long as it takes to wake some ten thousand entities
		PassivateAfter:  24 * time.Hour,
		Bulk:            64 << 10, // keeps the frames of a log full
		OpenBackoff:     100 * time.Millisecond,
		OpenBackoffMax:  10 * time.Second,
		ClaimEvery:      2 * time.Second,
		CheckEvery:      time.Second,
		LevelEvery:      time.Second,
		HandOverWait:    time.Second, // it takes milliseconds, if the store answers
		Logger:          slog.Default(),
	}
}

// Validate returns an error that says what in c can't be used.
func (c HostConfig) Validate() error {
	errs := []error{c.Journal.Validate()}
	if c.Store == nil || c.Node == "" {
		errs = append(errs, errors.New("entity: a host needs a store and the name of its node"))
	}
	if len(c.Kinds) == 0 {
		errs = append(errs, errors.New("entity: a host needs at least one kind to serve"))
	}
	if c.CheckpointBytes < 1 || c.CheckpointEvery <= 0 {
		errs = append(errs, errors.New("entity: a host needs checkpoints after more than 0 bytes, looked for at intervals above 0"))
	}
	if c.Memory < 0 || c.Memory > 0 && c.Memory < minMemory || c.MemoryEvery <= 0 || c.PassivateAfter < 0 || c.Bulk < 1 {
		errs = append(errs, fmt.Errorf("entity: a host needs at least %d bytes for its entities, or 0 for no limit, looked at at intervals above 0, and credit for bulk", minMemory))
	}
	if c.Mailbox < 1 || c.OpenBackoff <= 0 || c.OpenBackoffMax < c.OpenBackoff || c.ClaimEvery <= 0 || c.CheckEvery <= 0 || c.LevelEvery <= 0 || c.HandOverWait <= 0 {
		errs = append(errs, errors.New("entity: a host needs a mailbox and pauses above 0; begin with DefaultHostConfig"))
	}
	names := make(map[string]bool)
	for _, k := range c.Kinds {
		errs = append(errs, k.Validate())
		if names[k.name] {
			errs = append(errs, fmt.Errorf("entity: two kinds are named %q", k.name))
		}
		names[k.name] = true
	}
	views := make(map[string]bool)
	for _, v := range c.Views {
		errs = append(errs, v.Validate(c.Kinds))
		if views[v.Name] {
			errs = append(errs, fmt.Errorf("entity: two views are named %q", v.Name))
		}
		views[v.Name] = true
	}
	return errors.Join(errs...)
}

// minMemory is the least limit that makes sense: some hundred entities.
const minMemory = 1 << 20

// Host serves the entities of all shards of a store from this process, but for
// those that other nodes own. It is the [Locator] of a node that stands alone.
type Host struct {
	cfg     HostConfig
	info    persistence.Info
	kinds   map[string]*Kind
	mark    string // of this process, see address
	place   atomic.Pointer[place]
	joining chan struct{} // one joins at a time
	begun   atomic.Bool   // Before has been called
	system  *actors.System
	shards  []*shardHost

	memory  memory
	credit  *Credit
	closing atomic.Bool
	loading chan struct{} // one for each entity that is being read for
	// building is the one shard whose indexes are being built.
	building chan struct{}
	handing  chan struct{}   // one for each shard that is being handed over
	stop     chan struct{}   // ends the checkpoints
	life     context.Context // ends with stop
	end      context.CancelFunc
	flusher  sync.WaitGroup
	wg       sync.WaitGroup // goroutines that open shards, build indexes and reload entities

	levelOnce sync.Once // see outdated

	failOnce sync.Once
	failed   chan struct{}
	failure  error
}

var _ Locator = (*Host)(nil)

// Open starts serving: it raises the node's incarnation, and takes every shard
// that no other node owns and reads its tail. It returns when those are open, or
// with the first error that waiting doesn't mend. The others are taken later, each
// when its owner has been fenced; until then their entities are unavailable.
//
// A host that is fenced itself drops what is not acknowledged and joins again as
// a new incarnation, which takes what is free when others have had time to. If it was another process
// with the same node's name that took its place, it fails instead.
func Open(ctx context.Context, cfg HostConfig) (_ *Host, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, info: cfg.Store.Info(), kinds: make(map[string]*Kind), failed: make(chan struct{}),
		mark: processMark(), joining: make(chan struct{}, 1),
		loading:  make(chan struct{}, loads),
		building: make(chan struct{}, 1), handing: make(chan struct{}, handOvers), stop: make(chan struct{}),
	}
	for _, k := range cfg.Kinds {
		h.kinds[k.name] = k
	}
	h.life, h.end = context.WithCancel(context.WithoutCancel(ctx))
	h.memory.init(h)
	h.credit = &Credit{most: cfg.Bulk, room: h.memory.room}
	if h.system, err = actors.NewSystem(h.systemConfig()); err != nil {
		return nil, err
	}
	if err := h.join(ctx, time.Time{}); err != nil {
		return nil, errors.Join(err, h.system.Stop(context.WithoutCancel(ctx)))
	}
	if err := h.openShards(ctx); err != nil {
		return nil, errors.Join(err, h.Close(context.WithoutCancel(ctx)))
	}
	if cfg.Before != nil {
		if err := cfg.Before(ctx, h); err != nil {
			h.Fail(err) // so that closing stores no pages
			return nil, errors.Join(err, h.Close(context.WithoutCancel(ctx)))
		}
	}
	h.begun.Store(true)
	h.flusher.Go(func() { h.checkpoints(h.life) })
	h.flusher.Go(func() { h.memory.watch(h.stop) })
	h.flusher.Go(func() { h.watchLevel(h.life) })
	if !h.info.Local {
		h.flusher.Go(func() { h.watchPlace(h.life) })
	}
	return h, nil
}

func (h *Host) systemConfig() actors.Config {
	c := actors.DefaultConfig()
	c.Name = string(h.cfg.Node)
	c.Logger = h.cfg.Logger
	c.Supervision.MaxRestarts = -1 // of shards: a store that is often away comes back
	c.Listener.Failed = func(f actors.FailureInfo) {
		if _, expected := f.Err.Reason.(actors.Expected); !expected { // its line says all
			h.cfg.Logger.Error("actor failed", "actor", f.Path, "error", f.Err, "then", f.Directive.String(),
				"failures", f.Failures, "backoff", f.Backoff)
		}
		if l := h.cfg.Listener.EntityFailed; l != nil {
			l(f.Path, f.Err)
		}
	}
	return c
}

// openShards spawns an actor for each shard and waits until all are open, or wait
// for their owners.
func (h *Host) openShards(ctx context.Context) error {
	h.shards = make([]*shardHost, h.info.Shards)
	first := make(chan error, len(h.shards))
	for i := range h.shards {
		s := &shardHost{host: h, number: persistence.Shard(i), first: first}
		s.makeProps()
		h.shards[i] = s
	}
	for _, s := range h.shards {
		ref, err := h.system.Spawn(fmt.Sprintf("shard-%d", s.number), s.props)
		if err != nil {
			return fmt.Errorf("entity: the actor of shard %d can't be started: %w", s.number, err)
		}
		s.ref.Store(ref)
	}
	for range h.shards {
		select {
		case err := <-first:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("entity: the shards could not be opened in time: %w", context.Cause(ctx))
		}
	}
	if n := h.owned(); n > 0 && h.cfg.Mine == nil {
		h.cfg.Logger.Info("shards are other nodes'; this one takes each when its owner is fenced", "shards", n, "of", len(h.shards))
	}
	return nil
}

// owned returns how many shards wait for their owners to be fenced.
func (h *Host) owned() (n int) {
	for _, s := range h.shards {
		if s.owned.Load() != nil {
			n++
		}
	}
	return n
}

// Bulk is the credit for bulk of this node.
func (h *Host) Bulk() *Credit { return h.credit }

// Info describes the store that the host serves from.
func (h *Host) Info() persistence.Info { return h.info }

// ShardOf returns the shard of an entity.
func (h *Host) ShardOf(id ID) persistence.Shard {
	return persistence.ShardOf(id.Kind, id.ID, h.info.Shards)
}

// Deliver takes a call to its entity.
func (h *Host) Deliver(call *Call) {
	h.shards[call.shard].deliver(call)
}

func (h *Host) kindNames() []string {
	var names []string
	for name := range h.kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Stats returns what the host holds now. It walks over the entities that are
// awake.
func (h *Host) Stats() Stats {
	stats := Stats{
		Shards: len(h.shards), Entities: make(map[string]int),
		MemoryBytes: h.memory.bytes.Load(), MemoryLimit: h.memory.limit,
	}
	for name := range h.kinds {
		stats.Entities[name] = 0
	}
	for _, s := range h.shards {
		if o := s.open.Load(); o != nil {
			stats.OpenShards++
			stats.TailBytes += int64(o.log.TailBytes())
			o.count(&stats)
		} else if s.stopped.Load() != nil {
			stats.StoppedShards++
		}
	}
	return stats
}

// Failed is closed when the host can't go on; [Host.Err] says why. It has to be
// closed then.
func (h *Host) Failed() <-chan struct{} { return h.failed }

// Err returns why the host can't go on, nil while it can.
func (h *Host) Err() error {
	select {
	case <-h.failed:
		return h.failure
	default:
		return nil
	}
}

// Fail ends the host for a reason that it may not see by itself, as a store that
// has failed in the background. The first reason counts.
func (h *Host) Fail(err error) {
	h.failOnce.Do(func() {
		h.failure = err
		close(h.failed)
	})
}

// Close stores the pages, so that the next start has nothing to read, refuses
// the calls that wait, writes what was decided, whose callers get their answers,
// and stops. Then other nodes may take the shards. Pages take at most half of the time that ctx leaves; what is not stored
// by then is read at the next start.
func (h *Host) Close(ctx context.Context) error {
	h.end()
	close(h.stop)
	for range handOvers { // none begins any more, and those under way end
		h.handing <- struct{}{}
	}
	h.flusher.Wait()
	if h.Err() == nil {
		pages, cancel := halfOf(ctx)
		h.checkpointShards(pages, 0)
		if pages.Err() != nil {
			h.cfg.Logger.Warn("not all pages were stored in time; the next start reads their events")
		}
		cancel()
	}
	h.closing.Store(true)
	err := h.system.Stop(ctx)
	h.joining <- struct{}{} // nor is a place taken any more
	err = errors.Join(err, h.place.Load().journal.Close(ctx))
	<-h.joining
	h.wg.Wait()
	h.release(ctx)
	return err
}

// halfOf returns a context with half of the time that is left to ctx.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// shardLost hands the loss of a shard to its actor, which starts over; unless
// the store has failed, and nothing can start over.
func (h *Host) shardLost(p *place, n persistence.Shard, err error) {
	switch {
	case h.closing.Load():
	case errors.Is(err, persistence.ErrFailed):
		h.shards[n].open.Store(nil)
		h.Fail(err)
	case errors.Is(err, persistence.ErrFenced):
		p.lost.Store(true)
		h.shards[n].lost(err)
	default:
		h.shards[n].lost(err)
	}
}
