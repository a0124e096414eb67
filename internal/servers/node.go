package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Node is one server process, which can be ended, started again on the same
// data, and stopped in its tracks.
type Node struct {
	name       string // for people, as "Cassandra node 127.0.0.1:9042"
	address    string // of clients, host:port
	dir        string // all of its files
	java       string
	args       []string
	ready      []string // what the log says when clients are served
	passing    string   // what it says when a start failed as a second one would not; "" for nothing
	background bool
	slack      time.Duration // of timers; 0 for the kernel's default
	timeout    time.Duration

	// starting is held by a Start from beginning to end, so that there is one
	// process at a time. mu is held for moments only: Kill must not wait for
	// Start.
	starting sync.Mutex
	mu       sync.Mutex
	running  *process // the last that was started, or nil
}

// Address is where clients connect, as host:port.
func (n *Node) Address() string { return n.address }

// PID is the process id, or 0 when the node is not running.
func (n *Node) PID() int {
	if p := n.process(); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// LogFile is the file with the server's log, of all its starts.
func (n *Node) LogFile() string { return filepath.Join(n.dir, "log") }

// Start starts a node that was killed or stopped, on the data that it has, and
// returns when it serves clients. When it does not come up, the process is
// ended, and the error has the last lines of its log. Starting what runs does
// nothing.
func (n *Node) Start(ctx context.Context) error {
	n.starting.Lock()
	defer n.starting.Unlock()
	if n.process() != nil {
		return nil
	}
	for attempt := 1; ; attempt++ {
		log, err := os.OpenFile(n.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("servers: %s: log: %w", n.name, err)
		}
		from, err := log.Seek(0, 2)
		if err != nil {
			_ = log.Close() // nothing was written
			return fmt.Errorf("servers: %s: log: %w", n.name, err)
		}
		err = n.start(ctx, log, from)
		_ = log.Close() // the child writes, not this process
		if err == nil || attempt == attempts || !n.passes(from) {
			return err
		}
	}
}

// attempts is how often a node is started that ends for a reason that passes.
const attempts = 3

// passes reports whether the start that logged from an offset on failed for such a
// reason.
func (n *Node) passes(from int64) bool {
	text, err := n.logSince(from)
	return err == nil && n.passing != "" && strings.Contains(text, n.passing)
}

func (n *Node) start(ctx context.Context, log *os.File, from int64) error {
	// Not CommandContext: ctx is of the start, and the server outlives it.
	cmd := exec.Command(n.java, n.args...) //nolint:noctx // see above
	cmd.Dir = n.dir
	p, err := launch(cmd, log, n.background, n.slack)
	if err != nil {
		return fmt.Errorf("servers: %s: %w", n.name, err)
	}
	n.mu.Lock()
	n.running = p
	n.mu.Unlock()
	if err := n.await(ctx, p, from, n.ready); err != nil {
		return errors.Join(err, n.Kill())
	}
	return nil
}

// await waits until the log has all of the lines, from an offset on, and the
// node accepts a connection.
func (n *Node) await(ctx context.Context, p *process, from int64, lines []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, n.timeout, fmt.Errorf("not ready after %s", n.timeout))
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return fmt.Errorf("servers: %s ended before it was ready: %s; correct what its log complains of:\n%s",
				n.name, p.cmd.ProcessState, n.logTail(from))
		case <-ctx.Done():
			return fmt.Errorf("servers: %s: %w; its log tells how far it came; a loaded machine needs a longer StartTimeout, or more memory:\n%s",
				n.name, context.Cause(ctx), n.logTail(from))
		case <-ticker.C:
		}
		log, err := n.logSince(from)
		if err != nil {
			return err
		}
		if containsAll(log, lines) && n.accepts(ctx) {
			return nil
		}
	}
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func (n *Node) accepts(ctx context.Context) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", n.address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

// Kill ends the node as a crash does, by SIGKILL, and returns when the process
// is gone. What it has not synced is still the kernel's, and so is not lost.
// Killing what does not run does nothing.
func (n *Node) Kill() error {
	p := n.process()
	if p == nil {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("servers: kill %s: %w", n.name, err)
	}
	<-p.done
	return nil
}

// Stop ends the node as an operator does, by SIGTERM, and returns when the
// process is gone. One that takes longer than stopTimeout is killed. Stopping
// what does not run does nothing.
func (n *Node) Stop() error {
	p := n.process()
	if p == nil {
		return nil
	}
	// One that is paused would get the first signal after the second only.
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		if err := p.signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("servers: stop %s: %w", n.name, err)
		}
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return n.Kill()
	}
}

// stopTimeout is what a server gets to write down what it has in memory.
const stopTimeout = 30 * time.Second

// Pause stops the process in its tracks, by SIGSTOP: connections stay, and
// nothing answers, as on a machine that hangs.
// The signal takes a moment to reach all threads, which Pause waits for where that
// can be seen.
func (n *Node) Pause() error {
	if err := n.signalRunning("pause", syscall.SIGSTOP); err != nil {
		return err
	}
	return awaitStopped(n.PID())
}

// awaitStopped returns when Linux says of the process that it is stopped, at once
// where there is no /proc.
func awaitStopped(pid int) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) { //nolint:forbidigo // nobody tells when
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return nil //nolint:nilerr // no /proc
		}
		if _, state, found := strings.Cut(string(stat), ") "); !found || strings.HasPrefix(state, "T") {
			return nil
		}
	}
	return fmt.Errorf("servers: pausing process %d: it goes on", pid)
}

// Resume lets a paused process go on.
func (n *Node) Resume() error { return n.signalRunning("resume", syscall.SIGCONT) }

func (n *Node) signalRunning(what string, signal os.Signal) error {
	p := n.process()
	if p == nil {
		return fmt.Errorf("servers: %s %s: it is not running; Start it first", what, n.name)
	}
	if err := p.signal(signal); err != nil {
		return fmt.Errorf("servers: %s %s: %w", what, n.name, err)
	}
	return nil
}

// process returns the running process, or nil.
func (n *Node) process() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running == nil || n.running.ended() {
		return nil
	}
	return n.running
}
