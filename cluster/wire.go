package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
)

// Kinds of requests between nodes. They are a contract between versions, as are the
// messages of each; those but calls are CBOR.
const (
	kindCall     = iota + 1 // a packet of package entity
	kindOwner               // a shard.Owner, word for the machine
	kindOwns                // a shard.Owns
	kindRaised              // a shard.Raised
	kindFind                // a findRequest; a page
	kindDescribe            // an entity.ID; a description
	kindMove                // a moveRequest
	kindDrain               // a drainRequest; what is left
	kindLevel               // nothing; a levelReply
)

// forward sends a call, and those linked to it, to another node.
func (n *Node) forward(to Peer, c *entity.Call) {
	r := Request{Kind: kindCall, Bulk: c.IsBulk()}
	if end, ok := c.Deadline(); ok {
		r.Deadline = end
	}
	body, packet, err := c.Pack(nil)
	if err != nil {
		return // it has ended
	}
	r.Body = body
	call(n.cfg.Listener.Forwarded, packet.Len())
	node, deadline := to.Node, r.Deadline
	n.transport.Send(to, r, func(answer []byte, err error) { // which n.send would wrap
		n.sent(node, deadline, err)
		switch {
		case err == nil:
			if err := packet.Answered(answer); err != nil {
				n.cfg.Logger.Error("another node sent what is no answer", "node", node, "error", err)
			}
		case errors.Is(err, ErrFull):
			packet.Overloaded(err)
		case errors.Is(err, ErrUnsent):
			packet.Unsent(err)
		default:
			packet.Broken(err)
		}
	})
}

// Handle answers a request of another node; it is the transport's [Handler].
func (n *Node) Handle(from persistence.NodeID, r Request, reply func(body []byte)) {
	if !n.started.Load() || n.life.Err() != nil && r.Kind != kindCall {
		reply(entity.AppendOutcome(nil, nil, errClosed)) // calls don't come before others have seen that it serves
		return
	}
	switch r.Kind {
	case kindCall:
		n.serve(from, r.Body, reply)
	case kindOwner:
		heard[shard.Owner](n, from, r.Body, reply)
	case kindOwns:
		heard[shard.Owns](n, from, r.Body, reply)
	case kindRaised:
		heard[shard.Raised](n, from, r.Body, reply)
	case kindFind:
		respond(n, from, r, reply, n.findHere)
	case kindDescribe:
		respond(n, from, r, reply, n.describeHere)
	case kindMove:
		respond(n, from, r, reply, n.moveHere)
	case kindDrain:
		respond(n, from, r, reply, n.drainHere)
	case kindLevel:
		respond(n, from, r, reply, n.levelHere)
	default:
		reply(entity.AppendOutcome(nil, nil, fmt.Errorf("%w: this node does not know requests of kind %d; is it of an older version?", entity.ErrUnavailable, r.Kind)))
	}
}

// serve answers a packet of calls.
func (n *Node) serve(from persistence.NodeID, packet []byte, reply func([]byte)) {
	var err error
	switch {
	case n.life.Err() != nil:
		err = n.host.ServeNot(packet, reply, errClosed)
	case n.answers():
		err = n.host.Serve(packet, reply)
	default:
		err = n.host.ServeNot(packet, reply, notServed(0, n.State()))
	}
	if err != nil {
		n.cfg.Logger.Error("another node sent what is no call", "node", from, "error", err)
		reply(nil)
	}
}

// heard takes word for the machine.
func heard[W shard.Input](n *Node, from persistence.NodeID, body []byte, reply func([]byte)) {
	var word W
	if err := cbor.Unmarshal(body, &word); err != nil {
		n.cfg.Logger.Error("another node sent what is no word", "node", from, "error", err)
	} else {
		n.inputs.put(word)
	}
	reply(nil)
}

// tell gives a word to the machine of another node, or of all.
func (n *Node) tell(e shard.Tell) {
	r := Request{Deadline: time.Now().Add(n.cfg.StepWithin)}
	switch e.Word.(type) {
	case shard.Owner:
		r.Kind = kindOwner
	case shard.Owns:
		r.Kind = kindOwns
	case shard.Raised:
		r.Kind = kindRaised
	default:
		n.cfg.Logger.Error("a word of this kind can't be told", "word", e.Word)
		return
	}
	var to []Peer
	if e.To != "" {
		if peer, ok := n.peer(e.To); ok {
			to = append(to, peer)
		}
	} else {
		to = n.allPeers()
	}
	for _, peer := range to {
		body, err := cbor.Marshal(e.Word) // each its own: the transport keeps it
		if err != nil {
			n.cfg.Logger.Error("a word could not be told", "word", e.Word, "error", err)
			return
		}
		r.Body = body
		n.send(peer, r, func([]byte, error) {})
	}
}

// respond answers a request that takes long, on a goroutine of its own.
func respond[Q, A any](n *Node, from persistence.NodeID, r Request, reply func([]byte), f func(ctx context.Context, request Q) (A, error)) {
	var request Q
	if err := cbor.Unmarshal(r.Body, &request); err != nil {
		n.cfg.Logger.Error("another node sent what is no request", "node", from, "kind", r.Kind, "error", err)
		reply(entity.AppendOutcome(nil, nil, fmt.Errorf("cluster: malformed request of kind %d: %w", r.Kind, err)))
		return
	}
	select {
	case n.lists <- struct{}{}:
	default:
		reply(entity.AppendOutcome(nil, nil, fmt.Errorf("%w: this node answers %d lists already", entity.ErrOverloaded, n.cfg.Lists)))
		return
	}
	n.mu.Lock()
	if n.life.Err() != nil {
		n.mu.Unlock()
		<-n.lists
		reply(entity.AppendOutcome(nil, nil, errClosed))
		return
	}
	n.wg.Add(1)
	n.mu.Unlock()
	go func() {
		defer n.wg.Done()
		defer func() { <-n.lists }()
		ctx := n.life
		if !r.Deadline.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, r.Deadline)
			defer cancel()
		}
		v, err := f(ctx, request)
		var value []byte
		if err == nil {
			value, err = cbor.Marshal(v)
		}
		if err != nil && !isOutcome(err) {
			n.cfg.Logger.Error("a request of another node could not be answered", "node", from, "error", err)
		}
		reply(entity.AppendOutcome(nil, value, err))
	}()
}

func isOutcome(err error) bool {
	var r *entity.Rejection
	return errors.As(err, &r) || errors.Is(err, entity.ErrUnavailable) || errors.Is(err, entity.ErrCorrupt) || errors.Is(err, entity.ErrUnknownKind)
}

// findRequest asks for entries of an index in one shard.
type findRequest struct {
	Kind, Index string
	Shard       persistence.Shard
	From        entity.Entry
	Most        int
}

// findPage is some of them; More says that there are others.
type findPage struct {
	Entries []entity.Entry
	More    bool
}

// mostEntries is how many entries a page has.
const mostEntries = 1024

func (n *Node) findHere(ctx context.Context, r findRequest) (findPage, error) {
	i := n.host.Index(r.Kind, r.Index)
	if i == nil {
		return findPage{}, fmt.Errorf("%w %q with an index %q", entity.ErrUnknownKind, r.Kind, r.Index)
	}
	return n.page(ctx, r, i)
}

// page reads a page of an index from this node's host.
func (n *Node) page(ctx context.Context, r findRequest, i *entity.Index) (page findPage, err error) {
	if !n.answers() {
		return page, notServed(r.Shard, n.State())
	}
	most := min(max(1, r.Most), mostEntries)
	for e, err := range n.host.FindIn(ctx, r.Shard, i, r.From) {
		if err != nil {
			return findPage{}, err
		}
		if len(page.Entries) == most {
			page.More = true
			break
		}
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}

// describeHere describes an entity of a shard of this node's.
func (n *Node) describeHere(ctx context.Context, id entity.ID) (described, error) {
	if !n.answers() {
		return described{}, notServed(n.ShardOf(id), n.State())
	}
	d, err := n.host.Describe(ctx, id)
	out := described{Description: d}
	if d.Corrupt != nil {
		out.Damage, out.Corrupt = entity.AppendOutcome(nil, nil, d.Corrupt), nil
	}
	return out, err
}

// described is a description on its way; Damage is its Corrupt.
type described struct {
	entity.Description
	Damage []byte
}

// request asks whoever has a shard, again and again until somebody answers, ctx
// ends, or nobody has served the shard for Config.ListWait. here answers when that is
// this node.
func request[R any](ctx context.Context, n *Node, s persistence.Shard, kind uint8, body any, here func(context.Context) (R, error)) (answer R, err error) {
	pause, begin := n.cfg.RetryFirst, time.Now()
	for {
		if to := n.router.lanes[s].to.Load(); to == nil {
			err = notServed(s, n.State())
		} else if to.Node == n.cfg.Self.Node {
			answer, err = here(ctx)
		} else {
			answer, err = ask[R](ctx, n, to.Node, kind, body)
		}
		if err == nil || !errors.Is(err, entity.ErrNotServed) || time.Since(begin) > n.cfg.ListWait {
			return answer, err
		}
		n.learn(err)
		if clock.Sleep(ctx, clock.System(), pause) != nil {
			return answer, err
		}
		if n.life.Err() != nil {
			return answer, errClosed
		}
		pause = min(2*pause, n.cfg.RetryMost)
	}
}

// ask asks one other node.
func ask[R any](ctx context.Context, n *Node, node persistence.NodeID, kind uint8, body any) (answer R, err error) {
	peer, ok := n.peer(node)
	if !ok {
		return answer, unseen(node)
	}
	b, err := cbor.Marshal(body)
	if err != nil {
		return answer, fmt.Errorf("cluster: a request could not be written: %w", err)
	}
	type outcome struct {
		body []byte
		err  error
	}
	done := make(chan outcome, 1)
	r := Request{Kind: kind, Body: b}
	if end, ok := ctx.Deadline(); ok {
		r.Deadline = end
	}
	n.send(peer, r, func(reply []byte, err error) { done <- outcome{append([]byte(nil), reply...), err} })
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		return answer, fmt.Errorf("%w: node %q did not answer in time: %w", entity.ErrUnavailable, node, context.Cause(ctx))
	}
	if o.err != nil {
		return answer, fmt.Errorf("%w: %w: node %q: %w", entity.ErrUnavailable, entity.ErrNotServed, node, o.err)
	}
	value, _, err := entity.DecodeOutcome(o.body)
	if err != nil {
		return answer, err
	}
	if err := cbor.Unmarshal(value, &answer); err != nil {
		return answer, fmt.Errorf("cluster: node %q sent what is no answer: %w", node, err)
	}
	return answer, nil
}
