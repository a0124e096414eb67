package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
)

// Errors that waiters are settled with and Append returns.
var (
	// ErrShardLost: the shard has failed or was taken; what was not
	// acknowledged may or may not be in the log.
	ErrShardLost = errors.New("journal: shard is lost to this node")
	// ErrHandedOver: the shard goes to another node, which the error names. It
	// comes beside ErrShardLost, and stays however the hand-over ends.
	ErrHandedOver = errors.New("journal: shard is handed over")
	// ErrAhead: the position has not been assigned yet, so that waiting for
	// it has no end.
	ErrAhead = errors.New("journal: position lies ahead of the log")
	// ErrOverloaded: more is waiting to be written than may be.
	ErrOverloaded = errors.New("journal: the log is behind")
	// ErrTooLarge: the events of one command are more than one frame holds.
	ErrTooLarge = errors.New("journal: events are too large")
)

// Config holds the limits of a journal.
type Config struct {
	// InFlight is how many frames may be under way to the store at once, over
	// all shards, and CrowdedInFlight while a store that others reach, too, is slower
	// than it can be, because it has much to do: more would only wait there, where
	// here they grow.
	InFlight, CrowdedInFlight int
	// Gather is the longest that bulk of a shard gathers between two frames, at a
	// store that has much to do; 0 for not at all. Frames of what is no bulk don't wait.
	Gather time.Duration
	// Drain, unless nil, is called when bulk of a shard has gathered and those were told
	// who wait for that, see [Shard.BeforeFrame]. It has done called once they have
	// appended, and must not block. The frame goes then, or after Gather in any case.
	// Without it the frame has what was appended at once.
	Drain func(shard persistence.Shard, done func())
	// ShardBytes is how many bytes of events a shard may have waiting before
	// [Shard.Full] says so.
	ShardBytes int
	// AppendBytes bounds the events of one Append.
	AppendBytes int
	// Checks is how many ownership checks may be under way at once, on a store
	// that others reach too. With more than one, what becomes durable during a
	// check that is slow to be answered need not wait for it.
	Checks int
	// CheckAge is how old the last ownership check may be, counted from its
	// beginning, for an answer that did not ask for a newer one: the only bound
	// that trusts a clock.
	CheckAge time.Duration
	// CheckBackoff is the first pause after an ownership check without an
	// answer; it doubles up to CheckBackoffMax.
	CheckBackoff, CheckBackoffMax time.Duration
	// Clock is this node's; the default is the machine's. CheckAge is counted
	// by it.
	Clock clock.Clock
	// Logger gets failures of shards.
	Logger *slog.Logger
	// Listener is told what happens. Its functions must not block.
	Listener Listener
}

// Listener is a set of functions that are told what a journal does. Any may be
// nil.
type Listener struct {
	// FrameDurable: a frame is stored; events and bytes are its size, took is
	// how long the store had it.
	FrameDurable func(shard persistence.Shard, events int, bytes int, took time.Duration)
	// ShardLost: a shard has failed. It takes nothing until it is opened
	// again.
	ShardLost func(shard persistence.Shard, err error)
}

// DefaultConfig returns the limits that suit one node.
func DefaultConfig() Config {
	return Config{
		InFlight:        32,
		CrowdedInFlight: 8,
		Gather:          40 * time.Millisecond,
		ShardBytes:      4 << 20,
		AppendBytes:     1 << 20,
		Checks:          3,
		CheckAge:        500 * time.Millisecond,
		CheckBackoff:    10 * time.Millisecond,
		CheckBackoffMax: time.Second,
		Clock:           clock.System(),
		Logger:          slog.Default(),
	}
}

// maxGather is far beyond what is of use: whoever sends bulk waits for it.
const maxGather = time.Second

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	switch {
	case c.CrowdedInFlight < 1 || c.InFlight < c.CrowdedInFlight:
		return fmt.Errorf("journal: %d frames in flight, %d at a store that has much to do, make no sense: at least 1 is needed, and no more then than else", c.InFlight, c.CrowdedInFlight)
	case c.AppendBytes < 1 || c.AppendBytes > persistence.MaxFrameSize/2:
		return fmt.Errorf("journal: events of %d bytes an append are outside of 1 to %d", c.AppendBytes, persistence.MaxFrameSize/2)
	case c.Gather < 0 || c.Gather > maxGather:
		return fmt.Errorf("journal: bulk that gathers for %s is outside of 0 to %s", c.Gather, maxGather)
	case c.ShardBytes < 1:
		return fmt.Errorf("journal: %d bytes a shard are too few", c.ShardBytes)
	case c.Checks < 1 || c.CheckAge < 0:
		return fmt.Errorf("journal: %d checks at once, which hold for %s, make no sense", c.Checks, c.CheckAge)
	case c.CheckBackoff <= 0 || c.CheckBackoffMax < c.CheckBackoff:
		return fmt.Errorf("journal: pauses of %s to %s between checks make no sense", c.CheckBackoff, c.CheckBackoffMax)
	}
	return nil
}

// Journal is the log of one node in one incarnation.
type Journal struct {
	cfg   Config
	store persistence.Store
	node  persistence.NodeID
	inc   persistence.Incarnation
	local bool

	ctx    context.Context // ends when the journal gives up: of the goroutines and of appends
	cancel context.CancelFunc
	wg     sync.WaitGroup // the writer, the acker

	mu       sync.Mutex
	work     sync.Cond // there is something ready and room for it, or closing
	idle     sync.Cond // nothing is ready or in flight
	ready    []*Shard  // have frames to write; each at most once, in turn
	flying   int       // frames under way
	late     int       // frames under way that are overdue
	pace     pace      // of the store
	closing  bool
	shards   map[persistence.Shard]*Shard
	openings map[persistence.Shard]chan struct{} // see opening

	hurried atomic.Bool // nothing rests any more

	acks acker
}

// Open raises the node's incarnation, which fences its own past, and starts
// its journal. Close it before the store. It returns ErrLevel when the store was raised
// to a level of formats that this program doesn't know.
func Open(ctx context.Context, store persistence.Store, node persistence.NodeID, address string, cfg Config) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	inc, err := store.Ownership().Boot(ctx, node, address)
	if err != nil {
		return nil, fmt.Errorf("journal: node %q can't raise its incarnation: %w", node, err)
	}
	if _, err := store.Level().Read(ctx); err != nil {
		return nil, fmt.Errorf("journal: node %q: %w", node, err)
	}
	j := &Journal{
		cfg: cfg, store: store, node: node, inc: inc, local: store.Info().Local,
		shards: make(map[persistence.Shard]*Shard), openings: make(map[persistence.Shard]chan struct{}),
	}
	j.ctx, j.cancel = context.WithCancel(context.WithoutCancel(ctx))
	j.work.L, j.idle.L = &j.mu, &j.mu
	j.acks.init(j)
	j.wg.Go(j.write)
	j.wg.Go(j.acks.run)
	return j, nil
}

// Node returns the node's id and incarnation.
func (j *Journal) Node() (persistence.NodeID, persistence.Incarnation) { return j.node, j.inc }

// Close writes what has been appended and stops. When ctx ends first, what is
// not acknowledged by then settles with an error.
func (j *Journal) Close(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.cancel()
		j.idle.Broadcast()
	})
	defer stop()
	j.hurryAll()
	j.mu.Lock()
	for (j.flying > 0 || len(j.ready) > 0) && j.ctx.Err() == nil {
		j.idle.Wait()
	}
	cut := j.flying > 0 || len(j.ready) > 0
	j.closing = true
	j.work.Broadcast()
	shards := slices.Collect(maps.Values(j.shards))
	j.mu.Unlock()
	for _, s := range shards {
		s.lose(fmt.Errorf("%w: the journal is closed", ErrShardLost))
	}
	j.cancel()
	j.acks.close()
	j.wg.Wait()
	if cut {
		return fmt.Errorf("journal: closed before everything was written: %w", context.Cause(ctx))
	}
	return nil
}

// hurryAll has no shard rest from now on.
func (j *Journal) hurryAll() {
	j.hurried.Store(true) // first: a shard that does not see it is hurried below
	for _, s := range j.all() {
		s.hurry()
	}
}

// all returns the shards that are open.
func (j *Journal) all() []*Shard {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Collect(maps.Values(j.shards))
}

// GiveUp loses all shards, for the reason given, though nobody has fenced the node:
// what is not acknowledged has an unknown outcome, and nobody is kept waiting by a
// store that does not answer. They may be opened again.
func (j *Journal) GiveUp(cause error) {
	j.fenced(cause)
	j.acks.giveUp()
}

// fenced gives everything up: another process has this node's place.
func (j *Journal) fenced(cause error) {
	for _, s := range j.all() {
		s.lose(fmt.Errorf("%w: %w", ErrShardLost, cause))
	}
}
