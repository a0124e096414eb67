// Package pebble is the embedded store: a folder of one process, kept by
// cockroachdb/pebble.
//
// # Folder
//
//	STORE    what the folder is: format, id, number of shards, as JSON
//	LOCK     held while a process has the store open
//	WITNESS  how far the records had come some time ago, see witness.go
//	pebble/  the records
//
// [Open] creates the store in an empty or missing folder. It refuses, and
// changes nothing in, a folder that another process has open, that was written
// in another format, that holds something else, or whose parts don't belong
// together or are not all there: it never starts with less than there was.
//
// # Durability
//
// One goroutine, the committer, takes the frames that all shards have ready
// and writes them as one batch with one sync of the write-ahead log, so that
// the price of a sync is shared by everything that waits for it. Pages are
// synced before Write returns.
//
// # Failure
//
// At the first error of writing (a full disk), and when a table turns out to be
// damaged or can't be read while tables are merged, the store fails for good:
// from then on every operation returns persistence.ErrFailed, those under way
// too, [Config.OnFailure] is told, and nothing in the folder changes any more.
// Whether what failed was stored is unknown; what was reported done is there
// when the folder is opened again. See guard.go for why there is no other way
// on.
//
// All methods may be called from any goroutine.
package pebble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mesonet/mesonet/persistence"
)

// Config says where the store is and how it is created.
type Config struct {
	// Dir is the store's folder.
	Dir string
	// Shards is the number of shards of a store that is created; it says
	// nothing to one that exists. 32 suits one node: enough to spread over a
	// small cluster later, few enough that frames get large.
	Shards uint32
	// MemTable is the size in bytes of Pebble's table in memory. 64 MiB: its
	// own default of 4 MiB is flushed several times a second under load.
	MemTable uint64
	// Cache is how many bytes of tables are kept in memory.
	Cache int64
	// Levels are the levels of formats that this program knows; the zero value
	// stands for persistence.KnownLevels. A store is created at the highest.
	Levels persistence.Levels
	// ReadOnly opens a store that is there for reading only: nothing in the
	// folder changes, and what would change it ends with ErrReadOnly. What the
	// last process had not written to tables is read into memory.
	ReadOnly bool
	// Logger gets what Pebble has to say; errors only.
	Logger *slog.Logger
	// OnFailure is called once when the store has failed for good. It must not
	// block, and not call the store. Optional.
	OnFailure func(error)

	// fs is where files are; the tests' faults come in here.
	fs vfs.FS
}

// DefaultConfig returns the configuration of a store in dir.
func DefaultConfig(dir string) Config {
	return Config{Dir: dir, Shards: 32, MemTable: 64 << 20, Cache: 64 << 20, Levels: persistence.KnownLevels(), Logger: slog.Default(), fs: vfs.Default}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	if c.Dir == "" {
		return errors.New("pebble: the store needs a folder")
	}
	if c.MemTable < 1<<20 || c.MemTable >= 4<<30 {
		return fmt.Errorf("pebble: a table in memory of %d bytes is outside of 1 MiB to 4 GiB", c.MemTable)
	}
	if c.Cache < 1<<20 {
		return fmt.Errorf("pebble: a cache of %d bytes is too small, 1 MiB is the least", c.Cache)
	}
	if err := c.Levels.OrKnown().Validate(); err != nil {
		return err
	}
	return persistence.ValidShards(c.Shards)
}

// Store is an open store.
type Store struct {
	cfg  Config
	info persistence.Info
	db   *pebble.DB
	lock io.Closer

	// calls counts the calls under way, and appends until they are answered;
	// the engine is closed after them. mu orders its additions before that
	// wait.
	mu      sync.RWMutex
	closed  bool
	ended   atomic.Bool // as closed, for Check, which takes no lock
	calls   sync.WaitGroup
	appends chan pendingAppend
	done    chan struct{} // closed when the committer has ended
	closing chan struct{} // closed when Close is called
	buried  chan struct{} // closed when the undertaker has ended

	// rmw serializes writes that depend on what is stored: pages by position,
	// ownership by condition.
	rmw sync.Mutex
	// incarnations caches the nodes' rows: a check of ownership is one look
	// into it. Nobody else can change the folder. The map is never changed,
	// but replaced.
	incarnations atomic.Pointer[map[persistence.NodeID]persistence.Incarnation]
	level        atomic.Uint32 // as the record has it

	tally     tally
	witnessMu sync.Mutex
	witness   witness

	guard    *guard
	failure  atomic.Pointer[error]
	failOnce sync.Once
	broken   chan struct{} // closed when the store has failed
	closeErr error         // of the engine of a failed store; read after buried
}

var _ persistence.Store = (*Store)(nil)

// Open opens the store in cfg.Dir, or creates it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.fs == nil {
		cfg.fs = vfs.Default
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, appends: make(chan pendingAppend, 256), done: make(chan struct{}),
		closing: make(chan struct{}), buried: make(chan struct{}), broken: make(chan struct{}),
	}
	s.incarnations.Store(&map[persistence.NodeID]persistence.Incarnation{})
	s.guard = newGuard(cfg.fs, s)
	if err := s.openFolder(ctx); err != nil {
		return nil, err
	}
	go s.commitLoop()
	go s.undertake()
	return s, nil
}

// Info describes the store.
func (s *Store) Info() persistence.Info { return s.info }

// Log holds the events.
func (s *Store) Log() persistence.Log { return (*log)(s) }

// Pages holds the states.
func (s *Store) Pages() persistence.Pages { return (*pages)(s) }

// Ownership says who may write.
func (s *Store) Ownership() persistence.Ownership { return (*ownership)(s) }

// Level says in which formats.
func (s *Store) Level() persistence.LevelRegister { return (*register)(s) }

// Close answers the appends under way and closes the folder. When the store has
// failed it returns why.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return persistence.ErrClosed
	}
	s.closed = true
	s.ended.Store(true)
	s.mu.Unlock()
	close(s.closing)
	<-s.buried
	s.calls.Wait()
	close(s.appends)
	<-s.done
	if s.db != nil { // else the undertaker has closed it
		if s.failed() == nil && !s.cfg.ReadOnly {
			s.closeErr = s.db.Flush() // what is in tables has checksums; nothing is left to the log
		}
		if s.closeErr == nil && s.failed() == nil && !s.cfg.ReadOnly {
			s.closeErr = s.testify(true)
		}
		s.closeErr = errors.Join(s.closeErr, s.closeData())
	}
	return errors.Join(s.failed(), s.closeErr, s.lock.Close())
}

// enter returns nil while the store can be used, and holds it open until leave.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return persistence.ErrClosed
	}
	if err := s.failed(); err != nil {
		return err
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// write applies b with a sync. A nil error means that it is on the disk.
func (s *Store) write(b *pebble.Batch) error {
	number, err := s.apply(b)
	return s.sync(b, number, err)
}

// apply gives b its place in the log, where whatever is written after it comes
// after it. sync has to follow.
func (s *Store) apply(b *pebble.Batch) (number uint64, err error) {
	if b.Empty() {
		return 0, nil
	}
	if s.cfg.ReadOnly {
		return 0, persistence.ErrReadOnly
	}
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	if number, err = s.tally.add(b); err != nil {
		return number, err
	}
	// The tally needs the order of writes; their syncs may be one.
	return number, s.db.ApplyNoSyncWait(b, pebble.Sync)
}

// sync waits until b is on the disk, after apply ended with err.
func (s *Store) sync(b *pebble.Batch, number uint64, err error) error {
	if number == 0 && err == nil { // there was nothing to write
		return s.failed()
	}
	if errors.Is(err, persistence.ErrReadOnly) {
		return err
	}
	if err == nil {
		err = b.SyncWait()
	}
	if err != nil {
		s.fail(err)
	}
	if err := s.failed(); err != nil { // also after a nil: see guard.go
		return err
	}
	s.tally.reported(number)
	return nil
}
