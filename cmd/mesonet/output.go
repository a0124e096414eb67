package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// format is the value of -o.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
	formatJSONL format = "jsonl"
	formatCSV   format = "csv"
)

// flag declares -o.
func (f *format) flag(c *cobra.Command) {
	*f = formatTable
	c.Flags().VarP(f, "output", "o", "`format` of the answer: table, json, jsonl or csv")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions( // fails only for a flag that is not there
		[]cobra.Completion{string(formatTable), string(formatJSON), string(formatJSONL), string(formatCSV)}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

func (f *format) Set(text string) error {
	switch format(text) {
	case formatTable, formatJSON, formatJSONL, formatCSV:
		*f = format(text)
		return nil
	}
	return fmt.Errorf("use table, json, jsonl or csv")
}

// answer is what a command shows. Its JSON is that of its struct.
type answer interface{ table(w io.Writer) }

// remarker is an answer of which not every format says all: remark is a line for
// stderr, which is empty when nothing is missing.
type remarker interface{ remark(f format) string }

// show writes an answer in the format asked for.
func (a *app) show(f format, answer answer) error {
	if err := f.write(a.out, answer); err != nil {
		return err
	}
	if r, ok := answer.(remarker); ok {
		if text := r.remark(f); text != "" {
			fmt.Fprintln(a.err, text)
		}
	}
	return nil
}

// write writes an answer in the format asked for.
func (f *format) write(w io.Writer, answer answer) error {
	switch *f {
	case formatTable:
		answer.table(w)
		return nil
	case formatJSONL:
		return listingOf(answer).jsonl(w)
	case formatCSV:
		return listingOf(answer).csv(w)
	default:
		return writeJSON(w, answer)
	}
}

func writeJSON(w io.Writer, answer any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(answer)
}

// table lays out rows under a header, whose cells may have several lines. Columns
// whose header begins with ">" are aligned to the right. A header without names is
// not written.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) {
	widths := make([]int, len(t.header))
	right := make([]bool, len(t.header))
	header := make([]string, len(t.header))
	for i, name := range t.header {
		header[i], right[i] = strings.CutPrefix(name, ">")
	}
	all := slices.Concat(headerRows(header), t.rows)
	for _, row := range all {
		for i := range row {
			row[i] = printable(row[i])
		}
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// headerRows are the lines of a header, none for one without names. Names stand on
// the last.
func headerRows(header []string) [][]string {
	if strings.TrimSpace(strings.Join(header, "")) == "" {
		return nil
	}
	height := 0
	for _, name := range header {
		height = max(height, strings.Count(name, "\n")+1)
	}
	rows := make([][]string, height)
	for i := range rows {
		rows[i] = make([]string, len(header))
	}
	for column, name := range header {
		lines := strings.Split(name, "\n")
		for i, line := range lines {
			rows[height-len(lines)+i][column] = line
		}
	}
	return rows
}

// below writes the table under something else, unless it has no rows.
func (t *table) below(w io.Writer) {
	if len(t.rows) > 0 {
		fmt.Fprintln(w)
		t.write(w)
	}
}

// fields are names and values.
type fields [][2]string

func (f *fields) add(name, value string) { *f = append(*f, [2]string{name, value}) }

// writeFields writes names and values, a line each.
func writeFields(w io.Writer, fields ...[2]string) {
	width := 0
	for _, f := range fields {
		width = max(width, utf8.RuneCountInString(f[0]))
	}
	for _, f := range fields {
		fmt.Fprintf(w, "%s%s  %s\n", f[0], strings.Repeat(" ", width-utf8.RuneCountInString(f[0])), printable(f[1]))
	}
}

// minuteLayout is how people read a time of UTC.
const minuteLayout = "2006-01-02 15:04Z"

// spaced is a name of the API as people write it.
func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

// unknown is how a table shows what is not known.
const unknown = "-"

// orUnknown returns text, or unknown when there is none.
func orUnknown(text string) string {
	if text == "" {
		return unknown
	}
	return text
}

// number formats a quantity with so many decimals, grouped by thousands. What
// is no number is unknown.
func number(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return unknown
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-") // no −0.0
	}
	return grouped(text)
}

// count formats a whole number, grouped by thousands.
func count[T ~int | ~int64 | ~uint32 | ~uint64](n T) string { return grouped(fmt.Sprint(n)) }

// counted is a number of things: "1 hour", "2 hours".
func counted[T ~int | ~int64 | ~uint32 | ~uint64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

func grouped(text string) string {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return sign + b.String()
}

// jsonTime is a time as JSON has it, nil when there is none.
func jsonTime(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.AsTime()
	return &utc
}

// took shows how long something took, with three digits.
func took(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return d.String()
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// style is how a stream shows emphasis: with nothing, unless it is a terminal
// whose owner wants colour.
type style struct{ coloured bool }

func (a *app) style(w io.Writer) style {
	return style{coloured: isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s style) paint(code, text string) string {
	if !s.coloured {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string { return s.paint("1", text) }
func (s style) bad(text string) string  { return s.paint("1;31", text) }

// isTerminal reports whether somebody is watching w.
func isTerminal(w io.Writer) bool {
	if c, ok := w.(*checkedWriter); ok {
		w = c.w
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
