package gossip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
)

// Gossip is a node's part in the gossip of its cluster. It is a [cluster.Gossip].
type Gossip struct {
	own    netip.AddrPort // where others reach this node
	config Config
	log    *slog.Logger
	door   *bouncer
	wire   *wire
	news   *sightings
	list   *memberlist.Memberlist
	name   string         // of this process
	bound  netip.AddrPort // where it listens; zero with a Config.Transport

	// announcing has room for one, so that the last announcement stays. It is no
	// mutex, for who has it waits: Close for a farewell, too, since memberlist panics
	// at one after its end.
	announcing chan struct{}
	self       atomic.Pointer[announced]

	mu      sync.Mutex
	view    *view
	seeds   []string                     // what Join was told of
	missing map[netip.AddrPort]time.Time // processes that are believed dead, and since when
	met     bool                         // another process has been there
	leaving bool
	closed  bool

	work sync.WaitGroup // goroutines of this package
	ctx  context.Context
	end  context.CancelFunc
}

var _ cluster.Gossip = (*Gossip)(nil)

// announced is what the process says of itself, and its encoding.
type announced struct {
	announcement
	encoded []byte
}

// ErrClosed is the error of what is asked of a Gossip that was closed or has left.
var ErrClosed = errors.New("gossip: closed, or has left")

// Start begins to listen and to gossip, with nobody at first: see [Gossip.Join]. The
// context is for starting only.
func Start(ctx context.Context, config Config) (*Gossip, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	g := &Gossip{
		config:     config,
		log:        config.Logger,
		announcing: make(chan struct{}, 1),
		missing:    map[netip.AddrPort]time.Time{},
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	self, err := g.encode(config.Self)
	if err != nil {
		return nil, err
	}
	g.self.Store(self)
	g.name = string(config.Self.Node) + "/" + rand.Text()[:12]
	g.view = newView(g.name)
	g.door = newBouncer(g.log, config.Listener)
	g.ctx, g.end = context.WithCancel(context.WithoutCancel(ctx))

	conf, err := g.listConfig(ctx)
	if err != nil {
		g.end()
		return nil, err
	}
	g.news = newSightings(config.Sightings)
	g.list, err = memberlist.Create(conf)
	if err != nil {
		g.end()
		_ = g.wire.Shutdown()
		g.news.close()
		if strings.Contains(err.Error(), "private IP") {
			return nil, fmt.Errorf("gossip: listening at %s, and this machine has no private address to tell others: set the advertised address: %w", config.Bind, err)
		}
		return nil, fmt.Errorf("gossip: %w", err)
	}
	g.own = addressOf(g.list.LocalNode()) // memberlist writes to that node later, and it does not change
	g.work.Go(func() { g.rejoin(g.ctx) })
	return g, nil
}

// listConfig listens, and returns memberlist's configuration.
func (g *Gossip) listConfig(ctx context.Context) (*memberlist.Config, error) {
	lines := &logs{g.log, g.door, g.config.Identity}
	t := g.config.Tuning
	conf := memberlist.DefaultLANConfig()
	conf.Name = g.name
	conf.Logger = lines.logger()
	conf.Label = labelPrefix + g.config.Identity.Cluster
	conf.ProbeInterval, conf.ProbeTimeout = t.ProbeInterval, t.ProbeTimeout
	conf.SuspicionMult, conf.SuspicionMaxTimeoutMult = t.SuspicionMult, t.SuspicionMaxMult
	conf.GossipInterval, conf.GossipNodes = t.GossipInterval, t.GossipNodes
	conf.RetransmitMult = t.RetransmitMult
	conf.PushPullInterval = t.PushPullInterval
	conf.GossipToTheDeadTime = t.DeadInterval
	conf.TCPTimeout = t.StreamTimeout
	conf.EnableCompression = false // LZW takes 64 KB of memory a packet, to save some hundred bytes a second
	delegate := delegate{g}
	conf.Delegate, conf.Events, conf.Alive, conf.Merge = delegate, delegate, delegate, delegate
	if len(g.config.Keys) > 0 {
		keyring, err := memberlist.NewKeyring(g.config.Keys, g.config.Keys[0])
		if err != nil {
			return nil, fmt.Errorf("gossip: keys: %w", err)
		}
		conf.Keyring = keyring
	}
	if g.config.Advertise != "" {
		advertise, err := g.lookup(ctx, g.config.Advertise)
		if err != nil {
			return nil, fmt.Errorf("gossip: advertised address: %w", err)
		}
		conf.AdvertiseAddr, conf.AdvertisePort = advertise[0].Addr().String(), int(advertise[0].Port())
	}
	transport := g.config.Transport
	if transport == nil {
		socket, err := g.listen(ctx, lines)
		if err != nil {
			return nil, err
		}
		transport = socket
		conf.BindPort = int(g.bound.Port())
	}
	g.wire = newWire(transport, g.config.Identity, g.door)
	conf.Transport = g.wire
	return conf, nil
}

func (g *Gossip) encode(m cluster.Member) (*announced, error) {
	a := announcement{member: m, store: g.config.Identity.Store, shards: g.config.Identity.Shards}
	if a.member.State == 0 {
		a.member.State = cluster.Joining
	}
	encoded, err := a.encode()
	return &announced{a, encoded}, err
}

// Address returns where others reach this node's gossip, host:port.
func (g *Gossip) Address() string { return g.own.String() }

// Announce is part of [cluster.Gossip]. The member has to be the node that was started.
func (g *Gossip) Announce(m cluster.Member) error {
	if m.Node != g.config.Self.Node {
		return fmt.Errorf("gossip: node %s can't speak for node %q", g.config.Self.Node, m.Node)
	}
	self, err := g.encode(m)
	if err != nil {
		return err
	}
	if g.isLeaving() {
		return ErrClosed
	}
	g.announcing <- struct{}{}
	defer func() { <-g.announcing }()
	if g.isLeaving() {
		return ErrClosed
	}
	g.announce(self)
	return nil
}

// announce needs its turn.
func (g *Gossip) announce(self *announced) {
	g.self.Store(self)
	// It is on its way when UpdateNode returns; the error says that it is not spread
	// within a nanosecond, and waiting longer misses the moment now and then.
	_ = g.list.UpdateNode(time.Nanosecond)
}

// Members is part of [cluster.Gossip].
func (g *Gossip) Members() []cluster.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.view.members()
}

func (g *Gossip) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// isLeaving reports whether this node has said goodbye, or has ended without.
func (g *Gossip) isLeaving() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.leaving || g.closed
}

// goUnlessClosed runs f on a goroutine that Close waits for.
func (g *Gossip) goUnlessClosed(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.work.Go(f)
	return true
}

// Close is part of [cluster.Gossip]. It waits for all goroutines, which takes as long
// as a probe that is under way.
func (g *Gossip) Close() error {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	met := g.met
	g.mu.Unlock()
	if !first {
		g.work.Wait()
		<-g.news.done
		return nil
	}
	g.end()
	g.wire.shut()
	g.announcing <- struct{}{} // after an announcement or farewell that is under way
	probe := time.Duration(g.list.GetHealthScore()+1) * g.config.Tuning.ProbeInterval
	err := g.list.Shutdown()
	<-g.announcing
	g.wire.wait()
	if met {
		// A probe waits for its answer or for this long, and no channel tells which.
		// A helper's wait is shorter.
		<-time.After(probe)
	}
	g.work.Wait()
	g.news.close()
	if err != nil {
		return fmt.Errorf("gossip: close: %w", err)
	}
	return nil
}
