package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Load reads the sources one after the other and sends their readings to the
// sink. It returns when the sink has answered all of them, or with an error:
// ctx's, the sink's, that of a source which failed while it was read, or that a
// run was sent again for longer than Config.RetryFor. What was acknowledged by
// then is stored, and says so in the summary; loading again is safe.
//
// Malformed lines and refused runs are not errors of the load but counted in the
// summary, and given to Config.Quarantine. Before anything is sent, the format of
// each source is found, and its header checked. Open all files before: a damaged
// one then changes nothing.
//
// With Config.Resume, what an earlier load of the same sources has dealt with is
// not read again, however that load has ended.
func Load(ctx context.Context, sources []Source, sink Sink, cfg Config) (Summary, error) {
	if err := cfg.Validate(); err != nil {
		return Summary{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	inputs, err := prepare(ctx, sources, &cfg)
	if err != nil {
		return Summary{}, err
	}
	l := newLoad(inputs, sink, &cfg)
	var workers sync.WaitGroup
	workers.Go(func() { l.producer.run(ctx) })
	workers.Go(func() { l.sender(ctx) })
	err = l.run(ctx)
	cancel()
	close(l.outgoing)
	workers.Wait()
	late, _ := l.answers.take() // those that came meanwhile
	err = cmp.Or(err, l.handle(late, nil), l.save())
	summary := l.summarize()
	l.report()
	return summary, err
}

// load is the state of one Load. It belongs to the goroutine that called it,
// which alone decides what is sent when.
type load struct {
	cfg      *Config
	sink     Sink
	producer *producer
	answers  answers
	outgoing chan []*parcel // to the sender
	outbox   [][]*parcel    // waits for it
	lanes    map[string]*lane
	paused   []*lane
	inFlight int // observations in lanes

	inputs     []*input
	tracker    *tracker
	quarantine *quarantine

	begun    time.Time
	total    int64 // bytes of all sources, or -1
	summary  Summary
	refusals refusals
}

func newLoad(inputs []*input, sink Sink, cfg *Config) *load {
	tracker, quarantine := newTracker(inputs), &quarantine{keep: cfg.Quarantine}
	l := &load{
		cfg: cfg, sink: sink, producer: newProducer(cfg, inputs, tracker, quarantine),
		inputs: inputs, tracker: tracker, quarantine: quarantine,
		answers: answers{news: make(chan struct{}, 1)}, outgoing: make(chan []*parcel),
		lanes: map[string]*lane{}, begun: time.Now(),
		refusals: refusals{counts: map[Refusal]int64{}, most: cfg.MaxErrors},
	}
	for _, in := range inputs {
		if size := in.source.Size(); size < 0 || l.total < 0 {
			l.total = -1
		} else {
			l.total += size
		}
	}
	return l
}

// run goes on until all is answered or something fails.
func (l *load) run(ctx context.Context) error {
	progress := time.NewTicker(l.cfg.ProgressEvery)
	defer progress.Stop()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	save, stop := l.saving()
	defer stop()
	for reading := true; reading || l.inFlight > 0; {
		incoming, outgoing, next := l.channels(reading)
		if len(l.paused) > 0 {
			retry.Reset(time.Until(l.nextDue()))
		}
		select {
		case batch, ok := <-incoming:
			reading = ok
			l.accept(batch)
		case outgoing <- next:
			l.outbox = l.outbox[1:]
		case <-l.answers.news:
			if err := l.handle(l.answers.take()); err != nil {
				return err
			}
		case <-retry.C:
			l.resume(time.Now())
		case <-progress.C:
			l.report()
		case <-save:
			if l.cfg.Resume.isDue() {
				if err := l.save(); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return l.stopped(ctx)
		}
	}
	if ctx.Err() != nil && l.producer.err != nil {
		return l.stopped(ctx)
	}
	return l.producer.err
}

func (l *load) stopped(ctx context.Context) error {
	return fmt.Errorf("ingest: stopped after %d readings were acknowledged; load again, and they count as duplicates: %w",
		l.summary.Acknowledged(), context.Cause(ctx))
}

// channels returns where there is something to do: batches are taken while there
// is credit for one, and given while there is one. A nil channel is never ready.
func (l *load) channels(reading bool) (in <-chan []located, out chan<- []*parcel, next []*parcel) {
	if reading && l.inFlight+l.cfg.BatchLength <= l.cfg.InFlight {
		in = l.producer.batches
	}
	if len(l.outbox) > 0 {
		out, next = l.outgoing, l.outbox[0]
	}
	return in, out, next
}

// accept puts runs on their lanes.
func (l *load) accept(batch []located) {
	var out []*parcel
	for _, run := range batch {
		lane := l.lanes[run.Station]
		if lane == nil {
			lane = l.open(run.Station)
		}
		p, now := lane.add(run)
		if now {
			out = append(out, p)
		}
		l.inFlight += p.rows()
	}
	l.post(out)
}

func (l *load) open(station string) *lane {
	l.lanes[station] = &lane{station: station}
	return l.lanes[station]
}

// post gives parcels to the sender, in batches.
func (l *load) post(parcels []*parcel) {
	for len(parcels) > 0 {
		n, rows := 0, 0
		for n < len(parcels) && (n == 0 || rows+parcels[n].rows() <= l.cfg.BatchLength) {
			rows += parcels[n].rows()
			n++
		}
		l.outbox = append(l.outbox, parcels[:n])
		parcels = parcels[n:]
	}
}

// handle notes answers, and pauses the lanes that have to try again.
func (l *load) handle(list []answer, err error) error {
	if err := cmp.Or(l.count(list), err); err != nil {
		return err
	}
	now := time.Now()
	for _, a := range list {
		for _, p := range a.parcels {
			lane := p.lane
			l.inFlight -= lane.settle(l.done)
			if lane.idle() {
				delete(l.lanes, lane.station)
			}
			if !lane.pause(now, l.cfg.RetryFirst, l.cfg.RetryMost) {
				continue
			}
			if now.Sub(lane.since) > l.cfg.RetryFor {
				return fmt.Errorf("ingest: gave up on station %s, which has failed for %s; load again when the store is well, and what is stored counts as duplicates: %w",
					lane.station, now.Sub(lane.since).Round(time.Second), lane.err)
			}
			l.paused = append(l.paused, lane)
		}
	}
	return nil
}

// count adds outcomes to the summary, and splits runs that were refused for some
// of their readings.
func (l *load) count(list []answer) error {
	for _, a := range list {
		for i, p := range a.parcels {
			o := a.outcomes[i]
			if p.divisible(o) {
				p.lane.split(p)
				continue
			}
			if !p.lane.answer(p, o) {
				continue
			}
			if o.Err != nil {
				if err := l.refuse(p, o.Err.Error()); err != nil {
					return err
				}
				continue
			}
			l.summary.Stored += int64(o.Stored)
			l.summary.Duplicates += int64(o.Duplicates)
			l.summary.Corrected += int64(o.Corrected)
		}
	}
	return nil
}

// refuse puts the readings of a run into the quarantine.
func (l *load) refuse(p *parcel, reason string) error {
	l.summary.Refused += int64(p.rows())
	l.refusals.add(p.run.Station, reason, int64(p.rows()))
	if l.quarantine.keep == nil {
		return nil
	}
	for i, at := range p.run.places {
		in := l.inputs[at.source()]
		one := Quarantined{Source: in.source.Name(), Line: at.line(), Reason: reason, Format: in.format.Name(), Reading: p.run.reading(i)}
		if err := l.quarantine.put(one); err != nil {
			return err
		}
	}
	return nil
}

// done notes that what a parcel holds need not be read again.
func (l *load) done(p *parcel) { l.tracker.acknowledged(p.run.places) }

func (l *load) nextDue() time.Time {
	return slices.MinFunc(l.paused, func(a, b *lane) int { return a.due.Compare(b.due) }).due
}

// resume sends again what has paused for long enough.
func (l *load) resume(now time.Time) {
	waiting := l.paused[:0]
	for _, lane := range l.paused {
		if lane.due.After(now) {
			waiting = append(waiting, lane)
			continue
		}
		l.post(lane.resume())
	}
	clear(l.paused[len(waiting):])
	l.paused = waiting
}

// sender hands batches to the sink, one at a time and in order, so that a sink
// that waits holds up nothing but the next batch.
func (l *load) sender(ctx context.Context) {
	for parcels := range l.outgoing {
		batch := make([]StationRun, len(parcels))
		for i, p := range parcels {
			batch[i] = p.run.StationRun
		}
		var once sync.Once
		done := func(outcomes []Outcome) {
			once.Do(func() { l.answers.put(parcels, outcomes) })
		}
		err := l.sink.Send(ctx, batch, done)
		switch {
		case errors.Is(err, ErrRetry):
			done(slices.Repeat([]Outcome{{Err: err}}, len(parcels)))
		case err != nil:
			l.answers.fail(fmt.Errorf("ingest: the load has ended: %w", err))
		}
	}
}

// summarize completes the summary, once the producer has ended.
func (l *load) summarize() Summary {
	s, p := &l.summary, l.producer
	s.Files = int(p.filesDone.Load())
	s.Lines, s.Bytes = p.lines.Load(), p.bytes.Load()
	s.Readings, s.Malformed = p.readings.Load(), p.malformed.Load()
	s.LineErrors = p.lineErrors
	s.Finished, s.Resumed = p.finished, p.resumed
	s.Refusals = l.refusals.list()
	s.Elapsed = time.Since(l.begun)
	s.Rate = perSecond(s.Acknowledged(), s.Elapsed)
	return *s
}

// report calls back with the progress.
func (l *load) report() {
	if l.cfg.Progress == nil {
		return
	}
	p := l.producer
	progress := Progress{
		FilesDone: int(p.filesDone.Load()), Files: len(p.inputs),
		BytesRead: p.bytes.Load(), BytesTotal: l.total,
		Readings: p.readings.Load(), Acknowledged: l.summary.Acknowledged(), Malformed: p.malformed.Load(),
		Elapsed: time.Since(l.begun),
	}
	if len(p.inputs) > 0 {
		progress.File = p.inputs[p.file.Load()].source.Name()
	}
	progress.Rate = perSecond(progress.Acknowledged, progress.Elapsed)
	progress.Left = progress.left()
	l.cfg.Progress(progress)
}

func perSecond(n int64, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return float64(n) / elapsed.Seconds()
}
