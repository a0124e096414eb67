package cassandra

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet/persistence"
)

// Store is an open store.
type Store struct {
	cfg    Config
	info   persistence.Info
	record record
	levels levels
	conn   *connection
	cql    map[*statement]string
	level  atomic.Uint32 // as it was read last, and is known

	// calls counts the calls under way, and appends until they are answered;
	// the session is closed after them. mu orders its additions before that
	// wait.
	mu     sync.RWMutex
	closed bool
	calls  sync.WaitGroup
	// closing ends when Close is called: nothing is repeated any more.
	closing context.Context
	close   context.CancelFunc

	// ties numbers the writes of pages, see tie.
	ties atomic.Uint64
	// writes holds a token for each page that is being written.
	writes chan struct{}
	noted  entitySet
	// deleted are the positions below which the frames of an epoch are gone,
	// by this process.
	deletedMu sync.Mutex
	deleted   map[persistence.Shard]persistence.Position
}

var _ persistence.Store = (*Store)(nil)

// pageWrites is how many pages may be on their way to Cassandra at once.
const pageWrites = 64

// Open opens the store. It refuses a cluster on which the store's promises would
// not hold, and says what to do about it; what is only unwise is logged.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func open(ctx context.Context, conn *connection) (*Store, error) {
	findings, record, err := conn.examine(ctx)
	if err != nil {
		return nil, err
	}
	if err := findings.refusal(); err != nil {
		return nil, err
	}
	for _, f := range findings {
		conn.cfg.logger().Warn("store: " + f.Text)
	}
	s := &Store{
		cfg: conn.cfg, info: record.info(), record: record, levels: record.Consistency.levels(), conn: conn,
		cql:    make(map[*statement]string, len(statements)),
		writes: make(chan struct{}, pageWrites), deleted: make(map[persistence.Shard]persistence.Position),
	}
	s.closing, s.close = context.WithCancel(context.WithoutCancel(ctx))
	for _, st := range statements {
		s.cql[st] = st.in(conn.cfg.Keyspace)
	}
	// The record may have been read where the newest of it is not.
	if _, err := s.Level().Read(ctx); err != nil {
		s.close()
		s.calls.Wait()
		return nil, fmt.Errorf("cassandra: keyspace %s can't be opened: %w", s.cfg.Keyspace, err)
	}
	s.rehearse(ctx)
	return s, nil
}

// rehearse reads what the opening of a shard does, of a shard that there is none of. The
// driver prepares a statement when it is used first, and whoever waits for the first
// shard that a node takes would wait for that, too. What fails here fails again where it
// matters.
func (s *Store) rehearse(ctx context.Context) {
	const none = persistence.Shard(math.MaxUint32)
	var reads sync.WaitGroup
	for _, read := range []func() error{
		func() error { _, err := s.readShard(ctx, none); return err },
		func() error { _, err := s.low(ctx, none); return err },
		func() error { _, _, err := s.readFrames(ctx, none, persistence.FirstEpoch, 0, 0, 1); return err },
		func() error { _, err := s.Pages().Read(ctx, persistence.CheckpointKey(none)); return err },
		func() error { _, err := s.Pages().Kinds(ctx, none); return err },
		func() error { _, _, err := s.readPages(ctx, persistence.PageKey{Shard: none}, false, 1); return err },
		func() error { _, _, err := s.readPages(ctx, persistence.PageKey{Shard: none}, true, 1); return err },
	} {
		reads.Go(func() { _ = read() })
	}
	reads.Wait()
}

// Info describes the store.
func (s *Store) Info() persistence.Info { return s.info }

// Consistency returns what the store was created with.
func (s *Store) Consistency() Consistency { return s.record.Consistency }

// Keyspace is the one that the store is in.
func (s *Store) Keyspace() string { return s.cfg.Keyspace }

// Log holds the events.
func (s *Store) Log() persistence.Log { return (*log)(s) }

// Pages holds the states.
func (s *Store) Pages() persistence.Pages { return (*pages)(s) }

// Ownership says who may write.
func (s *Store) Ownership() persistence.Ownership { return (*ownership)(s) }

// Level says in which formats.
func (s *Store) Level() persistence.LevelRegister { return (*register)(s) }

// Close waits for the calls under way, and disconnects. Nothing is repeated any
// more: an append that has no answer yet gets one within Timeout.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return persistence.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.close()
	s.calls.Wait()
	s.conn.Close()
	return nil
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
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// query is a statement with its values and the consistency that its verb has. All
// that goes to the store's tables comes from here, or from batch.
func (s *Store) query(st *statement, values ...any) *gocql.Query {
	return st.query(s.conn.Session, s.cql[st], s.levels, values)
}

func (st *statement) query(session *gocql.Session, cql string, l levels, values []any) *gocql.Query {
	q := session.Query(cql, values...).Idempotent(st.again)
	switch st.verb {
	case readSerial:
		q = q.Consistency(l.serial)
	case transact:
		// The outcome is committed to a quorum before it is reported.
		// It has other columns when it was not applied.
		q = q.Consistency(l.quorum).SerialConsistency(l.serial).NoSkipMetadata()
	case read, write:
		q = q.Consistency(l.quorum)
	}
	return q.PageSize(maxRows)
}

// maxRows is above the LIMIT of all reads, and above the number of seals that a
// shard may have: what is read at once is never in two parts.
const maxRows = 1 << 20

// exec runs a statement that has no rows.
func (s *Store) exec(ctx context.Context, st *statement, values ...any) error {
	iter := s.query(st, values...).IterContext(ctx)
	return s.explain(st, iter, iter.Close())
}

// rows calls visit for each row of a statement. scan reads the next row; blobs
// must be new for each, or they share memory.
func (s *Store) rows(ctx context.Context, st *statement, visit func(scan func(...any) bool) bool, values ...any) error {
	iter := s.query(st, values...).IterContext(ctx)
	for visit(iter.Scan) {
		continue
	}
	// A read that broke off shows in the end only.
	return s.explain(st, iter, iter.Close())
}

// explain makes an error of a statement one that says where it was. A host that has
// not answered is asked last from now on.
func (s *Store) explain(st *statement, iter *gocql.Iter, err error) error {
	if host := iter.Host(); s.conn.hosts.heard(host, err) {
		s.calls.Go(func() { s.probe(host) }) // the caller has entered
	}
	what := map[verb]string{read: "reading", readSerial: "reading", write: "writing", transact: "changing"}[st.verb]
	return explain(what, s.cfg.Keyspace, st.table, iter.Host(), err)
}
