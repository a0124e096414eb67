package hosts_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/internal/servers/hosts"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHosts returns a network with two hosts.
func newHosts(t *testing.T) (n *hosts.Network, a, b *hosts.Host) {
	t.Helper()
	n = serverstest.Network(t)
	return n, newHost(t, n, "a"), newHost(t, n, "b")
}

func newHost(t *testing.T, n *hosts.Network, name string) *hosts.Host {
	t.Helper()
	h, err := n.NewHost(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// mail is a UDP socket of a host on each of two ports.
type mail [2]net.PacketConn

const firstPort = 7000

func newMail(t *testing.T, h *hosts.Host) (m mail) {
	t.Helper()
	for i := range m {
		conn, err := h.ListenPacket(t.Context(), "udp4", fmt.Sprintf("%s:%d", h.Addr(), firstPort+i))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		m[i] = conn
	}
	return m
}

// send sends a text from a port to the same port of another host.
func (m mail) send(t *testing.T, to *hosts.Host, i int, text string) {
	t.Helper()
	addr := &net.UDPAddr{IP: to.Addr().AsSlice(), Port: firstPort + i}
	if _, err := m[i].WriteTo([]byte(text), addr); err != nil {
		t.Fatalf("who sends is told that it is lost: %v", err)
	}
}

// gets fails the test if what comes next is another text.
func (m mail) gets(t *testing.T, i int, want string) {
	t.Helper()
	if err := m[i].SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	k, _, err := m[i].ReadFrom(b)
	if err != nil || string(b[:k]) != want {
		t.Errorf("at port %d comes %q, %v; want %q", firstPort+i, b[:k], err, want)
	}
}

func healed(t *testing.T, heal func(context.Context) error) {
	t.Helper()
	if err := heal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, n *hosts.Network, ways ...hosts.Way) func(context.Context) error {
	t.Helper()
	heal, err := n.Cut(t.Context(), ways...)
	if err != nil {
		t.Fatal(err)
	}
	return heal
}

// What is cut is lost, without a word to who sends, and nothing else is. What comes on
// a link comes in order: so what was sent first is lost when what was sent later comes.
func TestCut(t *testing.T) {
	n, a, b := newHosts(t)
	from, to := newMail(t, a), newMail(t, b)
	all := func(say string) {
		t.Helper()
		for i := range from {
			from.send(t, b, i, say)
			to.gets(t, i, say)
			to.send(t, a, i, say)
			from.gets(t, i, say)
		}
	}
	all("before")

	heal := cut(t, n, hosts.Way{From: a, To: b})
	from.send(t, b, 0, "one way")
	to.send(t, a, 0, "the other way")
	from.gets(t, 0, "the other way")
	healed(t, heal)
	all("after one way")

	heal = cut(t, n, hosts.Both(a, b, firstPort)...)
	from.send(t, b, 0, "a port")
	from.send(t, b, 1, "another port")
	to.gets(t, 1, "another port")
	to.send(t, a, 0, "a port")
	healed(t, heal)
	all("after a port")

	// Of two that overlap each is healed by itself.
	from0, to0 := cut(t, n, hosts.Way{From: a}), cut(t, n, hosts.Way{To: b})
	healed(t, from0)
	from.send(t, b, 0, "to b")
	to.send(t, a, 0, "from b")
	from.gets(t, 0, "from b")
	healed(t, to0)
	all("after all")
}

// A host has another address, and the old one leads nowhere.
func TestReaddress(t *testing.T) {
	_, a, b := newHosts(t)
	old := b.Addr()
	if err := b.Readdress(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.Addr() == old {
		t.Fatalf("the address is still %s", old)
	}
	from, to := newMail(t, a), newMail(t, b)
	from.send(t, b, 0, "hello")
	to.gets(t, 0, "hello")
	if conn, err := a.DialContext(t.Context(), "tcp", fmt.Sprintf("%s:1", old)); err == nil {
		_ = conn.Close()
		t.Errorf("%s is still reached", old)
	}
}

// A program on this machine's loopback and one on a host reach each other by relays,
// also when the host is cut off; nothing else of either is reached from the other.
func TestRelay(t *testing.T) {
	n, a, _ := newHosts(t)
	_ = cut(t, n, hosts.Way{From: a}, hosts.Way{To: a})
	here, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	there, err := a.Listen(t.Context(), "tcp", "127.0.0.1:7210")
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := a.DialContext(t.Context(), "tcp", here.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("this machine's loopback is reached from a host")
	}
	// From here to there, and from there to somebody who says back what he hears.
	echo, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer echo.Close()
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	n.Relay(here, func(ctx context.Context) (net.Conn, error) {
		return a.DialContext(ctx, "tcp", there.Addr().String())
	})
	n.Relay(there, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", echo.Addr().String())
	})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", here.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err = conn.Write([]byte("hello")); err == nil {
		_, err = io.ReadFull(conn, got)
	}
	if err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	_ = conn.Close()
	<-ended // the end of a connection is passed on, too
}

// What a process has left that was killed, with what runs there, is removed.
// Mutation seen to fail: the processes not ended.
func TestAbandonedIsRemoved(t *testing.T) {
	serverstest.Network(t)
	dead := exec.CommandContext(t.Context(), "true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("mesonet-%d-1-left", dead.Process.Pid)
	if err := exec.CommandContext(t.Context(), "ip", "netns", "add", name).Run(); err != nil {
		t.Fatal(err)
	}
	left := exec.CommandContext(t.Context(), "ip", "netns", "exec", name, "sh", "-c", "echo; exec sleep 1000")
	said, err := left.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := said.Read(make([]byte, 1)); err != nil { // it is there
		t.Fatal(err)
	}
	serverstest.Network(t)
	if err := left.Wait(); err == nil {
		t.Error("what ran there has ended by itself")
	}
	if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the namespace is still there: %v", err)
	}
}

// What runs on a host ends with the network.
func TestCloseEndsAll(t *testing.T) {
	n, a, _ := newHosts(t)
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it has ended by itself")
	}
}
