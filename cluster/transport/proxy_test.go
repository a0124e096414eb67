package transport

import (
	"net"
	"sync"
	"testing"
)

// A proxy stands between two nodes, and breaks what is between them.
type proxy struct {
	listener net.Listener
	target   string
	work     sync.WaitGroup

	mu     sync.Mutex
	free   sync.Cond
	hung   [2]bool // nothing passes to the server; to the client
	pairs  map[net.Conn]net.Conn
	closed bool
}

const (
	toServer = iota
	toClient
)

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{listener: listen(t, "127.0.0.1:0"), target: target, pairs: make(map[net.Conn]net.Conn)}
	p.free.L = &p.mu
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		if p.closed {
			in.Close()
			out.Close()
		}
		p.pairs[in] = out
		p.mu.Unlock()
		p.work.Go(func() { p.pass(toServer, in, out) })
		p.work.Go(func() { p.pass(toClient, out, in) })
	}
}

// pass copies one way, unless that hangs. What was read before goes on when it does
// not hang any more, as a network would send it again.
func (p *proxy) pass(way int, from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		for p.hung[way] && !p.closed {
			p.free.Wait()
		}
		p.mu.Unlock()
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// hang has nothing pass one way, or lets it pass again.
func (p *proxy) hang(way int, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hung[way] = on
	p.free.Broadcast()
}

// cut ends all connections. New ones may come.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for in, out := range p.pairs {
		in.Close()
		out.Close()
	}
	clear(p.pairs)
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.free.Broadcast()
	p.mu.Unlock()
	p.cut()
	p.work.Wait()
}
