package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// patientWriter is a response whose client may take a while for each write, but
// not for ever, however long all of it is. When the client is gone or too slow,
// the call is given up, and what is written still goes nowhere: grpc-gateway
// would log that, and there is nothing that anybody could do.
type patientWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	giveUp   context.CancelCauseFunc
	failed   bool
}

// errClientGone: nobody takes what is written.
var errClientGone = errors.New("the client is gone, or takes nothing")

func newPatientWriter(w http.ResponseWriter, patience time.Duration, giveUp context.CancelCauseFunc) *patientWriter {
	return &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), patience: patience, giveUp: giveUp}
}

// Write writes p, if somebody still reads.
func (w *patientWriter) Write(p []byte) (int, error) {
	if !w.failed {
		w.wait()
		_, err := w.ResponseWriter.Write(p)
		w.check(err)
	}
	return len(p), nil
}

// Flush sends what was written.
func (w *patientWriter) Flush() {
	if !w.failed {
		w.wait()
		w.check(w.control.Flush())
	}
}

// Unwrap returns what is written to.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *patientWriter) wait() {
	// Where there is no connection there is nothing to wait for.
	_ = w.control.SetWriteDeadline(time.Now().Add(w.patience))
}

func (w *patientWriter) check(err error) {
	if err != nil && !errors.Is(err, http.ErrNotSupported) && !errors.Is(err, http.ErrBodyNotAllowed) {
		w.failed = true
		w.giveUp(errClientGone)
	}
}

// readBody reads a body, all of which has to come in time. When it has, net/http
// takes the deadline back.
func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.cfg.Patience))
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.cfg.MaxBody))
	if err != nil {
		return nil, bodyError(err, g.cfg.Patience)
	}
	return text, nil
}

// bodyError says why a body could not be read.
func bodyError(err error, wait time.Duration) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLong(large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(codes.DeadlineExceeded, ReasonTooSlow, "the body did not come within %v; nothing of it was done", wait)
	}
	return invalid("the body broke off: %v", err)
}

func tooLong(limit int64) error {
	return refuse(codes.InvalidArgument, ReasonTooLarge, "the body is over the limit of %d bytes; send it in parts", limit)
}

// streamBody is the body of a stream, whose client may be silent for a while.
type streamBody struct {
	body    io.Reader
	control *http.ResponseController
	idle    time.Duration

	mu             sync.Mutex
	stopped, ended bool
}

// errStopped: nobody reads the stream any more.
var errStopped = errors.New("the stream has ended")

// Read reads what has come, and waits for it.
func (b *streamBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	stopped := b.stopped
	if !stopped {
		_ = b.control.SetReadDeadline(time.Now().Add(b.idle))
	}
	b.mu.Unlock()
	if stopped {
		return 0, errStopped
	}
	n, err := b.body.Read(p)
	if errors.Is(err, io.EOF) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended = true
	}
	return n, err
}

// hasEnded reports whether all of the body has been read.
func (b *streamBody) hasEnded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// stop ends the reading.
func (b *streamBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.control.SetReadDeadline(time.Unix(1, 0))
}
