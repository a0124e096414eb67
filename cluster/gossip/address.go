package gossip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/hashicorp/memberlist"
)

// lookup returns the addresses of host:port, host, an IP address with or without a
// port; there is at least one without an error.
func (g *Gossip) lookup(ctx context.Context, address string) ([]netip.AddrPort, error) {
	name, port := address, uint16(DefaultPort)
	if ip, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), port)}, nil
	}
	if h, p, err := net.SplitHostPort(address); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q: the port has to be a number up to 65535", address)
		}
		name, port = h, uint16(n)
	} else if strings.Contains(address, ":") {
		return nil, fmt.Errorf("%q: want host:port: %w", address, err)
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), port)}, nil
	}
	find := g.config.Lookup
	if find == nil {
		find = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	ips, err := find(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("%q has no address", name)
	}
	found := make([]netip.AddrPort, 0, len(ips))
	for _, ip := range ips {
		found = append(found, netip.AddrPortFrom(ip.Unmap(), port))
	}
	return found, nil
}

// listen opens the sockets.
func (g *Gossip) listen(ctx context.Context, lines *logs) (*memberlist.NetTransport, error) {
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	name, port, err := net.SplitHostPort(g.config.Bind)
	if err != nil {
		return nil, fmt.Errorf("gossip: bind address: %w", err) // Validate has found it
	}
	if name == "" {
		name = at.Addr().String()
	}
	// An IP address, for memberlist listens everywhere when it can't read one.
	found, err := g.lookup(ctx, net.JoinHostPort(name, port))
	if err != nil {
		return nil, fmt.Errorf("gossip: bind address: %w", err)
	}
	at = found[0]
	if at.Addr().Is6() && at.Addr().IsUnspecified() && g.config.Advertise == "" {
		return nil, fmt.Errorf("gossip: listening at %v, and nobody says where others reach this node: set the advertised address", at)
	}
	config := &memberlist.NetTransportConfig{BindAddrs: []string{at.Addr().String()}, BindPort: int(at.Port()), Logger: lines.logger()}
	socket, err := memberlist.NewNetTransport(config)
	for try := 1; err != nil && at.Port() == 0 && try < 10; try++ {
		socket, err = memberlist.NewNetTransport(config) // a port free for TCP was taken for UDP
	}
	if err != nil {
		return nil, fmt.Errorf("gossip: can't listen at %v: %w; is another node running there?", at, inner(err))
	}
	g.bound = netip.AddrPortFrom(at.Addr(), uint16(socket.GetAutoBindPort()))
	return socket, nil
}

// inner returns the system's error where err is one that has it only in its text.
func inner(err error) error {
	for _, known := range []error{syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, syscall.EACCES} {
		if strings.Contains(err.Error(), known.Error()) {
			return known
		}
	}
	return err
}

// isSelf reports whether the address is this process's own.
func (g *Gossip) isSelf(at netip.AddrPort) bool {
	switch {
	case at == g.own || at == g.bound:
		return true
	case g.bound.Port() != at.Port() || !g.bound.IsValid() || !g.bound.Addr().IsUnspecified():
		return false
	case at.Addr().IsLoopback():
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false // it is asked, and answers
	}
	for _, addr := range addrs {
		if prefix, err := netip.ParsePrefix(addr.String()); err == nil && prefix.Addr().Unmap() == at.Addr() {
			return true
		}
	}
	return false
}
