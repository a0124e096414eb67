package cqlproxy

import (
	"net"
	"testing"
)

// What a connection carries with 100 requests under way, through the proxy and
// without it.
func BenchmarkRequests(b *testing.B) {
	for _, name := range []string{"direct", "proxy"} {
		b.Run(name, func(b *testing.B) {
			address := echo(b)
			proxy := New(address)
			defer proxy.Close()
			dial := proxy.Client("").DialContext
			if name == "direct" {
				dial = new(net.Dialer).DialContext
			}
			conn, err := dial(b.Context(), "tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			f := frame{first: version4, opcode: OpQuery, body: query(version4, insertLog, string(make([]byte, 1000)))}
			frames := newFrameReader(conn, func() bool { return false })
			const window = 100
			for i := 0; b.Loop(); i++ {
				f.stream = int16(i % window)
				if _, err := conn.Write(f.append(nil)); err != nil {
					b.Fatal(err)
				}
				if i < window {
					continue
				}
				if _, err := frames.next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// echo answers each frame with an empty result.
func echo(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		frames := newFrameReader(conn, func() bool { return false })
		for {
			f, err := frames.next()
			if err != nil {
				return
			}
			reply := frame{first: fromServer | f.first, stream: f.stream, opcode: OpResult, body: []byte{0, 0, 0, 1}}
			if _, err := conn.Write(reply.append(nil)); err != nil {
				return
			}
		}
	}()
	return listener.Addr().String()
}
