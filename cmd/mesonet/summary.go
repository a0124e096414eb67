package main

import (
	"fmt"
	"io"
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
	Elapsed    float64          `json:"elapsed_seconds"`
	Rate       float64          `json:"readings_per_second"`
	Refusals   []refusedReading `json:"refusals"`
	BadLines   []malformedLine  `json:"malformed_lines"`
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

func newLoaded(s *ingest.Summary) *loaded {
	l := &loaded{
		Files: s.Files, Lines: s.Lines, Readings: s.Readings, Stored: s.Stored, Duplicates: s.Duplicates,
		Corrected: s.Corrected, Refused: s.Refused, Malformed: s.Malformed, Elapsed: s.Elapsed.Seconds(), Rate: s.Rate,
		Refusals: []refusedReading{}, BadLines: []malformedLine{},
	}
	for _, r := range s.Refusals {
		l.Refusals = append(l.Refusals, refusedReading{Station: r.Station, Reason: r.Reason, Readings: r.Readings})
	}
	for _, e := range s.LineErrors {
		l.BadLines = append(l.BadLines, newMalformedLine(e))
	}
	return l
}

func (l *loaded) table(w io.Writer) {
	if l.Stations != nil {
		l.Stations.table(w)
		fmt.Fprintln(w)
	}
	elapsed := time.Duration(l.Elapsed * float64(time.Second))
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
}

// writeRefusals shows the first refusals.
func writeRefusals(w io.Writer, what string, refusals []refusedReading) {
	if len(refusals) == 0 {
		return
	}
	fmt.Fprintln(w, "\nrefused:")
	t := table{header: []string{"  STATION", ">" + what, "REASON"}}
	for _, r := range refusals[:min(len(refusals), mostShown)] {
		t.add("  "+orUnknown(r.Station), count(r.Readings), oneLine(r.Reason))
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
		fmt.Fprintf(w, "  %s:%d: %s: %q\n", l.File, l.Line, l.Reason, l.Text)
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
