// Package gateway serves the calls of mesonet.v1 as JSON over HTTP, by the rules
// of proto/mesonet/v1/http.yaml, and describes them as OpenAPI.
//
//	g, err := gateway.New(gateway.DefaultConfig(), server)
//	if err != nil { … }
//	err = (&http.Server{Handler: g}).Serve(listener)
//	err = g.Close()
//
// A request becomes a call over an in-memory connection to a gRPC server that
// the gateway owns, so interceptors, limits and metrics of that server see it
// like any other. What the OpenAPI document does not know of a request, a
// parameter or a field, is refused with the name that is nearest.
//
// # Answers
//
// Names are in snake case. A number that is 0 is there, and so is a list that is
// empty; what is absent is absent. Every answer that is no success has a
// mesonet.v1.Error as its body, whatever went wrong: see [HTTPStatus].
//
// A stream is a JSON object a line. Its status is decided by what comes first;
// when it breaks off later, its last line is {"error": …}. A stream that ends
// without such a line is whole.
//
// # Tokens
//
// The tokens of an answer are in its header Mesonet-Token as well, each as
// store.shard.position, with commas between. A request that has them in that
// header asks its questions after them. So one who keeps a header reads what one
// wrote. The answers of a stream have theirs in their lines alone.
//
// A Gateway is used by many goroutines.
package gateway

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/klauspost/compress/gzhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Config holds the limits of a gateway.
type Config struct {
	// MaxBody is how many bytes a request's body may have, and a line of a
	// stream.
	MaxBody int64
	// MaxMessage is how many bytes a request may have as a gRPC message: what
	// the server takes.
	MaxMessage int
	// Timeout is how long a call may take whose client does not say, with
	// Grpc-Timeout. Streams have none.
	Timeout time.Duration
	// Patience is how long a client may take to send a body, or to take what is
	// written to it.
	Patience time.Duration
	// Idle is how long the client of a stream may send nothing.
	Idle time.Duration
}

// DefaultConfig returns the limits that suit one node.
func DefaultConfig() Config {
	return Config{
		MaxBody:    16 << 20, // JSON is two to four times as long as the message
		MaxMessage: 4 << 20,  // grpc-go's own limit
		Timeout:    30 * time.Second,
		Patience:   30 * time.Second,
		Idle:       5 * time.Minute, // a source may have nothing to send for a while
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	switch {
	case c.MaxBody < 1 || c.MaxMessage < 1:
		return fmt.Errorf("gateway: bodies of %d and messages of %d bytes leave room for nothing", c.MaxBody, c.MaxMessage)
	case c.Timeout <= 0 || c.Patience <= 0 || c.Idle <= 0:
		return fmt.Errorf("gateway: a timeout of %v, a patience of %v and an idle time of %v: each must be above 0", c.Timeout, c.Patience, c.Idle)
	}
	return nil
}

// memory is how many bytes may wait on the in-memory connection, either way.
const memory = 256 << 10

// window is how much of one stream may wait for a client: a stream that is read
// slowly does not hold up others.
const window = 1 << 20

// Gateway is the HTTP handler of one gRPC server.
type Gateway struct {
	cfg     Config
	routes  *routes
	mux     *runtime.ServeMux
	ingests mesonetv1.IngestServiceClient
	outer   http.Handler
	origin  *http.CrossOriginProtection

	server  *grpc.Server
	conn    *grpc.ClientConn
	serving sync.WaitGroup

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

// New returns a gateway to a server, which has its services and serves nobody
// yet. The gateway serves it, to itself, and stops it.
//
// A server of its own can finish what the gateway has begun when the one that
// takes calls from the network is stopped at the same time.
func New(cfg Config, server *grpc.Server) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	routes, err := readRoutes(openAPIJSON)
	if err != nil {
		return nil, err
	}
	compress, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false))
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{cfg: cfg, routes: routes, server: server, origin: http.NewCrossOriginProtection()}
	listener := bufconn.Listen(memory)
	g.conn, err = grpc.NewClient("passthrough:in-memory",
		grpc.WithContextDialer(dialer(listener)),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)), // the server bounds what it sends
		grpc.WithUnaryInterceptor(g.unary),
		grpc.WithStreamInterceptor(g.stream),
	)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", errors.Join(err, listener.Close()))
	}
	g.serving.Go(func() {
		// It ends when the server is stopped, and not before: nothing can break
		// this listener.
		_ = server.Serve(listener)
	})
	g.ingests = mesonetv1.NewIngestServiceClient(g.conn)
	if g.mux, err = newMux(g.conn); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.outer = compress(http.HandlerFunc(g.serve))
	return g, nil
}

// Close refuses what comes from now on, and waits for what is under way. It is
// called once. Cutting calls off is up to the HTTP server: they end with their
// connection and the context of their request.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.calls.Wait()
	err := g.conn.Close()
	g.server.Stop() // what it still does is of calls that were given up
	g.serving.Wait()
	return err
}

// begin counts a call, unless the gateway is closed.
func (g *Gateway) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.calls.Add(1)
	}
	return !g.closed
}
