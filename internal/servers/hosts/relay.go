package hosts

import (
	"context"
	"io"
	"net"
)

// Relay passes on connections from a listener, which it closes with the network, to
// where dial leads: so something on the loopback of this process is reached from a
// host, and the other way round. It knows nothing of what it passes on. When one side
// closes a connection, the other is closed.
func (n *Network) Relay(l net.Listener, dial func(context.Context) (net.Conn, error)) {
	stop := context.AfterFunc(n.background, func() { _ = l.Close() }) // Accept says so
	n.relays.Go(func() {
		defer stop()
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			n.relays.Go(func() { n.pass(conn, dial) })
		}
	})
}

func (n *Network) pass(from net.Conn, dial func(context.Context) (net.Conn, error)) {
	ctx, cancel := context.WithCancel(n.background)
	defer cancel()
	to, err := dial(ctx)
	if err != nil {
		_ = from.Close() // which tells the other side
		return
	}
	done := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(done)
		_, _ = from.Close(), to.Close()
	})
	back := make(chan struct{})
	go func() {
		defer close(back)
		defer cancel()
		_, _ = io.Copy(from, to) // either end may have failed
	}()
	_, _ = io.Copy(to, from)
	cancel()
	<-back
	<-done
}
