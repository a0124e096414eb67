package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// One that is not of the cluster is refused, whichever of the two joins the other, and
// both sides say why, once.
//
// Mutations: with NotifyMerge that lets all pass, joining a node of another store
// succeeds; with NotifyAlive that does, too, each sees the other; without the label,
// or a wire that does not look at it, a node of another cluster is seen; without the
// answer of the wire its side has no reason but "without an answer"; without outdated
// one that can't read the store's formats is seen.
func TestStrangers(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		why    Reason
		says   string // on the side that joins
	}{
		{"cluster", func(c *Config) { c.Identity.Cluster = "hills" }, OtherCluster, `is of cluster "plains", this node of "hills"`},
		{"store", func(c *Config) { c.Identity.Store = "ffff" }, OtherStore, "uses store 0123456789abcdef0123456789abcdef, this node ffff"},
		{"shards", func(c *Config) { c.Identity.Shards = 32 }, OtherShards, "knows 128 shards, this node 32"},
		{"protocol", func(c *Config) { c.Self.Protocol = cluster.Protocol{Least: 3, Most: 4} }, OtherProtocol, "speaks protocol 1-2, this node 3-4"},
		{"level of the cluster", func(c *Config) { c.Self.Level, c.Self.Levels = 2, persistence.Levels{Least: 1, Most: 2} }, OtherLevel, "the store is at level 2 of formats, and node"},
		{"level that it knows", func(c *Config) { c.Self.Levels = persistence.Levels{Least: 3, Most: 4} }, OtherLevel, "the store is at level 1 of formats, and this node knows levels 3 to 4"},
		{"key", func(c *Config) { c.Keys = [][]byte{[]byte("another key 1234")} }, OtherKey, "has another gossip key"},
		{"no key", func(c *Config) { c.Keys = nil }, OtherKey, "has another gossip key"},
	} {
		for _, sockets := range []bool{false, true} {
			for _, turned := range []bool{false, true} {
				name := test.name
				if sockets {
					name += ", real sockets"
				}
				if turned {
					name += ", joined by one of the cluster"
				}
				t.Run(name, func(t *testing.T) {
					run := func(t *testing.T, network *network) {
						a, b := start(t, network, "a"), start(t, network, "b")
						b.join(t, a)
						a.sees(t, "a b")
						stranger := start(t, network, "stranger", test.change)
						from, to := stranger, a
						if turned {
							from, to = a, stranger
						}
						for range 3 {
							n, err := from.Join(t.Context(), []string{to.Address()})
							if n != 0 || !errors.Is(err, cluster.ErrStranger) {
								t.Errorf("joining: %d, %v", n, err)
							}
							if !turned && !strings.Contains(fmt.Sprint(err), test.says) {
								t.Errorf("the error does not say %q:\n%v", test.says, err)
							}
						}
						for _, n := range []*node{from, to} {
							eventually(t, n.name+" has said why", func() bool { return strings.Contains(n.log(), "reason="+string(test.why)) })
							if !slices.Contains(n.reasons(), test.why) {
								t.Errorf("%s counted %v", n.name, n.reasons())
							}
							if said := strings.Count(n.log(), "level=WARN"); said > 2 { // by name and by address
								t.Errorf("%s said it %d times:\n%s", n.name, said, n.log())
							}
							if n.dropped() > 0 {
								t.Errorf("%s takes the other for garbage:\n%s", n.name, n.log())
							}
						}
						for _, n := range []*node{a, b} {
							if got := ids(n.Gossip); got != "a b" {
								t.Errorf("%s sees %s", n.name, got)
							}
						}
						if got := ids(stranger.Gossip); got != "stranger" {
							t.Errorf("the stranger sees %s", got)
						}
					}
					if sockets {
						run(t, nil)
					} else {
						bubble(t, run)
					}
				})
			}
		}
	}
}

// A release can run beside the next one, and that beside the one after, but all three
// at a time can't, whomever the newcomer asks.
//
// Mutation: without the comparison with other members in NotifyMerge, b takes c in.
func TestProtocolsOfAll(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		speaks := func(least, most uint32) func(*Config) {
			return func(c *Config) { c.Self.Protocol = cluster.Protocol{Least: least, Most: most} }
		}
		a, b := start(t, network, "a", speaks(1, 2)), start(t, network, "b", speaks(2, 3))
		b.join(t, a)
		c := start(t, network, "c", speaks(3, 4))
		if _, err := c.Join(t.Context(), []string{b.Address()}); !errors.Is(err, cluster.ErrStranger) || !strings.Contains(fmt.Sprint(err), "node a at 10.0.0.1:7946 speaks protocol 1-2, this node 3-4") {
			t.Errorf("c joins: %v", err)
		}
		<-time.After(10 * time.Second)
		if got := ids(b.Gossip); got != "a b" {
			t.Errorf("b sees %s", got)
		}
		if got := b.log(); !strings.Contains(got, "node c at 10.0.0.3:7946 speaks protocol 3-4, node a 1-2") {
			t.Errorf("b has not said why:\n%s", got)
		}
		a.close()
		c.sees(t, "b c") // what stood between them is gone
	})
}

// A node is not let in by way of the gossip of others either: here by one of the
// cluster that takes everybody in.
//
// Mutation: with NotifyAlive that lets all pass, b sees the stranger.
func TestStrangerByHearsay(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		b := start(t, network, "b")
		a := raw(t, network, announcement{member("a"), identity.Store, identity.Shards})
		if _, err := a.Join([]string{b.Address()}); err != nil {
			t.Fatal(err)
		}
		b.sees(t, "a b")
		stranger := raw(t, network, announcement{member("stranger"), "ffff", identity.Shards})
		if _, err := stranger.Join([]string{a.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "b hears of it", func() bool { return len(b.reasons()) > 0 })
		<-time.After(time.Minute)
		if got := ids(b.Gossip); got != "a b" {
			t.Errorf("b sees %s", got)
		}
		if got := b.reasons(); got[0] != OtherStore {
			t.Errorf("b counted %v", got)
		}
	})
}

// raw starts a process that says what it is told to, and refuses nobody.
func raw(t *testing.T, network *network, a announcement) *memberlist.Memberlist {
	t.Helper()
	encoded, err := a.encode()
	if err != nil {
		t.Fatal(err)
	}
	g := &Gossip{}
	g.self.Store(&announced{a, encoded})
	conf := memberlist.DefaultLANConfig()
	conf.Name = string(a.member.Node) + "/raw"
	conf.Label, conf.SecretKey = labelPrefix+identity.Cluster, key
	conf.Delegate = delegate{g}
	conf.LogOutput = io.Discard
	w := newWire(network.host(), identity, newBouncer(slog.New(slog.DiscardHandler), Listener{}))
	conf.Transport = w
	list, err := memberlist.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.shut()
		_ = list.Shutdown()
		w.wait()
		<-time.After(time.Duration(conf.AwarenessMaxMultiplier) * conf.ProbeInterval)
	})
	return list
}

// Keys are changed node by node: what is encrypted with any of them is understood.
func TestKeysAreChanged(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		next := []byte("fedcba9876543210")
		with := func(keys ...[]byte) func(*Config) { return func(c *Config) { c.Keys = keys } }
		a := start(t, network, "a", with(key, next))
		b := start(t, network, "b", with(next, key))
		b.join(t, a)
		a.sees(t, "a b")
		b.sees(t, "a b")
	})
}

func TestJoinErrors(t *testing.T) {
	bubble(t, func(t *testing.T, network *network) {
		lookup := func(_ context.Context, name string) ([]netip.Addr, error) {
			switch name {
			case "all":
				return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}, nil
			case "self":
				return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
			case "empty":
				return nil, nil
			}
			return nil, errors.New("no such host")
		}
		a := start(t, network, "a", func(c *Config) { c.Lookup = lookup })
		for _, alone := range [][]string{nil, {"self"}, {a.Address()}, {"10.0.0.1", "self:7946"}} {
			if n, err := a.Join(t.Context(), alone); n != 0 || err != nil {
				t.Errorf("joining %q, which is itself: %d, %v", alone, n, err)
			}
		}
		_, err := a.Join(t.Context(), []string{"nowhere:1", "10.0.0.9:70000", "1:2:3:x", "empty", "10.0.0.9", "all"})
		if err == nil {
			t.Fatal("nobody is there, and one has answered")
		}
		for _, want := range []string{
			"nowhere:1: no such host", `10.0.0.9:70000: "10.0.0.9:70000": the port has to be a number`, "1:2:3:x: ", `"empty" has no address`,
			"10.0.0.9 (10.0.0.9:7946): ", "all (10.0.0.2:7946): ", "may TCP and UDP pass to its gossip port?",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error lacks %q:\n%v", want, err)
			}
		}
		b, c := start(t, network, "b"), start(t, network, "c")
		if n, err := a.Join(t.Context(), []string{"nowhere", "all"}); n != 2 || err != nil {
			t.Errorf("joining all of a name: %d, %v", n, err)
		}
		for _, n := range []*node{a, b, c} {
			n.sees(t, "a b c")
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := a.Join(ctx, []string{"10.0.0.9"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("joining without time: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("joining took %v, and a second was given", took)
		}
		a.close()
		if _, err := a.Join(t.Context(), []string{"all"}); !errors.Is(err, ErrClosed) {
			t.Errorf("joining after the end: %v", err)
		}
	})
}
