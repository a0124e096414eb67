package gossip

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const childJoins = "MESONET_TEST_GOSSIP_JOINS"

// child makes this process a node, when a test has started it for that; it ends with
// its standard input.
func child() bool {
	address := os.Getenv(childJoins)
	if address == "" {
		return false
	}
	c := DefaultConfig()
	c.Self, c.Identity, c.Keys, c.Bind = member("child"), identity, [][]byte{key}, "127.0.0.1:0"
	g, err := Start(context.Background(), c)
	if err == nil {
		_, err = g.Join(context.Background(), []string{address})
	}
	_, _ = fmt.Fprintln(os.Stdout, "joined:", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = g.Close()
	return true
}

// startChild starts a node as a process of its own, which is killed with the test.
func startChild(t *testing.T, joins *node) *os.Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childJoins+"="+joins.Address())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || strings.TrimSpace(line) != "joined: <nil>" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return cmd.Process
}

// A process that stands still is believed dead, and is back when it goes on. One that
// is killed is not. Both in real time.
func TestPausedAndKilled(t *testing.T) {
	a, b := start(t, nil, "a"), start(t, nil, "b")
	b.join(t, a)
	process := startChild(t, a)
	for _, n := range []*node{a, b} {
		n.sees(t, "a b child")
	}
	signal := func(s syscall.Signal) time.Time {
		t.Helper()
		if err := process.Signal(s); err != nil {
			t.Fatal(err)
		}
		return time.Now()
	}

	at := signal(syscall.SIGSTOP)
	for _, n := range []*node{a, b} {
		n.sees(t, "a b")
	}
	t.Logf("stopped, and missed after %v", time.Since(at))
	at = signal(syscall.SIGCONT)
	for _, n := range []*node{a, b} {
		n.sees(t, "a b child")
	}
	t.Logf("continued, and back after %v", time.Since(at))
	a.hearsOf(t, "child", "child/0 joining", "child/0 joining gone", "child/0 joining")

	at = signal(syscall.SIGKILL)
	for _, n := range []*node{a, b} {
		n.sees(t, "a b")
	}
	t.Logf("killed, and missed after %v", time.Since(at))
}
