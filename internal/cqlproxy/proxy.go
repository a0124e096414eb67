package cqlproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
)

// A Proxy stands before the nodes of a cluster.
type Proxy struct {
	nodes    []string
	registry *registry
	lifetime context.Context // until Close
	end      context.CancelFunc
	running  sync.WaitGroup

	dialing sync.Mutex // for doors; before mu
	doors   map[Link]string

	mu        sync.Mutex
	changed   chan struct{} // closed and made anew with each change
	closed    bool
	rules     []*Rule
	faults    []*Fault
	conns     map[*conn]bool
	lastConn  int
	listeners []net.Listener
	errs      []error
}

// New makes a proxy for servers at these addresses, HOST:PORT each, spelled as
// the driver will dial them. It must be closed.
func New(nodes ...string) *Proxy {
	lifetime, end := context.WithCancel(context.Background())
	return &Proxy{
		nodes:    nodes,
		registry: newRegistry(),
		lifetime: lifetime,
		end:      end,
		changed:  make(chan struct{}),
		conns:    make(map[*conn]bool),
		doors:    make(map[Link]string),
	}
}

// Close cuts all connections, loses what is held, and waits until all is over.
// It returns what was malformed on the way, which is a mistake of a client, a
// server or the proxy, and never the doing of a rule.
func (p *Proxy) Close() error {
	p.change(func() {
		if p.closed {
			return
		}
		p.closed = true
		p.end()
		for _, listener := range p.listeners {
			_ = listener.Close()
		}
		for c := range p.conns {
			c.close()
		}
	})
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// Clear makes the proxy transparent: it ends all rules, releases what they hold,
// and lifts all faults.
func (p *Proxy) Clear() {
	p.mu.Lock()
	rules, faults := slices.Clone(p.rules), slices.Clone(p.faults)
	p.mu.Unlock()
	for _, r := range rules {
		(&Held{r}).Release()
	}
	for _, f := range faults {
		f.Lift()
	}
}

// A Client dials nodes through the proxy, under a label that rules and faults
// can name. It is the Dialer of a driver's configuration.
type Client struct {
	proxy *Proxy
	label string
}

// Client returns the dialer with this label. Empty is a label too.
func (p *Proxy) Client(label string) *Client { return &Client{proxy: p, label: label} }

// DialContext connects to the node at the address, through the proxy. An address
// that is no node of the proxy's is an error: no driver gets past it.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	door, err := c.proxy.door(ctx, Link{c.label, address})
	if err != nil {
		return nil, err
	}
	if c.proxy.refuses(c.label, address) {
		return nil, fmt.Errorf("cqlproxy: %s to %s: %w", c.label, address, syscall.ECONNREFUSED)
	}
	node, err := net.ResolveTCPAddr(network, address)
	if err != nil {
		return nil, fmt.Errorf("cqlproxy: the address of a node: %w", err)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, door)
	if err != nil {
		return nil, err
	}
	return nodeConn{conn.(*net.TCPConn), node}, nil // doors are TCP, as network is
}

// A nodeConn says that it leads to the node. Drivers believe the connection that
// they have, and not the node, about the address of the node they reached first.
type nodeConn struct {
	*net.TCPConn // with what makes writing of buffers one system call

	node net.Addr
}

func (c nodeConn) RemoteAddr() net.Addr { return c.node }

// door returns where the proxy listens for the one client and node.
func (p *Proxy) door(ctx context.Context, link Link) (string, error) {
	p.dialing.Lock()
	defer p.dialing.Unlock()
	if door, open := p.doors[link]; open {
		return door, nil
	}
	door, err := p.Listen(ctx, link, "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.doors[link] = door
	return door, nil
}

// Listen opens a way to the link's node at an address (with port 0, at a free
// port), for clients that have no dialer, such as another process. All that
// come there have the link's label. It returns the address.
func (p *Proxy) Listen(ctx context.Context, link Link, address string) (string, error) {
	if !slices.Contains(p.nodes, link.Node) {
		return "", fmt.Errorf("cqlproxy: there is no node %s, only %v", link.Node, p.nodes)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("cqlproxy: listening for %s: %w", link.Node, err)
	}
	started := false
	p.change(func() {
		if !p.closed {
			started = true
			p.listeners = append(p.listeners, listener)
			p.running.Go(func() { p.accept(listener, link) })
		}
	})
	if !started {
		_ = listener.Close()
		return "", ErrClosed
	}
	return listener.Addr().String(), nil
}

func (p *Proxy) accept(listener net.Listener, link Link) {
	for {
		down, err := listener.Accept()
		if err != nil {
			if p.lifetime.Err() == nil {
				p.report(fmt.Errorf("cqlproxy: accepting for %s: %w", link.Node, err))
			}
			return
		}
		p.running.Go(func() { p.connect(down, link) })
	}
}

// connect goes on to the server, and serves the connection. A client whose
// server is not there is cut.
func (p *Proxy) connect(down net.Conn, link Link) {
	up, err := p.dialServer(link)
	if err != nil {
		(&conn{down: down, toClient: newOutbox()}).cut()
		return
	}
	c := p.newConn(link.Client, link.Node, down, up)
	p.change(func() {
		if p.closed {
			c.close() // and run ends at once
			return
		}
		p.lastConn++
		c.id = p.lastConn
		p.conns[c] = true
		for _, f := range p.faults {
			f.begin(c)
		}
	})
	c.run()
	p.change(func() { delete(p.conns, c) })
}

func (p *Proxy) dialServer(link Link) (net.Conn, error) {
	if p.refuses(link.Client, link.Node) {
		return nil, syscall.ECONNREFUSED
	}
	var dialer net.Dialer
	return dialer.DialContext(p.lifetime, "tcp", link.Node)
}

// report keeps an error for Close.
func (p *Proxy) report(err error) {
	if err != nil {
		p.change(func() { p.errs = append(p.errs, err) })
	}
}
