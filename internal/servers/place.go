package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
)

// place is where one node listens: on port for clients, on peer for the other
// nodes.
type place struct {
	host       netip.Addr
	port, peer uint16
}

func (p place) client() string { return netip.AddrPortFrom(p.host, p.port).String() }
func (p place) other() string  { return netip.AddrPortFrom(p.host, p.peer).String() }

// choosePlaces returns n places on which nothing listens: on the given host and
// those after it, or, when host is invalid, wherever there is room.
//
// Linux has all of 127.0.0.0/8, 16 million addresses. Each server takes some at
// random, so that any number of processes start servers at a time without a
// word to each other, and a server that was killed finds its own ports free.
// Other systems have 127.0.0.1 alone. There, and where something listens on all
// addresses, the ports are chosen by the kernel.
func choosePlaces(n int, host netip.Addr, port, peer uint16) ([]place, error) {
	if host.IsValid() {
		return placesFrom(n, host, port, peer)
	}
	var err error
	for range 10 {
		var places []place
		if places, err = placesFrom(n, randomHost(), port, peer); err == nil {
			return places, nil
		}
	}
	places, fallbackErr := kernelPlaces(n)
	if fallbackErr != nil {
		return nil, errors.Join(err, fallbackErr)
	}
	return places, nil
}

// randomHost leaves room for the nodes after the first, and leaves out what
// systems use: 127.0.0.1 and its neighbours.
func randomHost() netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(254)), byte(rand.IntN(256)), byte(1 + rand.IntN(256-1-MaxNodes))})
}

func placesFrom(n int, host netip.Addr, port, peer uint16) ([]place, error) {
	var places []place
	for range n {
		p := place{host: host, port: port, peer: peer}
		for _, address := range []string{p.client(), p.other()} {
			listener, err := net.Listen("tcp", address) //nolint:noctx // loopback: it does not wait
			if err != nil {
				return nil, fmt.Errorf("servers: %w; end what listens there, or choose another host or port", err)
			}
			_ = listener.Close() // nobody connected
		}
		places = append(places, p)
		host = host.Next()
	}
	return places, nil
}

func kernelPlaces(n int) ([]place, error) {
	host := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	ports := make([]uint16, 2*n)
	for i := range ports {
		listener, err := net.Listen("tcp", net.JoinHostPort(host.String(), strconv.Itoa(0))) //nolint:noctx // loopback: it does not wait
		if err != nil {
			return nil, fmt.Errorf("servers: no free port: %w", err)
		}
		// When all are chosen, or one would be chosen twice.
		defer listener.Close() //nolint:errcheck // nobody connected
		ports[i] = netip.MustParseAddrPort(listener.Addr().String()).Port()
	}
	places := make([]place, n)
	for i := range places {
		places[i] = place{host: host, port: ports[2*i], peer: ports[2*i+1]}
	}
	return places, nil
}
