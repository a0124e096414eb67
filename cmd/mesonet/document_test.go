package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mesonet/mesonet/internal/daemon"
)

// document is a page of Markdown whose ```console blocks are run, in their order and
// in one folder, and have to show what comes out:
//
//	$ mesonet server --config mesonet.yaml
//	mesonet … listens on 127.0.0.1:7210, its data is in ./river-data
//	…
//	$ mesonet load --config mesonet.yaml \
//	    readings.csv
//	lines  724
//	…
//
// In what is shown, … stands for any text within a line, and on a line of its own for
// any lines. stdout and stderr are shown together. A command may fail when a line
// "mesonet: …" is shown for it.
//
// mesonet server is started and goes on until the end of the page; the commands after
// it ask it. Its ports are free ones, which are shown as those that a server has by
// default. Other blocks than ```console are not run.
//
//	go test ./cmd/mesonet -run TestDocuments -update
//
// writes what came out into the page, in place of lines that do not match it.
type document struct {
	path string
	// files of its folder that the commands need.
	files []string
	// without are beginnings of commands that are not run.
	without []string
}

// step is a command of a page and what it shows.
type step struct {
	line    int // of the command, from 0
	command string
	first   int // line of want
	want    []string
}

const fence = "```"

// steps finds the commands of a page.
func steps(text string) ([]step, error) {
	var all []step
	console, language := false, false
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, fence):
			language = !language
			console = language && strings.TrimSpace(line[len(fence):]) == "console"
		case !console:
		case strings.HasPrefix(line, "$ "):
			s := step{line: i, command: line[2:]}
			for strings.HasSuffix(s.command, `\`) && i+1 < len(lines) {
				i++
				s.command = strings.TrimSuffix(s.command, `\`) + strings.TrimSpace(lines[i])
			}
			s.first = i + 1
			all = append(all, s)
		case len(all) == 0 || all[len(all)-1].first+len(all[len(all)-1].want) != i:
			return nil, fmt.Errorf("line %d is shown before any command: %s", i+1, line)
		default:
			all[len(all)-1].want = append(all[len(all)-1].want, line)
		}
	}
	if language {
		return nil, errors.New("a block is not closed")
	}
	return all, nil
}

// shows reports whether lines match what a page shows.
func shows(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] == "…" {
		return shows(want[1:], got) || len(got) > 0 && shows(want, got[1:])
	}
	return len(got) > 0 && showsLine(want[0], got[0]) && shows(want[1:], got[1:])
}

func showsLine(want, got string) bool {
	parts := strings.Split(want, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(got)
}

// run runs the page.
func (d *document) run(t *testing.T) {
	text, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := steps(string(text))
	if err != nil || len(all) == 0 {
		t.Fatalf("%s has %d commands: %v", d.path, len(all), err)
	}
	s := stage{folder: t.TempDir()}
	for _, name := range d.files {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(d.path), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(s.folder, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	defer s.end(t)
	lines := strings.Split(string(text), "\n")
	for _, step := range slices.Backward(d.play(t, &s, all)) {
		for i, want := range step.want {
			if len(step.want) == len(step.got) && showsLine(want, step.got[i]) {
				step.got[i] = want // with its …
			}
		}
		lines = slices.Replace(lines, step.first, step.first+len(step.want), step.got...)
	}
	if *update {
		if err := os.WriteFile(d.path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// played is a step that shows something else than what came out.
type played struct {
	step

	got []string
}

// play runs the steps and returns those whose lines do not match.
func (d *document) play(t *testing.T, s *stage, all []step) (differ []played) {
	for _, step := range all {
		if slices.ContainsFunc(d.without, func(begin string) bool { return strings.HasPrefix(step.command, begin) }) {
			continue
		}
		got, err := s.do(t.Context(), step.command)
		failed := slices.ContainsFunc(step.want, func(line string) bool { return strings.HasPrefix(line, "mesonet: ") })
		switch {
		case err != nil && !failed && !*update:
			t.Errorf("%s:%d: %s: %v\n%s", d.path, step.line+1, step.command, err, strings.Join(got, "\n"))
		case !shows(step.want, got):
			differ = append(differ, played{step, got})
			if !*update {
				t.Errorf("%s:%d: %s\nshows\n%s\nand what came out is\n%s", d.path, step.line+1, step.command, strings.Join(step.want, "\n"), strings.Join(got, "\n"))
			}
		}
	}
	return differ
}

// stage is where the commands of a page run.
type stage struct {
	folder  string
	server  *exec.Cmd
	ends    []func() error
	listen  string // its address
	replace *strings.Replacer
}

// do runs one command and returns what it shows.
func (s *stage) do(ctx context.Context, line string) ([]string, error) {
	if strings.HasPrefix(line, "mesonet server") {
		return s.serve(ctx, line)
	}
	out, err := s.command(ctx, line).CombinedOutput()
	return s.shown(string(out)), err
}

func (s *stage) command(ctx context.Context, line string) *exec.Cmd {
	c := exec.CommandContext(ctx, "sh", "-c", line)
	c.Dir = s.folder
	c.Env = append(os.Environ(), "MESONET_LISTEN="+freePort, "MESONET_ADMIN="+freePort, "MESONET_HTTP="+freePort)
	if s.replace != nil {
		c.Env = append(c.Env, "MESONET_ADDR="+s.listen)
	}
	return c
}

var serving = regexp.MustCompile(`listens on (\S+), its data|http://([^/\s]+)/(v1|metrics)`)

// serve starts a server and returns what it says before it waits.
func (s *stage) serve(ctx context.Context, line string) ([]string, error) {
	if s.server != nil {
		return nil, errors.New("a server runs already")
	}
	s.server = s.command(context.WithoutCancel(ctx), "exec "+line)
	out, err := s.server.StdoutPipe()
	if err == nil {
		err = s.server.Start()
	}
	if err != nil {
		return nil, err
	}
	said := bufio.NewScanner(out)
	var text strings.Builder
	places := map[string]string{}
	for said.Scan() {
		text.WriteString(said.Text() + "\n")
		for _, found := range serving.FindAllStringSubmatch(said.Text(), -1) {
			switch {
			case found[1] != "":
				places[daemon.DefaultListen] = found[1]
			case found[3] == "v1":
				places[daemon.DefaultHTTP] = found[2]
			default:
				places[daemon.DefaultAdmin] = found[2]
			}
		}
		if len(places) == 3 {
			break
		}
	}
	if len(places) < 3 {
		return strings.Split(text.String(), "\n"), errors.New("the server does not serve")
	}
	s.ends = append(s.ends, func() error {
		err := s.server.Process.Signal(syscall.SIGTERM)
		for said.Scan() { // to its end, before it is waited for
			continue
		}
		return errors.Join(err, s.server.Wait())
	})
	listen := places[daemon.DefaultListen]
	s.replace = strings.NewReplacer(" --addr "+listen, "", listen, daemon.DefaultListen,
		places[daemon.DefaultHTTP], daemon.DefaultHTTP, places[daemon.DefaultAdmin], daemon.DefaultAdmin)
	s.listen = listen
	return s.shown(text.String()), nil
}

// shown is what a reader with a server on the usual ports would see.
func (s *stage) shown(out string) []string {
	if s.replace != nil {
		out = s.replace.Replace(out)
	}
	out = strings.TrimSuffix(out, "\n")
	if out == "" {
		return nil
	}
	lines := strings.Split(out, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func (s *stage) end(t *testing.T) {
	for _, end := range s.ends {
		if err := end(); err != nil {
			t.Errorf("the server did not end in order: %v", err)
		}
	}
}

// What pages show is what comes out. Mutation seen to fail: a number of a page
// changed.
func TestDocuments(t *testing.T) {
	for _, d := range []document{
		{
			path:    "../../examples/river/README.md",
			files:   []string{"mesonet.yaml", "mended.yaml", "gauges.csv", "readings.csv", "readings.awk"},
			without: []string{"mesonet statistics", "mesonet top"},
		},
	} {
		t.Run(strings.ReplaceAll(strings.TrimPrefix(d.path, "../../"), "/", "_"), d.run)
	}
}

func TestShows(t *testing.T) {
	for _, c := range []struct {
		want, got string
		is        bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a.c", "abc", false},
		{"a…c", "a b c", true},
		{"a…c", "a b", false},
		{"…", "", true},
		{"…|b", "x|y|b", true},
		{"…|b", "x|b|y", false},
		{"a|…", "a", true},
		{"a|…|b|…", "a|x|b|b|y", true},
		{"a", "a|b", false},
		{"a|b", "a", false},
	} {
		split := func(text string) []string {
			return slices.DeleteFunc(strings.Split(text, "|"), func(s string) bool { return s == "" })
		}
		if got := shows(split(c.want), split(c.got)); got != c.is {
			t.Errorf("%q shows %q: %t, want %t", c.want, c.got, got, c.is)
		}
	}
	found, err := steps("text\n```console\n$ a \\\n  b\nshown\n\n$ c\n```\n```sh\n$ d\n```\n")
	want := []step{{2, "a b", 4, []string{"shown", ""}}, {6, "c", 7, nil}}
	if err != nil || fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("steps are %v, %v; want %v", found, err, want)
	}
	for _, bad := range []string{"```console\nx\n```\n", "```console\n$ a\n"} {
		if found, err := steps(bad); err == nil {
			t.Errorf("%q has the steps %v", bad, found)
		}
	}
}
