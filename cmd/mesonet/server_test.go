package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/mesonet/mesonet/internal/daemon"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

var (
	listensOn = regexp.MustCompile(`listens on\s+(\S+?),?\s`)
	watchedAt = regexp.MustCompile(`http://(\S+)/metrics`)
	askedAt   = regexp.MustCompile(`http://(\S+)/v1/stations`)
)

// process is this program as another process.
type process struct {
	*exec.Cmd
	addr   string
	admin  string // "" when it does not say
	http   string // likewise
	stdout *bufio.Reader
	stderr lockedBuilder
}

// lockedBuilder is what a process writes, to be read while it does.
type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// runProcess starts the program and does not wait for it to serve.
func runProcess(t *testing.T, args ...string) *process {
	t.Helper()
	return runProcessBy(t, (*exec.Cmd).Start, args...)
}

// runProcessBy is the same, where start starts it.
func runProcessBy(t *testing.T, start func(*exec.Cmd) error, args ...string) *process {
	t.Helper()
	name, err := exec.LookPath("mesonet")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), name, args...)}
	p.Cmd.Stderr = &p.stderr
	t.Cleanup(func() {
		if log := p.stderr.String(); t.Failed() && log != "" {
			t.Logf("mesonet %s has logged, in the end:\n%s", strings.Join(args, " "), log[max(0, len(log)-6000):])
		}
	})
	p.Cmd.Dir = t.TempDir()
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(p.Cmd); err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(out)
	return p
}

// startProcess runs the program, and returns when it says where it listens and,
// if until is not "", when it has written that.
func startProcess(t *testing.T, until string, args ...string) *process {
	t.Helper()
	p := runProcess(t, args...)
	for seen := ""; p.addr == "" || !strings.Contains(seen, until); {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			t.Fatalf("%v ended (%v, %v) before it served: %s%s", args, err, p.Wait(), seen, p.stderr.String())
		}
		seen += line
		if found := listensOn.FindStringSubmatch(line); found != nil {
			p.addr = found[1]
		}
		if found := watchedAt.FindStringSubmatch(line); found != nil {
			p.admin = found[1]
		}
		if found := askedAt.FindStringSubmatch(line); found != nil {
			p.http = found[1]
		}
	}
	return p
}

func httpGet(t *testing.T, url string) string {
	t.Helper()
	return httpGetBy(t, new(net.Dialer).DialContext, url)
}

func httpGetBy(t *testing.T, dial func(ctx context.Context, network, address string) (net.Conn, error), url string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dial}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// end waits for the process and returns what else it wrote to stdout.
func (p *process) end(t *testing.T) (code int, rest string) {
	t.Helper()
	text, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // the exit code says it
	return p.ProcessState.ExitCode(), string(text)
}

// A node serves until it gets a signal, and then ends in order. What it was told
// is there when it starts again, also after it was killed.
func TestServerKeepsItsData(t *testing.T) {
	folder := t.TempDir()
	files := t.TempDir()
	reading := write(t, files, "reading.csv", "1:1,2008,01,01,00,11.7,-0.6,1023.8,50,7.2,2,0.3,0.0\n")
	server := func() *process {
		return startProcess(t, "watch it", "server", "--data", folder, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--http", "127.0.0.1:0", "--shards", "4", "--auto-register", "--log-format", "json")
	}

	p := server()
	if got := runArgs(t, "load", reading, "--addr", p.addr); got.code != exitOK || !strings.Contains(got.stdout, "1 new") {
		t.Errorf("the load ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	for path, want := range map[string]string{
		"/readyz": "ok\n", "/metrics": "mesonet_observations_total{outcome=\"stored\"} 1\n",
	} {
		if got := httpGet(t, "http://"+p.admin+path); !strings.Contains(got, want) {
			t.Errorf("%s says %s, want %s", path, got, want)
		}
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code, _ := p.end(t); code != exitOK {
		t.Errorf("after SIGTERM the exit code is %d: %s", code, p.stderr.String())
	}
	if log := p.stderr.String(); !strings.Contains(log, `"msg":"stopped"`) {
		t.Errorf("the log does not say that it stopped:\n%s", log)
	}

	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		p = server()
		got := runArgs(t, "precip", "1:1", "2008-01-01", "--addr", p.addr)
		if got.code != exitOK || !strings.Contains(got.stdout, "3.0 mm") {
			t.Errorf("started again, it answers with %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		p.end(t)
	}
}

// A server takes the measures of its file, a store keeps to them, and is verified
// with them. Mutation seen to fail: verifying with the standard measures.
func TestServerMeasures(t *testing.T) {
	folder, files := t.TempDir(), t.TempDir()
	const head = "shards: 4\nlisten: 127.0.0.1:0\nadmin: none\nhttp: none\nlog: {level: error}\nstandard_measures: false\nmeasures:\n"
	const level = "  - {name: water_level, unit: cm, aggregate: mean, low: 0, high: 2000}\n"
	const rain = "  - {name: rain, unit: mm, decimals: 1, aggregate: sum, low: 0, high: 500}\n"
	river := write(t, files, "river.yaml", head+level+rain)
	p := startProcess(t, "ask it", "server", "--config", river, "--data", folder)
	c, err := dial(p.addr, time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	stream, err := mesonetv1.NewIngestServiceClient(c.Conn()).Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	readings := &mesonetv1.Readings{Station: "gauge", Minutes: []int64{20_000_000}, Columns: []*mesonetv1.Column{{Measure: "rain", Values: []int32{12}}}}
	if _, err := c.RegisterStations(t.Context(), &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{{Id: "gauge"}}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stream.Send(&mesonetv1.IngestRequest{Number: 1, Readings: []*mesonetv1.Readings{readings}}), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if r, err := stream.Recv(); err != nil || len(r.GetOutcomes()) != 1 || r.GetOutcomes()[0].GetStored() != 1 {
		t.Errorf("the server answers %v, %v", r, err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.end(t)

	if got := runArgs(t, "store", "verify", folder); got.code != exitOK || !strings.Contains(got.stdout, "0 places") {
		t.Errorf("verifying ends with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	for name, wrong := range map[string]struct{ file, want string }{
		"fewer":     {head + level, "not declared any more: rain (number 2); declare these as they were"},
		"other":     {head + level + strings.Replace(rain, "decimals: 1", "decimals: 2", 1), "rain is stored with decimals 1 and declared with 2;"},
		"exchanged": {head + rain + level, "water_level is number 1 of the store and number 2 of the declaration"},
	} {
		got := runArgs(t, "server", "--config", write(t, files, name+".yaml", wrong.file), "--data", folder)
		if got.code != exitFailed || !strings.Contains(got.stderr, wrong.want) {
			t.Errorf("%s: exit code %d: %s, want %s", name, got.code, got.stderr, wrong.want)
		}
	}
	more := write(t, files, "more.yaml", head+level+rain+strings.ReplaceAll(level, "water_level", "depth"))
	p = startProcess(t, "ask it", "server", "--config", more, "--data", folder)
	if got := runArgs(t, "station", "get", "gauge", "--addr", p.addr, "-o", "json"); !strings.Contains(got.stdout, `"observations": 1`) {
		t.Errorf("the station is %s%s", got.stdout, got.stderr)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.end(t)
}

// A demo takes free ports where the usual ones are taken, and says so of the one
// that people need. Mutation seen to fail: moves looking at the API's port alone.
func TestDemoMoves(t *testing.T) {
	taken := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().String()
	}
	for _, fixed := range []bool{false, true} {
		var stderr strings.Builder
		d := demo{app: &app{err: &stderr}, cfg: daemon.DefaultConfig(t.TempDir()), fixed: fixed}
		d.cfg.Listen, d.cfg.Admin, d.cfg.HTTP = taken(), taken(), taken()
		d.cfg.Shards, d.cfg.Logger = 1, slog.New(slog.DiscardHandler)
		usual := d.cfg
		node, err := d.start(t.Context())
		if fixed {
			if node != nil || err == nil || !strings.Contains(err.Error(), "--listen") {
				t.Errorf("a demo whose port was asked for moved: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if node.Addr() == usual.Listen || node.AdminAddr() == "" || node.AdminAddr() == usual.Admin || node.HTTPAddr() == "" || node.HTTPAddr() == usual.HTTP {
			t.Errorf("it serves on %s, %s and %s", node.Addr(), node.AdminAddr(), node.HTTPAddr())
		}
		if want := usual.Listen + " is in use, so this demo takes " + node.Addr() + "\n"; stderr.String() != want {
			t.Errorf("it says %q, want %q", stderr.String(), want)
		}
		if err := stop(t.Context(), node); err != nil {
			t.Error(err)
		}
	}
}

// The demo goes on serving, says what to ask, and these commands work.
func TestDemoServes(t *testing.T) {
	p := startProcess(t, "Stop it with", "demo", "--listen", "127.0.0.1:0")
	got := runArgs(t, "station", "get", "725030:14732", "--addr", p.addr, "-o", "json")
	if got.code != exitOK || !strings.Contains(got.stdout, `"observations": 8784`) {
		t.Errorf("it answers with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code, _ := p.end(t); code != exitOK || strings.Contains(p.stderr.String(), "mesonet:") {
		t.Errorf("after SIGINT the exit code is %d: %s", code, p.stderr.String())
	}
}

// Every command that the demo prints can be copied.
func TestInvitation(t *testing.T) {
	var out strings.Builder
	d := demo{app: &app{out: &checkedWriter{w: &out}}}
	d.invite("127.0.0.1:7299", "127.0.0.1:7410")
	commands := 0
	for line := range strings.Lines(out.String()) {
		_, command, found := strings.Cut(line, "mesonet ")
		if !found || strings.Contains(line, "plaintext") {
			continue
		}
		commands++
		args := strings.Fields(command)
		c, rest, err := newRoot(&app{out: &checkedWriter{}}).Find(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ParseFlags(rest); err != nil {
			t.Errorf("%s%v", line, err)
		}
		if addr := c.Flag("addr").Value.String(); addr != "127.0.0.1:7299" {
			t.Errorf("%sasks %s", line, addr)
		}
		if err := c.ValidateArgs(c.Flags().Args()); err != nil {
			t.Errorf("%s%v", line, err)
		}
	}
	if commands < 4 {
		t.Errorf("%d commands to copy, want at least 4:\n%s", commands, out.String())
	}
}

// A node that fails ends the program, with the reason.
func TestNodeFails(t *testing.T) {
	var stderr strings.Builder
	logger := slog.New(slog.DiscardHandler)
	n := &failingNode{done: make(chan struct{})}
	close(n.done)
	a := &app{err: &stderr}
	code := a.report(t.Context(), wait(t.Context(), n, logger))
	if want := "mesonet: the node failed: the store has failed: disk full\n"; code != exitFailed || stderr.String() != want {
		t.Errorf("got exit code %d and %q, want %d and %q", code, stderr.String(), exitFailed, want)
	}
	if !n.stopped {
		t.Error("the node was not stopped")
	}
}

type failingNode struct {
	done    chan struct{}
	stopped bool
}

func (n *failingNode) Done() <-chan struct{}      { return n.done }
func (n *failingNode) Err() error                 { return fmt.Errorf("the store has failed: %w", errDiskFull) }
func (n *failingNode) Stop(context.Context) error { n.stopped = true; return nil }

func TestQuoted(t *testing.T) {
	for path, want := range map[string]string{
		"./mesonet-demo": "./mesonet-demo", "my data": "'my data'", "it's": `'it'\''s'`, "-r": "'./-r'", "": "''", "$HOME": "'$HOME'",
	} {
		if got := quoted(path); got != want {
			t.Errorf("quoted(%q) = %s, want %s", path, got, want)
		}
	}
}

// A load that is interrupted says how far it came.
func TestLoadInterrupted(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	f.batch = func() error {
		once.Do(cancel)
		return nil
	}
	name := write(t, t.TempDir(), "r.csv", "1:1,2008,01,01,00,11.7,-0.6,1023.8,50,7.2,2,0.3,0.0\n")
	got := runIn(ctx, nil, "load", name, "--addr", f.addr)
	if want := "mesonet: interrupted after 0 readings were acknowledged; load again: what is stored counts as duplicates\n"; got.code != exitInterrupted || got.stderr != want {
		t.Errorf("got exit code %d and %q, want %d and %q", got.code, got.stderr, exitInterrupted, want)
	}
}

// A server that does not come back is given up after the time that was set.
func TestLoadGivesUp(t *testing.T) {
	f := newFake(t)
	f.batch = func() error { return failed(codes.Unavailable, "UNAVAILABLE", "the store is away; wait") }
	name := write(t, t.TempDir(), "r.csv", "1:1,2008,01,01,00,11.7,-0.6,1023.8,50,7.2,2,0.3,0.0\n")
	got := runArgs(t, "load", name, "--addr", f.addr, "--retry", "100ms")
	want := "mesonet: gave up after trying " + f.addr + " for 100ms, when 0 readings were acknowledged (the store is away); load again: what is stored counts as duplicates\n"
	if got.code != exitUnavailable || !strings.HasSuffix(got.stderr, want) {
		t.Errorf("got exit code %d and %q, want %d and %q", got.code, got.stderr, exitUnavailable, want)
	}
	if !strings.HasPrefix(got.stderr, "the store is away; sending again what was not acknowledged\n") {
		t.Errorf("the break is not announced: %q", got.stderr)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
