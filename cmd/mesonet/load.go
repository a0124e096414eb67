package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// formats of files, by name.
var formats = map[string]func(weather.Catalogue) (ingest.Format, error){
	ingest.KillrWeatherName: ingest.KillrWeatherFormat,
}

// load sends the readings of the sources to the server.
func (c *client) load(ctx context.Context, sources []ingest.Source, cfg ingest.Config, p *progress) (*loaded, error) {
	s := c.Ingest(ctx, weather.Standard())
	defer s.Close()
	s.OnBreak = func(err error) {
		p.note("%s; sending again what was not acknowledged", breakage(err))
	}
	cfg.MaxErrors = mostListed
	cfg.Progress = func(g ingest.Progress) {
		part := -1.0
		if g.BytesTotal > 0 && g.Readings > 0 {
			part = float64(g.BytesRead) / float64(g.BytesTotal) * float64(g.Acknowledged) / float64(g.Readings)
		}
		details := []string{count(g.Acknowledged), fmt.Sprintf("%s/s", count(int64(g.Rate)))}
		if l := left(g.Left); l != "" {
			details = append(details, l)
		}
		p.show("readings", part, details...)
	}
	summary, err := ingest.Load(ctx, sources, s, cfg)
	return newLoaded(&summary), err
}

// probe asks for nothing in particular, so that a server that is not there is
// known before anything else is done.
func (c *client) probe(ctx context.Context) error {
	_, err := c.ListStations(ctx, &mesonetv1.ListStationsRequest{PageSize: 1})
	return err
}

// openSources looks at a file, an archive or a folder, or takes stdin for "-".
func openSources(ctx context.Context, name string, stdin io.Reader) ([]ingest.Source, error) {
	if name == "-" {
		return []ingest.Source{ingest.Stream("stdin", stdin)}, nil
	}
	found, err := ingest.Open(ctx, name, ingest.DefaultLimits())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitFailed, "there is no file %s; check its name", name)
	}
	if err != nil {
		return nil, err
	}
	return found.Sources, nil
}

// openSource looks at what must be one file.
func openSource(ctx context.Context, name string, stdin io.Reader) (ingest.Source, error) {
	sources, err := openSources(ctx, name, stdin)
	if err != nil {
		return nil, err
	}
	if len(sources) != 1 {
		return nil, fail(exitFailed, "there are %d files in %s; name one", len(sources), name)
	}
	return sources[0], nil
}

func retryFlag(c *cobra.Command, d *time.Duration) {
	c.Flags().DurationVar(d, "retry", 2*time.Minute, "how long to try again when the server goes away or is overloaded")
}

func loadCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	var stations, name string
	var retryFor time.Duration
	c := &cobra.Command{
		Use:   "load FILE...",
		Short: "Send readings from files to a server",
		Long: `Sends the readings of files, plain or gzipped, or of stdin (-), to a server, and
says what became of each. Loading a file again stores nothing twice.

The format killrweather is CSV without a header: station,year,month,day,hour,
temperature,dew point,pressure,wind direction,wind speed,sky condition,one-hour
precipitation,six-hour precipitation.`,
		Example: `  mesonet load --stations weather_stations.csv ny-sf-2008.csv.gz
  zcat *.csv.gz | mesonet load -`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return arguments("FILE")(c, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l := loading{app: a, format: name, stations: stations, retryFor: retryFor, output: output, asked: asked}
			return l.run(cmd.Context(), args)
		},
	}
	c.Flags().StringVar(&stations, "stations", "", "register the stations of this `file` first")
	c.Flags().StringVar(&name, "format", "killrweather", "`format` of the files")
	retryFlag(c, &retryFor)
	asked.flags(c)
	output.flag(c)
	return c
}

// loading is one run of mesonet load.
type loading struct {
	app      *app
	format   string
	stations string
	retryFor time.Duration
	output   format
	asked    connection
}

func (l *loading) run(ctx context.Context, files []string) error {
	newFormat, known := formats[l.format]
	if !known {
		return misuse("there is no format %q; use killrweather", l.format)
	}
	catalogue, sources, err := l.open(ctx, files)
	if err != nil {
		return err
	}
	server, err := l.asked.dial()
	if err != nil {
		return err
	}
	defer server.close()
	if err := server.probe(ctx); err != nil {
		return err
	}
	p := l.app.progress()
	defer p.done()
	var stations *registered
	if catalogue != nil {
		if stations, err = server.register(ctx, catalogue, l.retryFor, p); err != nil {
			return err
		}
	}
	cfg := ingest.DefaultConfig()
	format, err := newFormat(weather.Standard())
	if err != nil {
		return err
	}
	cfg.Format = ingest.Only(format)
	cfg.RetryFor = l.retryFor
	summary, err := server.load(ctx, sources, cfg, p)
	summary.Stations = stations
	p.done()
	if written := l.output.write(l.app.out, summary); err == nil && written != nil {
		return written
	}
	if err != nil {
		return l.ended(ctx, server, summary, err)
	}
	return summary.err()
}

// open looks at all files before anything is sent, so that a damaged one changes
// nothing.
func (l *loading) open(ctx context.Context, files []string) (catalogue ingest.Source, sources []ingest.Source, err error) {
	if l.stations != "" {
		if catalogue, err = openSource(ctx, l.stations, l.app.in); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range files {
		found, err := openSources(ctx, name, l.app.in)
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, found...)
	}
	return catalogue, sources, nil
}

// ended puts into words why a load did not come to its end.
func (l *loading) ended(ctx context.Context, server *client, summary *loaded, err error) error {
	const again = "load again: what is stored counts as duplicates"
	acknowledged := counted(summary.Stored+summary.Duplicates+summary.Corrected+summary.Refused, "reading was", "readings were")
	switch {
	case ctx.Err() != nil:
		return fail(exitInterrupted, "interrupted after %s acknowledged; %s", acknowledged, again)
	case errors.Is(err, ingest.ErrRetry):
		return fail(exitUnavailable, "gave up after trying %s for %v, when %s acknowledged (%s); %s", server.addr, l.retryFor, acknowledged, breakage(err), again)
	}
	return err
}
