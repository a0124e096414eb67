package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// files measures the load of files into a node: all of them read, recognised and
// parsed, sent to the stations, and durable.
func files(kind fileKind) func(context.Context, *suite, *row) error {
	return func(ctx context.Context, s *suite, r *row) (err error) {
		r.Work = fmt.Sprintf("readings of %s loaded into a new node, durable; %s with a year each", kind.what, counted(s.opt.inFiles, "station"))
		r.Unit, r.Goal = readingsPerSecond, &goal{Of: ofRatio, Must: atLeast, Value: 0.5}
		r.Limit = &limit{What: "parsing the same files, one goroutine"}
		dir := s.places.fresh("files")
		defer func() { err = errors.Join(err, s.places.done(dir)) }()
		s.progress.begin("writing files")
		size, err := writeFiles(ctx, dir, s.opt.inFiles, kind)
		if err != nil {
			return err
		}
		s.progress.result(bytesEach.format(float64(size)))
		if err := s.inTurn(ctx, r, turns,
			func(ctx context.Context) (float64, error) { return s.parseFiles(ctx, dir) },
			func(ctx context.Context) (float64, error) { return s.loadTwice(ctx, dir) }); err != nil {
			return err
		}
		r.also("size of the files", bytesEach, float64(size))
		r.also("readings", count, float64(s.opt.inFiles*yearHours))
		return nil
	}
}

// found returns the files of a folder and what tells their formats, as a load by
// hand does.
func found(ctx context.Context, dir string) ([]ingest.Source, *ingest.Formats, error) {
	files, err := ingest.Open(ctx, dir, ingest.DefaultLimits())
	if err != nil {
		return nil, nil, err
	}
	formats, err := ingest.NewFormats(weather.Standard())
	return files.Sources, formats, err
}

// parseFiles is the limit: it reads the files over and over, and returns the
// readings a second.
func (s *suite) parseFiles(ctx context.Context, dir string) (float64, error) {
	sources, formats, err := found(ctx, dir)
	if err != nil {
		return 0, err
	}
	parse := func(d time.Duration) (float64, error) {
		readings := 0
		begin := time.Now()
		for i := 0; time.Since(begin) < d; i++ {
			n, err := parseFile(ctx, sources[i%len(sources)], formats)
			if err != nil {
				return 0, err
			}
			readings += n
		}
		return perSecond(readings, time.Since(begin)), nil
	}
	if _, err := parse(s.warmup()); err != nil {
		return 0, err
	}
	return parse(s.opt.time)
}

// parseFile returns how many readings are in a file.
func parseFile(ctx context.Context, source ingest.Source, formats *ingest.Formats) (readings int, err error) {
	r, err := source.Open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	head := make([]byte, 4096)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	format, err := formats.Recognise(head[:n], source.Name())
	if err != nil {
		return 0, err
	}
	whole, err := source.Open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, whole.Close()) }()
	lines, err := format.Read(source.Name(), whole)
	if err != nil {
		return 0, err
	}
	var reading ingest.Reading
	for ; ; readings++ {
		if readings%1024 == 0 && ctx.Err() != nil { // what was cut short is no figure
			return 0, ctx.Err()
		}
		if err := lines.Read(&reading); errors.Is(err, io.EOF) {
			return readings, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// loadTwice returns the readings a second of a second load, of which the first is to
// warm up, as the limit does: for the memory that a process takes once.
func (s *suite) loadTwice(ctx context.Context, dir string) (float64, error) {
	if _, err := s.loadFiles(ctx, dir); err != nil {
		return 0, err
	}
	return s.loadFiles(ctx, dir)
}

// loadFiles loads the files into a new node, once, and returns the readings a
// second.
func (s *suite) loadFiles(ctx context.Context, dir string) (_ float64, err error) {
	store := s.places.fresh("load")
	defer func() { err = errors.Join(err, s.places.done(store)) }()
	n, err := startNode(ctx, s.config(store))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	sources, formats, err := found(ctx, dir)
	if err != nil {
		return 0, err
	}
	cfg := ingest.DefaultConfig()
	cfg.Format = formats.Recognise
	begin := time.Now()
	summary, err := ingest.Load(ctx, sources, nodeSink{n}, cfg)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	if want := int64(s.opt.inFiles * yearHours); summary.Stored != want || summary.Malformed > 0 {
		return 0, fmt.Errorf("%d readings were stored, not %d, and %d lines are malformed", summary.Stored, want, summary.Malformed)
	}
	return perSecond(int(summary.Stored), took), nil
}
