package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
)

// DefaultPort is the port of gossip, TCP and UDP, where an address names none.
const DefaultPort = 7946

// Config says who a node is and how it gossips. Start from [DefaultConfig].
type Config struct {
	// Self is what the node says of itself, until it is told otherwise with Announce.
	Self cluster.Member
	// Identity is what all nodes of the cluster have in common.
	Identity cluster.Identity

	// Bind is where to listen, host:port, for TCP and UDP; port 0 is any that is free.
	// Without a host it is every address of the machine.
	Bind string
	// Advertise is where others reach this node, host:port; "" is where it listens.
	Advertise string
	// Keys are AES keys of 16, 24 or 32 bytes. The first encrypts; all decrypt. Without
	// any nothing is encrypted.
	Keys [][]byte

	// Tuning says how fast, and at what price.
	Tuning Tuning

	// Logger is told what operators need to know, and at level debug everything; nil
	// is silent.
	Logger *slog.Logger
	// Sightings is told of the other nodes, in order, one at a time, on a goroutine of
	// its own. What it has not been told yet is kept, so it must not block for long.
	// Nil when nobody wants to know.
	Sightings func(cluster.Sighting)
	// Listener is told of what was refused.
	Listener Listener

	// Transport carries what memberlist sends, in place of a socket at Bind; nil
	// otherwise. It is Gossip's from Start on, and shut down with it.
	Transport memberlist.Transport
	// Lookup finds the addresses of a name; nil asks the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Tuning are the intervals of gossip. The nodes of a cluster may differ in them, as
// they do while a change is rolled out. docs/design/gossip.md has what was measured.
type Tuning struct {
	// ProbeInterval is the time between two probes of other nodes, which take turns.
	ProbeInterval time.Duration
	// ProbeTimeout is how long the answer to a probe may take before others are asked to
	// probe too, and a connection is tried; all of that has to end within ProbeInterval.
	// A helper says after the same time that it got no answer either: more than half of
	// the interval makes that word come too late, and the prober doubts itself instead.
	ProbeTimeout time.Duration
	// SuspicionMult is how many probe intervals a node that does not answer is suspected
	// at least, before it is believed dead, in a cluster of up to 10 nodes. With more it
	// is that times the decimal logarithm of their number.
	SuspicionMult int
	// SuspicionMaxMult is how many times as long it is suspected by one node alone.
	SuspicionMaxMult int
	// GossipInterval is the time between two rounds in which news is passed on, and
	// GossipNodes how many nodes are told in each. Without news nothing is sent.
	GossipInterval time.Duration
	GossipNodes    int
	// RetransmitMult times the decimal logarithm of the number of nodes, rounded up, is
	// how often a node passes the same news on.
	RetransmitMult int
	// PushPullInterval is the time between two exchanges of everything with one other
	// node, in a cluster of up to 32; with up to 64 it is twice that, and so on.
	PushPullInterval time.Duration
	// DeadInterval is how long a dead node is still told that it is believed dead, so
	// that it can say that it is not.
	DeadInterval time.Duration
	// StreamTimeout bounds what is done over one TCP connection.
	StreamTimeout time.Duration
	// RejoinInterval is the time between two attempts to reach nodes that were there
	// once, or that Join was told of, and are not.
	RejoinInterval time.Duration
	// RejoinFor is for how long a node that is believed dead is looked for.
	RejoinFor time.Duration
}

// DefaultConfig returns the configuration of a node that finds out within 1 to 2 s
// that another has died. Self and Identity are to be set.
func DefaultConfig() Config {
	return Config{
		Bind: fmt.Sprintf(":%d", DefaultPort),
		Tuning: Tuning{
			ProbeInterval:    200 * time.Millisecond,
			ProbeTimeout:     90 * time.Millisecond, // a helper's "nothing from it" comes after twice that
			SuspicionMult:    4,                     // 0.8 s to object, in a small cluster
			SuspicionMaxMult: 3,
			GossipInterval:   50 * time.Millisecond,
			GossipNodes:      4,
			RetransmitMult:   8,                // with the 4 of memberlist 1 of 10 000 times a node misses a message
			PushPullInterval: 15 * time.Second, // what was missed is made up for
			DeadInterval:     10 * time.Second, // a dead process counts as one that could confirm a suspicion
			StreamTimeout:    5 * time.Second,  // the whole state of 1,000 nodes is 300 KB
			RejoinInterval:   5 * time.Second,
			RejoinFor:        24 * time.Hour, // longer than a network is left broken
		},
	}
}

// Validate returns an error that names all that can't be right.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("gossip: "+format, args...)) }
	if err := cluster.CheckNode(c.Self.Node); err != nil {
		errs = append(errs, err)
	}
	if c.Self.Protocol.Least > c.Self.Protocol.Most {
		wrong("protocol %v is no range", c.Self.Protocol)
	}
	if n := len(c.Identity.Cluster); n == 0 || n > maxClusterName {
		wrong("the cluster's name has %d bytes; 1 to %d are possible", n, maxClusterName)
	}
	if c.Transport == nil {
		if _, _, err := net.SplitHostPort(c.Bind); err != nil {
			wrong("bind address %q: want host:port: %w", c.Bind, err)
		}
	}
	if c.Advertise != "" {
		if host, _, err := net.SplitHostPort(c.Advertise); err != nil || host == "" {
			wrong("advertised address %q: want host:port", c.Advertise)
		}
	}
	for i, key := range c.Keys {
		if err := memberlist.ValidateKey(key); err != nil {
			wrong("key %d has %d bytes; AES takes 16, 24 or 32", i+1, len(key))
		}
	}
	if err := c.Tuning.validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (t Tuning) validate() error {
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ProbeInterval", t.ProbeInterval},
		{"ProbeTimeout", t.ProbeTimeout},
		{"GossipInterval", t.GossipInterval},
		{"PushPullInterval", t.PushPullInterval},
		{"DeadInterval", t.DeadInterval},
		{"StreamTimeout", t.StreamTimeout},
		{"RejoinInterval", t.RejoinInterval},
		{"RejoinFor", t.RejoinFor},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("gossip: %s is %v; it has to be above 0", d.name, d.value))
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"SuspicionMult", t.SuspicionMult},
		{"SuspicionMaxMult", t.SuspicionMaxMult},
		{"GossipNodes", t.GossipNodes},
		{"RetransmitMult", t.RetransmitMult},
	} {
		if n.value < 1 {
			errs = append(errs, fmt.Errorf("gossip: %s is %d; it has to be at least 1", n.name, n.value))
		}
	}
	if t.ProbeTimeout >= t.ProbeInterval {
		errs = append(errs, fmt.Errorf("gossip: ProbeTimeout is %v; it has to be below ProbeInterval, %v", t.ProbeTimeout, t.ProbeInterval))
	}
	return errors.Join(errs...)
}

// Listener is told what happens, when it does, often with locks held: its functions
// must return at once and call nothing of this package. Each may be nil.
type Listener struct {
	// Refused is told of each time that a node was refused, or has refused this one.
	// Peer is its name, or its address where it did not come as far as saying its name.
	Refused func(why Reason, peer string)
	// Malformed is told of each packet and connection that was no gossip of any mesonet.
	Malformed func(peer string)
}

// Reason says in what a node differs that was refused.
type Reason string

// The reasons, good as values of a metric's label.
const (
	OtherCluster  Reason = "cluster"
	OtherKey      Reason = "key"
	OtherStore    Reason = "store"
	OtherShards   Reason = "shards"
	OtherProtocol Reason = "protocol"
	OtherLevel    Reason = "level"
)
