package cqlproxy

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A conn is a client's connection and the one to the server that belongs to it.
//
// Every request gets a stream of the proxy's own choice on the way to the
// server, and its reply that of the client on the way back. So a client that was
// answered by the proxy may use its stream again, while what it had sent there
// is still held, or is executed late, or a second time.
//
// The server's side outlives the client's as long as there is something for the
// server to do: requests under way, or held, or delayed. That the late write of
// a dead client goes on the connection it was meant for has a reason: what
// belongs to the connection (keyspace, version, who has logged in) is there.
// A new connection would have to be brought into the same state by what the
// proxy remembers.
type conn struct {
	proxy        *Proxy
	id           int
	client, node string
	down, up     net.Conn // to the client, to the server
	toClient     *outbox
	toServer     *outbox

	// These are set when the answer to STARTUP goes by.
	downSegmented, upSegmented atomic.Bool

	mu         sync.Mutex // after Proxy.mu, before those of outboxes
	keyspace   string     // that of USE
	pending    map[int16]*exchange
	lastStream int16
	kept       int // requests that may still go to the server
	clientGone bool
	serverGone bool
}

// An exchange is a request and what becomes of it. One goroutine has it at a
// time.
type exchange struct {
	conn    *conn
	request *Request
	frame   frame
	silent  bool    // its reply is not for the client
	copied  bool    // the server executes it a second time
	rules   []*Rule // that want to know when it is settled
}

func (p *Proxy) newConn(client, node string, down, up net.Conn) *conn {
	return &conn{
		proxy: p, client: client, node: node, down: down, up: up,
		toClient: newOutbox(), toServer: newOutbox(),
		pending: make(map[int16]*exchange),
	}
}

// run returns when both sides are closed and all is settled.
func (c *conn) run() {
	var loops sync.WaitGroup
	loops.Go(func() {
		c.proxy.report(c.read(c.down, c.downSegmented.Load, c.onRequest))
		c.clientEnded()
	})
	loops.Go(func() {
		c.proxy.report(c.read(c.up, c.upSegmented.Load, c.onReply))
		c.serverEnded()
	})
	loops.Go(func() {
		_ = c.toClient.run(c.down) // the client is gone, which read notices
		_ = c.down.Close()
	})
	loops.Go(func() {
		_ = c.toServer.run(c.up)
		_ = c.up.Close()
	})
	loops.Wait()
}

// read hands all frames of one side to the function. An end of the connection,
// of any kind, is no error.
func (c *conn) read(from net.Conn, segmented func() bool, on func(frame) error) error {
	frames := newFrameReader(from, segmented)
	for {
		f, err := frames.next()
		if err == nil {
			err = on(f)
		}
		if errors.Is(err, ErrMalformed) {
			return fmt.Errorf("connection %d, %s to %s: from %s: %w", c.id, c.down.RemoteAddr(), c.node, from.RemoteAddr(), err)
		}
		if err != nil {
			return nil //nolint:nilerr // connections end: here they do so on purpose
		}
	}
}

func (c *conn) onRequest(f frame) error {
	x := &exchange{conn: c, request: c.parse(f), frame: f}
	if refusal, refused := refuseCompression(f); refused {
		c.answer(x, refusal.frame(x.request))
		return nil
	}
	c.proxy.registry.countSent(x.request)
	rule := c.proxy.decide(x, OnRequest, nil)
	if rule == nil {
		return c.forward(x)
	}
	switch rule.action {
	case failingAndHolding:
		c.answer(x, rule.failure.frame(x.request))
	case failing:
		c.answer(x, rule.failure.frame(x.request))
		x.settle(nil)
	case dropping:
		x.settle(nil)
	case delaying:
		c.after(rule.delay, x, func() { _ = c.forward(x) }) // the rule is told
	case duplicating:
		again := x.again(rule)
		again.silent = true
		return errors.Join(c.forward(x), c.forward(again))
	case cutting:
		x.settle(nil)
		c.cut()
	case holding, watching:
	}
	return nil
}

func (c *conn) parse(f frame) *Request {
	c.mu.Lock()
	keyspace := c.keyspace
	c.mu.Unlock()
	parser := requestParser{
		keyspace: keyspace,
		parse:    c.proxy.registry.parse,
		prepared: func(id []byte) []Statement { return c.proxy.registry.lookUp(c.node, id) },
	}
	request := parser.parseRequest(f)
	request.Client, request.Node, request.Conn = c.client, c.node, c.id
	return request
}

// again is the request once more, on behalf of a rule.
func (x *exchange) again(rule *Rule) *exchange {
	x.copied = true
	return &exchange{conn: x.conn, request: x.request, frame: x.frame, copied: true, rules: []*Rule{rule}}
}

// forward sends the request to the server.
func (c *conn) forward(x *exchange) error {
	c.mu.Lock()
	stream, err := c.freeStream()
	if err == nil {
		c.pending[stream] = x
		f := x.frame
		f.stream = stream
		// Counted before the server can have it, for whoever looks after it
		// was answered.
		c.proxy.registry.countForwarded(x.request)
		c.toServer.put(f, c.upSegmented.Load())
	}
	c.mu.Unlock()
	if err != nil {
		x.settle(err)
	}
	return err
}

func (c *conn) freeStream() (int16, error) {
	if c.serverGone {
		return 0, ErrLost
	}
	const streams = 1 << 15
	if len(c.pending) == streams {
		return 0, fmt.Errorf("%w traffic: more than %d requests under way on one connection", ErrMalformed, streams)
	}
	for c.pending[c.lastStream] != nil {
		c.lastStream = (c.lastStream + 1) & (streams - 1)
	}
	stream := c.lastStream
	c.lastStream = (c.lastStream + 1) & (streams - 1)
	return stream, nil
}

func (c *conn) onReply(reply frame) error {
	if reply.stream < 0 { // an event
		c.mu.Lock()
		defer c.mu.Unlock()
		c.toClient.put(reply, c.downSegmented.Load())
		return nil
	}
	c.mu.Lock()
	x := c.pending[reply.stream]
	delete(c.pending, reply.stream)
	c.mu.Unlock()
	if x == nil {
		return fmt.Errorf("%w traffic: a reply on stream %d, where nothing was asked", ErrMalformed, reply.stream)
	}
	c.learn(x, reply)
	x.settle(failureOf(reply))
	defer c.closeIfIdle()
	if x.silent {
		return nil
	}
	reply = withoutCompression(reply)
	rule := c.proxy.decide(x, OnReply, &reply)
	if rule == nil {
		c.answer(x, reply)
		x.settle(nil)
		return nil
	}
	switch rule.action {
	case failing:
		c.answer(x, rule.failure.frame(x.request))
		x.settle(nil)
	case dropping:
		x.settle(nil)
	case delaying:
		c.after(rule.delay, x, func() {
			c.answer(x, reply)
			x.settle(nil)
		})
	case duplicating:
		again := x.again(rule)
		x.settle(nil)
		return c.forward(again)
	case cutting:
		x.settle(nil)
		c.cut()
	case holding, failingAndHolding, watching:
	}
	return nil
}

// learn keeps what a reply says about what comes after it.
func (c *conn) learn(x *exchange, reply frame) {
	if startsSegments(x, reply) {
		c.upSegmented.Store(true)
	}
	if reply.opcode != OpResult {
		return
	}
	const (
		setKeyspace = 3
		prepared    = 4
	)
	b := bodyOf(reply)
	switch kind := b.int(); {
	case kind == setKeyspace:
		keyspace := b.string()
		c.mu.Lock()
		c.keyspace = keyspace
		c.mu.Unlock()
	case kind == prepared && x.request.Opcode == OpPrepare:
		if id := b.shortBytes(); b.err == nil {
			c.proxy.registry.learn(c.node, id, x.request)
		}
	}
}

// startsSegments reports whether the reply is the last one outside of segments.
func startsSegments(x *exchange, reply frame) bool {
	accepted := reply.opcode == OpReady || reply.opcode == OpAuthenticate
	return accepted && x.request.Opcode == OpStartup && reply.version() >= version5
}

// answer sends a reply to the client.
func (c *conn) answer(x *exchange, reply frame) {
	reply.stream = x.frame.stream
	c.mu.Lock()
	defer c.mu.Unlock()
	segmented := c.downSegmented.Load()
	if startsSegments(x, reply) {
		// The client's next bytes are in segments, and come as soon as it has
		// this.
		c.downSegmented.Store(true)
	}
	c.toClient.put(reply, segmented)
}

// after does something with an exchange later, unless the proxy is closed.
func (c *conn) after(delay time.Duration, x *exchange, do func()) {
	c.keep()
	c.proxy.running.Go(func() {
		defer c.letGo()
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
		case <-c.proxy.lifetime.Done():
			x.settle(ErrClosed)
		}
	})
}

// keep has the connection to the server stay until letGo.
func (c *conn) keep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept++
}

func (c *conn) letGo() {
	c.mu.Lock()
	c.kept--
	c.mu.Unlock()
	c.closeIfIdle()
}

// closeIfIdle closes the server's side when nothing is left to do for it.
func (c *conn) closeIfIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clientGone && c.kept == 0 && len(c.pending) == 0 {
		c.toServer.abort()
		_ = c.up.Close()
	}
}

func (c *conn) clientEnded() {
	c.mu.Lock()
	c.clientGone = true
	c.mu.Unlock()
	c.toClient.abort()
	_ = c.down.Close()
	c.closeIfIdle()
}

func (c *conn) serverEnded() {
	c.mu.Lock()
	c.serverGone = true
	lost := slices.Collect(maps.Values(c.pending))
	clear(c.pending)
	c.mu.Unlock()
	c.toServer.abort()
	_ = c.up.Close()
	c.toClient.finish()
	for _, x := range lost {
		x.settle(ErrLost)
	}
}

// cut breaks the client's side as a dead host does: with a reset, and without
// what was still to be written.
func (c *conn) cut() {
	c.toClient.abort()
	if tcp, ok := c.down.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.down.Close()
}

// close breaks both sides.
func (c *conn) close() {
	c.toServer.abort()
	_ = c.up.Close()
	c.cut()
}
