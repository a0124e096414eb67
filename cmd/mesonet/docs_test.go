package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

// TestDocs runs what the documentation shows, page by page, and compares what comes
// out with what stands there:
//
//	```console   each line that begins with "$ " is a command; what is below it is
//	             what it says, on stdout and stderr, and with nothing below it has
//	             to succeed. ^C stops the server that was started last.
//	```csv NAME  is a file of that name, for the commands below
//	```go        stands, as it is, in a function of docs_go_test.go, which is called
//	```sh        and code in a text: calls of mesonet must have a command and flags
//	             that there are
//
// In what a command says, … stands for anything, and all times that things took are
// the same. A page begins with a node that has what the demo has, unless it starts one
// of its own, and in a folder with the sample's files, or those of the example. With
// -update what came out is written into the pages.
func TestDocs(t *testing.T) {
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("found the pages %q, %v", paths, err)
	}
	examples, err := filepath.Glob(filepath.Join(repository, "examples", "*", "README.md"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("found the examples %q, %v", examples, err)
	}
	paths = append(append(paths, filepath.Join(repository, "README.md")), examples...)
	code, err := readCode(repository)
	if err != nil {
		t.Fatal(err)
	}
	fallback := sync.OnceValues(func() (string, error) { return filledFolder(t) }) // not of the page that needs it first
	for _, path := range paths {
		name, err := filepath.Rel(repository, path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.ReplaceAll(name, string(filepath.Separator), "_"), func(t *testing.T) {
			p, err := readPage(path)
			if err != nil {
				t.Fatal(err)
			}
			p.repository = repository
			for _, c := range p.calls {
				if err := checkCall(c.text); err != nil {
					t.Errorf("%s:%d: %s: %v", path, c.line+1, c.text, err)
				}
			}
			if filepath.Base(path) == "operations.md" {
				return // its transcripts are of machines in trouble
			}
			play(t, p, code, fallback)
		})
	}
}

// filledFolder is the folder of a node that has what the demo has, stopped.
func filledFolder(t *testing.T) (string, error) {
	dir := t.TempDir()
	if err := writeSample(dir); err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	node, err := startNode(data)
	if err != nil {
		return "", err
	}
	loaded := runIn(context.Background(), strings.NewReader(""), "load", "--addr", node.Addr(),
		"--stations", filepath.Join(dir, sampledata.StationsName), filepath.Join(dir, sampledata.ObservationsName))
	if err := stop(context.Background(), node); err != nil {
		return "", err
	}
	if loaded.code != exitOK {
		return "", fmt.Errorf("loading: %s", loaded.stderr)
	}
	return data, nil
}

func writeSample(dir string) error {
	return errors.Join(
		os.WriteFile(filepath.Join(dir, sampledata.StationsName), sampledata.StationsArchive(), 0o600),
		os.WriteFile(filepath.Join(dir, sampledata.ObservationsName), sampledata.ObservationsArchive(), 0o600))
}

func startNode(dir string) (*daemon.Daemon, error) {
	cfg := daemon.DefaultConfig(dir)
	cfg.Listen, cfg.Admin, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Logger = slog.New(slog.DiscardHandler)
	return daemon.Start(context.Background(), cfg)
}

// player plays one page.
type player struct {
	t        *testing.T
	page     *page
	code     []*codeFile
	fallback func() (string, error)

	addresses, backwards *strings.Replacer // from those of the pages to those of the node
	keyspace             [2]string         // the page's, and the one that it is
	servers              []*background
	replaced             []part // with what came out
}

// play runs what a page shows in a folder with the files of the sample.
func play(t *testing.T, p *page, code []*codeFile, fallback func() (string, error)) {
	dir := t.TempDir()
	err := writeSample(dir)
	if folder := filepath.Dir(p.path); strings.HasPrefix(filepath.Dir(folder), filepath.Join(p.repository, "examples")) {
		err = errors.Join(err, os.CopyFS(dir, os.DirFS(folder)))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("MESONET_ADDR", "")
	y := &player{t: t, page: p, code: code, fallback: fallback}
	if filepath.Base(p.path) == "cassandra.md" {
		addr, name := serverstest.Cassandra(t, 1).Addresses()[0], serverstest.Name(t)
		y.keyspace = [2]string{"127.0.0.1/weather", addr + "/" + name}
	}
	y.use()
	defer func() {
		for len(y.servers) > 0 {
			y.interrupt()
		}
	}()
	for _, s := range p.steps {
		if t.Failed() && !*update {
			break // what comes next rests on it
		}
		y.part(s)
	}
	if *update {
		y.update()
	}
}

func (y *player) errorf(s part, format string, args ...any) {
	y.t.Helper()
	y.t.Errorf("%s:%d: %s", y.page.path, s.line+1, fmt.Sprintf(format, args...))
}

func (y *player) part(s part) {
	switch s.kind {
	case stepFile:
		if err := os.WriteFile(s.name, []byte(s.text), 0o600); err != nil {
			y.errorf(s, "%v", err)
		}
	case stepStop:
		if len(y.servers) == 0 {
			y.errorf(s, "there is no server to stop")
			return
		}
		y.interrupt()
	case stepSnippet:
		y.snippet(s)
	case stepCommand:
		got, err := y.command(s)
		switch {
		case err != nil:
			y.errorf(s, "%s: %v\n%s", s.command, err, got)
		case len(s.want) > 0 && !matches(s.want, strings.Split(got, "\n")):
			if *update {
				s.want = strings.Split(strings.TrimRight(got, "\n"), "\n")
				y.replaced = append(y.replaced, s)
				return
			}
			y.errorf(s, "%s says\n%s\nand not\n%s", s.command, got, strings.Join(s.want, "\n"))
		}
	}
}

// update writes what came out into the page.
func (y *player) update() {
	lines := y.page.lines
	for _, s := range slices.Backward(y.replaced) {
		lines = slices.Replace(lines, s.from, s.to, s.want...)
	}
	if err := os.WriteFile(y.page.path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		y.t.Error(err)
	}
}

// command runs a line and returns what a terminal shows. It is an error when one
// fails of which the page shows nothing.
func (y *player) command(s part) (string, error) {
	line, err := parseLine(s.command)
	if err != nil {
		return "", err
	}
	failing := len(s.want) > 0 && strings.HasPrefix(s.want[len(s.want)-1], "mesonet: ") // why it does not start
	if startsServer(line[0].words) && !failing {
		return y.start(line[0].words[1:])
	}
	if len(y.servers) == 0 && asksServer(line[0].words) {
		if err := y.startFallback(); err != nil {
			return "", err
		}
	}
	var terminal bytes.Buffer
	failed := y.pipe(line, &terminal)
	if failed != nil && len(s.want) > 0 && errors.As(failed, new(exitCode)) {
		failed = nil
	}
	return y.backwards.Replace(progressLine.ReplaceAllString(terminal.String(), "")), failed
}

// progressLine is what a slow machine shows besides, now and then.
var progressLine = regexp.MustCompile(`(?m)^[a-z]+ing: +(\d+ %)? .*\n`)

// startsServer reports whether a command goes on until it is stopped.
func startsServer(words []string) bool {
	return words[0] == "mesonet" && len(words) > 1 &&
		(words[1] == "server" || words[1] == "demo" && !slices.Contains(words, "--exit"))
}

// asksServer reports whether a command needs one.
func asksServer(words []string) bool {
	switch words[0] {
	case "mesonet":
		return len(words) < 2 || !slices.Contains([]string{"config", "store", "version", "server", "demo", "schema", "shard"}, words[1])
	case "curl", "grpcurl":
		return true
	}
	return false
}

// exitCode is the error of a command that has ended with another than 0.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("the exit code is %d", int(c)) }

func (y *player) pipe(line []simple, terminal *bytes.Buffer) error {
	var stdin io.Reader = strings.NewReader("")
	for i, c := range line {
		if c.in != "" {
			text, err := os.ReadFile(c.in)
			if err != nil {
				return err
			}
			stdin = bytes.NewReader(text)
		}
		stdout := &bytes.Buffer{}
		if i == len(line)-1 && c.out == "" {
			stdout = terminal
		}
		if err := y.run(c.words, stdin, stdout, terminal); err != nil {
			return err
		}
		if c.out != "" {
			if err := os.WriteFile(c.out, stdout.Bytes(), 0o600); err != nil {
				return err
			}
		}
		stdin = stdout
	}
	return nil
}

// other is an address beside the default ones.
var other = regexp.MustCompile(`127\.0\.0\.1:7\d1[1-9]`)

func (y *player) run(words []string, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(y.t.Context(), time.Minute)
	defer cancel()
	args := make([]string, len(words)-1)
	for i, word := range words[1:] {
		args[i] = y.addresses.Replace(word)
		if words[0] == "mesonet" && words[1] == "server" {
			args[i] = other.ReplaceAllString(args[i], "127.0.0.1:0")
		}
	}
	switch words[0] {
	case "mesonet":
		if len(args) > 0 && args[0] == "server" {
			addr := freePort
			if len(y.servers) > 0 {
				addr = y.servers[len(y.servers)-1].node[0] // so that it is in use, as the page says
			}
			defer y.listenAt(addr)()
		}
		if code := run(ctx, args, stdin, stdout, stderr); code != exitOK {
			return exitCode(code)
		}
		return nil
	case "curl":
		return curl(ctx, args, stdout)
	case "grpcurl":
		if err := grpcurl(ctx, args, stdout); errors.Is(err, errRefused) {
			return exitCode(1)
		} else if err != nil {
			return err
		}
		return nil
	case "echo":
		_, err := fmt.Fprintln(stdout, strings.Join(args, " "))
		return err
	case "cat":
		return cat(args, stdout)
	case "head":
		return head(args, stdin, stdout)
	case "cmp":
		return compare(args, stdin)
	case "awk":
		awk := exec.CommandContext(ctx, "awk", args...)
		awk.Stdin, awk.Stdout, awk.Stderr = stdin, stdout, stderr
		return awk.Run()
	}
	return fmt.Errorf("the test of the pages can't run %s", words[0])
}

// listenAt lets servers listen at an address, where they are not told another, until
// the function that it returns is called.
func (y *player) listenAt(addr string) (undo func()) {
	names := []string{"MESONET_LISTEN", "MESONET_HTTP", "MESONET_ADMIN"}
	for i, name := range names {
		if y.t.Setenv(name, addr); i > 0 {
			y.t.Setenv(name, freePort)
		}
	}
	return func() {
		for _, name := range names {
			y.t.Setenv(name, "")
		}
	}
}

// background is a server that a page has started, or one that it begins with.
type background struct {
	stop func()
	node [3]string // its addresses: API, JSON, admin
}

func (y *player) use() {
	var to, from []string
	if is := y.keyspace; is[0] != "" {
		_, usual, _ := strings.Cut(is[0], "/")
		_, name, _ := strings.Cut(is[1], "/")
		to, from = []string{is[0], is[1] + "?timeout=20s&connect_timeout=20s"}, []string{is[1], is[0], name, usual}
	}
	if len(y.servers) == 0 {
		y.addresses, y.backwards = strings.NewReplacer(to...), strings.NewReplacer(from...)
		y.t.Setenv("MESONET_ADDR", "")
		return
	}
	node := y.servers[len(y.servers)-1].node
	usual := [3]string{daemon.DefaultListen, daemon.DefaultHTTP, daemon.DefaultAdmin}
	for i := range node {
		to = append(to, usual[i], node[i])
		from = append(from, node[i], usual[i])
	}
	// What is given to those who ask an address that is not the default.
	from = append([]string{" --addr " + node[0], ""}, from...)
	y.addresses, y.backwards = strings.NewReplacer(to...), strings.NewReplacer(from...)
	y.t.Setenv("MESONET_ADDR", node[0])
}

func (y *player) interrupt() {
	last := len(y.servers) - 1
	y.servers[last].stop()
	y.servers = y.servers[:last]
	y.use()
}

func (y *player) startFallback() error {
	full, err := y.fallback()
	if err != nil {
		return err
	}
	dir := filepath.Join(y.t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(full)); err != nil {
		return err
	}
	node, err := startNode(dir)
	if err != nil {
		return err
	}
	y.servers = append(y.servers, &background{
		stop: func() {
			if err := stop(context.Background(), node); err != nil {
				y.t.Error(err)
			}
		},
		node: [3]string{node.Addr(), node.HTTPAddr(), node.AdminAddr()},
	})
	y.use()
	return nil
}

// start runs a server or a demo until it is stopped, and returns what it says up to
// where it serves.
func (y *player) start(args []string) (string, error) {
	last := "watch it: "
	if args[0] == "demo" {
		args = append(slices.Clone(args), "--listen", "127.0.0.1:0")
		last = "Stop it with "
	}
	defer y.listenAt(freePort)()
	if y.keyspace[0] != "" {
		args = strings.Split(y.addresses.Replace(strings.Join(args, "\x00")), "\x00")
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, logs := newWatched(last), newWatched("") // logs say when
	done := make(chan int, 1)
	go func() { done <- run(ctx, args, strings.NewReader(""), out, logs) }()
	select {
	case code := <-done:
		cancel()
		return out.String() + logs.String(), fmt.Errorf("it has ended with %d", code)
	case <-out.seen:
	}
	text := out.String()
	s := &background{stop: func() {
		cancel()
		if code := <-done; code != exitOK {
			y.t.Errorf("the server has ended with %d:\n%s", code, logs.String())
		}
	}}
	y.servers = append(y.servers, s)
	for i, pattern := range []string{`listens on +([\d.:]+\d)`, `http://([\d.:]+)/v1/stations`, `http://([\d.:]+)/metrics`} {
		found := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if found == nil {
			return text, fmt.Errorf("it says nothing like %s", pattern)
		}
		s.node[i] = found[1]
	}
	y.use()
	return y.backwards.Replace(text), nil
}

// watched keeps what is written, and closes seen once a line with a text was.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	last string
	seen chan struct{}
	done bool
}

func newWatched(last string) *watched { return &watched{last: last, seen: make(chan struct{})} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.text.Write(p)
	if _, after, found := strings.Cut(w.text.String(), w.last); found && !w.done && strings.Contains(after, "\n") {
		w.done = true
		close(w.seen)
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// checkCall looks whether the command and the flags of a call are there.
func checkCall(text string) error {
	words := strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(text))[1:]
	root := newRoot(&app{out: &checkedWriter{w: io.Discard}, err: io.Discard})
	command := root
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case strings.ContainsAny(word, "<>"), word == "|", word == "-":
			return nil // from here on it is the shell's, or stdin
		case strings.HasPrefix(word, "-"):
			takes, err := checkFlag(command, word)
			if err != nil {
				return err
			}
			if takes {
				i++ // its value
			}
			continue
		}
		above := command
		for name := range strings.SplitSeq(word, "|") { // entity list|get|skip
			j := slices.IndexFunc(above.Commands(), func(c *cobra.Command) bool { return c.Name() == name })
			switch {
			case j >= 0:
				command = above.Commands()[j]
			case i == 0 || above.HasAvailableSubCommands() && above.Name() != "sky": // which has arguments too
				return fmt.Errorf("there is no command %s %s", above.CommandPath(), name)
			}
		}
	}
	return nil
}

// checkFlag looks whether a flag, or each of some as in --box|--near, is there, and
// reports whether the next word is its value.
func checkFlag(command *cobra.Command, word string) (takes bool, err error) {
	command.InitDefaultHelpFlag()
	for word := range strings.SplitSeq(word, "|") {
		name, _, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
		flag := command.Flags().Lookup(name)
		if len(name) == 1 {
			flag = command.Flags().ShorthandLookup(name)
		}
		if flag == nil {
			return false, fmt.Errorf("%s has no flag %s", command.CommandPath(), word)
		}
		takes = !given && flag.NoOptDefVal == ""
	}
	return takes, nil
}
