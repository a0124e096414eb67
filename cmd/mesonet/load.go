package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	remote "github.com/mesonet/mesonet/client"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// loadConfig says how the client loads.
type loadConfig struct {
	ingest.Config

	// catalogue is that of the server.
	catalogue weather.Catalogue
	// recorded is what a format is called in the quarantine; nil leaves bad lines out
	// of it.
	recorded func(format string) string
}

// load sends the readings of the sources to the server.
func (c *client) load(ctx context.Context, sources []ingest.Source, cfg loadConfig, p *progress) (*loaded, error) {
	s := c.Ingest(ctx, cfg.catalogue)
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
	if cfg.recorded == nil {
		summary, err := ingest.Load(ctx, sources, s, cfg.Config)
		return newLoaded(&summary, nil), err
	}
	k := c.newKeeper(ctx, cfg.catalogue, cfg.recorded, cfg.RetryFor, p.note)
	cfg.Quarantine, cfg.Kept = k.put, k.flush
	summary, err := ingest.Load(ctx, sources, s, cfg.Config)
	kept := k.close()
	return newLoaded(&summary, &kept), err
}

// openSources looks at a file, an archive or a folder, or takes stdin for "-".
func openSources(ctx context.Context, name string, stdin io.Reader, limits ingest.Limits) (*ingest.Found, error) {
	if name == "-" {
		return &ingest.Found{Sources: []ingest.Source{ingest.Stream(stdinName, stdin)}}, nil
	}
	found, err := ingest.Open(ctx, name, limits)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitFailed, "there is no file %s; check its name", name)
	}
	return found, err
}

// probe asks for nothing in particular, so that a server that is not there is
// known before anything else is done.
func (c *client) probe(ctx context.Context) error {
	_, err := c.ListStations(ctx, &mesonetv1.ListStationsRequest{PageSize: 1})
	return err
}

// openSource looks at what must be one file.
func openSource(ctx context.Context, name string, stdin io.Reader) (ingest.Source, error) {
	found, err := openSources(ctx, name, stdin, ingest.DefaultLimits())
	if err != nil {
		return nil, err
	}
	if len(found.Sources) != 1 {
		return nil, fail(exitFailed, "there are %d files in %s; name one", len(found.Sources), name)
	}
	return found.Sources[0], nil
}

func retryFlag(c *cobra.Command, d *time.Duration) {
	c.Flags().DurationVar(d, "retry", 2*time.Minute, "how long to try again when the server goes away or is overloaded")
}

// limitFlags declares the bounds of what files may expand to, by the names that
// errors of package ingest have for them.
func limitFlags(c *cobra.Command, l *ingest.Limits) {
	*l = ingest.DefaultLimits()
	c.Flags().Int64Var(&l.MaxRatio, "max-ratio", l.MaxRatio, "refuse archives that become more than so many times as long")
	c.Flags().Int64Var(&l.MaxBytes, "max-bytes", l.MaxBytes, "refuse archives that become more than so many `bytes`")
	c.Flags().Int64Var(&l.MaxPlain, "max-plain", l.MaxPlain, "refuse files with more than so many `bytes`")
	c.Flags().IntVar(&l.MaxFiles, "max-files", l.MaxFiles, "refuse folders and archives with more than so many `files`")
}

func loadCommand(a *app) *cobra.Command {
	l := loading{app: a}
	c := &cobra.Command{
		Use:   "load FILE...",
		Short: "Send readings from files to a server",
		Long: `Sends readings to a server and says what became of each. FILE is plain, gzip, zstd
or a zip archive, a folder of these, or - for stdin; loading it again stores nothing
twice. Its format is recognised: killrweather (CSV without a header), isd-lite (in
files named USAF-WBAN-YEAR, else with --station), or csv, ndjson or parquet with the
columns station, time, and any named as measures are; a mapping says what others
hold. What can't be taken goes to the quarantine, and the rest is loaded: then the
exit code is 5.`,
		Example: `  mesonet load --stations weather_stations.csv ny-sf-2008.csv.gz
  mesonet load --format isd-lite isd-lite-2008/
  mesonet load --config mesonet.yaml --mapping river levels.zip
  mesonet load --resume levels.resume levels/
  zcat *.csv.gz | mesonet load -`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return arguments("FILE")(c, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), args) },
	}
	c.Flags().StringVar(&l.stations, "stations", "", "register the stations of this `file` first")
	l.formats.flags(c)
	c.Flags().StringVar(&l.resume, "resume", "", "keep in a `file` how far the load is, and go on where one before has stopped")
	c.Flags().BoolVar(&l.uncollected, "no-quarantine", false, "only count what can't be taken")
	limitFlags(c, &l.limits)
	retryFlag(c, &l.retryFor)
	l.asked.flags(c)
	l.output.flag(c)
	return c
}

// loading is one run of mesonet load.
type loading struct {
	app         *app
	formats     formatsAsked
	stations    string
	resume      string
	uncollected bool
	limits      ingest.Limits
	retryFor    time.Duration
	output      format
	asked       connection
}

func (l *loading) run(ctx context.Context, paths []string) error {
	if err := l.check(paths); err != nil {
		return err
	}
	known, err := l.formats.load()
	if err != nil {
		return err
	}
	catalogue, found, err := l.open(ctx, paths)
	if err != nil {
		return err
	}
	server, err := l.asked.dial()
	if err != nil {
		return err
	}
	defer server.close()
	cfg, err := l.config(ctx, server, known)
	if err != nil {
		return err
	}
	p := l.app.progress()
	defer p.done()
	noteSkipped(p, found.Skipped)
	var stations *registered
	if catalogue != nil {
		if stations, err = server.register(ctx, catalogue, l.retryFor, p); err != nil {
			return err
		}
	}
	summary, err := server.load(ctx, found.Sources, cfg, p)
	summary.Stations, summary.Skipped = stations, len(found.Skipped)
	p.done()
	if err == nil || summary.Lines > 0 || stations != nil {
		if written := l.output.write(l.app.out, summary); err == nil && written != nil {
			return written
		}
	}
	if err != nil {
		return l.ended(ctx, server, summary, err)
	}
	return summary.err()
}

// check finds what can't be meant.
func (l *loading) check(paths []string) error {
	stdin := 0
	for _, path := range append(paths, l.stations) {
		if path == "-" {
			stdin++
		}
	}
	switch {
	case stdin > 1:
		return misuse("stdin can be read only once; write - for one file")
	case stdin > 0 && l.resume != "":
		return misuse("what comes over stdin can't be resumed, as it does not come again; load a file, or leave --resume away")
	}
	if err := l.limits.Validate(); err != nil {
		return misuse("--%s", strings.TrimPrefix(withoutPackage(err.Error()), "limits: "))
	}
	return l.formats.check()
}

// open looks at all files before anything is sent, so that a damaged one changes
// nothing.
func (l *loading) open(ctx context.Context, paths []string) (catalogue ingest.Source, all ingest.Found, err error) {
	if l.stations != "" {
		if catalogue, err = openSource(ctx, l.stations, l.app.in); err != nil {
			return nil, all, err
		}
	}
	for _, name := range paths {
		found, err := openSources(ctx, name, l.app.in, l.limits)
		if err != nil {
			return nil, all, err
		}
		all.Sources = append(all.Sources, found.Sources...)
		all.Skipped = append(all.Skipped, found.Skipped...)
	}
	return catalogue, all, nil
}

// config asks the server what its stations measure, so that a server that is not
// there is known before anything else is done.
func (l *loading) config(ctx context.Context, server *client, known *mappings) (cfg loadConfig, err error) {
	cfg.Config = ingest.DefaultConfig()
	cfg.RetryFor = l.retryFor
	if cfg.catalogue, err = server.Catalogue(ctx); err != nil {
		return cfg, err
	}
	if cfg.Format, err = l.formats.read(cfg.catalogue, known); err != nil {
		return cfg, err
	}
	if !l.uncollected {
		cfg.recorded = known.recorded
	}
	if l.resume != "" {
		cfg.Resume, err = server.openResume(ctx, l.resume)
	}
	return cfg, err
}

// openResume reads how far loads have come into the store of the server: at its
// address may be another the next time.
func (c *client) openResume(ctx context.Context, path string) (*ingest.Resume, error) {
	r, err := c.GetStation(ctx, &mesonetv1.GetStationRequest{Station: "0"}) // whether there is one or not, a token comes with the answer
	token := r.GetToken()
	var refused *remote.Error
	if errors.As(err, &refused) && refused.Token != nil {
		token, err = refused.Token, nil
	}
	if err != nil {
		return nil, err
	}
	return ingest.OpenResume(path, fmt.Sprintf("the store %016x", token.GetStore()))
}

// noteSkipped names what lies beside the files and is not loaded.
func noteSkipped(p *progress, skipped []ingest.Skipped) {
	for _, s := range skipped[:min(len(skipped), mostShown)] {
		p.note("skipped: %s", printable(s.String()))
	}
	if more := len(skipped) - mostShown; more > 0 {
		p.note("skipped: … and %s more", count(more))
	}
}

// ended puts into words why a load did not come to its end.
func (l *loading) ended(ctx context.Context, server *client, summary *loaded, err error) error {
	again := "load again: what is stored counts as duplicates"
	if l.resume != "" {
		again = "the same command goes on from there"
	}
	acknowledged := counted(summary.Stored+summary.Duplicates+summary.Corrected+summary.Refused, "reading was", "readings were")
	switch {
	case ctx.Err() != nil:
		return fail(exitInterrupted, "interrupted after %s acknowledged; %s", acknowledged, again)
	case errors.Is(err, ingest.ErrRetry):
		return fail(exitUnavailable, "gave up after trying %s for %v, when %s acknowledged (%s); %s", server.addr, l.retryFor, acknowledged, breakage(err), again)
	}
	return err
}
