package clustertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// Config says what a world is like.
type Config struct {
	// Shards is how many the store has.
	Shards uint32
	// Kinds are the kinds that all nodes serve.
	Kinds []*entity.Kind
	// Seed is of the latencies and of the faults that are drawn.
	Seed uint64
	// Levels, when set, says which levels of formats the program of a node that is
	// started knows; otherwise they are this release's.
	Levels func(id persistence.NodeID) persistence.Levels
	// Node and Host, when set, change what nodes are started with.
	Node func(*cluster.Config)
	Host func(*entity.HostConfig)
	// Logger gets what the nodes log, with their names; nil for nothing.
	Logger *slog.Logger
}

// World is a cluster in one process.
type World struct {
	t     testing.TB
	cfg   Config
	base  *memory.Store
	store *cluster.Shared
	net   *network
	rng   *rand.Rand

	mu    sync.Mutex
	nodes map[persistence.NodeID]*Process
	ended sync.WaitGroup
}

// New makes a world without nodes.
func New(t testing.TB, cfg Config) *World {
	t.Helper()
	store, err := memory.New(cfg.Shards)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &World{
		t: t, cfg: cfg, base: store, store: cluster.Share(store), net: newNetwork(cfg.Seed), rng: rand.New(rand.NewPCG(cfg.Seed, 2)),
		nodes: map[persistence.NodeID]*Process{},
	}
}

// As is the store as a program that knows these levels of formats has it open.
func (w *World) As(known persistence.Levels) persistence.Store {
	w.t.Helper()
	store, err := w.base.As(known)
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

// Process is a process of a node, from its start to its end.
type Process struct {
	*cluster.Node
	ID   persistence.NodeID
	Host *entity.Host

	w     *World
	end   *end
	store *remote
	clock *Clock
}

// remote is the store as one process reaches it.
type remote struct {
	persistencetest.Faulty
	beats *cluster.Shared
	reach func(context.Context) error
}

func (r *remote) Beat(ctx context.Context, h persistence.Heartbeat) error {
	if err := r.reach(ctx); err != nil {
		return err
	}
	return r.beats.Beat(ctx, h)
}

func (r *remote) Heartbeats(ctx context.Context) ([]persistence.Heartbeat, error) {
	if err := r.reach(ctx); err != nil {
		return nil, err
	}
	return r.beats.Heartbeats(ctx)
}

// Begin starts a process of a node, which then goes on by itself, and returns as soon as
// it has joined the store. Weight is how many shards it takes, 0 for none.
func (w *World) Begin(id persistence.NodeID, weight uint32) (*Process, error) {
	p := &Process{ID: id, w: w, store: &remote{beats: w.store}, clock: &Clock{}}
	logger := w.cfg.Logger.With("node", string(id))
	incarnations := w.rng.Uint64()
	self := cluster.Member{
		Node: id, State: cluster.Joining, Weight: weight, Protocol: cluster.Protocol{Least: 1, Most: 1},
		Transport: fmt.Sprintf("%s:%x", id, incarnations), API: string(id),
	}
	known := persistence.KnownLevels()
	if w.cfg.Levels != nil {
		known = w.cfg.Levels(id)
	}
	as, err := w.base.As(known)
	if err != nil {
		return nil, err
	}
	p.store.Store, p.store.Remote = as, true
	cfg := cluster.DefaultConfig(self, &p.store.Faulty, p.store)
	cfg.Clock, cfg.Logger = p.clock, logger
	if w.cfg.Node != nil {
		w.cfg.Node(&cfg)
	}
	n, err := cluster.New(cfg)
	if err != nil {
		return nil, err
	}
	p.Node = n
	p.end = w.net.connect(self, n.Handle, n.Sighted)
	p.store.reach = func(ctx context.Context) error { return w.net.reached(ctx, p.end) }
	p.store.Inject(&persistencetest.Fault{
		Name:   "way to the store",
		Before: func(ctx context.Context, _ persistencetest.Op) error { return p.store.reach(ctx) },
		After: func(_ context.Context, op persistencetest.Op) error {
			if op.Kind == persistencetest.OpAppend { // it must not wait; a check that has to follow does
				return w.net.gone(p.end)
			}
			return w.net.back(p.end)
		},
	})
	hc := entity.DefaultHostConfig(&p.store.Faulty, id, w.cfg.Kinds...)
	hc.Logger, hc.Address, hc.Journal.Clock = logger, self.Transport, p.clock
	if w.cfg.Host != nil {
		w.cfg.Host(&hc)
	}
	n.Attach(&hc)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if p.Host, err = entity.Open(ctx, hc); err != nil {
		n.Close()
		return nil, errors.Join(err, p.end.Close())
	}
	w.mu.Lock()
	w.nodes[id] = p
	w.mu.Unlock()
	w.ended.Go(func() {
		// It does not settle while the world is broken; who needs it asks Settled.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = n.Start(ctx, p.Host, p.end, p.end, []string{"world"})
	})
	return p, nil
}

// Start starts a process of a node and waits until it has settled.
func (w *World) Start(id persistence.NodeID) *Process {
	w.t.Helper()
	p, err := w.Begin(id, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Settle(id)
	return p
}

// Node returns the process of a node that runs, nil when there is none.
func (w *World) Node(id persistence.NodeID) *Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[id]
}

// IDs are the nodes that run, in order.
func (w *World) IDs() []persistence.NodeID {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []persistence.NodeID
	for id := range w.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Settle waits until nodes serve what is theirs, all that run if none is named.
func (w *World) Settle(ids ...persistence.NodeID) {
	w.t.Helper()
	if len(ids) == 0 {
		ids = w.IDs()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for _, id := range ids {
		if err := w.Node(id).Settled(ctx); err != nil {
			w.t.Errorf("node %s has not settled: %v\n%s", id, err, w.Node(id).View())
		}
	}
}

// Crash ends a process at once: nothing of it comes to the store or to others any
// more.
func (w *World) Crash(id persistence.NodeID) {
	p := w.out(id)
	w.net.change(func() { p.end.gone = true })
	p.Host.Fail(errGone)
	w.ended.Go(func() { p.close(false) })
}

// Stop lets a node leave as on SIGTERM: it hands its shards over, and says goodbye.
func (w *World) Stop(id persistence.NodeID) error {
	p := w.Node(id)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	err := p.Drain(ctx)
	cancel()
	w.out(id)
	p.close(true)
	return err
}

// Quit ends a node that can't go on, as its program does when it is told so: without
// handing anything over.
func (w *World) Quit(id persistence.NodeID) { w.out(id).close(true) }

func (w *World) out(id persistence.NodeID) *Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.nodes[id]
	delete(w.nodes, id)
	return p
}

func (p *Process) close(orderly bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := p.Host.Close(ctx)
	if orderly {
		if err != nil {
			p.w.t.Errorf("node %s ends with %v", p.ID, err)
		}
		_ = p.Leave(ctx)
	}
	p.Close()
	_ = p.end.Close()
}

// Cut takes a way from one node to another, and back, unless oneway; Mend gives it
// back. A way to the store has one end.
func (w *World) Cut(p Plane, from, to persistence.NodeID) { w.cut(p, from, to, true) }

// Mend gives a way back.
func (w *World) Mend(p Plane, from, to persistence.NodeID) { w.cut(p, from, to, false) }

// MendAll gives all ways back.
func (w *World) MendAll() { w.net.change(func() { w.net.cuts = map[cut]bool{} }) }

func (w *World) cut(p Plane, from, to persistence.NodeID, is bool) {
	w.net.change(func() { w.net.cuts[cut{p, from, to}] = is })
}

// Part takes all ways of a plane between two sides, in both directions.
func (w *World) Part(p Plane, a, b []persistence.NodeID) {
	for _, x := range a {
		for _, y := range b {
			w.Cut(p, x, y)
			w.Cut(p, y, x)
		}
	}
}

// Pause lets a node stand still until the returned function is called.
func (w *World) Pause(id persistence.NodeID) (resume func()) {
	p := w.Node(id)
	set := func(to bool) {
		w.net.change(func() { p.end.paused = to })
		p.clock.Stop(to)
	}
	set(true)
	return func() { set(false) }
}

// Fault lets something go wrong between the process and its store, until it ends.
func (p *Process) Fault(f *persistencetest.Fault) { p.store.Inject(f) }

// Clock is the clock of a node that runs.
func (w *World) Clock(id persistence.NodeID) *Clock { return w.Node(id).clock }

// Close ends all nodes.
func (w *World) Close() {
	w.MendAll()
	for _, id := range w.IDs() {
		p := w.out(id)
		w.net.change(func() { p.end.paused = false })
		p.clock.Stop(false)
		p.close(true)
	}
	w.ended.Wait()
	w.net.close()
}

// gone returns an error when a process is.
func (n *network) gone(e *end) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.gone {
		return errGone
	}
	return nil
}

// back is the way of an answer from the store: none to a node that is gone. One to a
// node that stands still waits.
func (n *network) back(e *end) error {
	for {
		n.mu.Lock()
		paused, gone, moved := e.paused, e.gone, n.moved
		n.mu.Unlock()
		switch {
		case gone:
			return errGone
		case !paused:
			return nil
		}
		select {
		case <-moved:
		case <-n.stop:
			return errGone
		}
	}
}

var _ clock.Clock = (*Clock)(nil)
