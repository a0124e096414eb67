package transport

import (
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
	clusterv1 "github.com/mesonet/mesonet/proto/mesonet/cluster/v1"
)

// A refusal is why two nodes don't speak to each other. It is an ErrStranger.
type refusal struct {
	reason Reason
	err    error
}

func (r *refusal) Error() string   { return r.err.Error() }
func (r *refusal) Unwrap() []error { return []error{cluster.ErrStranger, r.err} }

func refuse(reason Reason, format string, args ...any) *refusal {
	return &refusal{reason, fmt.Errorf("%w: "+format, append([]any{cluster.ErrStranger}, args...)...)}
}

// hello returns what this node says of itself.
func (t *Transport) hello(to persistence.NodeID) *clusterv1.Hello {
	c := &t.cfg
	return &clusterv1.Hello{
		Cluster: c.Identity.Cluster, Store: c.Identity.Store, Shards: c.Identity.Shards,
		Node: string(c.Node), To: string(to), Process: t.process[:],
		ProtocolLeast: c.Protocol.Least, ProtocolMost: c.Protocol.Most,
		MaxMessage: uint64(c.MaxMessage), MaxRequests: uint64(c.MaxRequests), MaxBytes: uint64(c.MaxUnanswered),
	}
}

// judge returns what is agreed with a node that says hello from an address, or why
// not: an error that is errMalformed, or a refusal.
func (t *Transport) judge(h *clusterv1.Hello, address string) (c Connection, _ error) {
	if h == nil {
		return c, malformed("the first message is no hello")
	}
	c.Node, c.Address = persistence.NodeID(h.GetNode()), address
	if err := cluster.CheckNode(c.Node); err != nil {
		return c, malformed("a hello: %v", err)
	}
	if len(h.GetProcess()) != len(c.Process) || len(h.GetCluster()) > maxName || len(h.GetStore()) > maxName || h.GetMaxMessage() == 0 {
		return c, malformed("a hello of node %s that says too little or too much", c.Node)
	}
	copy(c.Process[:], h.GetProcess())
	who := fmt.Sprintf("node %s at %s", c.Node, address)
	other := cluster.Identity{Cluster: h.GetCluster(), Store: h.GetStore(), Shards: h.GetShards()}
	if err := t.cfg.Identity.Contradicts(who, other); err != nil {
		return c, &refusal{ReasonIdentity, err}
	}
	theirs := cluster.Protocol{Least: h.GetProtocolLeast(), Most: h.GetProtocolMost()}
	version, ok := t.cfg.Protocol.Common(theirs)
	if !ok {
		return c, refuse(ReasonProtocol, "%s speaks protocol %s, this node %s; bring both to releases that follow each other", who, theirs, t.cfg.Protocol)
	}
	c.Protocol = version
	if c.Node == t.cfg.Node && c.Process != t.process {
		return c, refuse(ReasonNode, "another process, at %s, is node %s as well; give each node an id of its own", address, c.Node)
	}
	return c, nil
}

// judgeClient also looks at whom the client believes to speak to, and whether it may
// be who it says.
func (t *Transport) judgeClient(h *clusterv1.Hello, address string, info authInfo) (Connection, error) {
	c, err := t.judge(h, address)
	if err != nil {
		return c, err
	}
	c.Inbound = true
	if to := persistence.NodeID(h.GetTo()); to != t.cfg.Node {
		return c, refuse(ReasonNode, "node %s at %s looks for node %q, and this is node %s", c.Node, address, to, t.cfg.Node)
	}
	if err := t.checkName(info.leaf, c.Node); err != nil {
		return c, refuse(ReasonCertificate, "%s: %v", address, err)
	}
	return c, nil
}

// judgeServer also looks whether it is the node that was asked for.
func (t *Transport) judgeServer(h *clusterv1.Hello, to cluster.Peer) (Connection, error) {
	c, err := t.judge(h, to.Address)
	if err == nil && c.Node != to.Node {
		err = refuse(ReasonNode, "node %s answers at %s, and not node %s", c.Node, to.Address, to.Node)
	}
	return c, err
}

// reasonOf returns the reason of an error that is a refusal.
func reasonOf(err error) (Reason, bool) {
	var r *refusal
	if errors.As(err, &r) {
		return r.reason, true
	}
	return "", false
}
