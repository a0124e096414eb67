package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/internal/api"
	"github.com/mesonet/mesonet/internal/gateway"
)

// The limits of the HTTP listener. How long bodies may take is up to the gateway,
// since some are streams.
const (
	httpHeader      = 5 * time.Second
	httpIdle        = 2 * time.Minute
	httpHeaderBytes = 64 << 10 // the tokens of some thousand shards
)

// listening is an HTTP server on a listener of its own.
type listening struct {
	addr    string
	server  *http.Server
	cancel  context.CancelFunc // ends what is under way
	serving sync.WaitGroup
}

// serveHTTP serves until end. failed is told when it can't.
func serveHTTP(listener net.Listener, what Surface, server *http.Server, logger *slog.Logger, failed func(error)) *listening {
	ctx, cancel := context.WithCancel(context.Background())
	l := &listening{addr: listener.Addr().String(), server: server, cancel: cancel}
	server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	l.serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("daemon: serving %s on %s: %w", what, l.addr, err))
		}
	})
	return l
}

// end takes no more requests, lets those under way end until the end of grace, and
// cuts off the others.
func (l *listening) end(grace context.Context) error {
	defer l.cancel()
	err := l.server.Shutdown(grace)
	if grace.Err() != nil {
		l.cancel() // net/http does not tell those that don't read or write
		err = l.server.Close()
	}
	l.serving.Wait()
	return err
}

// front serves the API as JSON, and says so while it can't yet.
type front struct {
	*listening

	ready   *readiness
	gateway atomic.Pointer[gateway.Gateway] // nil until the node is open
}

// serveJSON serves until stop. failed is told when it can't.
func serveJSON(listener net.Listener, ready *readiness, logger *slog.Logger, failed func(error)) *front {
	f := &front{ready: ready}
	f.listening = serveHTTP(listener, SurfaceHTTP, &http.Server{
		Handler:           f,
		ReadHeaderTimeout: httpHeader,
		IdleTimeout:       httpIdle,
		MaxHeaderBytes:    httpHeaderBytes,
	}, logger, failed)
	return f
}

// open begins to answer.
func (f *front) open(g *gateway.Gateway) { f.gateway.Store(g) }

// ServeHTTP answers a request.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g := f.gateway.Load(); g != nil {
		g.ServeHTTP(w, r)
		return
	}
	gateway.WriteError(w, r, f.notYet())
}

// notYet is the error of a call that comes too early, in the words of /readyz.
func (f *front) notYet() error {
	st := status.New(codes.Unavailable, strings.Join(f.ready.reasons(), "; "))
	with, err := st.WithDetails(&errdetails.ErrorInfo{Reason: api.ReasonUnavailable, Domain: api.Domain})
	if err != nil {
		return err // only for codes.OK
	}
	return with.Err()
}

// stop takes no more requests, lets those under way end until the end of grace,
// and cuts off the others.
func (f *front) stop(grace context.Context) error {
	if f == nil {
		return nil
	}
	err := f.end(grace)
	if g := f.gateway.Load(); g != nil {
		err = errors.Join(err, g.Close())
	}
	return err
}
