package hosts

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"sync/atomic"
)

// Host is a namespace with an address.
type Host struct {
	network   *Network
	name      string
	namespace string
	port      string // the router's end of its link
	addr      atomic.Pointer[netip.Addr]
}

// Name is the name that NewHost was given.
func (h *Host) Name() string { return h.name }

// Addr is the host's address. 127.0.0.1 is its own, too.
func (h *Host) Addr() netip.Addr { return *h.addr.Load() }

// Readdress gives the host another address, which nobody had, and takes the old one
// away. Cuts are of addresses: heal those of the host first.
func (h *Host) Readdress(ctx context.Context) error {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if err := h.address(ctx); err != nil {
		return fmt.Errorf("hosts: another address of %s: %w", h.name, err)
	}
	return nil
}

// address gives the host the next address, and takes away the one it had. The network
// is locked.
func (h *Host) address(ctx context.Context) error {
	h.network.last = h.network.last.Next()
	addr, old := h.network.last, h.addr.Load()
	host := []string{fmt.Sprintf("addr add %s/32 dev eth0", addr)}
	router := []string{fmt.Sprintf("route add %s dev %s", addr, h.port)}
	if old != nil {
		host = append(host, fmt.Sprintf("addr del %s/32 dev eth0", old))
		router = append(router, fmt.Sprintf("route del %s dev %s", old, h.port))
	}
	if err := ip(ctx, h.namespace, host...); err != nil {
		return err
	}
	if err := ip(ctx, h.network.router, router...); err != nil {
		return err
	}
	h.addr.Store(&addr)
	return nil
}

// Start starts a command on the host. It is a child of this process as any other: who
// starts it waits for it.
func (h *Host) Start(cmd *exec.Cmd) error {
	if err := within(h.namespace, cmd.Start); err != nil {
		return fmt.Errorf("hosts: start %s on %s: %w", cmd.Path, h.name, err)
	}
	return nil
}

// DialContext connects from the host, also to 127.0.0.1 on it. The address has an IP
// address and no name.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = within(h.namespace, func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hosts: from %s: %w", h.name, err)
	}
	return conn, nil
}

// Listen listens for connections on the host.
func (h *Host) Listen(ctx context.Context, network, address string) (l net.Listener, err error) {
	err = within(h.namespace, func() error {
		l, err = new(net.ListenConfig).Listen(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hosts: on %s: %w", h.name, err)
	}
	return l, nil
}

// ListenPacket listens for datagrams on the host.
func (h *Host) ListenPacket(ctx context.Context, network, address string) (c net.PacketConn, err error) {
	err = within(h.namespace, func() error {
		c, err = new(net.ListenConfig).ListenPacket(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hosts: on %s: %w", h.name, err)
	}
	return c, nil
}
