package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
)

// wire stands between memberlist and its transport. It has the ends of memberlist's
// connections, which memberlist itself lets go when it is shut down, and it sees the
// label of each before memberlist does: one of another cluster gets this cluster's
// label for an answer, so that both sides know why they don't find each other.
// Memberlist would only close it. An answer never begins with a label otherwise.
type wire struct {
	memberlist.NodeAwareTransport

	identity cluster.Identity
	label    string
	door     *bouncer
	streams  chan net.Conn

	ended context.Context // of all dialing
	end   context.CancelFunc
	pump  sync.WaitGroup
	drain chan struct{} // closed when the pump may end

	mu      sync.Mutex
	closed  bool
	open    map[net.Conn]struct{}
	inbound int
	active  sync.WaitGroup // connections and dials
}

// maxInbound bounds how many connections others may have open at a time. Memberlist
// opens one for an exchange and closes it; 128 exchanges are its own bound.
const maxInbound = 256

const labelByte = 244 // what a labelled packet or stream begins with, see memberlist's label.go

var (
	errWireClosed = errors.New("gossip: closed")
	errNoAnswer   = errors.New("it closed the connection without an answer")
)

func newWire(inner memberlist.Transport, identity cluster.Identity, door *bouncer) *wire {
	aware, ok := inner.(memberlist.NodeAwareTransport)
	if !ok {
		aware = unaware{inner}
	}
	w := &wire{
		NodeAwareTransport: aware,
		identity:           identity,
		label:              labelPrefix + identity.Cluster,
		door:               door,
		streams:            make(chan net.Conn),
		drain:              make(chan struct{}),
		open:               map[net.Conn]struct{}{},
	}
	w.ended, w.end = context.WithCancel(context.Background())
	w.pump.Go(w.accept)
	return w
}

// unaware is a transport that goes by addresses alone.
type unaware struct{ memberlist.Transport }

func (u unaware) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return u.WriteTo(b, a.Addr)
}

func (u unaware) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return u.DialTimeout(a.Addr, timeout)
}

// StreamCh is part of memberlist.Transport.
func (w *wire) StreamCh() <-chan net.Conn { return w.streams }

func (w *wire) accept() {
	for {
		select {
		case conn := <-w.NodeAwareTransport.StreamCh():
			in, ok := w.admit(conn)
			if !ok {
				_ = conn.Close()
				continue
			}
			select {
			case w.streams <- in:
			case <-w.ended.Done():
				_ = in.Close()
			}
		case <-w.drain:
			return
		}
	}
}

func (w *wire) admit(conn net.Conn) (*inbound, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, false
	}
	if w.inbound >= maxInbound {
		w.door.log.Debug("gossip: too many connections at a time, one was closed", "peer", conn.RemoteAddr().String())
		return nil, false
	}
	w.inbound++
	in := &inbound{Conn: conn, wire: w}
	in.release = sync.OnceFunc(func() {
		w.mu.Lock()
		w.inbound--
		w.mu.Unlock()
		w.forget(conn)
	})
	w.open[conn] = struct{}{}
	w.active.Add(1)
	return in, true
}

func (w *wire) forget(conn net.Conn) {
	w.mu.Lock()
	delete(w.open, conn)
	w.mu.Unlock()
	w.active.Done()
}

// WriteToAddress is part of memberlist.NodeAwareTransport.
func (w *wire) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if w.ended.Err() != nil {
		return time.Time{}, errWireClosed
	}
	return w.NodeAwareTransport.WriteToAddress(b, a)
}

// DialAddressTimeout is part of memberlist.NodeAwareTransport.
func (w *wire) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, errWireClosed
	}
	w.active.Add(1)
	w.mu.Unlock()

	conn, err := w.dial(a, timeout)
	if err != nil {
		w.active.Done()
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = conn.Close()
		w.active.Done()
		return nil, errWireClosed
	}
	w.open[conn] = struct{}{}
	return &outbound{Conn: conn, wire: w, address: a.Addr, release: sync.OnceFunc(func() { w.forget(conn) })}, nil
}

func (w *wire) dial(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if _, ok := w.NodeAwareTransport.(*memberlist.NetTransport); !ok {
		return w.NodeAwareTransport.DialAddressTimeout(a, timeout)
	}
	ctx, cancel := context.WithTimeout(w.ended, timeout) // its own dialer can't be told to stop
	defer cancel()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", a.Addr)
}

// shut ends all connections, and lets nothing in or out any more.
func (w *wire) shut() {
	w.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for conn := range w.open {
		_ = conn.Close()
	}
}

// Shutdown is part of memberlist.Transport.
func (w *wire) Shutdown() error {
	w.shut()
	err := w.NodeAwareTransport.Shutdown() // its listeners may be waiting for accept
	close(w.drain)
	w.pump.Wait()
	return err
}

// wait waits until memberlist has let go of all connections.
func (w *wire) wait() { w.active.Wait() }

// inbound is a connection that another has opened.
type inbound struct {
	net.Conn
	wire    *wire
	release func()

	judged bool
	head   []byte // read to judge by, and still to be read by memberlist
}

func (c *inbound) Read(p []byte) (int, error) {
	if !c.judged {
		c.judged = true
		if err := c.judge(); err != nil {
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *inbound) Close() error {
	defer c.release()
	return c.Conn.Close()
}

var errNoGossip = errors.New("gossip: no label of a mesonet")

// judge reads the label. Its errors end the connection.
func (c *inbound) judge() error {
	head := make([]byte, 2, 2+memberlist.LabelMaxSize)
	if n, err := io.ReadFull(c.Conn, head[:1]); n == 0 {
		return err // a port that was tried, and nothing said
	}
	peer := c.RemoteAddr().String()
	if head[0] == labelByte {
		if _, err := io.ReadFull(c.Conn, head[1:2]); err == nil {
			head = head[:2+int(head[1])]
			if _, err = io.ReadFull(c.Conn, head[2:]); err == nil && strings.HasPrefix(string(head[2:]), labelPrefix) {
				label := string(head[2:])
				if label == c.wire.label {
					c.head = head
					return nil
				}
				r := otherCluster(c.wire.identity, peer, label)
				c.wire.door.refused(r, host(peer))
				c.answer()
				return r
			}
		}
	}
	c.wire.door.malformed(peer, "a connection that does not begin as one of a mesonet's gossip")
	return errNoGossip
}

// answer says of which cluster this node is. What the other has sent has to be read
// first: closing a connection with something unread would take the answer away.
func (c *inbound) answer() {
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.CopyN(io.Discard, c.Conn, 1<<20)
	_, _ = c.Write(append([]byte{labelByte, byte(len(c.wire.label))}, c.wire.label...))
}

// outbound is a connection that memberlist has opened.
type outbound struct {
	net.Conn
	wire    *wire
	address string
	release func()

	answered bool
}

func (c *outbound) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch {
	case c.answered || len(p) == 0:
	case n > 0:
		c.answered = true
		if p[0] == labelByte {
			return 0, c.refused(p[1:n])
		}
	case errors.Is(err, io.EOF):
		err = errNoAnswer
	}
	return n, err
}

// refused reads the label that came for an answer.
func (c *outbound) refused(head []byte) error {
	size := make([]byte, 1)
	rest := io.MultiReader(strings.NewReader(string(head)), c.Conn)
	if _, err := io.ReadFull(rest, size); err != nil {
		return fmt.Errorf("the answer breaks off: %w", err)
	}
	label := make([]byte, size[0])
	if _, err := io.ReadFull(rest, label); err != nil {
		return fmt.Errorf("the answer breaks off: %w", err)
	}
	if !strings.HasPrefix(string(label), labelPrefix) || string(label) == c.wire.label {
		c.wire.door.malformed(c.address, "an answer that is none")
		return errNoGossip
	}
	r := otherCluster(c.wire.identity, c.address, string(label))
	c.wire.door.refused(r, host(c.address))
	return r
}

// Write closes the connection when it fails: memberlist forgets one to which it could
// not write the label.
func (c *outbound) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

func (c *outbound) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// host returns the address without its port, which is another each time.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
