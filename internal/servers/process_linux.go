package servers

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes of a child: one in the background has a session of its own, so
// that no terminal ends it; another dies with the thread that starts it.
func attributes(background bool) *syscall.SysProcAttr {
	if background {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// setTimerSlack sets by how much more the kernel may let this thread sleep than it asks
// for, and whatever it starts: 0 is for the kernel's default.
func setTimerSlack(d time.Duration) error {
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d), 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack of %s: %w", d, err)
	}
	return nil
}
