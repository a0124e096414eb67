package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/internal/clock"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// reasonNotQuarantined is the server's when no line of a source is kept.
const reasonNotQuarantined = "NOT_QUARANTINED"

// retried is what became of sources.
type retried struct {
	Sources []*retriedSource `json:"sources"`
}

// retriedSource is what became of the lines of one.
type retriedSource struct {
	Source     string     `json:"source"`
	Lines      int        `json:"lines"`
	Stored     int64      `json:"stored"`
	Duplicates int64      `json:"duplicates"`
	Corrected  int64      `json:"corrected"`
	Left       int        `json:"left"`
	LeftLines  []leftLine `json:"left_lines"` // the first hundred
}

// leftLine is a line that stays in the quarantine.
type leftLine struct {
	Line   uint32 `json:"line"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

func (r *retried) table(w io.Writer) {
	t := table{header: []string{"SOURCE", ">LINES", ">STORED", ">DUPLICATES", ">CORRECTED", ">LEFT"}}
	for _, s := range r.Sources {
		t.add(printable(s.Source), count(s.Lines), count(s.Stored), count(s.Duplicates), count(s.Corrected), count(s.Left))
	}
	t.write(w)
	if slices.ContainsFunc(r.Sources, func(s *retriedSource) bool { return s.Left > 0 }) {
		fmt.Fprintln(w, "\nleft:")
	}
	for _, s := range r.Sources {
		for _, l := range s.LeftLines[:min(len(s.LeftLines), mostShown)] {
			fmt.Fprintf(w, "  %s:%d: %s: %q\n", printable(s.Source), l.Line, printable(oneLine(l.Reason)), l.Text[:min(len(l.Text), 100)])
		}
		if more := s.Left - mostShown; more > 0 {
			fmt.Fprintf(w, "  … and %s more\n", count(more))
		}
	}
}

// err is not nil when lines are left.
func (r *retried) err() error {
	left := 0
	for _, s := range r.Sources {
		left += s.Left
	}
	if left == 0 {
		return nil
	}
	return fail(exitPartly, "done in part: %s in the quarantine; mend the cause and try again, or give up on them: %s quarantine release SOURCE --all",
		counted(left, "line is left", "lines are left"), program())
}

func quarantineRetryCommand(a *app) *cobra.Command {
	r := retrying{app: a}
	c := &cobra.Command{
		Use:   "retry SOURCE...",
		Short: "Load lines again once the cause is mended, and release those that are taken",
		Long: `Reads the lines of sources again, in the format in which they were read before, and
loads them: when their stations are registered now, the mapping is another, or a
measure was declared. Those that are taken are released; the others stay, with their
new reason. --mapping and --station hold in place of what lines were read with.`,
		Example: `  mesonet quarantine retry readings.csv
  mesonet quarantine retry readings.csv --config mesonet.yaml
  mesonet quarantine retry readings.csv --mapping @mended.yaml`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return arguments("SOURCE")(c, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.formats.mappingFlags(c)
	retryFlag(c, &r.retryFor)
	r.asked.flags(c)
	r.output.flag(c)
	return c
}

// retrying is one run of mesonet quarantine retry.
type retrying struct {
	app      *app
	formats  formatsAsked
	retryFor time.Duration
	output   format
	asked    connection

	server     *client
	quarantine mesonetv1.QuarantineServiceClient
	catalogue  weather.Catalogue
	reader     *keptReader
	progress   *progress
}

func (r *retrying) run(ctx context.Context, sources []string) error {
	if r.formats.station != "" {
		if err := weather.CheckStationID(r.formats.station); err != nil {
			return misuse("%s", withoutPackage(err.Error()))
		}
	}
	known, err := r.formats.load()
	if err != nil {
		return err
	}
	if r.server, err = r.asked.dial(); err != nil {
		return err
	}
	defer r.server.close()
	r.quarantine = mesonetv1.NewQuarantineServiceClient(r.server.Conn())
	if r.catalogue, err = r.server.Catalogue(ctx); err != nil {
		return err
	}
	if r.reader, err = newKeptReader(r.catalogue, known, r.formats.station); err != nil {
		return err
	}
	r.progress = r.app.progress()
	defer r.progress.done()
	sum := &retried{Sources: []*retriedSource{}}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(sources))) {
		var one *retriedSource
		if one, err = r.source(ctx, name); err != nil {
			break
		}
		sum.Sources = append(sum.Sources, one)
	}
	r.progress.done()
	if err == nil || len(sum.Sources) > 0 {
		if written := r.output.write(r.app.out, sum); err == nil && written != nil {
			return written
		}
	}
	switch {
	case errors.Is(err, ingest.ErrRetry):
		return fail(exitUnavailable, "gave up after trying %s for %v (%s); nothing more was released: try again", r.server.addr, r.retryFor, breakage(err))
	case err != nil:
		return err
	}
	return sum.err()
}

// source loads the lines of one source.
func (r *retrying) source(ctx context.Context, name string) (*retriedSource, error) {
	lines, header, err := r.lines(ctx, name)
	if err != nil {
		return nil, err
	}
	sum := &retriedSource{Source: name, Lines: len(lines), LeftLines: []leftLine{}}
	left := map[uint32]string{} // by line, why
	var tried []readable
	for _, line := range lines {
		one, err := r.reader.open(name, line, header)
		if err != nil {
			left[line.GetLine()] = err.Error()
			continue
		}
		tried = append(tried, one)
	}
	failed, err := r.send(ctx, name, tried, sum)
	if err != nil {
		return nil, err
	}
	if err := r.keepAgain(ctx, name, tried, failed); err != nil {
		return nil, err
	}
	var done []uint32
	needed := false // the header
	for _, line := range lines {
		why, untried := left[line.GetLine()]
		if again, ok := failed[line.GetLine()]; ok {
			why, untried = again, true
		}
		if !untried {
			done = append(done, line.GetLine())
			continue
		}
		needed = needed || strings.HasPrefix(line.GetFormat(), ingest.CSVName)
		sum.Left++
		if len(sum.LeftLines) < mostListed {
			sum.LeftLines = append(sum.LeftLines, leftLine{line.GetLine(), why, string(line.GetText())})
		}
	}
	if header != nil && !needed {
		done = append(done, header.GetLine())
	}
	return sum, r.release(ctx, name, done)
}

// lines returns those that are kept of a source, the header apart.
func (r *retrying) lines(ctx context.Context, name string) (lines []*mesonetv1.QuarantinedLine, header *mesonetv1.QuarantinedLine, err error) {
	for token := ""; ; {
		page, err := r.quarantine.ListQuarantined(ctx, &mesonetv1.ListQuarantinedRequest{Source: name, PageSize: mostKeptLines, PageToken: token})
		if err != nil {
			return nil, nil, err
		}
		for _, line := range page.GetLines() {
			if strings.HasSuffix(line.GetFormat(), headerSuffix) {
				header = line
				continue
			}
			lines = append(lines, line)
		}
		if token = page.GetNextPageToken(); token == "" {
			return lines, header, nil
		}
		r.progress.show("lines", -1, count(len(lines)))
	}
}

// send loads lines and returns those that were not taken, with the reasons.
func (r *retrying) send(ctx context.Context, name string, lines []readable, sum *retriedSource) (map[uint32]string, error) {
	failed := map[uint32]string{}
	if len(lines) == 0 {
		return failed, nil
	}
	cfg := ingest.DefaultConfig()
	cfg.RetryFor = r.retryFor
	cfg.Format = ingest.Only(keptFormat(lines))
	cfg.Quarantine = func(q ingest.Quarantined) error {
		failed[uint32(q.Line)] = reasonText(q.Reason)
		return nil
	}
	sink := r.server.Ingest(ctx, r.catalogue)
	defer sink.Close()
	sink.OnBreak = func(err error) { r.progress.note("%s; sending again what was not acknowledged", breakage(err)) }
	loaded, err := ingest.Load(ctx, []ingest.Source{ingest.Memory(name, nil)}, sink, cfg)
	sum.Stored, sum.Duplicates, sum.Corrected = loaded.Stored, loaded.Duplicates, loaded.Corrected
	return failed, err
}

// keepAgain keeps lines that failed with what is wrong with them now.
func (r *retrying) keepAgain(ctx context.Context, name string, lines []readable, failed map[uint32]string) error {
	k := r.server.newKeeper(ctx, r.catalogue, nil, r.retryFor, r.progress.note)
	for _, one := range lines {
		why, ok := failed[one.line.GetLine()]
		if !ok {
			continue
		}
		why = cut(why, longestReason)
		if why == one.line.GetReason() && one.recorded == one.line.GetFormat() {
			continue
		}
		k.putLine(name, &mesonetv1.QuarantinedLine{
			Line: one.line.GetLine(), Text: one.line.GetText(), Reason: why, Format: one.recorded,
		}, nil)
	}
	return k.close().err
}

// release forgets lines. That none is there any more is no failure: a call whose
// answer did not come has released them, or somebody else has.
func (r *retrying) release(ctx context.Context, name string, lines []uint32) error {
	for some := range slices.Chunk(lines, mostKeptLines) {
		begun := time.Now()
		for wait := firstPause; ; wait = min(2*wait, 5*time.Second) {
			_, err := r.quarantine.ReleaseQuarantined(ctx, &mesonetv1.ReleaseQuarantinedRequest{Source: name, Lines: some})
			if err == nil || isReason(err, reasonNotQuarantined) {
				break
			}
			if !isTransient(err) || time.Since(begun)+wait > r.retryFor {
				return err
			}
			if err := clock.Sleep(ctx, clock.System(), wait); err != nil {
				return err
			}
		}
	}
	return nil
}
