package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// ingest serves IngestService.Ingest: batches in, a line each, and their
// acknowledgements out. It takes the place of grpc-gateway's own way of serving
// such a stream, which ends it as if all was well when a line can't be read, and
// leaves a goroutine behind that waits for the next one.
func (g *Gateway) ingest(w http.ResponseWriter, r *http.Request) error {
	// net/http ends the context of a request when its body can't be read, also
	// when the client is only too slow: then it is still told what is stored.
	ctx, err := runtime.AnnotateContext(context.WithoutCancel(r.Context()), g.mux, r, mesonetv1.IngestService_Ingest_FullMethodName)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := g.ingests.Ingest(ctx)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	// A body that is read while it is answered may be left in part. net/http
	// would take the rest of it for the next request.
	w.Header().Set("Connection", "close")
	in := &ingestion{g: g, stream: stream, body: &streamBody{body: r.Body, control: control, idle: g.cfg.Idle}, cancel: cancel, client: r.Context()}
	defer context.AfterFunc(in.client, in.clientGone)()
	sent := make(chan error, 1)
	go func() { sent <- in.send() }()

	out := &lineWriter{w: w, control: control}
	err = out.copy(stream.Recv)
	if errors.Is(err, io.EOF) {
		err = nil // all that was sent is acknowledged
	}
	in.body.stop()
	if failed := <-sent; err == nil || failed != nil && in.broken {
		err = failed
	}
	return out.finish(err)
}

// ingestion is what comes in over one stream.
type ingestion struct {
	g      *Gateway
	stream grpc.BidiStreamingClient[mesonetv1.IngestRequest, mesonetv1.IngestResponse]
	body   *streamBody
	cancel context.CancelFunc // of the call
	client context.Context    // ends when nobody waits for the answer
	broken bool               // the body broke off, and with it the call
}

// clientGone gives the call up when its client has gone. While the body is read,
// that it can't be is the better sign.
func (in *ingestion) clientGone() {
	if in.body.hasEnded() || errors.Is(context.Cause(in.client), errClientGone) {
		in.cancel()
	}
}

// send sends the batches, until the body ends or a line can't be sent. What was
// before that line is acknowledged, if that does not take too long: nobody would
// notice that the client has gone.
func (in *ingestion) send() (err error) {
	defer func() {
		if err != nil {
			time.AfterFunc(in.g.cfg.Timeout, in.cancel)
		}
		if closed := in.stream.CloseSend(); err == nil {
			err = closed
		}
	}()
	lines := bufio.NewReaderSize(in.body, 64<<10)
	for number := 1; ; number++ {
		line, err := readLine(lines, in.g.cfg.MaxBody)
		switch {
		case errors.Is(err, io.EOF):
			if in.client.Err() != nil {
				in.clientGone()
			}
			return nil
		case errors.Is(err, errStopped):
			return nil // what ended it is known
		case err != nil:
			return in.unreadable(number, err)
		case len(line) == 0:
			continue
		}
		request := &mesonetv1.IngestRequest{}
		if err := decode(line, request); err != nil {
			return atLine(number, invalid("%v", err))
		}
		if n := proto.Size(request); n > in.g.cfg.MaxMessage {
			return atLine(number, refuse(codes.InvalidArgument, ReasonTooLarge, "the batch takes %d bytes, and at most %d can be taken; send it in parts", n, in.g.cfg.MaxMessage))
		}
		if err := in.stream.Send(request); err != nil {
			return nil // what broke the stream is received
		}
	}
}

// unreadable is the error of a line that did not come. One that came too late,
// or is too long, leaves the client there.
func (in *ingestion) unreadable(number int, err error) error {
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return atLine(number, refuse(codes.InvalidArgument, ReasonTooLarge, "the line is over the limit of %d bytes; send it in parts", long.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return atLine(number, refuse(codes.DeadlineExceeded, ReasonTooSlow, "nothing came for %v", in.g.cfg.Idle))
	}
	in.broken = true
	in.cancel()
	return invalid("the body broke off in line %d; send again what was not acknowledged: %v", number, err)
}

// atLine says where in a body something is wrong.
func atLine(number int, err error) error {
	e, _ := failure(err, false)
	return refuse(codes.Code(e.GetCode()), e.GetReason(), "line %d: %s; the lines before it are acknowledged, this one and what is after it had no effect", number, e.GetMessage())
}

// readLine returns the next line, without its end and the space around it. The
// last one may have no end.
func readLine(in *bufio.Reader, limit int64) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case int64(len(line)) > limit+1:
			return nil, &http.MaxBytesError{Limit: limit}
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0, err == nil:
			return bytes.TrimSpace(line), nil
		}
		return nil, err
	}
}

// lineWriter writes the answers of a stream.
type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
}

// copy writes what is received until that fails. Each goes out at once: somebody
// may wait for it before sending more.
func (l *lineWriter) copy(receive func() (*mesonetv1.IngestResponse, error)) error {
	for {
		m, err := receive()
		if err != nil {
			return err
		}
		text, err := encode(m)
		if err != nil {
			return err
		}
		l.line(text)
	}
}

func (l *lineWriter) line(text []byte) {
	if !l.began {
		l.began = true
		l.w.Header().Set("Content-Type", ndjson)
	}
	l.w.Write(append(text, '\n'))
	_ = l.control.Flush() // the writer below notices when nobody reads
}

// finish ends the stream. An error that comes first is the answer.
func (l *lineWriter) finish(err error) error {
	switch {
	case err == nil && !l.began:
		l.w.Header().Set("Content-Type", ndjson)
		l.w.WriteHeader(http.StatusOK)
	case err != nil && !l.began:
		return err
	case err != nil:
		l.line(brokenOff(err, false))
	}
	return nil
}
