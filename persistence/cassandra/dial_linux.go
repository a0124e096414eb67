package cassandra

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endLost has the kernel end a connection on which what was sent is not acknowledged by
// the other kernel for so long. Without it, it sends again after pauses that double, up
// to two minutes: a node whose link was cut for a minute would find its store only a
// minute after the link is back. One whose process stands still is not ended: its
// kernel acknowledges.
func endLost(conn net.Conn, after time.Duration) error {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
