package gossip

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// A network is one in memory: nodes 10.0.0.1, 10.0.0.2, … whose packets get lost when
// nobody takes them, and which can be cut, also one way. It counts what is sent, and
// runs in a testing/synctest bubble.
type network struct {
	mu    sync.Mutex
	next  netip.Addr
	hosts map[string]*host4
	cut   map[[2]string]bool
}

func newNetwork() *network {
	return &network{next: netip.MustParseAddr("10.0.0.1"), hosts: map[string]*host4{}, cut: map[[2]string]bool{}}
}

// host4 is one node's memberlist.NodeAwareTransport.
type host4 struct {
	net     *network
	address string
	packets chan *memberlist.Packet
	streams chan net.Conn
	sent    atomic.Int64 // bytes, packets and streams
	ended   chan struct{}
	end     func()
}

func (n *network) host() *host4 {
	n.mu.Lock()
	defer n.mu.Unlock()
	address := netip.AddrPortFrom(n.next, DefaultPort).String()
	n.next = n.next.Next()
	return n.at(address)
}

// hostAt returns one at an address that another had before.
func (n *network) hostAt(address string) *host4 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at(address)
}

func (n *network) at(address string) *host4 {
	h := &host4{
		net: n, address: address,
		packets: make(chan *memberlist.Packet, 1024), streams: make(chan net.Conn, 64), ended: make(chan struct{}),
	}
	h.end = sync.OnceFunc(func() { close(h.ended) })
	n.hosts[address] = h
	return h
}

// split cuts all between nodes of different sides, both ways; heal undoes every cut.
func (n *network) split(sides ...[]string) {
	for i, side := range sides {
		for j, other := range sides {
			for _, from := range side {
				for _, to := range other {
					if i != j {
						n.cutOneWay(from, to)
					}
				}
			}
		}
	}
}

// cutOneWay loses what from sends to another. A stream needs both ways.
func (n *network) cutOneWay(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from, to}] = true
}

func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

func (n *network) way(from, to string) (*host4, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[to], !n.cut[[2]string{from, to}]
}

type memoryAddr string

func (a memoryAddr) Network() string { return "memory" }
func (a memoryAddr) String() string  { return string(a) }

func (h *host4) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	at := netip.MustParseAddrPort(h.address)
	return at.Addr().AsSlice(), int(at.Port()), nil
}

func (h *host4) WriteTo(b []byte, address string) (time.Time, error) {
	h.sent.Add(int64(len(b)))
	if to, open := h.net.way(h.address, address); open && to != nil {
		select {
		case <-to.ended:
		case to.packets <- &memberlist.Packet{Buf: append([]byte(nil), b...), From: memoryAddr(h.address), Timestamp: time.Now()}:
		default:
		}
	}
	return time.Now(), nil
}

func (h *host4) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return h.WriteTo(b, a.Addr)
}

func (h *host4) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return h.DialTimeout(a.Addr, timeout)
}

func (h *host4) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	to, there := h.net.way(h.address, address)
	_, back := h.net.way(address, h.address)
	if to == nil || !there || !back {
		select {
		case <-ctx.Done():
			return nil, os.ErrDeadlineExceeded
		case <-h.ended:
			return nil, net.ErrClosed
		}
	}
	client, server := net.Pipe()
	mine := &memoryConn{Conn: client, host: h, peer: memoryAddr(address)}
	theirs := &memoryConn{Conn: server, host: to, peer: memoryAddr(h.address)}
	select {
	case <-to.ended:
		return nil, errors.New("connection refused")
	default:
	}
	select {
	case to.streams <- theirs:
		return mine, nil
	case <-to.ended:
		return nil, errors.New("connection refused")
	}
}

func (h *host4) PacketCh() <-chan *memberlist.Packet { return h.packets }
func (h *host4) StreamCh() <-chan net.Conn           { return h.streams }

func (h *host4) Shutdown() error {
	h.end()
	return nil
}

// memoryConn counts, and loses what is sent where the way is cut.
type memoryConn struct {
	net.Conn
	host *host4
	peer memoryAddr
}

func (c *memoryConn) RemoteAddr() net.Addr { return c.peer }
func (c *memoryConn) LocalAddr() net.Addr  { return memoryAddr(c.host.address) }

func (c *memoryConn) Write(p []byte) (int, error) {
	c.host.sent.Add(int64(len(p)))
	if _, open := c.host.net.way(c.host.address, string(c.peer)); !open {
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(p)
}

// tapped shows what is sent in packets.
type tapped struct {
	*host4
	took func([]byte)
}

func (h *tapped) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	h.took(b)
	return h.host4.WriteTo(b, a.Addr)
}
