package transport

import (
	"context"
	"sync"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

// A peer is a node that requests were sent to, connected or not.
type peer struct {
	t  *Transport
	to cluster.Peer

	mu      sync.Mutex
	out     *outgoing     // nil when there is none that has not failed
	closed  error         // why nothing is sent any more
	backoff time.Duration // before the next attempt
	next    time.Time     // of the next attempt
	refused error         // why the last attempt failed, if that was a refusal
	last    string        // what was said of the last failure
}

// send gives a request to the connection, of which it makes one where there is none.
func (p *peer) send(it item) error {
	p.mu.Lock()
	o := p.out
	if o == nil {
		var err error
		if o, err = p.dial(); err != nil {
			p.mu.Unlock()
			return err
		}
	}
	p.mu.Unlock()
	return o.send(it)
}

// dial begins to connect. mu is held.
func (p *peer) dial() (*outgoing, error) {
	if p.closed != nil {
		return nil, unsent(p.to, p.closed)
	}
	after := time.Until(p.next)
	if after > 0 && p.refused != nil {
		return nil, unsent(p.to, p.refused)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	o := &outgoing{peer: p, ctx: ctx, cancel: cancel}
	o.init(p.t, nil, nil)
	if !p.t.start(func() { o.run(after) }) {
		cancel(errClosed)
		return nil, unsent(p.to, errClosed)
	}
	p.out = o
	return o, nil
}

// connected: all is well, so that the next failure is the first.
func (p *peer) connected() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backoff, p.refused, p.last = 0, nil, ""
}

// lost is told that a connection has ended, or was not made.
func (p *peer) lost(o *outgoing, err error, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == o {
		p.out = nil
	}
	cfg := &p.t.cfg
	p.backoff = min(max(2*p.backoff, cfg.MinRetry), cfg.MaxRetry)
	p.refused = nil
	wait := p.backoff
	if _, ok := reasonOf(err); ok {
		p.refused, wait = err, cfg.RefusedRetry
	}
	p.next = time.Now().Add(wait)
	if text := err.Error(); !up && p.closed == nil && text != p.last {
		p.last = text
		cfg.Logger.Info("can't connect to node", "node", p.to.Node, "address", p.to.Address, "err", err)
	}
}

// current returns the connection, if there is one.
func (p *peer) current() *outgoing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out
}

// close ends the connection, for good.
func (p *peer) close(why error) {
	p.mu.Lock()
	p.closed = why
	o := p.out
	p.mu.Unlock()
	if o != nil {
		o.fail(why)
	}
}
