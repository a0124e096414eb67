package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mesonet/mesonet/weather/ingest"
)

const (
	// mostListed is how many refusals and malformed lines JSON tells apart.
	mostListed = 100
	// mostShown is how many of them a table shows.
	mostShown = 5
)

// loaded is the summary of a load.
type loaded struct {
	Stations   *registered      `json:"stations"` // nil without --stations
	Files      int              `json:"files"`
	Lines      int64            `json:"lines"`
	Readings   int64            `json:"readings"`
	Stored     int64            `json:"stored"`
	Duplicates int64            `json:"duplicates"`
	Corrected  int64            `json:"corrected"`
	Refused    int64            `json:"refused"`
	Malformed  int64            `json:"malformed"`
	Resumed    int64            `json:"resumed_lines"`  // that an earlier load had dealt with
	Finished   int              `json:"finished_files"` // of which one had all
	Skipped    int              `json:"skipped_files"`
	Kept       keptLines        `json:"quarantine"`
	Elapsed    float64          `json:"elapsed_seconds"`
	Rate       float64          `json:"readings_per_second"`
	Refusals   []refusedReading `json:"refusals"`
	BadLines   []malformedLine  `json:"malformed_lines"`
}

// keptLines is what the quarantine has of a load.
type keptLines struct {
	Lines   int64    `json:"lines"`
	NoRoom  int64    `json:"no_room"` // lines
	Lost    int64    `json:"lost"`    // lines that it did not take
	Reason  string   `json:"reason"`  // why not
	Sources []string `json:"sources"` // under which they are found, the first hundred
}

// refusedReading is what a station did not take.
type refusedReading struct {
	Station  string `json:"station"`
	Readings int64  `json:"readings"`
	Reason   string `json:"reason"`
}

// malformedLine is a line that was not understood.
type malformedLine struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

func newMalformedLine(e *ingest.LineError) malformedLine {
	return malformedLine{File: e.File, Line: e.Line, Reason: strings.ReplaceAll(e.Reason, "weather: ", ""), Text: e.Text}
}

// newLoaded returns a summary; kept is nil when there is no quarantine.
func newLoaded(s *ingest.Summary, kept *keptSum) *loaded {
	l := &loaded{
		Files: s.Files, Lines: s.Lines, Readings: s.Readings, Stored: s.Stored, Duplicates: s.Duplicates,
		Corrected: s.Corrected, Refused: s.Refused, Malformed: s.Malformed, Resumed: s.Resumed, Finished: s.Finished, Elapsed: s.Elapsed.Seconds(), Rate: s.Rate,
		Refusals: []refusedReading{}, BadLines: []malformedLine{},
	}
	for _, r := range s.Refusals {
		l.Refusals = append(l.Refusals, refusedReading{Station: r.Station, Reason: r.Reason, Readings: r.Readings})
	}
	for _, e := range s.LineErrors {
		l.BadLines = append(l.BadLines, newMalformedLine(e))
	}
	l.Kept.Sources = []string{}
	if kept != nil {
		l.Kept.take(kept)
	}
	return l
}

func (k *keptLines) take(sum *keptSum) {
	k.Lines, k.NoRoom, k.Lost = sum.kept, sum.dropped, sum.lost
	if sum.err != nil {
		k.Reason = breakage(sum.err)
	}
	sources := slices.Sorted(maps.Keys(sum.sources))
	k.Sources = append(k.Sources, sources[:min(len(sources), mostListed)]...)
}

// lines are what the sentences say of them, nothing when there is nothing to say.
func (k *keptLines) lines() []string {
	var said []string
	if k.Lines > 0 {
		of := " SOURCE"
		list := ""
		if len(k.Sources) == 1 {
			of = " " + printable(quoted(k.Sources[0]))
			list = of
		}
		are := "lines are"
		if k.Lines == 1 {
			are = "line is"
		}
		said = append(said, fmt.Sprintf("%s %s in the quarantine: %s quarantine list%s", count(k.Lines), are, program(), list),
			fmt.Sprintf("once the cause is mended: %s quarantine retry%s", program(), of))
	}
	if k.NoRoom > 0 {
		said = append(said, fmt.Sprintf("%s had no room in the quarantine, which keeps some 10,000 of a source", counted(k.NoRoom, "line", "lines")))
	}
	if k.Lost > 0 {
		said = append(said, fmt.Sprintf("%s not in the quarantine: %s", counted(k.Lost, "line is", "lines are"), k.Reason))
	}
	return said
}

func (l *loaded) table(w io.Writer) {
	if l.Stations != nil {
		l.Stations.table(w)
		fmt.Fprintln(w)
	}
	elapsed := time.Duration(l.Elapsed * float64(time.Second))
	if l.Resumed > 0 || l.Finished > 0 {
		writeFields(w, [2]string{"skipped", counted(l.Resumed, "line", "lines") + " that an earlier load had dealt with, " + counted(l.Finished, "file", "files") + " whole"})
	}
	writeFields(w,
		[2]string{"lines", count(l.Lines)},
		[2]string{"readings", count(l.Readings)},
		[2]string{"stored", count(l.Stored) + " new"},
		[2]string{"duplicates", count(l.Duplicates)},
		[2]string{"corrected", count(l.Corrected)},
		[2]string{"refused", count(l.Refused)},
		[2]string{"malformed", counted(l.Malformed, "line", "lines")},
		[2]string{"elapsed", took(elapsed)},
		[2]string{"rate", perSecond(l.Stored+l.Duplicates+l.Corrected+l.Refused, elapsed)})
	writeRefusals(w, "READINGS", l.Refusals)
	writeMalformed(w, l.BadLines, l.Malformed)
	if said := l.Kept.lines(); len(said) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(said, "\n"))
	}
}

// writeRefusals shows the first refusals.
func writeRefusals(w io.Writer, what string, refusals []refusedReading) {
	if len(refusals) == 0 {
		return
	}
	fmt.Fprintln(w, "\nrefused:")
	t := table{header: []string{"  STATION", ">" + what, "REASON"}}
	for _, r := range refusals[:min(len(refusals), mostShown)] {
		t.add("  "+orUnknown(r.Station), count(r.Readings), printable(oneLine(r.Reason)))
	}
	t.write(w)
	if more := len(refusals) - mostShown; more > 0 {
		fmt.Fprintf(w, "  … and %s more, which -o json lists\n", count(more))
	}
}

// writeMalformed shows the first malformed lines.
func writeMalformed(w io.Writer, lines []malformedLine, all int64) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, "\nmalformed:")
	for _, l := range lines[:min(len(lines), mostShown)] {
		fmt.Fprintf(w, "  %s:%d: %s: %q\n", printable(l.File), l.Line, printable(l.Reason), l.Text)
	}
	if more := all - mostShown; more > 0 {
		fmt.Fprintf(w, "  … and %s more\n", count(more))
	}
}

// err is not nil when the files were taken only in part.
func (l *loaded) err() error {
	var parts []string
	malformed := l.Malformed
	if l.Stations != nil {
		malformed += l.Stations.Malformed
		if l.Stations.Refused > 0 {
			parts = append(parts, counted(l.Stations.Refused, "station", "stations")+" refused")
		}
	}
	if l.Refused > 0 {
		parts = append(parts, counted(l.Refused, "reading", "readings")+" refused")
	}
	if malformed > 0 {
		parts = append(parts, counted(malformed, "line", "lines")+" malformed")
	}
	if len(parts) == 0 {
		return nil
	}
	advice := "correct the files and load again: what is stored counts as duplicates"
	if slices.ContainsFunc(l.Refusals, func(r refusedReading) bool { return strings.HasPrefix(r.Reason, reasonUnknownStation) }) {
		advice = "register stations with --stations FILE, or start the server with --auto-register, and load again"
	}
	return fail(exitPartly, "done in part: %s; %s", strings.Join(parts, ", "), advice)
}

// perSecond shows a rate; unknown when nothing took any time.
func perSecond(n int64, elapsed time.Duration) string {
	if n == 0 || elapsed <= 0 {
		return unknown
	}
	return count(int64(float64(n)/elapsed.Seconds())) + "/s"
}
