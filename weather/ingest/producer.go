package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// producer reads the sources in a goroutine of its own and makes batches of
// runs. It stops, between two lines, when its context is done.
type producer struct {
	cfg     *Config
	sources []Source
	window  *window
	batches chan []StationRun // closed at the end

	// Counters for the progress, brought up to date every few lines.
	file, filesDone                   atomic.Int32
	lines, bytes, readings, malformed atomic.Int64

	// For the summary, once batches is closed.
	lineErrors []*LineError
	err        error
}

func newProducer(cfg *Config, sources []Source) *producer {
	return &producer{cfg: cfg, sources: sources, window: newWindow(cfg.Buffer), batches: make(chan []StationRun)}
}

// run reads all sources. What was read before one fails is still sent.
func (p *producer) run(ctx context.Context) {
	defer close(p.batches)
	for i, source := range p.sources {
		p.file.Store(int32(i))
		if p.err = p.readSource(ctx, source); p.err != nil {
			break
		}
		p.filesDone.Add(1)
	}
	if err := p.flush(ctx); p.err == nil {
		p.err = err
	}
}

func (p *producer) readSource(ctx context.Context, source Source) error {
	stream, err := source.Open()
	if err != nil {
		return fmt.Errorf("ingest: opening %s: %w", source.Name(), err)
	}
	defer func() { _ = stream.Close() }()
	r := NewReader(source.Name(), stream, p.cfg.Format())
	lines, bytes, readings := p.lines.Load(), p.bytes.Load(), p.readings.Load()
	account := func() {
		p.lines.Store(lines + r.Lines())
		p.bytes.Store(bytes + r.Bytes())
		p.readings.Store(readings)
	}
	defer account()
	var reading Reading
	for next := int64(0); ; {
		err := r.Read(&reading)
		switch lineError, malformed := errors.AsType[*LineError](err); {
		case err == nil:
			p.window.add(&reading)
			readings++
		case malformed:
			p.quarantine(lineError)
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
		if r.Lines() >= next {
			next = r.Lines() + 1024
			account()
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if p.window.full() {
			account()
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (p *producer) quarantine(e *LineError) {
	p.malformed.Add(1)
	if len(p.lineErrors) < p.cfg.MaxErrors {
		p.lineErrors = append(p.lineErrors, e)
	}
	if p.cfg.Malformed != nil {
		p.cfg.Malformed(e)
	}
}

// flush hands out what the window holds, in batches. It waits for them to be
// taken.
func (p *producer) flush(ctx context.Context) error {
	var batch []StationRun
	rows := 0
	for run := range p.window.runs(p.cfg.RunLength) {
		if rows+run.Run.Len() > p.cfg.BatchLength {
			if err := p.hand(ctx, batch); err != nil {
				return err
			}
			batch, rows = nil, 0
		}
		batch = append(batch, run)
		rows += run.Run.Len()
	}
	if len(batch) == 0 {
		return nil
	}
	return p.hand(ctx, batch)
}

func (p *producer) hand(ctx context.Context, batch []StationRun) error {
	select {
	case p.batches <- batch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
