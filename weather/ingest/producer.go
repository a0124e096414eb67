package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// producer reads the inputs in a goroutine of its own and makes batches of runs. A
// second goroutine hands them out, so that one window is filled while another is
// emptied: reading never waits for the sink until both are full. It stops, between
// two lines, when its context is done.
type producer struct {
	cfg        *Config
	inputs     []*input
	tracker    *tracker
	quarantine *quarantine
	window     *window        // that is being filled
	filled     chan *window   // to be handed out; closed at the end
	emptied    chan *window   // to be filled
	batches    chan []located // closed at the end

	// Counters for the progress, brought up to date every few lines.
	file, filesDone                   atomic.Int32
	lines, bytes, readings, malformed atomic.Int64

	// For the summary, once batches is closed.
	lineErrors []*LineError
	finished   int   // inputs that an earlier load had finished
	resumed    int64 // lines that one had dealt with
	err        error
}

func newProducer(cfg *Config, inputs []*input, t *tracker, q *quarantine) *producer {
	p := &producer{
		cfg: cfg, inputs: inputs, tracker: t, quarantine: q, window: newWindow(min(firstWindow, cfg.Buffer)),
		filled: make(chan *window), emptied: make(chan *window, 2), batches: make(chan []located),
	}
	p.emptied <- newWindow(cfg.Buffer)
	return p
}

// firstWindow is how many readings the first window holds. Each holds twice as many
// as the one before, so that the sink need not wait until a large one is full.
const firstWindow = 1 << 14

// run reads all inputs. What was read before one fails is still sent.
func (p *producer) run(ctx context.Context) {
	handed := make(chan error, 1)
	go func() { handed <- p.handOut(ctx) }()
	defer func() {
		close(p.filled)
		if err := <-handed; p.err == nil {
			p.err = err
		}
		close(p.batches)
	}()
	for i, in := range p.inputs {
		p.file.Store(int32(i))
		if in.finished {
			p.finished++
			p.resumed += in.resume
			p.lines.Add(in.resume)
			p.bytes.Add(max(0, in.source.Size()))
		} else if p.err = p.read(ctx, i, in); p.err != nil {
			break
		}
		p.filesDone.Add(1)
	}
	if err := p.flush(ctx); p.err == nil {
		p.err = err
	}
}

// read reads one input to its end.
func (p *producer) read(ctx context.Context, number int, in *input) error {
	d, closer, err := in.open(p.cfg.Format)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	if in.resume > 0 {
		if err := d.Skip(in.resume); err != nil {
			return err
		}
		p.resumed += d.Lines()
	}
	lines, bytes, readings := p.lines.Load(), p.bytes.Load(), p.readings.Load()
	account := func() {
		p.lines.Store(lines + d.Lines())
		p.bytes.Store(bytes + d.Bytes())
		p.readings.Store(readings)
	}
	defer account()
	var reading Reading
	for next := int64(0); ; {
		err := d.Read(&reading)
		switch {
		case err == nil:
			if !p.window.fits(&reading) {
				return fmt.Errorf("ingest: %s: format %s has values of %d measures where another had %d: all must be of one catalogue", in.source.Name(), in.format.Name(), len(reading.Values), p.window.measures)
			}
			p.window.add(&reading, placeOf(number, d.Line()))
			readings++
		case errors.Is(err, io.EOF):
			p.tracker.ended(number, d.Lines())
			return nil
		default:
			if err := p.malformedLine(in, d, err); err != nil {
				return err
			}
		}
		if d.Lines() >= next {
			next = d.Lines() + 1024
			account()
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if p.window.full() {
			account()
			p.tracker.reached(number, d.Line())
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// malformedLine takes the line of a *LineError out of the way, and returns any
// other error.
func (p *producer) malformedLine(in *input, d Decoder, err error) error {
	e, malformed := errors.AsType[*LineError](err)
	if !malformed {
		return err
	}
	p.malformed.Add(1)
	if len(p.lineErrors) < p.cfg.MaxErrors {
		p.lineErrors = append(p.lineErrors, e)
	}
	one := Quarantined{Source: e.File, Line: e.Line, Text: e.whole, Reason: e.Reason, Format: in.format.Name()}
	if headed, ok := d.(interface{ Header() ([]byte, int64) }); ok {
		one.Header, one.HeaderLine = headed.Header()
	}
	return p.quarantine.put(one)
}

// flush gives the window away to be handed out, and takes one that is empty.
func (p *producer) flush(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err() // perhaps of a flush that has not come to its end
	}
	p.tracker.opened(p.window.places)
	measures, room := p.window.measures, min(2*p.window.room, p.cfg.Buffer)
	select {
	case p.filled <- p.window:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case p.window = <-p.emptied:
		p.window.measures, p.window.room = measures, room
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handOut hands out the windows that are filled, until there are no more.
func (p *producer) handOut(ctx context.Context) error {
	for w := range p.filled {
		if err := p.empty(ctx, w); err != nil {
			return err // of the context, so that nobody waits for the window
		}
		p.emptied <- w
	}
	return nil
}

// empty hands out what a window holds, in batches. It waits for them to be
// taken.
func (p *producer) empty(ctx context.Context, w *window) error {
	var batch []located
	rows := 0
	for run := range w.runs(p.cfg.RunLength) {
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

func (p *producer) hand(ctx context.Context, batch []located) error {
	select {
	case p.batches <- batch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
