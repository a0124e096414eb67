package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// charting is whether an answer has a chart below its table: where somebody
// watches, unless told otherwise.
type charting struct{ yes, no bool }

func (c *charting) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.yes, "chart", false, "draw a chart below the table, also where nobody watches")
	cmd.Flags().BoolVar(&c.no, "no-chart", false, "draw no chart")
}

// wanted reports whether to draw for an output that is a terminal or not.
func (c *charting) wanted(f format, terminal bool) (bool, error) {
	switch {
	case c.yes && c.no:
		return false, misuse("--chart and --no-chart contradict each other; write one of them")
	case c.yes && f != formatTable:
		return false, misuse("a chart is for people, and -o %s for programs; leave one of them out", f)
	}
	return f == formatTable && !c.no && (c.yes || terminal), nil
}

// charted is an answer with a chart below its table.
type charted struct {
	answer
	pen  pen
	draw func(w io.Writer, p pen)
}

func (c charted) table(w io.Writer) {
	c.answer.table(w)
	fmt.Fprintln(w)
	c.draw(w, c.pen)
}

// withChart adds a chart to an answer.
func (a *app) withChart(of answer, draw func(w io.Writer, p pen)) answer {
	return charted{of, a.pen(a.out), draw}
}

// pen draws, with blocks where the terminal has them, else with plain ASCII.
type pen struct {
	ascii bool
	style style
}

func (a *app) pen(w io.Writer) pen {
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	return pen{ascii: !isUTF8(locale), style: a.style(w)}
}

// isUTF8 reports whether a locale writes UTF-8. Where there is none at all, as in
// most containers, the terminal that shows it does.
func isUTF8(locale string) bool {
	_, charset, _ := strings.Cut(strings.ToLower(locale), ".")
	charset, _, _ = strings.Cut(charset, "@")
	return locale == "" || charset == "utf-8" || charset == "utf8"
}

// chartWidth is that of a bar, in cells.
const chartWidth = 22

// bar draws part of a width.
func (p pen) bar(part float64, width int) string {
	if p.ascii {
		full := int(part*float64(width) + 0.5)
		if part > 0 {
			full = max(full, 1)
		}
		return strings.Repeat("#", full) + strings.Repeat(" ", width-full)
	}
	return hbar(part, width)
}

// hbar draws part of a width, to an eighth of a cell.
func hbar(part float64, width int) string {
	eighths := int(part*float64(width)*8 + 0.5)
	if part > 0 {
		eighths = max(eighths, 1)
	}
	full, rest := eighths/8, eighths%8
	text := strings.Repeat("█", full)
	if rest > 0 {
		text += string([]rune(" ▏▎▍▌▋▊▉")[rest])
		full++
	}
	return text + strings.Repeat(" ", width-full)
}

// barLine is a line of a bar chart.
type barLine struct {
	label string
	value float64 // not below 0; NaN where there is no data
	text  string  // the value, for people
}

// bars draws lines with bars, of which the longest has the whole width.
func (p pen) bars(w io.Writer, width int, lines []barLine) {
	most, label, text := 0.0, 0, 0
	for _, l := range lines {
		if l.value > most {
			most = l.value
		}
		label = max(label, utf8.RuneCountInString(l.label))
		text = max(text, utf8.RuneCountInString(l.text))
	}
	for _, l := range lines {
		drawn := "no data" + strings.Repeat(" ", max(0, width-len("no data")))
		switch {
		case most == 0 && !math.IsNaN(l.value):
			drawn = strings.Repeat(" ", width)
		case !math.IsNaN(l.value):
			drawn = p.style.paint(barColour, p.bar(l.value/most, width))
		}
		fmt.Fprintf(w, "  %s  %s  %s\n", padded(l.label, label), drawn, strings.Repeat(" ", text-utf8.RuneCountInString(l.text))+l.text)
	}
}

const (
	barColour   = "34" // blue, as rain
	rangeColour = "33" // yellow, as the sun
)

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
