package client

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather/ingest"
)

// uplink is one stream. Its goroutine receives, and ends with the stream; then
// no batch is pending any more.
type uplink struct {
	stream   *stream
	cancel   context.CancelCauseFunc
	silence  time.Duration
	watchdog *time.Timer
	onBreak  func(error)
	ended    chan struct{} // closed by the goroutine
	err      error         // why it ended, once ended is closed

	mu      sync.Mutex
	over    bool // nothing is accepted any more
	pending map[uint64]*pendingBatch
}

// pendingBatch waits for its acknowledgement.
type pendingBatch struct {
	readings []*mesonetv1.Readings
	done     func([]ingest.Outcome)
}

// send sends a batch, whose outcome done will be told in any case.
func (u *uplink) send(r *mesonetv1.IngestRequest, done func([]ingest.Outcome)) {
	p := &pendingBatch{readings: r.GetReadings(), done: done}
	u.mu.Lock()
	over := u.over
	if !over {
		if len(u.pending) == 0 {
			u.watchdog.Reset(u.silence)
		}
		u.pending[r.GetNumber()] = p
	}
	u.mu.Unlock()
	if over {
		p.fail(errors.New("the connection broke before the batch was sent"))
		return
	}
	// An error here means that the stream has ended; why is for the receiver
	// to say, which answers all that is pending.
	_ = u.stream.SendMsg(r)
}

// receive hands acknowledgements to those who wait, until the stream ends.
func (u *uplink) receive(ctx context.Context) {
	defer close(u.ended)
	err := u.acknowledge()
	// Who ended it: the watchdog, whose cause gRPC does not know; whoever closed
	// it or stops the program; else the server or the network.
	cause := context.Cause(ctx)
	stopped := errors.Is(cause, context.Canceled)
	if cause != nil && !stopped {
		err = status.Error(codes.Unavailable, cause.Error())
	}
	if !errors.As(err, new(*Error)) {
		err = u.stream.newError(err)
	}
	if !stopped && breaks(err) && !errors.Is(err, ErrOverloaded) {
		u.stream.leave()
	}
	u.err = err
	u.cancel(nil)
	u.mu.Lock()
	u.over = true
	left := u.pending
	u.pending = nil
	u.watchdog.Stop()
	u.mu.Unlock()
	if len(left) > 0 && u.onBreak != nil && !stopped && breaks(u.err) {
		u.onBreak(u.err)
	}
	for _, p := range left {
		p.fail(u.err)
	}
}

func (u *uplink) acknowledge() error {
	for {
		r := new(mesonetv1.IngestResponse)
		err := u.stream.RecvMsg(r)
		if errors.Is(err, io.EOF) {
			return status.Error(codes.Unavailable, "the server ended the stream")
		}
		if err != nil {
			return err
		}
		u.mu.Lock()
		p := u.pending[r.GetNumber()]
		delete(u.pending, r.GetNumber())
		if len(u.pending) == 0 {
			u.watchdog.Stop()
		} else {
			u.watchdog.Reset(u.silence)
		}
		u.mu.Unlock()
		if p == nil || len(r.GetOutcomes()) != len(p.readings) {
			if p != nil {
				p.fail(errors.New("the server acknowledged another batch than was sent"))
			}
			return status.Errorf(codes.Unimplemented, "the server acknowledged what was not sent (batch %d)", r.GetNumber())
		}
		outcomes := u.outcomes(r)
		p.done(outcomes)
		if len(u.stream.c.servers.list) > 1 && noneStored(outcomes) {
			return status.Error(codes.Unavailable, "the server could store nothing of a batch")
		}
	}
}

// noneStored reports whether a server could do nothing with a batch, which another
// may.
func noneStored(outcomes []ingest.Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o ingest.Outcome) bool { return !errors.Is(o.Err, ErrUnavailable) })
}

func (u *uplink) outcomes(r *mesonetv1.IngestResponse) []ingest.Outcome {
	outcomes := make([]ingest.Outcome, len(r.GetOutcomes()))
	for i, o := range r.GetOutcomes() {
		if f := o.GetFailure(); f != nil {
			outcomes[i].Err = refusal(f)
			continue
		}
		outcomes[i] = ingest.Outcome{Stored: int(o.GetStored()), Duplicates: int(o.GetDuplicates()), Corrected: int(o.GetCorrected())}
	}
	return outcomes
}

func (u *uplink) broken() bool {
	select {
	case <-u.ended:
		return true
	default:
		return false
	}
}

// close ends the stream and waits for its goroutine. It returns why the stream
// ended if it had before.
func (u *uplink) close() error {
	u.cancel(nil)
	<-u.ended
	return u.err
}

func (p *pendingBatch) fail(err error) {
	outcomes := make([]ingest.Outcome, len(p.readings))
	for i := range outcomes {
		outcomes[i].Err = retry(err)
	}
	p.done(outcomes)
}
