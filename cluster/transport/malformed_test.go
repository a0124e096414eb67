package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
	clusterv1 "github.com/mesonet/mesonet/proto/mesonet/cluster/v1"
)

// clientPreface is how a connection of HTTP/2 begins (RFC 9113, 3.4).
const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Whatever comes at the port is counted, and closed, and others are served.
// Seen to fail when ended does not count, and without closeMute.
func TestGarbageAtThePort(t *testing.T) {
	ca := newAuthority(t, "ours")
	for _, secure := range []func(*Config){nil, ca.issue(t, t.TempDir(), "b", later(), ca).secure(t)} {
		b := start(t, "b", echo, func(c *Config) {
			quick(c)
			c.HelloTimeout = 300 * time.Millisecond
			if secure != nil {
				secure(c)
			}
		})
		for _, garbage := range []string{
			"\x00",
			"GET / HTTP/1.1\r\nHost: b\r\n\r\n",
			"SSH-2.0-OpenSSH_9.6\r\n",
			string(bytes.Repeat([]byte{0xff}, 100_000)),
			clientPreface + "and then no frame of HTTP/2 at all",
			clientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
			"\x16\x03\x01\x00\x05hello",
		} {
			conn, err := net.Dial("tcp", b.Address())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, garbage); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%.20q: the connection stays open", garbage)
			}
			conn.Close()
			if secure == nil || len(garbage) > 5 { // less is no TLS record yet
				is(t, next(t, b.malformed, fmt.Sprintf("that %.20q is counted", garbage)), []error{errMalformed})
			}
		}
		a := start(t, "a", echo, secure)
		a.must(b.peer(), "hello")
	}
}

// A stranger is a client that can say anything.
type stranger struct {
	grpc.ClientStream
}

// intrude calls a node, and says hello unless told not to.
func intrude(t testing.TB, address string, hello bool) stranger {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{newBatchPool(maxBatch)}), grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(func() {
		cancel()
		conn.Close()
	})
	s, err := conn.NewStream(ctx, &exchange, clusterv1.TransportService_Exchange_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if hello {
		say(s, &envelope{hello: &clusterv1.Hello{
			Cluster: testIdentity.Cluster, Store: testIdentity.Store, Shards: testIdentity.Shards,
			Node: "s", To: "b", Process: make([]byte, 16), ProtocolLeast: 1, ProtocolMost: 1, MaxMessage: 1 << 20,
		}})
		if err := s.RecvMsg(&envelope{}); err != nil {
			t.Fatal(err)
		}
	}
	return stranger{s}
}

// say sends something, or finds that it is out already.
func say(to pipe, e *envelope) { _ = to.SendMsg(e) }

// batch is one with these bytes as its frames.
func batch(frames ...[]byte) *envelope {
	b := append(make([]byte, framesPrefix), bytes.Join(frames, nil)...)
	b[0] = framesField<<3 | 2
	return &envelope{out: &b}
}

// noProtobuf is a message that can't be read.
func noProtobuf() *envelope {
	e := batch([]byte("garbage"))
	(*e.out)[0] = 0xff
	return e
}

func pieceFrame(body string) []byte { return appendFrame(nil, &frame{what: piece, body: []byte(body)}) }

// end reads until the stream ends, and returns why.
func (s stranger) end() error {
	for {
		if err := s.RecvMsg(&envelope{}); err != nil {
			return err
		}
	}
}

func requestFrame(f frame) []byte {
	f.what = request
	f.total = max(f.total, len(f.body))
	return appendFrame(nil, &f)
}

// A client that speaks gRPC and says what it may not is told so, counted, and has its
// stream ended; nothing of the batch is handled.
// Seen to fail, one by one, without each check of readFrame, add, admit and judge.
func TestMalformedRequests(t *testing.T) {
	unfinished := requestFrame(frame{total: 3, body: []byte("ab")})
	small := requestFrame(frame{body: []byte("x")})
	cut := requestFrame(frame{body: make([]byte, 100)})
	for _, test := range []struct {
		name   string
		hello  bool
		say    []*envelope
		reason string
	}{
		{"no hello", false, []*envelope{batch(small)}, "no hello"},
		{"nothing at all", false, nil, "no hello within"},
		{"a hello without a node", false, []*envelope{{hello: &clusterv1.Hello{}}}, "can't name a node"},
		{"a hello without a process", false, []*envelope{{hello: &clusterv1.Hello{Node: "s"}}}, "says too little"},
		{"no protobuf for a hello", false, []*envelope{noProtobuf()}, "a message of the stream"},
		{"no protobuf", true, []*envelope{noProtobuf()}, "a message of the stream"},
		{"no frame", true, []*envelope{batch([]byte{0})}, "type 0"},
		{"an unknown type", true, []*envelope{batch([]byte{99})}, "type 99"},
		{"half a header", true, []*envelope{batch([]byte{1, 2, 3})}, "ends after 3 bytes"},
		{"a long message", true, []*envelope{batch(requestFrame(frame{total: 16<<20 + 1}))}, "16777217 bytes, where 16777216"},
		{"a body that is cut", true, []*envelope{batch(cut[:len(cut)-1])}, "of 100 bytes, of which 99"},
		{"a number without an end", true, []*envelope{batch([]byte{byte(piece)}, bytes.Repeat([]byte{0xff}, 20))}, "malformed"},
		{"a piece of nothing", true, []*envelope{batch(pieceFrame("x"))}, "has not begun"},
		{"the end of nothing", true, []*envelope{batch(appendFrame(nil, &frame{what: drop}))}, "has not begun"},
		{"more than was announced", true, []*envelope{batch(unfinished), batch(pieceFrame("cd"))}, "2 bytes where 1 of 3"},
		{"an empty piece", true, []*envelope{batch(unfinished), batch(pieceFrame(""))}, "0 bytes where 1 of 3"},
		{"one within another", true, []*envelope{batch(unfinished, small)}, "before the one before it has ended"},
		{"a reply", true, []*envelope{batch(appendFrame(nil, &frame{what: reply}))}, "wrong way"},
		{"too many", true, []*envelope{batch(bytes.Repeat(small, 11))}, "more requests at once"},
		{"too much", true, []*envelope{batch(small, requestFrame(frame{body: make([]byte, 10_000)}))}, "more requests at once"},
		{"a batch without measure", true, []*envelope{batch(make([]byte, maxBatch+100_000))}, "larger than max"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := hold()
			b := start(t, "b", h.handle, func(c *Config) {
				c.MaxRequests, c.MaxUnanswered = 10, 10_000
				if len(test.say) == 0 {
					c.HelloTimeout = 100 * time.Millisecond
				}
			})
			s := intrude(t, b.Address(), test.hello)
			for _, e := range test.say {
				say(s, e)
			}
			err := s.end()
			if c := status.Code(err); c != codes.InvalidArgument && c != codes.ResourceExhausted { // the latter is grpc-go's own
				t.Errorf("the client is told %v", err)
			}
			is(t, err, nil, test.reason)
			is(t, next(t, b.malformed, "that it is counted"), []error{errMalformed}, test.reason)
			if n := len(h.come); n > 0 {
				t.Errorf("%d requests were handled", n)
			}
		})
	}
}

// A server that speaks gRPC and says what it may not has its stream ended, and all
// requests end.
// Seen to fail when answered takes any number, when a place stays taken after its reply,
// and when it takes a reply to what is not yet sent.
func TestMalformedReplies(t *testing.T) {
	answer := func(number uint64, what what) []byte {
		return appendFrame(nil, &frame{what: what, number: number, total: 2, body: []byte("ok")})
	}
	for _, test := range []struct {
		name   string
		say    func(number uint64) *envelope
		reason string
	}{
		{"another number", func(n uint64) *envelope { return batch(answer(n+7, reply)) }, "not under way"},
		{"another turn", func(n uint64) *envelope { return batch(answer(n+1<<32, reply)) }, "not under way"},
		{"a number of nothing", func(uint64) *envelope { return batch(answer(0, reply)) }, "not under way"},
		{"twice", func(n uint64) *envelope { return batch(append(answer(n, reply), answer(n, reply)...)) }, "not under way"},
		{"a request", func(uint64) *envelope { return batch(requestFrame(frame{})) }, "wrong way"},
		{"garbage", func(uint64) *envelope { return batch([]byte("garbage")) }, "type 103"},
		{"a long one", func(n uint64) *envelope {
			return batch(appendFrame(nil, &frame{what: reply, number: n, total: 17 << 20}))
		}, "17825792 bytes, where"},
		{"a batch without measure", func(uint64) *envelope { return batch(make([]byte, maxBatch+100_000)) }, "larger than max"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := pretend(t, func(s grpc.ServerStream) error {
				if err := s.RecvMsg(&envelope{}); err != nil {
					return err
				}
				say(s, &envelope{hello: &clusterv1.Hello{
					Cluster: testIdentity.Cluster, Store: testIdentity.Store, Shards: testIdentity.Shards, Node: "b",
					Process: make([]byte, 16), ProtocolLeast: 1, ProtocolMost: 1, MaxMessage: 1 << 20, MaxRequests: 100, MaxBytes: 1 << 20,
				}})
				var e envelope
				for len(e.frames) == 0 {
					if err := s.RecvMsg(&e); err != nil {
						return err
					}
					if err := e.open(); err != nil {
						return err
					}
				}
				say(s, test.say(binary.LittleEndian.Uint64(e.frames[1:])))
				<-s.Context().Done()
				return nil
			})
			a := start(t, "a", echo, nil)
			to := cluster.Peer{Node: "b", Address: address}
			one, two := a.send(to, cluster.Request{Body: []byte("one")}), a.send(to, cluster.Request{Body: []byte("two")})
			is(t, next(t, a.malformed, "that it is counted"), []error{errMalformed}, test.reason)
			for _, r := range []<-chan result{one, two} {
				if got := next(t, r, "the end of a request"); got.err != nil {
					is(t, got.err, nil, "malformed", test.reason)
				} else if test.name != "twice" || string(got.reply) != "ok" {
					t.Errorf("a reply: %q", got.reply)
				}
			}
		})
	}
}

// helloOf is that of a server.
func helloOf(node string) *envelope {
	return &envelope{hello: &clusterv1.Hello{
		Cluster: testIdentity.Cluster, Store: testIdentity.Store, Shards: testIdentity.Shards, Node: node,
		Process: make([]byte, 16), ProtocolLeast: 1, ProtocolMost: 1, MaxMessage: 1 << 20, MaxRequests: 100, MaxBytes: 1 << 20,
	}}
}

// pretend serves the call in place of a node, and returns its address.
func pretend(t testing.TB, handler func(grpc.ServerStream) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(codec{newBatchPool(maxBatch)}), grpc.WaitForHandlers(true))
	desc := exchange
	desc.Handler = func(_ any, s grpc.ServerStream) error { return handler(s) }
	server.RegisterService(&grpc.ServiceDesc{ServiceName: clusterv1.TransportService_ServiceDesc.ServiceName, HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, nil)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
	return l.Addr().String()
}

// A port that speaks something else, or gRPC without this service, is counted too.
func TestNoNode(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
			_, _ = io.Copy(io.Discard, c) // until who has called gives up
			c.Close()
		}
	})
	defer serving.Wait()
	defer l.Close()
	other := grpc.NewServer()
	l2 := listen(t, "127.0.0.1:0")
	serving.Go(func() { _ = other.Serve(l2) })
	defer other.Stop()
	a := start(t, "a", echo, nil)
	for _, at := range []net.Listener{l, l2} {
		_, err := a.ask(cluster.Peer{Node: "b", Address: at.Addr().String()}, "hello")
		is(t, err, []error{cluster.ErrUnsent}, "malformed: who answers")
		await(t, a.malformed, "that it is counted")
	}
}

// A client that asks and does not take replies does not fill this node's memory: no
// more of its requests are read.
// Seen to fail without waitForRoom.
func TestClientThatDoesNotRead(t *testing.T) {
	const most = 4 << 20
	handled := make(chan struct{}, 1000)
	b := start(t, "b", func(_ persistence.NodeID, _ cluster.Request, reply func([]byte)) {
		handled <- struct{}{}
		reply(make([]byte, 1<<20))
	}, func(c *Config) { c.MaxQueued = most })
	s := intrude(t, b.Address(), true)
	for i := range 100 {
		if err := s.SendMsg(batch(requestFrame(frame{number: uint64(i), body: []byte("x")}))); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		await(t, handled, "a request")
	}
	other := start(t, "c", echo, nil)
	for range 50 { // the time of so many other requests
		if _, err := other.ask(b.peer(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if s := b.Stats(); s.QueuedBytes > most+2<<20 {
		t.Errorf("%d bytes of replies wait", s.QueuedBytes)
	}
}
