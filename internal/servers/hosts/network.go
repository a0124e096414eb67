package hosts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
)

// Network is a router with hosts.
type Network struct {
	prefix string // of the names of its namespaces
	router string

	// background ends with Close, and relays with it.
	background context.Context
	end        context.CancelFunc
	relays     sync.WaitGroup

	mu    sync.Mutex
	hosts []*Host
	last  netip.Addr // that was given to somebody
	cuts  int        // that there were
}

var networks atomic.Int64

// gateway is the router's address on all links.
var gateway = netip.AddrFrom4([4]byte{10, 0, 0, 1})

// NewNetwork makes a router, and removes what killed processes have left.
func NewNetwork(ctx context.Context) (*Network, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	if err := removeAbandoned(ctx); err != nil {
		return nil, err
	}
	n := &Network{prefix: prefix(networks.Add(1)), last: gateway}
	n.router = n.prefix + "router"
	n.background, n.end = context.WithCancel(context.WithoutCancel(ctx))
	err := ip(ctx, "", "netns add "+n.router)
	if err == nil {
		err = ip(ctx, n.router, "link set lo up", fmt.Sprintf("addr add %s/32 dev lo", gateway))
	}
	if err == nil {
		err = within(n.router, func() error {
			return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) // of this namespace
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hosts: a router: %w", err), n.Close())
	}
	return n, nil
}

// Close ends what runs on the hosts, and relays, and removes all.
func (n *Network) Close() error {
	n.end()
	n.relays.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	ctx := context.Background() // whatever has ended, this is to be done
	var errs []error
	for _, h := range n.hosts {
		errs = append(errs, remove(ctx, h.namespace))
	}
	n.hosts = nil
	return errors.Join(append(errs, remove(ctx, n.router))...)
}

// NewHost makes a host that reaches all others and is reached by them. The name is for
// people who look at the machine's namespaces.
func (n *Network) NewHost(ctx context.Context, name string) (*Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &Host{network: n, name: name, namespace: n.prefix + name, port: fmt.Sprintf("to%d", len(n.hosts))}
	if err := ip(ctx, "", "netns add "+h.namespace); err != nil {
		return nil, fmt.Errorf("hosts: host %s: %w", name, err)
	}
	n.hosts = append(n.hosts, h)
	err := ip(ctx, "", fmt.Sprintf("link add %s netns %s type veth peer name eth0 netns %s", h.port, n.router, h.namespace))
	if err == nil {
		err = ip(ctx, n.router, fmt.Sprintf("link set %s up", h.port))
	}
	if err == nil {
		err = ip(ctx, h.namespace, "link set lo up", "link set eth0 up",
			fmt.Sprintf("route add %s dev eth0 scope link", gateway), "route add default via "+gateway.String())
	}
	if err == nil {
		err = h.address(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("hosts: host %s: %w", name, err)
	}
	return h, nil
}
