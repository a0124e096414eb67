package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// rawEvent is an event of the raw log and who waits for it.
type rawEvent struct {
	data [40]byte
	done chan struct{}
}

// rawLog is the limit of durable observations: a file to which one goroutine
// appends whatever has come meanwhile, with one sync, and a goroutine an event
// that waits for it. It returns the events a second.
func (s *suite) rawLog(ctx context.Context) (_ float64, err error) {
	dir := s.places.fresh("raw-log")
	if err := os.Mkdir(dir, 0o750); err != nil {
		return 0, err
	}
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), s.places.done(dir)) }()
	if _, err := appendFor(ctx, f, s.warmup()); err != nil {
		return 0, err
	}
	return appendFor(ctx, f, s.opt.time)
}

func appendFor(ctx context.Context, f *os.File, d time.Duration) (float64, error) {
	queue := make(chan *rawEvent, inFlight)
	var failure error // the committer's, until it ends
	var committer sync.WaitGroup
	committer.Go(func() { failure = commitRaw(f, queue) })

	var ended atomic.Bool
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	defer context.AfterFunc(timed, func() { ended.Store(true) })()
	room := semaphore.NewWeighted(inFlight)
	events := 0
	begin := time.Now()
	for ; !ended.Load(); events++ {
		if err := room.Acquire(always, 1); err != nil {
			return 0, err
		}
		go func() {
			e := &rawEvent{done: make(chan struct{})}
			queue <- e
			<-e.done
			room.Release(1)
		}()
	}
	if err := room.Acquire(always, inFlight); err != nil { // all have ended
		return 0, err
	}
	took := time.Since(begin)
	close(queue)
	committer.Wait()
	return perSecond(events, took), failure
}

// commitRaw writes and syncs what is queued, all that is there at once, until
// the queue is closed. After an error it writes nothing more.
func commitRaw(f *os.File, queue <-chan *rawEvent) (failure error) {
	var buf []byte
	var group []*rawEvent
	for first := range queue {
		buf, group = append(buf[:0], first.data[:]...), append(group[:0], first)
		for more := true; more; {
			select {
			case e, ok := <-queue:
				if more = ok; ok {
					buf, group = append(buf, e.data[:]...), append(group, e)
				}
			default:
				more = false
			}
		}
		if failure == nil {
			_, err := f.Write(buf)
			failure = errors.Join(err, f.Sync())
		}
		for _, e := range group {
			close(e.done)
		}
	}
	return failure
}
