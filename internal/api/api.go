// Package api serves mesonet.v1 over gRPC: it turns requests into commands and
// questions of stations and of the quarantine, and outcomes into replies and status
// codes.
//
// Every error carries a google.rpc.ErrorInfo of the domain "mesonet" whose
// reason programs can rely on; see [Status]. Replies carry tokens, and requests
// may: an answer is never older than the tokens that came with its question.
//
// A [Server] holds no state of its own but its streams of readings, and their limits.
// Its methods are called by grpc-go, many at a time; when the node stops, EndStreams
// comes before the gRPC server is stopped, and Wait after it.
package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather/quarantine"
	"github.com/mesonet/mesonet/weather/station"
)

// Operable is what the API needs for those who run a node.
type Operable interface {
	// Self is what the node says of itself, and Cluster its part in its cluster, nil
	// when it stands alone.
	Self() cluster.Member
	Cluster() *cluster.Node
	// Finalize raises the level of the store's formats, or says what would be.
	Finalize(ctx context.Context, dry bool) (cluster.Finalization, error)
	// Status says how a shard is at this node, and Tree what runs in those that it
	// serves, with so many names of entities in each.
	Status(shard persistence.Shard) entity.ShardStatus
	Tree(names int) []entity.ShardTree
	// Views tells how far the tables for others are complete.
	Views() []entity.ViewProgress
}

// Node is what the API needs of the node it serves.
type Node interface {
	entity.Locator
	Operable
	// List returns ids of a kind's entities in order, the first limit after an
	// id.
	List(ctx context.Context, kind, after string, limit int) ([]string, error)
	// Find yields the entries of an index from one on, in order.
	Find(ctx context.Context, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error]
	// FindIn is Find of one shard.
	FindIn(ctx context.Context, shard persistence.Shard, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error]
	// Kinds returns the names of the kinds that are served.
	Kinds() []string
	// Describe describes an entity as the runtime sees it.
	Describe(ctx context.Context, id entity.ID) (entity.Description, error)
	// Skip leaves out the event by which an entity is corrupt.
	Skip(ctx context.Context, id entity.ID, position persistence.Position) error
	// Bulk is the node's credit for readings that are under way.
	Bulk() *entity.Credit
	// Store describes the store.
	Store() persistence.Info
}

// Config holds the limits of the API.
type Config struct {
	// AutoRegister registers stations whose observations come first.
	AutoRegister bool
	// StreamRuns is how many runs of one ingest stream may be under way: fewer
	// than a station's mailbox holds, so that one stream can't overload it. How
	// many observations may be is the node's business, over all streams.
	StreamRuns int
	// Version is the program's, for people.
	Version string
	// Now tells the time, by which corrections and retractions are dated.
	Now func() time.Time
	// Listener is told what the API does.
	Listener Listener
}

// DefaultConfig returns the limits that suit one node.
func DefaultConfig() Config {
	return Config{StreamRuns: 512, Now: time.Now}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	if c.StreamRuns < 1 {
		return fmt.Errorf("api: a stream needs room for at least one run, not for %d", c.StreamRuns)
	}
	if c.Now == nil {
		return errors.New("api: Now has to tell the time; begin with DefaultConfig")
	}
	return nil
}

// Server implements the services of mesonet.v1.
type Server struct {
	mesonetv1.UnimplementedStationServiceServer
	mesonetv1.UnimplementedIngestServiceServer
	mesonetv1.UnimplementedWeatherServiceServer
	mesonetv1.UnimplementedEntityServiceServer
	mesonetv1.UnimplementedObservationServiceServer
	mesonetv1.UnimplementedMeasureServiceServer
	mesonetv1.UnimplementedQuarantineServiceServer
	mesonetv1.UnimplementedClusterServiceServer

	cfg        Config
	node       Node
	stations   *station.Station
	quarantine *quarantine.Quarantine
	store      uint64

	stopping  context.Context // ends with EndStreams
	stop      context.CancelFunc
	receivers sync.WaitGroup
}

// New returns a server of a node that serves the stations and the quarantine.
func New(cfg Config, node Node, stations *station.Station, quarantine *quarantine.Quarantine) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, node: node, stations: stations, quarantine: quarantine, store: node.Store().ID.Short()}
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Register registers the services.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	mesonetv1.RegisterStationServiceServer(r, s)
	mesonetv1.RegisterIngestServiceServer(r, s)
	mesonetv1.RegisterWeatherServiceServer(r, s)
	mesonetv1.RegisterEntityServiceServer(r, s)
	mesonetv1.RegisterObservationServiceServer(r, s)
	mesonetv1.RegisterMeasureServiceServer(r, s)
	mesonetv1.RegisterQuarantineServiceServer(r, s)
	mesonetv1.RegisterClusterServiceServer(r, s)
}

// ask asks a station and returns the reply's token beside it.
func ask[C, R any](ctx context.Context, s *Server, h *entity.Handle[C, R], id string, command C, read *mesonetv1.Read) (R, *mesonetv1.Token, error) {
	opts, err := s.after(read)
	var token entity.Token
	if err != nil {
		var none R
		return none, nil, err
	}
	r, err := h.Ask(ctx, s.node, id, command, append(opts, entity.Into(&token))...)
	if err != nil {
		return r, nil, s.statusAt(err, token)
	}
	return r, s.token(token), nil
}

// after returns the options that a question's tokens ask for.
func (s *Server) after(read *mesonetv1.Read) ([]entity.Option, error) {
	var opts []entity.Option
	if read.GetConsistency() == mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE {
		opts = append(opts, entity.Linearizable())
	}
	for _, t := range read.GetTokens() {
		if t.GetStore() != s.store {
			return nil, Status(errWrongStore)
		}
		opts = append(opts, entity.After(entity.Token{
			Shard: persistence.Shard(t.GetShard()), Position: persistence.Position(t.GetPosition()),
		}))
	}
	return opts, nil
}

// askEach sends commands, those that are not nil, each to its own station, and
// waits until all are answered. each is told of every outcome, several at a
// time. When ctx ends first its error is returned, and each may be called still.
func askEach[C, R any](ctx context.Context, s *Server, h *entity.Handle[*C, R], commands []*C, id func(i int) string, opts []entity.Option,
	each func(i int, r R, t entity.Token, err error),
) error {
	var pending atomic.Int64
	pending.Store(1)
	done := make(chan struct{})
	finish := func() {
		if pending.Add(-1) == 0 {
			close(done)
		}
	}
	for i, c := range commands {
		if c == nil {
			continue
		}
		pending.Add(1)
		h.Send(ctx, s.node, id(i), c, func(r R, t entity.Token, err error) {
			each(i, r, t, err)
			finish()
		}, opts...)
	}
	finish()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errWrongStore = errors.New("the token was given by another store; drop the tokens that came from elsewhere")

func (s *Server) token(t entity.Token) *mesonetv1.Token {
	return &mesonetv1.Token{Store: s.store, Shard: uint32(t.Shard), Position: uint64(t.Position)}
}
