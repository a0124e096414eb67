package transport

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/mesonet/mesonet/cluster"
)

// A node of another cluster, store, shard count or protocol, another node than the one
// that was asked for, and a second process with this node's id are refused; both nodes
// say in what they differ, in the log and to who listens, and nothing is handled.
// Seen to fail when judge leaves out the identity, the protocol, or the id of its own
// node, and when judgeClient does not look at whom the client looks for.
func TestStrangers(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		as     string // the node that is asked for, if not b
		reason Reason
		says   string
	}{
		{"cluster", func(c *Config) { c.Identity.Cluster = "other" }, "", ReasonIdentity, `of cluster "other", this node of "test"`},
		{"store", func(c *Config) { c.Identity.Store = "store-2" }, "", ReasonIdentity, "uses store store-2, this node store-1"},
		{"shards", func(c *Config) { c.Identity.Shards = 64 }, "", ReasonIdentity, "knows 64 shards, this node 32"},
		{"protocol, newer", func(c *Config) { c.Protocol = cluster.Protocol{Least: 3, Most: 4} }, "", ReasonProtocol, "speaks protocol 3-4, this node 1-2"},
		{"protocol, older", func(c *Config) { c.Protocol = cluster.Protocol{Least: 7, Most: 9} }, "", ReasonProtocol, "speaks protocol 7-9, this node 1-2"},
		{"another node", func(*Config) {}, "c", ReasonNode, `looks for node "c", and this is node b`},
		{"its own id", func(c *Config) { c.Node = "b" }, "", ReasonNode, "is node b as well"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := start(t, "a", echo, test.change)
			h := hold()
			b := start(t, "b", h.handle, nil)
			to := b.peer()
			if test.as != "" {
				to.Node = "c"
			}
			_, err := a.ask(to, "hello")
			is(t, err, []error{cluster.ErrUnsent, cluster.ErrStranger}, test.says)
			at := next(t, b.refused, "that b has refused")
			if at.reason != test.reason {
				t.Errorf("b refused for %s, want %s", at.reason, test.reason)
			}
			is(t, at.err, []error{cluster.ErrStranger}, test.says)
			if r := next(t, a.refused, "that a is refused"); r.reason != ReasonRemote {
				t.Errorf("a is refused for %s", r.reason)
			}
			for _, n := range []*node{a, b} {
				eventually(t, "the log says so", func() bool { return strings.Contains(strings.ReplaceAll(n.log.String(), `\"`, `"`), test.says) })
			}
			if len(h.come) > 0 || len(a.connected) > 0 || len(b.connected) > 0 {
				t.Error("it came in")
			}
		})
	}
}

// The client judges as well: a server that lets everybody in is refused, and is told.
// Seen to fail when connect does not judge, and when goodbye does not wait.
func TestClientRefuses(t *testing.T) {
	told := make(chan string, 1)
	address := pretend(t, func(s grpc.ServerStream) error {
		var e envelope
		if err := s.RecvMsg(&e); err != nil {
			return err
		}
		say(s, helloOf("b"))
		if err := s.RecvMsg(&e); err != nil {
			return err
		}
		if err := e.open(); err != nil {
			return err
		}
		told <- e.refused
		return nil
	})
	a := start(t, "a", echo, nil)
	_, err := a.ask(cluster.Peer{Node: "c", Address: address}, "hello")
	is(t, err, []error{cluster.ErrUnsent, cluster.ErrStranger}, "node b answers at", "and not node c")
	if r := next(t, a.refused, "that a has refused"); r.reason != ReasonNode {
		t.Errorf("for %s", r.reason)
	}
	is(t, errors.New(next(t, told, "what the server is told")), nil, "node b answers at", "and not node c")
}

// A client that refuses this node is heard.
func TestRefusedByAClient(t *testing.T) {
	b := start(t, "b", echo, nil)
	s := intrude(t, b.Address(), true)
	say(s, &envelope{refused: "not my cup of tea"})
	is(t, s.end(), nil, "not my cup of tea")
	r := next(t, b.refused, "that b was refused")
	is(t, r.err, []error{cluster.ErrStranger}, "not my cup of tea")
	if r.reason != ReasonRemote {
		t.Errorf("for %s", r.reason)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(b.log.String(), "not my cup of tea") })
}

// While a node is refused requests fail at once, with the reason; when it is not any
// more, they succeed.
func TestRefusedForAWhile(t *testing.T) {
	a := start(t, "a", echo, func(c *Config) { c.RefusedRetry = 100 * time.Millisecond })
	b := start(t, "b", echo, func(c *Config) { c.Identity.Store = "store-2" })
	for range 100 {
		_, err := a.ask(b.peer(), "hello")
		is(t, err, []error{cluster.ErrUnsent, cluster.ErrStranger}, "store-2")
	}
	if n := strings.Count(b.log.String(), "refused a connection"); n != 1 {
		t.Errorf("the log has it %d times", n)
	}
	address := b.Address()
	b.Close()
	b = startAt(t, address, "b", echo, nil)
	eventually(t, "it is let in", func() bool { _, err := a.ask(b.peer(), "hello"); return err == nil })
}

// Nodes whose protocols overlap speak the highest that both know.
func TestProtocolRange(t *testing.T) {
	a := start(t, "a", echo, func(c *Config) { c.Protocol = cluster.Protocol{Least: 2, Most: 5} })
	b := start(t, "b", echo, nil)
	a.must(b.peer(), "hello")
	if c := next(t, a.connected, "the connection"); c.Protocol != 2 {
		t.Errorf("they speak %d", c.Protocol)
	}
}
