package servers

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// process is a running child. One goroutine owns it: it starts the child, waits
// for it, and ends with it.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended and was waited for
}

// launch starts a command that writes its standard output and error to log.
//
// The child must not outlive this process, however that ends; on Linux the
// kernel sees to it by Pdeathsig. That signal comes when the *thread* ends which
// has started the child, not the process, and the Go runtime may end a thread
// while others go on. So the owning goroutine is locked to its thread and stays
// in it until the child has ended: the thread lives as long as the child, and a
// process that dies takes all its threads along. (The runtime itself checks,
// between fork and exec, that the parent has not died before the kernel knew.)
func launch(cmd *exec.Cmd, log *os.File, background bool, slack time.Duration) (*process, error) {
	cmd.Stdout, cmd.Stderr = log, log // files, so that nothing in this process copies
	cmd.SysProcAttr = attributes(background)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := startSlack(cmd, slack)
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		_ = cmd.Wait() // ProcessState has the outcome
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// startSlack starts a command with a timer slack, which it inherits from this thread.
func startSlack(cmd *exec.Cmd, slack time.Duration) error {
	if slack == 0 {
		return cmd.Start()
	}
	if err := setTimerSlack(slack); err != nil {
		return err
	}
	err := cmd.Start()
	_ = setTimerSlack(0) // which has just worked
	return err
}

// ended reports whether the child has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends to this very child: the error is [os.ErrProcessDone] when it has
// ended, even if another process has its id by now.
func (p *process) signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }
