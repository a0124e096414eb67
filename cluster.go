package mesonet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/go-sockaddr"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/cluster/gossip"
	"github.com/mesonet/mesonet/cluster/transport"
	"github.com/mesonet/mesonet/persistence"
)

// Cluster says how a node takes part in a cluster: nodes that use one store, each of
// which serves a part of the shards and takes requests for all.
type Cluster struct {
	// Name is the cluster's; nodes of another are refused.
	Name string
	// Gossip is where to listen for gossip, TCP and UDP, and Requests for requests of
	// other nodes, host:port. Port 0 takes a free one.
	Gossip, Requests string
	// Advertise is the host by which the others reach both; "" for the one of the
	// address, or the machine's private address where that is all of them.
	Advertise string
	// Join are addresses of gossip of other nodes, host:port, or names that resolve to
	// several. A node that none answers begins alone, and goes on asking.
	Join []string
	// Zone is where the node is, for people.
	Zone string
	// Weight is how many shards the node takes in proportion to others, 0 for a node
	// that only takes requests.
	Weight uint32
	// GossipKeys encrypt gossip, see gossip.Config; TLS the requests, see
	// transport.Certificates. Without them both are plain, which is refused where
	// others than this machine can listen, unless Plain says that it may be.
	GossipKeys [][]byte
	TLS        func() (*tls.Config, error)
	Plain      bool
	// DrainTime is how long Stop may take to hand over the shards.
	DrainTime time.Duration
	// Version is the program's, for people.
	Version string
	// Tune changes what the node is patient with; Listener, GossipListener and
	// RequestListener are told what happens.
	Tune            func(*cluster.Config)
	Listener        cluster.Listener
	GossipListener  gossip.Listener
	RequestListener transport.Listener
}

// DefaultCluster returns how a node takes part in a cluster on this machine.
func DefaultCluster() *Cluster {
	return &Cluster{
		Name: "mesonet", Gossip: fmt.Sprintf("127.0.0.1:%d", gossip.DefaultPort), Requests: fmt.Sprintf("127.0.0.1:%d", DefaultRequestsPort),
		Weight: 100, DrainTime: 30 * time.Second,
	}
}

// DefaultRequestsPort is the port for requests between nodes.
const DefaultRequestsPort = 7947

// protocol is what this program speaks with other nodes.
var protocol = cluster.Protocol{Least: 1, Most: 1}

// Validate returns an error that says what in c can't be used.
func (c *Cluster) Validate() error {
	var errs []error
	for what, addr := range map[string]string{"gossip": c.Gossip, "requests": c.Requests} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			errs = append(errs, fmt.Errorf("mesonet: the address of %s is %q: write host:port: %w", what, addr, err))
			continue
		}
		plain := what == "gossip" && len(c.GossipKeys) == 0 || what == "requests" && c.TLS == nil
		if plain && !c.Plain && !loopback(host) {
			errs = append(errs, fmt.Errorf("mesonet: the %s of the cluster would be plain at %s, where others can listen; give it %s, or ask for it by name (Plain)",
				what, addr, map[string]string{"gossip": "a key", "requests": "certificates"}[what]))
		}
	}
	if c.Name == "" {
		errs = append(errs, errors.New("mesonet: the cluster needs a name"))
	}
	if c.DrainTime <= 0 {
		errs = append(errs, errors.New("mesonet: a node needs time to hand its shards over; begin with DefaultCluster"))
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// advertised is the address by which others reach one that this node listens at.
func (c *Cluster) advertised(bound string) (string, error) {
	host, port, err := net.SplitHostPort(bound)
	if err != nil {
		return "", err
	}
	if c.Advertise != "" {
		return net.JoinHostPort(c.Advertise, port), nil
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		private, err := sockaddr.GetPrivateIP()
		if err != nil || private == "" {
			return "", fmt.Errorf("mesonet: this machine has no private address by which others could reach %s; say which (Advertise): %w", bound, err)
		}
		host = private
	}
	return net.JoinHostPort(host, port), nil
}

// membership is a node's part in a cluster.
type membership struct {
	*cluster.Node
	cfg       *Cluster
	store     persistence.Store
	logger    *slog.Logger
	self      cluster.Member
	socket    net.Listener
	transport *transport.Transport
	gossip    *gossip.Gossip
}

// newMembership prepares a node's part in a cluster, before its host opens.
func newMembership(ctx context.Context, cfg Config, store persistence.Store, hc *entity.HostConfig) (*membership, error) {
	beats, ok := store.(cluster.Heartbeats)
	if !ok || store.Info().Local {
		return nil, errors.New("mesonet: nodes of a cluster use one store that all reach, such as Cassandra; this one is a node's own")
	}
	for _, k := range hc.Kinds {
		if err := k.CheckWire(); err != nil {
			return nil, err
		}
	}
	c := cfg.Cluster
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Requests)
	if err != nil {
		return nil, fmt.Errorf("mesonet: requests of other nodes: %w", err)
	}
	m := &membership{cfg: c, store: store, logger: cfg.Logger, socket: socket}
	m.self = cluster.Member{
		Node: cfg.Node, Weight: c.Weight, Zone: c.Zone, API: cfg.Address, Protocol: protocol, Version: c.Version, State: cluster.Joining,
		Levels: store.Level().Known(), Level: store.Level().Seen(),
	}
	if m.self.Transport, err = c.advertised(socket.Addr().String()); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	nc := cluster.DefaultConfig(m.self, store, beats)
	nc.Logger, nc.Listener = cfg.Logger, c.Listener
	if c.Tune != nil {
		c.Tune(&nc)
	}
	if m.Node, err = cluster.New(nc); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	m.Attach(hc)
	return m, nil
}

// start takes part, with the host that has opened.
func (m *membership) start(ctx context.Context, host *entity.Host) error {
	identity := cluster.Identity{Cluster: m.cfg.Name, Store: fmt.Sprint(m.store.Info().ID), Shards: m.store.Info().Shards}
	tc := transport.DefaultConfig(identity, m.self.Node, protocol, m.socket)
	tc.TLS, tc.Logger, tc.Listener = m.cfg.TLS, m.logger, m.cfg.RequestListener
	var err error
	if m.transport, err = transport.New(tc, m.Handle); err != nil {
		return err
	}
	gc := gossip.DefaultConfig()
	gc.Self, gc.Identity, gc.Bind, gc.Keys = m.self, identity, m.cfg.Gossip, m.cfg.GossipKeys
	gc.Logger, gc.Sightings, gc.Listener = m.logger, m.Sighted, m.cfg.GossipListener
	if m.cfg.Advertise != "" {
		_, port, err := net.SplitHostPort(m.cfg.Gossip)
		if err != nil {
			return err
		}
		gc.Advertise = net.JoinHostPort(m.cfg.Advertise, port)
	}
	if m.gossip, err = gossip.Start(ctx, gc); err != nil {
		return fmt.Errorf("mesonet: gossip: %w", err)
	}
	m.logger.Info("the node takes part in a cluster", "cluster", m.cfg.Name, "node", m.self.Node, "gossip", m.gossip.Address(), "requests", m.self.Transport)
	return m.Start(ctx, host, m.gossip, m.transport, m.cfg.Join)
}

// drain hands the shards over, as far as there is time and somebody to take them.
func (m *membership) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.DrainTime)
	defer cancel()
	if end, ok := ctx.Deadline(); ok { // the rest has to be stored
		half, cancelHalf := context.WithDeadline(ctx, time.Now().Add(time.Until(end)/2))
		defer cancelHalf()
		ctx = half
	}
	if err := m.Drain(ctx); err != nil && !errors.Is(err, cluster.ErrAlone) {
		m.logger.Warn("not all shards were handed over; the others take them when this node has stopped", "error", err)
	}
}

// end ends the node's part, in order: the others are told, if the host has let go of
// its shards.
func (m *membership) end(ctx context.Context, leave bool) error {
	var errs []error
	if m.gossip != nil && leave {
		if err := m.Leave(ctx); err != nil {
			m.logger.Warn("the other nodes could not be told goodbye", "error", err)
		}
	}
	if m.gossip != nil {
		errs = append(errs, m.gossip.Close())
	}
	if m.transport != nil {
		errs = append(errs, m.transport.Close())
	} else {
		errs = append(errs, m.socket.Close())
	}
	m.Close()
	return errors.Join(errs...)
}

// Cluster is the node's part in its cluster, nil when it has none.
func (n *Node) Cluster() *cluster.Node {
	if n.member == nil {
		return nil
	}
	return n.member.Node
}

// GossipAddress is where other nodes can join this one, "" when it has no cluster.
func (n *Node) GossipAddress() string {
	if n.member == nil {
		return ""
	}
	return n.member.gossip.Address()
}

// Drain hands the shards of a node to others, as far as there is time and somebody to take
// them; calls go on meanwhile. Stop does so too. A node that stands alone has nothing
// to drain.
func (n *Node) Drain(ctx context.Context) {
	if n.member != nil && n.host.Err() == nil {
		n.member.drain(ctx)
	}
}

// Kill ends the node as a crash would: nothing is handed over or said, and what is
// not acknowledged is lost. It is to show what the other nodes do then.
func (n *Node) Kill(ctx context.Context) error {
	n.host.Fail(entity.ErrKilled)
	return n.Stop(ctx)
}
