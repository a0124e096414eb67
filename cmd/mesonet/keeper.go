package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mesonet/mesonet/internal/clock"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// What one call to the quarantine may have, by its .proto file, and what waits for
// one at most: lines of so many sources, as each needs a call of its own, and so
// many bytes.
const (
	mostKeptLines = 1000
	mostKeptBytes = 512 << 10
	mostSources   = 64
	mostWaiting   = 4 << 20
)

// keepers are how many calls go on at once, so that a folder with a bad line in
// each of its files does not wait for one disk write after the other.
const keepers = 4

// lastWords is how long the quarantine may take once a load has been interrupted.
const lastWords = 5 * time.Second

// keeper gives the bad lines of a load to the quarantine of the server, in batches
// and beside the load, which waits only when they come faster than they are kept.
// When the quarantine does not take them for as long as retryFor, lines are counted
// from then on.
type keeper struct {
	quarantine mesonetv1.QuarantineServiceClient
	catalogue  weather.Catalogue
	recorded   func(format string) string
	stdin      string // what standard input is called
	retryFor   time.Duration
	note       func(format string, args ...any)

	ctx     context.Context // that of calls
	stop    func()
	work    chan *keptBatch
	workers sync.WaitGroup

	mu      sync.Mutex
	waiting map[string]*keptBatch // by the name of the source
	bytes   int                   // of these
	sent    map[*keptBatch]bool   // not answered
	headers map[string]bool       // of the sources whose header is kept
	failed  bool                  // it has taken nothing for too long
	sum     keptSum
}

// keptSum is what became of lines.
type keptSum struct {
	kept    int64
	dropped int64 // for which there was no room
	lost    int64 // that the quarantine did not take
	err     error // why
	sources map[string]bool
}

// keptBatch is lines of one source.
type keptBatch struct {
	source  string
	lines   []*mesonetv1.QuarantinedLine
	bytes   int
	headers int           // of the lines
	done    chan struct{} // closed when it is kept or given up
}

// newKeeper starts one. Calls outlive ctx a little, so that what was read before an
// interrupt is kept. Who has it closes it.
func (c *client) newKeeper(ctx context.Context, catalogue weather.Catalogue, recorded func(string) string, retryFor time.Duration, note func(string, ...any)) *keeper {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	interrupted := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(lastWords):
			cancel()
		case <-calls.Done():
		}
	})
	k := &keeper{
		quarantine: mesonetv1.NewQuarantineServiceClient(c.Conn()), catalogue: catalogue, recorded: recorded,
		stdin:    stdinName + " of " + time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		retryFor: retryFor, note: note, ctx: calls, work: make(chan *keptBatch),
		waiting: make(map[string]*keptBatch), sent: make(map[*keptBatch]bool), headers: make(map[string]bool),
		sum: keptSum{sources: make(map[string]bool)},
	}
	k.stop = func() {
		interrupted()
		cancel()
	}
	for range keepers {
		k.workers.Go(k.run)
	}
	return k
}

// close waits for the lines that are left and returns what became of all. put and
// flush come before it.
func (k *keeper) close() keptSum {
	k.handOver(k.takeAll())
	close(k.work)
	k.workers.Wait()
	k.stop()
	return k.sum
}

// put takes a line, for ingest.Config.Quarantine.
func (k *keeper) put(q ingest.Quarantined) error {
	name := q.Source
	if name == stdinName { // the next one is another
		name = k.stdin
	}
	source := quarantineName(name)
	line, err := k.lineOf(&q)
	if err != nil {
		k.mu.Lock()
		k.sum.lose(1, err)
		k.mu.Unlock()
		return nil
	}
	var header *mesonetv1.QuarantinedLine
	if q.Header != nil {
		header = headerLine(q.Header, q.HeaderLine, k.recorded(q.Format))
	}
	k.putLine(source, line, header)
	return nil
}

// putLine takes a line of a source, and the header that it needs, if it needs one.
func (k *keeper) putLine(source string, line, header *mesonetv1.QuarantinedLine) {
	k.mu.Lock()
	if k.failed {
		k.sum.lost++
		k.mu.Unlock()
		return
	}
	if header != nil && !k.headers[source] {
		k.headers[source] = true
		k.add(source, header, true)
	}
	k.add(source, line, false)
	var full []*keptBatch
	if b := k.waiting[source]; k.bytes >= mostWaiting || len(k.waiting) > mostSources {
		full = k.take(slices.Collect(maps.Keys(k.waiting)))
	} else if len(b.lines) > mostKeptLines-2 || b.bytes > mostKeptBytes-2*longestLine {
		full = k.take([]string{source})
	}
	k.mu.Unlock()
	k.handOver(full)
}

// add puts a line to those that wait.
func (k *keeper) add(source string, line *mesonetv1.QuarantinedLine, header bool) {
	b := k.waiting[source]
	if b == nil {
		b = &keptBatch{source: source, done: make(chan struct{})}
		k.waiting[source] = b
	}
	size := len(line.GetText()) + len(line.GetReason()) + len(line.GetFormat())
	b.lines = append(b.lines, line)
	b.bytes += size
	k.bytes += size
	if header {
		b.headers++
	}
}

// take removes the batches of sources from those that wait.
func (k *keeper) take(sources []string) []*keptBatch {
	taken := make([]*keptBatch, 0, len(sources))
	for _, source := range sources {
		b := k.waiting[source]
		delete(k.waiting, source)
		k.bytes -= b.bytes
		k.sent[b] = true
		taken = append(taken, b)
	}
	return taken
}

func (k *keeper) takeAll() []*keptBatch {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.take(slices.Sorted(maps.Keys(k.waiting)))
}

// handOver waits until the workers have taken batches.
func (k *keeper) handOver(batches []*keptBatch) {
	for _, b := range batches {
		k.work <- b
	}
}

// flush returns once all lines that were put before are kept, or why they are not.
func (k *keeper) flush() error {
	k.handOver(k.takeAll())
	k.mu.Lock()
	waiting := slices.Collect(maps.Keys(k.sent))
	k.mu.Unlock()
	for _, b := range waiting {
		<-b.done
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sum.err
}

// run keeps batches, one after the other.
func (k *keeper) run() {
	for b := range k.work {
		r, err := k.keep(b)
		k.mu.Lock()
		lines := int64(len(b.lines) - b.headers)
		if err != nil {
			if k.sum.err == nil {
				k.note("the quarantine does not take lines (%s); they are only counted", breakage(err))
			}
			k.failed = k.failed || isTransient(err)
			k.sum.lose(lines, err)
		} else {
			dropped := min(lines, int64(r.GetDropped()))
			k.sum.kept += lines - dropped
			k.sum.dropped += dropped
			if dropped < lines {
				k.sum.sources[b.source] = true
			}
		}
		delete(k.sent, b)
		k.mu.Unlock()
		close(b.done)
	}
}

// keep sends a batch until it is kept: sending it twice keeps nothing twice.
func (k *keeper) keep(b *keptBatch) (*mesonetv1.QuarantineResponse, error) {
	k.mu.Lock()
	failed, why := k.failed, k.sum.err
	k.mu.Unlock()
	if failed {
		return nil, why
	}
	begun := time.Now()
	for wait := firstPause; ; wait = min(2*wait, 5*time.Second) {
		r, err := k.quarantine.Quarantine(k.ctx, &mesonetv1.QuarantineRequest{Source: b.source, Lines: b.lines})
		if err == nil || !isTransient(err) || time.Since(begun)+wait > k.retryFor {
			return r, err
		}
		if clock.Sleep(k.ctx, clock.System(), wait) != nil {
			return nil, err
		}
	}
}

// lose counts lines that are not kept, and remembers the first reason.
func (s *keptSum) lose(lines int64, err error) {
	s.lost += lines
	if s.err == nil {
		s.err = err
	}
}

// errNoNumber is of a line behind the last that the quarantine can number.
var errNoNumber = errors.New("the quarantine has no numbers for lines so far behind")

// lineOf makes a line of the quarantine of what ingest has.
func (k *keeper) lineOf(q *ingest.Quarantined) (*mesonetv1.QuarantinedLine, error) {
	if q.Line < 1 || q.Line > maxLineNumber {
		return nil, fmt.Errorf("%w: line %d", errNoNumber, q.Line)
	}
	line := &mesonetv1.QuarantinedLine{Line: uint32(q.Line), Text: q.Text, Format: k.recorded(q.Format)}
	reason := reasonText(q.Reason)
	switch {
	case q.Reading != nil:
		line.Format, line.Text = keptReading, readingText(k.catalogue, q.Reading)
		if len(line.GetText()) > ingest.MaxQuarantined {
			line.Text = nil
			reason = "it has too many values to be kept: " + reason
		}
	case len(q.Text) >= ingest.MaxQuarantined:
		reason = cutReason + reason
	}
	line.Reason = cut(reason, longestReason)
	return line, nil
}
