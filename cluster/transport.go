package cluster

import (
	"errors"
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// Transport takes requests to other nodes and brings back their replies. It knows
// nothing of what they mean.
type Transport interface {
	// Send sends a request to a node. done is called once with what became of it, on a
	// goroutine of the transport or before Send returns: it must not block, and may
	// send. Send does not block either. Requests of one lane to one node arrive in
	// order.
	//
	// Body is the transport's until done is called; the reply is the caller's.
	Send(to Peer, r Request, done func(reply []byte, err error))
	// Keep ends the connections to nodes that are not among peers; those that other
	// nodes have made to this one are theirs to end.
	Keep(peers []Peer)
	// Close ends all connections; what is under way ends with an error. It waits for
	// all goroutines of the transport, and so can't be called from one.
	Close() error
}

// Peer is a node to send to. Another process that answers at its address is
// refused.
type Peer struct {
	Node    persistence.NodeID
	Address string // host:port
}

// Request is what a node asks another.
type Request struct {
	// Kind says what Body is; it is for the handler.
	Kind uint8
	// Bulk goes after what is not: a question never waits behind a load.
	Bulk bool
	// Deadline is when nobody waits for the reply any more, zero for never. One that
	// has passed while the request waits to be sent ends it.
	Deadline time.Time
	Body     []byte
}

// Handler takes a request of another node, and calls reply once, from any
// goroutine, at any time. It must not block and must not keep the request's body
// after it has returned. The reply's body is the transport's from then on.
type Handler func(from persistence.NodeID, r Request, reply func(body []byte))

// Errors of a request that has no reply.
var (
	// ErrUnsent: no handler has seen the request, and none ever will.
	ErrUnsent = errors.New("cluster: not sent")
	// ErrBroken: the connection ended; the request may have arrived, or not.
	ErrBroken = errors.New("cluster: connection broken")
	// ErrFull: too much waits to be sent to that node already. No handler has seen the
	// request either.
	ErrFull = errors.New("cluster: too much waits to be sent")
)
