//go:build unix && !linux

package servers

import (
	"syscall"
	"time"
)

// attributes of a child: one in the background has a session of its own, so
// that no terminal ends it; another gets the terminal's signals as this process
// does.
func attributes(background bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: background}
}

// setTimerSlack does nothing: it is a matter of Linux.
func setTimerSlack(time.Duration) error { return nil }
