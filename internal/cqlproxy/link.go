package cqlproxy

import (
	"slices"
	"sync"
)

// A Link is all connections of a client to a node. Empty is any; the zero Link
// is all there is.
type Link struct{ Client, Node string }

func (l Link) has(client, node string) bool {
	return (l.Client == "" || l.Client == client) && (l.Node == "" || l.Node == node)
}

// A Direction is what a pause stops.
type Direction int

// Directions. What is not stopped passes.
const (
	BothWays Direction = iota
	Requests
	Replies
)

// A Fault is a link out of order, until Lift.
type Fault struct {
	proxy     *Proxy
	link      Link
	refuse    bool
	direction Direction
	lift      sync.Once
}

// Pause is a partition: nothing on the link gets through in the direction, and
// nobody is told. When it is lifted, what was sent meanwhile arrives, in its
// order, the requests of clients that have gone since included. Rules act before
// a pause: a request that waits here has been counted already.
func (p *Proxy) Pause(link Link, direction Direction) *Fault {
	fault := &Fault{proxy: p, link: link, direction: direction}
	p.change(func() {
		p.faults = append(p.faults, fault)
		for c := range p.conns {
			fault.begin(c)
		}
	})
	return fault
}

// Refuse refuses new connections on the link. Those that there are go on.
func (p *Proxy) Refuse(link Link) *Fault {
	fault := &Fault{proxy: p, link: link, refuse: true}
	p.change(func() { p.faults = append(p.faults, fault) })
	return fault
}

// Disconnect cuts all connections on the link, as Cut does. Clients may connect
// again; see Refuse.
func (p *Proxy) Disconnect(link Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if link.has(c.client, c.node) {
			c.cut()
		}
	}
}

// Lift ends the fault. Further calls do nothing.
func (f *Fault) Lift() {
	f.lift.Do(func() {
		f.proxy.change(func() {
			f.proxy.faults = slices.DeleteFunc(f.proxy.faults, func(other *Fault) bool { return other == f })
			for c := range f.proxy.conns {
				f.end(c)
			}
		})
	})
}

// begin and end run under the proxy's mutex, in pairs for each connection that
// is in Proxy.conns meanwhile.
func (f *Fault) begin(c *conn) { f.each(c, (*outbox).pause) }
func (f *Fault) end(c *conn)   { f.each(c, (*outbox).resume) }

func (f *Fault) each(c *conn, do func(*outbox)) {
	if f.refuse || !f.link.has(c.client, c.node) {
		return
	}
	if f.direction != Replies {
		do(c.toServer)
	}
	if f.direction != Requests {
		do(c.toClient)
	}
}

func (p *Proxy) refuses(client, node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.faults, func(f *Fault) bool { return f.refuse && f.link.has(client, node) })
}
