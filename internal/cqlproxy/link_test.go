package cqlproxy

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// A partition in one way or both: what passes is executed, and what doesn't
// arrives when it is over.
func TestPause(t *testing.T) {
	for _, test := range []struct {
		name      string
		direction Direction
		executes  bool
	}{
		{"both ways", BothWays, false},
		{"requests", Requests, false},
		{"replies", Replies, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, version byte) {
				proxy, servers := start(t, 2)
				c := connect(t, proxy, "a", servers[0].address, version)
				others := []*client{
					connect(t, proxy, "b", servers[0].address, version),
					connect(t, proxy, "a", servers[1].address, version),
				}
				sent := proxy.Watch(Match{Client: "a", Node: servers[0].address, Table: "log"})
				pause := proxy.Pause(Link{"a", servers[0].address}, test.direction)
				c.query(1, insertLog)
				c.query(2, insertLog)
				must(t, sent.WaitFor(within(t), 2))
				for _, other := range others {
					other.query(1, selectNode)
					other.want(1, OpResult)
				}
				want := 0
				if test.executes {
					must(t, sent.Done(within(t)))
					want = 2
				}
				if got := countTexts(servers[0], insertLog); got != want {
					t.Errorf("executed %d inserts during the pause, want %d", got, want)
				}
				pause.Lift()
				pause.Lift()
				c.want(1, OpResult)
				c.want(2, OpResult)
			})
		})
	}
}

func countTexts(s *server, text string) int {
	n := 0
	for _, executed := range s.texts() {
		if executed == text {
			n++
		}
	}
	return n
}

// New connections get into a pause, too, and what a client sent before it went
// away arrives. Seen to fail without begin for a new connection.
func TestPauseOutlivesClients(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	pause := proxy.Pause(Link{}, BothWays)
	begun := proxy.Watch(Match{Opcode: OpStartup})
	late := dial(t, proxy, "", servers[0].address, version5)
	late.send(0, OpStartup, startup("CQL_VERSION", "3.0.0"))
	must(t, begun.Wait(within(t)))
	proxy.mu.Lock()
	for c := range proxy.conns {
		if c.toServer.paused != 1 || c.toClient.paused != 1 {
			t.Errorf("connection %d is paused %d and %d times, want once each", c.id, c.toServer.paused, c.toClient.paused)
		}
	}
	proxy.mu.Unlock()

	sent := proxy.Watch(Match{Table: "log"})
	c.query(1, insertLog)
	must(t, sent.Wait(within(t)))
	must(t, c.conn.Close())
	wantTexts(t, servers[0])
	pause.Lift()
	late.want(0, OpReady)
	must(t, sent.Done(within(t)))
	wantTexts(t, servers[0], insertLog)
}

func TestRefuse(t *testing.T) {
	proxy, servers := start(t, 1)
	node := servers[0].address
	c := connect(t, proxy, "a", node, version5)
	fault := proxy.Refuse(Link{Client: "a"})
	if _, err := proxy.Client("a").DialContext(within(t), "tcp", node); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling: %v, want %v", err, syscall.ECONNREFUSED)
	}
	c.query(1, selectNode)
	c.want(1, OpResult)
	connect(t, proxy, "b", node, version5)
	proxy.Disconnect(Link{Client: "a"})
	c.wantEnd()
	fault.Lift()
	connect(t, proxy, "a", node, version5)
}

// A connection has the address of its node, not of the proxy: with that of the
// proxy, gocql loses the node that its control connection goes to.
func TestRemoteAddr(t *testing.T) {
	proxy, servers := start(t, 2)
	for _, server := range servers {
		c := dial(t, proxy, "", server.address, version5)
		if got := c.conn.RemoteAddr().String(); got != server.address {
			t.Errorf("connected to %s, the connection says %s", server.address, got)
		}
	}
}

// A driver that would go past the proxy is stopped.
func TestDialUnknownNode(t *testing.T) {
	proxy, _ := start(t, 1)
	if conn, err := proxy.Client("").DialContext(within(t), "tcp", "127.0.0.1:1"); err == nil {
		conn.Close()
		t.Error("dialled a node that the proxy does not stand before")
	}
}

// A node that is down looks as one.
func TestServerIsDown(t *testing.T) {
	proxy, servers := start(t, 1)
	servers[0].stop()
	conn, err := proxy.Client("").DialContext(within(t), "tcp", servers[0].address)
	if err != nil {
		return // the reset came first
	}
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, error %v, want the end of the connection", n, err)
	}
}
