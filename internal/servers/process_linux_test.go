package servers

import (
	"bufio"
	"io"
	"os"
	"os/exec"
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
