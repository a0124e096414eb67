package servers

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A server dies with the process that started it, when that is killed: the
// child of a child holds the other end of a pipe until it has ended. Mutation:
// no Pdeathsig (the pipe stays open).
func TestChildrenEndWithTheProcess(t *testing.T) {
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), orphanEnv+"=1")
	parent.Stdout = write
	must(t, parent.Start())
	must(t, write.Close())
	must(t, read.SetReadDeadline(time.Now().Add(10*time.Second)))
	output := bufio.NewReader(read)
	line, err := output.ReadString('\n')
	if err != nil || line != "started\n" {
		t.Errorf("the process says %q, %v", line, err)
	}
	must(t, parent.Process.Kill())
	_ = parent.Wait() // killed
	if rest, err := io.ReadAll(output); err != nil {
		t.Errorf("the child lives on: %q, %v", rest, err)
	}
}

// A child has the timer slack that it is given, and no thread of this process keeps it.
// Mutations seen to fail: setTimerSlack that does nothing; the thread keeps it.
func TestTimerSlack(t *testing.T) {
	const slack = 1234567
	for _, given := range []time.Duration{0, slack} {
		log, err := os.Create(filepath.Join(t.TempDir(), "log"))
		must(t, err)
		p, err := launch(exec.Command("cat", "/proc/self/timerslack_ns"), log, false, given)
		must(t, err)
		<-p.done
		must(t, log.Close())
		got, err := os.ReadFile(log.Name())
		must(t, err)
		if had := strings.TrimSpace(string(got)) == strconv.Itoa(slack); had != (given == slack) {
			t.Errorf("a child with a timer slack of %d ns has %s", given, got)
		}
	}
	if threadHas(t, slack) {
		t.Error("a thread of this process has the child's timer slack")
	}
}

// threadHas reports whether a thread of this process has a timer slack. Those of others
// than the one that asks are for the privileged.
func threadHas(t *testing.T, slack int) bool {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	must(t, err)
	for _, thread := range threads {
		got, err := os.ReadFile(filepath.Join("/proc", thread.Name(), "timerslack_ns"))
		if errors.Is(err, fs.ErrPermission) {
			t.Skip("the timer slack of threads is for the privileged")
		}
		if err == nil && strings.TrimSpace(string(got)) == strconv.Itoa(slack) {
			return true
		}
	}
	return false
}
