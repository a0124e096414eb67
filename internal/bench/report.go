package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// report is all that a run has to say. Its JSON is what programs may rely on.
type report struct {
	Machine  machine  `json:"machine"`
	Settings settings `json:"settings"`
	Rows     []row    `json:"rows"`
}

// settings are what the figures depend on beside the machine.
type settings struct {
	Time           float64 `json:"time"` // of a measurement, seconds
	Shards         uint32  `json:"shards"`
	Stations       int     `json:"stations"`
	HourlyStations int     `json:"hourly_stations"`
	Days           int     `json:"days"`
	RecoverEach    int     `json:"recover_each"`
	Quick          bool    `json:"quick"`
}

// render writes the report in one of the outputs.
func (r *report) render(output string) (string, error) {
	if output == "json" {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false) // >= stays readable
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return "", fmt.Errorf("the report can't be encoded: %w", err)
		}
		return b.String(), nil
	}
	return r.table(), nil
}

// columns are the heads of the table. The first and the last two are flush left,
// the figures flush right.
var columns = []string{"row", "here", "limit", "before", "after", "ratio", "goal", "outcome"}

const (
	firstFigure = 1
	firstWord   = 6
)

// table writes the report for people: a line of figures for each row, and below
// it, indented, what they are.
func (r *report) table() string {
	var b strings.Builder
	for _, line := range r.Machine.head() {
		b.WriteString(line + "\n")
	}
	fmt.Fprintf(&b, "%s shards; %s a measurement\n", thousands(int64(r.Settings.Shards)), seconds.format(r.Settings.Time))
	if r.Settings.Quick {
		b.WriteString("quick: sizes are small and times short, the figures are a hint at best\n")
	}
	lines := [][]string{columns}
	for i := range r.Rows {
		lines = append(lines, r.Rows[i].cells())
	}
	widths := make([]int, len(columns))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, cells := range lines {
		b.WriteString("\n" + align(cells, widths) + "\n")
		if i > 0 {
			for _, note := range r.Rows[i-1].notes() {
				b.WriteString("    " + note + "\n")
			}
		}
	}
	return b.String()
}

// align puts cells into columns.
func align(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i >= firstFigure && i < firstWord {
			cell = pad + cell
		} else {
			cell += pad
		}
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(cell)
	}
	return strings.TrimRight(b.String(), " ")
}

// cells are the figures of a row, "-" for what it doesn't have.
func (r *row) cells() []string {
	cells := []string{r.ID, r.Unit.format(r.Here), "-", "-", "-", "-", "-", r.Goal.outcome()}
	if l := r.Limit; l != nil {
		copy(cells[2:], []string{r.Unit.format(l.Mean), r.Unit.format(l.Before), r.Unit.format(l.After), digits(r.Ratio)})
	}
	if r.Goal != nil {
		cells[firstWord] = r.Goal.words(r.Unit)
	}
	return cells
}

// notes say what the figures of a row are, and give the further ones.
func (r *row) notes() []string {
	notes := []string{r.Work}
	if r.Limit != nil {
		notes = append(notes, "limit: "+r.Limit.What)
	}
	for _, f := range r.Also {
		note := f.Name + ": " + f.Unit.format(f.Value)
		if f.Goal != nil {
			note += fmt.Sprintf(" (goal %s: %s)", f.Goal.words(f.Unit), f.Goal.outcome())
		}
		notes = append(notes, note)
	}
	return notes
}
