package cqlproxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrClosed is returned by what waits when the proxy is closed.
var ErrClosed = errors.New("cqlproxy: closed")

// ErrLost is what became of a request that the server's connection could not
// carry any more.
var ErrLost = errors.New("cqlproxy: the connection to the server is gone")

type action int

const (
	watching action = iota
	holding
	failingAndHolding
	failing
	dropping
	delaying
	duplicating
	cutting
)

// A Rule is something that the proxy does to requests that match, or to their
// replies.
type Rule struct {
	proxy   *Proxy
	match   Match
	action  action
	failure Failure
	delay   time.Duration

	// Guarded by Proxy.mu.
	matched int  // with those skipped
	hits    int  // without
	ended   bool // it matches nothing more
	open    int  // of what it matched, what is neither answered nor dropped
	errs    []error
	held    []held
}

// held is a request, or its reply if there is one.
type held struct {
	exchange *exchange
	reply    *frame
}

// Hold keeps what matches until it is released or dropped. Requests that are
// held outlive the connection that they came on.
func (p *Proxy) Hold(m Match) *Held {
	return &Held{p.add(&Rule{match: m, action: holding})}
}

// FailAndHold answers requests that match with the failure, at once, and holds
// them: they may be executed later, as is true of a timeout. At must be
// OnRequest.
func (p *Proxy) FailAndHold(m Match, failure Failure) *Held {
	m.At = OnRequest
	return &Held{p.add(&Rule{match: m, action: failingAndHolding, failure: failure})}
}

// Fail answers with the failure: without asking the server, or, OnReply, after
// it has executed the request and in place of its answer.
func (p *Proxy) Fail(m Match, failure Failure) *Rule {
	return p.add(&Rule{match: m, action: failing, failure: failure})
}

// Drop loses what matches. The client hears nothing.
func (p *Proxy) Drop(m Match) *Rule {
	return p.add(&Rule{match: m, action: dropping})
}

// Delay passes what matches on after some time. Messages that are delayed may
// overtake each other.
func (p *Proxy) Delay(m Match, by time.Duration) *Rule {
	return p.add(&Rule{match: m, action: delaying, delay: by})
}

// Duplicate has the server execute requests that match twice, byte for byte the
// same. OnRequest, one copy follows the other at once, and the client gets the
// first answer; OnReply, the second is sent when the first has been answered,
// and its answer is the one that the client gets, as if the request had been
// retried on the way.
func (p *Proxy) Duplicate(m Match) *Rule {
	return p.add(&Rule{match: m, action: duplicating})
}

// Cut breaks the client's connection when something matches, before the server
// gets the request or, OnReply, after it has executed it. What else was under
// way to the server arrives.
func (p *Proxy) Cut(m Match) *Rule {
	return p.add(&Rule{match: m, action: cutting})
}

// Watch does nothing to what matches, and leaves it to the other rules. It is
// there to be waited for, and to be asked for Hits.
func (p *Proxy) Watch(m Match) *Rule {
	return p.add(&Rule{match: m, action: watching})
}

// Hits returns to how many messages the rule has been applied.
func (r *Rule) Hits() int {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	return r.hits
}

// Wait waits until the rule has been applied to a message.
func (r *Rule) Wait(ctx context.Context) error { return r.WaitFor(ctx, 1) }

// WaitFor waits until the rule has been applied to n messages.
func (r *Rule) WaitFor(ctx context.Context, n int) error {
	if err := r.proxy.await(ctx, func() bool { return r.hits >= n }); err != nil {
		return fmt.Errorf("waiting for %d messages that match %+v: %w", n, r.match, err)
	}
	return nil
}

// Done waits until nothing is under way of the requests that the rule has been
// applied to, copies included: the server has answered each, or it was dropped.
// For a rule OnReply, until each reply has been passed on or dropped. The error
// joins a *ServerFailure for each answer that was one, and ErrLost for each
// request that could not be delivered.
func (r *Rule) Done(ctx context.Context) error {
	if err := r.proxy.await(ctx, func() bool { return r.open == 0 }); err != nil {
		return fmt.Errorf("waiting for the outcome of what matched %+v: %w", r.match, err)
	}
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	return errors.Join(r.errs...)
}

// Remove ends the rule. What it holds stays held.
func (r *Rule) Remove() {
	r.proxy.change(func() { r.end() })
}

// end runs under the proxy's mutex.
func (r *Rule) end() {
	r.ended = true
	r.proxy.rules = slices.DeleteFunc(r.proxy.rules, func(other *Rule) bool { return other == r })
}

// takes reports whether the rule is about this request, and counts it.
func (r *Rule) takes(request *Request) bool {
	if r.match.Times > 0 && r.hits >= r.match.Times || !r.match.matches(request) {
		return false
	}
	r.matched++
	return r.matched > r.match.Skip
}

// A Held is a rule that holds what matches it.
type Held struct{ *Rule }

// Requests returns what is held, oldest first.
func (h *Held) Requests() []*Request {
	h.proxy.mu.Lock()
	defer h.proxy.mu.Unlock()
	var requests []*Request
	for _, held := range h.held {
		requests = append(requests, held.exchange.request)
	}
	return requests
}

// Release ends the rule and passes on all that it holds, oldest first. A
// request goes to the server on the connection that it was meant for, also when
// its client has gone. Done waits until it has been executed.
func (h *Held) Release() {
	for _, held := range h.take() {
		held.release()
	}
}

// Drop ends the rule and loses all that it holds.
func (h *Held) Drop() {
	for _, held := range h.take() {
		held.drop()
	}
}

func (r *Rule) take() []held {
	var taken []held
	r.proxy.change(func() {
		r.end()
		taken, r.held = r.held, nil
	})
	return taken
}

func (h held) release() {
	x := h.exchange
	if h.reply == nil {
		_ = x.conn.forward(x) // the rule is told
	} else {
		x.conn.answer(x, *h.reply)
		x.settle(nil)
	}
	x.conn.letGo()
}

func (h held) drop() {
	h.exchange.settle(nil)
	h.exchange.conn.letGo()
}

func (p *Proxy) add(r *Rule) *Rule {
	r.proxy = p
	p.change(func() { p.rules = append(p.rules, r) })
	return r
}

// decide returns the rule for a request, or for its reply, nil if there is none:
// the oldest that matches. What a rule holds is with the rule when decide
// returns.
func (p *Proxy) decide(x *exchange, at Phase, reply *frame) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	var chosen *Rule
	for _, r := range p.rules {
		passive := r.action == watching
		again := r.action == duplicating && x.copied
		if r.match.At != at || again || chosen != nil && !passive || !r.takes(x.request) {
			continue
		}
		r.hits++
		r.open++
		x.rules = append(x.rules, r)
		if !passive {
			chosen = r
		}
	}
	if len(x.rules) == 0 {
		return nil
	}
	if chosen != nil {
		chosen.begin(x, reply)
	}
	p.announce()
	return chosen
}

// begin does what has to be done before anybody learns that the rule was
// applied.
func (r *Rule) begin(x *exchange, reply *frame) {
	switch r.action {
	case failingAndHolding, holding:
		x.silent = r.action == failingAndHolding
		x.conn.keep()
		r.held = append(r.held, held{x, reply})
	case duplicating:
		r.open++ // the copy
	default:
	}
}

// settle tells the rules of an exchange what became of it.
func (x *exchange) settle(err error) {
	if len(x.rules) == 0 {
		return
	}
	x.conn.proxy.change(func() {
		for _, r := range x.rules {
			r.open--
			if err != nil {
				r.errs = append(r.errs, fmt.Errorf("%s %s: %w", x.conn.node, x.request, err))
			}
		}
	})
	x.rules = nil
}

// change does something under the mutex and wakes those who wait.
func (p *Proxy) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	p.announce()
}

func (p *Proxy) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) await(ctx context.Context, reached func() bool) error {
	for {
		p.mu.Lock()
		done, changed := reached(), p.changed
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-p.lifetime.Done():
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
