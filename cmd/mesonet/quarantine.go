package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	remote "github.com/mesonet/mesonet/client"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// quarantineSources has the fields of mesonet.v1.ListQuarantineSourcesResponse.
type quarantineSources struct {
	Sources       []quarantineSource `json:"sources"`
	NextPageToken string             `json:"next_page_token"`
}

// quarantineSource has the fields of mesonet.v1.QuarantineSource.
type quarantineSource struct {
	Source   string     `json:"source"`
	Lines    uint32     `json:"lines"`
	Dropped  uint32     `json:"dropped"`
	LastTime *time.Time `json:"last_time"`
}

func (l *quarantineSources) table(w io.Writer) {
	t := table{header: []string{"SOURCE", ">LINES", ">NO ROOM FOR", "LATEST"}}
	for _, s := range l.Sources {
		t.add(s.Source, count(s.Lines), count(s.Dropped), latest(s.LastTime))
	}
	t.write(w)
}

func (l *quarantineSources) list() listing { return listOf(slices.Values(l.Sources)) }

func (l *quarantineSources) remark(f format) string {
	return pagesRemark(f, counted(len(l.Sources), "source", "sources"), l.NextPageToken)
}

// pagesRemark says how a list goes on, where the list itself does not.
func pagesRemark(f format, listed, token string) string {
	switch {
	case f == formatJSON:
		return ""
	case token != "":
		return listed + "; for those after them add --page-token " + token + ", or --all for all"
	case f == formatTable:
		return listed
	}
	return ""
}

// quarantinedLines has the fields of mesonet.v1.ListQuarantinedResponse. In jsonl and
// csv the lines come from the server as they are written.
type quarantinedLines struct {
	Lines         []*quarantinedLine `json:"lines"`
	NextPageToken string             `json:"next_page_token"`

	source string
	all    iter.Seq2[any, error]
	n      int
}

// quarantinedLine has the fields of mesonet.v1.QuarantinedLine.
type quarantinedLine struct {
	Source string     `json:"source"`
	Line   uint32     `json:"line"`
	Text   string     `json:"text"`
	Reason string     `json:"reason"`
	Format string     `json:"format"`
	Time   *time.Time `json:"time"`
}

func (l *quarantinedLines) table(w io.Writer) {
	t := table{header: []string{">LINE", "REASON", "TEXT"}}
	for _, line := range l.Lines {
		t.add(strconv.FormatUint(uint64(line.Line), 10), orUnknown(oneLine(line.Reason)), shortened(orUnknown(line.Text)))
	}
	t.write(w)
}

// shortened is a text that may be long, for a table.
func shortened(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func (l *quarantinedLines) list() listing {
	empty := listOf(slices.Values([]*quarantinedLine{}))
	return listing{columns: empty.columns, cells: empty.cells, rows: l.all}
}

func (l *quarantinedLines) remark(f format) string {
	return pagesRemark(f, counted(l.n, "line", "lines")+" of "+printable(l.source), l.NextPageToken)
}

// quarantineSources asks for up to limit sources.
func (c *client) quarantineSources(ctx context.Context, token string, limit int) (*quarantineSources, error) {
	l := &quarantineSources{Sources: []quarantineSource{}, NextPageToken: token}
	for len(l.Sources) < limit {
		r, err := c.ListQuarantineSources(ctx, &mesonetv1.ListQuarantineSourcesRequest{
			PageSize: uint32(min(limit-len(l.Sources), mostPerPage)), PageToken: l.NextPageToken,
		})
		if err != nil {
			return nil, err
		}
		for _, s := range r.GetSources() {
			l.Sources = append(l.Sources, quarantineSource{s.GetSource(), s.GetLines(), s.GetDropped(), jsonTime(s.GetLastTime())})
		}
		if l.NextPageToken = r.GetNextPageToken(); l.NextPageToken == "" {
			break
		}
	}
	return l, nil
}

// quarantined asks for up to limit lines of a source.
func (c *client) quarantined(ctx context.Context, source, token string, limit int, output format) (*quarantinedLines, error) {
	l := &quarantinedLines{Lines: []*quarantinedLine{}, NextPageToken: token, source: source}
	l.all = func(yield func(any, error) bool) {
		for l.n < limit {
			r, err := c.ListQuarantined(ctx, &mesonetv1.ListQuarantinedRequest{
				Source: source, PageSize: uint32(min(limit-l.n, mostPerPage)), PageToken: l.NextPageToken,
			})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, m := range r.GetLines() {
				l.n++
				line := &quarantinedLine{source, m.GetLine(), string(m.GetText()), m.GetReason(), m.GetFormat(), jsonTime(m.GetTime())}
				if !yield(line, nil) {
					return
				}
			}
			if l.NextPageToken = r.GetNextPageToken(); l.NextPageToken == "" {
				return
			}
		}
	}
	if output == formatJSONL || output == formatCSV {
		return l, nil
	}
	for line, err := range l.all {
		if err != nil {
			return nil, err
		}
		l.Lines = append(l.Lines, line.(*quarantinedLine))
	}
	return l, nil
}

func quarantineCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "Lines that could not be taken in: list, retry, release",
		Long: `Lines of files and other sources that could not be taken in are kept as they came,
with the reason. Whatever is done about them, they stay until they are released.`,
		Example: "  mesonet quarantine list",
		Args:    noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s list, %[1]s retry or %[1]s release", c.CommandPath())
		},
	}
	c.AddCommand(quarantineListCommand(a), quarantineRetryCommand(a), quarantineReleaseCommand(a))
	return c
}

func quarantineListCommand(a *app) *cobra.Command {
	var q asking
	var token string
	var limit int
	var all bool
	c := &cobra.Command{
		Use:   "list [SOURCE]",
		Short: "List the sources that lines are kept of, or the lines of one",
		Example: `  mesonet quarantine list
  mesonet quarantine list ny-2008.csv
  mesonet quarantine list ny-2008.csv --all -o csv`,
		Args: argumentsBetween(0, "SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && cmd.Flags().Changed("limit"):
				return misuse("--all and --limit contradict each other; write one of them")
			case limit < 1:
				return misuse("a limit of %d leaves nothing to list; write --limit 50, or --all", limit)
			case all:
				limit = math.MaxInt
			}
			if len(args) == 1 && args[0] == "" {
				return misuse("a source has a name; leave it out for a list of all sources")
			}
			return q.answer(a, func(server *client) (answer, error) {
				if len(args) == 0 {
					return server.quarantineSources(cmd.Context(), token, limit)
				}
				return server.quarantined(cmd.Context(), args[0], token, limit, q.output)
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "list at most so many")
	c.Flags().StringVar(&token, "page-token", "", "go on where a list before ended")
	c.Flags().BoolVar(&all, "all", false, "list all, however many")
	q.flags(c)
	return c
}

// mostReleased is how many lines one call releases.
const mostReleased = 1000

// release forgets lines of a source, or all of them.
func (c *client) release(ctx context.Context, source string, lines []uint32) (released uint32, err error) {
	if len(lines) == 0 {
		r, err := c.ReleaseQuarantined(ctx, &mesonetv1.ReleaseQuarantinedRequest{Source: source, All: true})
		return r.GetReleased(), err
	}
	for some := range slices.Chunk(lines, mostReleased) {
		r, err := c.ReleaseQuarantined(ctx, &mesonetv1.ReleaseQuarantinedRequest{Source: source, Lines: some})
		if released > 0 && errors.Is(err, remote.ErrNotFound) { // with its last line the source goes
			break
		}
		if err != nil {
			return released, err
		}
		released += r.GetReleased()
	}
	return released, nil
}

// releasedLines has the fields of mesonet.v1.ReleaseQuarantinedResponse.
type releasedLines struct {
	Released uint32 `json:"released"`

	source string
}

func (r *releasedLines) table(w io.Writer) {
	fmt.Fprintf(w, "released %s of %s\n", counted(r.Released, "line", "lines"), printable(r.source))
}

func quarantineReleaseCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	var all bool
	c := &cobra.Command{
		Use:   "release SOURCE LINE...",
		Short: "Forget lines: they were taken in, or are of no use",
		Example: `  mesonet quarantine release ny-2008.csv 17 1204
  mesonet quarantine release ny-2008.csv --all`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return arguments("SOURCE")(c, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case args[0] == "":
				return misuse("a source has a name; mesonet quarantine list shows them")
			case all && len(args) > 1:
				return misuse("--all and numbers of lines contradict each other; write one of them")
			case !all && len(args) == 1:
				return misuse("which lines? write their numbers, or --all to forget every line of %s", args[0])
			}
			var lines []uint32
			for _, text := range args[1:] {
				line, err := strconv.ParseUint(text, 10, 32)
				if err != nil || line == 0 {
					return misuse("%q is not the number of a line; write it as 17", text)
				}
				lines = append(lines, uint32(line))
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			released, err := server.release(cmd.Context(), args[0], lines)
			if err != nil {
				return err
			}
			return a.show(output, &releasedLines{released, args[0]})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "forget every line of the source")
	asked.flags(c)
	output.flag(c)
	return c
}
