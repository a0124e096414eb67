package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// page is what a page of the documentation shows.
type page struct {
	repository, path string

	lines []string
	steps []part
	calls []call // of this program, which are not run
}

// part is a part of a page that does something, in the order of the page.
type part struct {
	kind stepKind
	line int // of the page, from 0

	command  string   // of a command
	want     []string // below the command
	from, to int      // the lines of want
	name     string   // of a file
	text     string   // of a file or a snippet
}

type stepKind int

const (
	stepCommand stepKind = iota // "$ …" in a block of console
	stepStop                    // ^C in one
	stepFile                    // a block whose first line names a file: ```csv rain.csv
	stepSnippet                 // a block of go
)

// call is a call of this program as it stands in a text or in a block of sh.
type call struct {
	line int
	text string
}

// inText finds calls in what is set as code in a text.
var inText = regexp.MustCompile("`(mesonet [^`]+)`")

func readPage(path string) (*page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &page{path: path, lines: strings.Split(string(text), "\n")}
	for i := 0; i < len(p.lines); i++ {
		info, opens := strings.CutPrefix(p.lines[i], "```")
		if !opens {
			for _, found := range inText.FindAllStringSubmatch(p.lines[i], -1) {
				p.calls = append(p.calls, call{i, found[1]})
			}
			continue
		}
		length := slices.Index(p.lines[i+1:], "```")
		if length < 0 {
			return nil, fmt.Errorf("%s:%d: the block has no end", path, i+1)
		}
		if err := p.block(strings.Fields(info), i+1, i+1+length); err != nil {
			return nil, err
		}
		i += length + 1
	}
	return p, nil
}

// block takes the lines from one up to before another, which are a block.
func (p *page) block(info []string, from, to int) error {
	text := strings.Join(p.lines[from:to], "\n") + "\n"
	switch {
	case len(info) == 2:
		p.steps = append(p.steps, part{kind: stepFile, line: from, name: info[1], text: text})
	case len(info) == 1 && info[0] == "go":
		p.steps = append(p.steps, part{kind: stepSnippet, line: from, text: text})
	case len(info) == 1 && info[0] == "sh":
		for i := from; i < to; i++ {
			line := i
			command, _, _ := strings.Cut(p.logical(&i, to), " # ")
			if command, ok := strings.CutPrefix(strings.Replace(command, "go run ./cmd/mesonet", "mesonet", 1), "mesonet "); ok {
				p.calls = append(p.calls, call{line, "mesonet " + command})
			}
		}
	case len(info) == 1 && info[0] == "console":
		return p.console(from, to)
	}
	return nil
}

// logical is a line with those that go on with it, and moves i to the last.
func (p *page) logical(i *int, to int) string {
	line := p.lines[*i]
	for strings.HasSuffix(line, `\`) && *i+1 < to {
		*i++
		line = strings.TrimSuffix(line, `\`) + strings.TrimLeft(p.lines[*i], " ")
	}
	return line
}

func (p *page) console(from, to int) error {
	for i := from; i < to; {
		line := i
		if p.lines[i] == "^C" {
			p.steps = append(p.steps, part{kind: stepStop, line: line})
			i++
			continue
		}
		command, ok := strings.CutPrefix(p.logical(&i, to), "$ ")
		if !ok {
			return fmt.Errorf("%s:%d: a block of console begins with a command: $ …", p.path, i+1)
		}
		s := part{kind: stepCommand, line: line, command: command, from: i + 1}
		for i++; i < to && !strings.HasPrefix(p.lines[i], "$ ") && p.lines[i] != "^C"; i++ {
			s.want = append(s.want, p.lines[i])
		}
		s.to = i
		p.steps = append(p.steps, s)
	}
	return nil
}

// anything stands for what is different each time: as a line of its own for any
// lines, within one for any text.
const anything = "…"

// differs are lengths of time and rates. Words that differ in length move what is
// beside them, so blanks count as one.
var (
	differs = regexp.MustCompile(`[\d,]+(\.\d+)? ?(ns|µs|ms|s)\b|[\d,]+/s\b`)
	blanks  = regexp.MustCompile(`[ \t]+`)
)

func alike(lines []string) []string {
	same := make([]string, 0, len(lines))
	for _, line := range lines {
		line = differs.ReplaceAllString(line, "<time>")
		same = append(same, strings.TrimRight(blanks.ReplaceAllString(line, " "), " "))
	}
	for len(same) > 0 && same[len(same)-1] == "" {
		same = same[:len(same)-1]
	}
	return same
}

// matches reports whether a command has said what the page says.
func matches(want, got []string) bool {
	var pattern strings.Builder
	for _, line := range alike(want) {
		if strings.TrimSpace(line) == anything {
			pattern.WriteString(`(.*\n)*`)
			continue
		}
		parts := strings.Split(line, anything)
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		pattern.WriteString(strings.Join(parts, ".*") + `\n`)
	}
	text := ""
	if lines := alike(got); len(lines) > 0 {
		text = strings.Join(lines, "\n") + "\n"
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(text)
}
