package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The test of the pages is a test itself. Mutations of it that were seen to fail
// here: … that matches across lines, a want that need not come to the end, times
// that are compared. In a page: a number, a flag and a line of Go changed.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want, got string
		is        bool
	}{
		{"a b", "a   b  ", true},
		{"a", "b", false},
		{"a.c", "abc", false},
		{"a…c", "a b c", true},
		{"a…c", "a|c", false},
		{"a…", "a|b", false},
		{"…", "", true},
		{"…|b", "x|y|b", true},
		{"…|b", "x|b|y", false},
		{"a|…|b", "a|b", true},
		{"a|…|b", "a|x|y|b", true},
		{"a", "a|b", false},
		{"a|b", "a", false},
		{"took 41 ms, 428,488/s", "took 1.25 s, 9/s", true},
		{"took 41 ms", "took long", false},
		{"839.0 mm", "839.1 mm", false},
		{"4.80 m/s", "4.81 m/s", false},
	} {
		if got := matches(strings.Split(c.want, "|"), strings.Split(c.got, "|")); got != c.is {
			t.Errorf("%q matches %q: %t, want %t", c.want, c.got, got, c.is)
		}
	}
}

func TestCheckCall(t *testing.T) {
	for call, wrong := range map[string]string{
		"mesonet precip 725030:14732 2008 --method best":    "",
		"mesonet station list --near 40.78,-73.88":          "",
		"mesonet station list --box|--near":                 "",
		"mesonet entity list|get|skip":                      "",
		"mesonet store inspect|verify|copy":                 "",
		"mesonet sky codes 7":                               "",
		"mesonet config print --defaults > mesonet.yaml":    "",
		"mesonet precipitation 725030:14732 2008":           "there is no command mesonet precipitation",
		"mesonet station lst":                               "there is no command mesonet station lst",
		"mesonet precip 725030:14732 2008 --methd best":     "mesonet precip has no flag --methd",
		"mesonet station list --box|--neer":                 "mesonet station list has no flag --neer",
		"mesonet top temperature 725030:14732 2008 -k 3 -x": "mesonet top has no flag -x",
	} {
		err := checkCall(call)
		if (err == nil) != (wrong == "") || err != nil && err.Error() != wrong {
			t.Errorf("%s: %v, want %q", call, err, wrong)
		}
	}
}

func TestParseLine(t *testing.T) {
	line, err := parseLine(`curl -s -d '{"a": "b c"}' "x y" <in | head -3 > 'out file'`)
	if err != nil || len(line) != 2 {
		t.Fatalf("%v, %v", line, err)
	}
	if got := strings.Join(line[0].words, "·"); got != `curl·-s·-d·{"a": "b c"}·x y` || line[0].in != "in" {
		t.Errorf("the first is %s < %q", got, line[0].in)
	}
	if got := strings.Join(line[1].words, "·"); got != "head·-3" || line[1].out != "out file" {
		t.Errorf("the second is %s > %q", got, line[1].out)
	}
	for _, bad := range []string{"", "a |", "a >", "a 'b", "a $b", "a; b", "curl x?y", `a "b$c"`} {
		if line, err := parseLine(bad); err == nil {
			t.Errorf("%q is %v", bad, line)
		}
	}
}

func TestReadPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("see `mesonet measures`\n```csv a.csv\n1,2\n```\n```console\n$ a \\\n  b\nshown\n^C\n$ c\n```\n```go\nx := 1\n```\n```sh\nmesonet demo # see\nls\n```\n```\n$ d\n```\n")
	p, err := readPage(path)
	if err != nil || len(p.steps) != 5 || len(p.calls) != 2 {
		t.Fatalf("%d steps and %d calls: %+v, %v", len(p.steps), len(p.calls), p, err)
	}
	if s := p.steps[0]; s.kind != stepFile || s.name != "a.csv" || s.text != "1,2\n" {
		t.Errorf("the file is %+v", s)
	}
	if s := p.steps[1]; s.kind != stepCommand || s.command != "a b" || strings.Join(s.want, "|") != "shown" || p.lines[s.from] != "shown" {
		t.Errorf("the first command is %+v", s)
	}
	if s := p.steps[3]; p.steps[2].kind != stepStop || s.command != "c" || len(s.want) != 0 || p.steps[4].text != "x := 1\n" {
		t.Errorf("the rest is %+v", p.steps[2:])
	}
	if p.calls[0].text != "mesonet measures" || p.calls[1].text != "mesonet demo" {
		t.Errorf("the calls are %+v", p.calls)
	}
	for _, bad := range []string{"```console\nx\n```\n", "```console\n$ a\n"} {
		write(bad)
		if p, err := readPage(path); err == nil {
			t.Errorf("%q is %+v", bad, p)
		}
	}
}

func TestHead(t *testing.T) {
	var out bytes.Buffer
	if err := head([]string{"-2"}, strings.NewReader("a\nb\nc\n"), &out); err != nil || out.String() != "a\nb\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
