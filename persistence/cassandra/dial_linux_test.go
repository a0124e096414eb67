package cassandra

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel ends a connection on which what was sent is not acknowledged. That a node
// finds its store soon after a long cut shows TestClusterOnHosts of cmd/mesonet; this
// shows that it does so for each connection. Mutation seen to fail: endLost not called.
func TestLostConnectionsEnd(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialer := &openingDialer{dialer: new(net.Dialer), timeout: DefaultConfig().ConnectTimeout}
	conn, err := dialer.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	got, failed := 0, error(nil)
	if err := raw.Control(func(fd uintptr) {
		got, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	if int64(got) != lostAfter.Milliseconds() {
		t.Errorf("TCP_USER_TIMEOUT is %d ms, want %v", got, lostAfter)
	}
}
