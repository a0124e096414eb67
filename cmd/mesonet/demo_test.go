package main

import (
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"

	"github.com/mesonet/mesonet/persistence"
)

// brokenNode is a node that fails when it is told to.
type brokenNode struct {
	node

	done chan struct{}
	err  error
}

func (n *brokenNode) Done() <-chan struct{} { return n.done }

func (n *brokenNode) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}

// A demo whose node fails while it is filled says why, and does not wait for
// answers that will never come. Mutation seen to fail: show not watching the node.
func TestDemoOfANodeThatFails(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &brokenNode{done: make(chan struct{}), err: persistence.ErrFailed}
	silent := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, call grpc.ServerStream) error {
		close(n.done)
		<-call.Context().Done()
		return call.Context().Err()
	}))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := silent.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	defer serving.Wait()
	defer silent.Stop()
	server, err := dial(listener.Addr().String(), time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	defer server.close()
	var out strings.Builder
	d := demo{app: &app{out: &checkedWriter{w: &out}, err: &out}, server: server}
	err = d.show(t.Context(), n)
	var f *failure
	if !errors.As(err, &f) || f.code != exitFailed || !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("the demo ended with %v", err)
	}
}

// A demo of three nodes loses one and goes on: nobody's ask fails, the answers stay, and
// so do the observations. A node on its own finds the data afterwards.
func TestDemoOfACluster(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	demoOf := func(args ...string) string {
		t.Helper()
		got := runArgs(t, append([]string{"demo", "--exit", "--listen", freePort, "--data", dir}, args...)...)
		if got.code != exitOK {
			t.Fatalf("the demo ends with %d: %s\n%s", got.code, got.stdout, got.stderr)
		}
		return got.stdout
	}
	told := demoOf("--nodes", "3")
	for _, pattern := range []string{
		`(?m)^  shards      node-1 \d+, node-2 \d+, node-3 \d+; shared out \S+ m?s after the start$`,
		`839\.0 mm`,
		`(?m)^  node-3 is killed  with \d+ shards, `, `answers again after`, `(?m)^  node-3 is back +and has its \d+ shards again after `, `(?m)^  node-2 leaves +in order: it has handed \d+ shards over`,
	} {
		if !regexp.MustCompile(pattern).MatchString(told) {
			t.Errorf("nothing is said like %s in:\n%s", pattern, told)
		}
	}
	sums := regexp.MustCompile(`[\d,]+ asks, 0 failed, 0 other answers, longest \S+ \S+, 17,568 observations\n`).FindAllString(told, -1)
	if len(sums) != 4 {
		t.Errorf("%d of 4 times no ask failed and the answers were the same:\n%s", len(sums), told)
	}
	_, story, _ := strings.Cut(told, "What if a node dies?")
	for line := range strings.Lines(story[:max(0, strings.Index(story, "\nTo ask more"))]) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("a line has %d characters: %s", n, line)
		}
	}
	if again := demoOf(); !strings.Contains(again, "nothing to load") {
		t.Errorf("a node on its own does not find what the cluster has loaded:\n%s", again)
	}
}

// The number of nodes has limits.
func TestDemoNodes(t *testing.T) {
	for _, nodes := range []string{"0", "-1", "10"} {
		got := runArgs(t, "demo", "--exit", "--nodes", nodes)
		if want := "a demo has 1 to 9 nodes, as all of them are on this machine, not " + nodes; got.code != exitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("--nodes %s ends with %d: %s", nodes, got.code, got.stderr)
		}
	}
}
