package servers

import "syscall"

// attributes of a child: one in the background has a session of its own, so
// that no terminal ends it; another dies with the thread that starts it.
func attributes(background bool) *syscall.SysProcAttr {
	if background {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
