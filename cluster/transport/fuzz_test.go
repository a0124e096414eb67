package transport

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// seeds are batches from which a fuzzer finds others.
func seeds(f *testing.F) {
	for _, b := range [][]byte{
		nil,
		{0x80},
		requestFrame(frame{number: 1, kind: 2, left: time.Second, body: []byte("hello")}),
		append(requestFrame(frame{number: 1, total: 9, body: []byte("hello")}), appendFrame(nil, &frame{what: piece, body: []byte("more")})...),
		append(requestFrame(frame{lane: bulk, total: 9, body: []byte("hello")}), appendFrame(nil, &frame{what: drop, lane: bulk})...),
		appendFrame(nil, &frame{what: reply, number: 1 << 32, total: 2, body: []byte("ok")}),
		appendFrame(nil, &frame{what: failure, number: 1, total: 2, body: []byte("no")}),
	} {
		f.Add(b)
	}
}

// Any bytes are frames or an error, and frames that are read are written the same.
func FuzzFrames(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		a := assembly{limit: limit}
		messages, err := a.read(b, nil, request, reply, failure)
		for _, m := range messages {
			if len(m.body) != m.total || m.total > limit {
				t.Fatalf("a message of %d bytes that says %d", len(m.body), m.total)
			}
			if m.what == failure || m.what == reply {
				m.left, m.kind = 0, 0
			}
			again, rest, err := readFrame(appendFrame(nil, &m), limit)
			if err != nil || len(rest) > 0 || again.number != m.number || again.what != m.what || again.left != m.left || !bytes.Equal(again.body, m.body) {
				t.Fatalf("%+v came back as %+v, %v", m, again, err)
			}
		}
		kept := 0
		for i := range a.partial {
			kept += len(a.partial[i].body)
		}
		if kept > len(b) {
			t.Fatalf("%d bytes are kept of %d, %v", kept, len(b), err)
		}
	})
}

// Any bytes are an envelope or an error.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte{0x12, 0x81, 0x80, 0x00, 0x01})
	f.Add([]byte{0x0a, 0x02, 0x08, 0x01, 0x1a, 0x01, 'x', 0x20, 0x05})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e envelope
		if err := e.parse(b); err == nil && len(e.frames)+len(e.refused) > len(b) {
			t.Fatalf("%d and %d bytes of %d", len(e.frames), len(e.refused), len(b))
		}
	})
}

func fuzzed(f *testing.F, handler cluster.Handler) *Transport {
	f.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	cfg := DefaultConfig(testIdentity, "b", cluster.Protocol{Least: 1, Most: 1}, l)
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Heartbeat, cfg.Silence = time.Minute, 10*time.Minute
	tr, err := New(cfg, handler)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { tr.Close() })
	return tr
}

// Whatever a client of gRPC sends to a node after its hello, in batches as they come,
// the stream goes on or ends with a message, and the node lives.
func FuzzRequests(f *testing.F) {
	seeds(f)
	b := fuzzed(f, func(_ persistence.NodeID, r cluster.Request, reply func([]byte)) { reply(bytes.Clone(r.Body)) })
	f.Fuzz(func(t *testing.T, data []byte) {
		s := intrude(t, b.Address(), true)
		for len(data) > 0 {
			n := min(1+int(data[0]), len(data))
			if s.SendMsg(batch(data[:n])) != nil {
				break
			}
			data = data[n:]
		}
		_ = s.CloseSend()
		err := s.end()
		if c := status.Code(err); c != codes.InvalidArgument && c != codes.Unavailable {
			t.Fatalf("it ends with %v", err)
		}
	})
}

// Whatever a server of gRPC sends to a node after its hello, each request ends once.
func FuzzReplies(f *testing.F) {
	seeds(f)
	replies := make(chan []byte, 1)
	address := pretend(f, func(s grpc.ServerStream) error {
		var e envelope
		if err := s.RecvMsg(&e); err != nil {
			return err
		}
		say(s, helloOf("x"))
		if err := s.RecvMsg(&e); err != nil {
			return err
		}
		say(s, batch(<-replies))
		return nil
	})
	a := fuzzed(f, func(persistence.NodeID, cluster.Request, func([]byte)) {})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxBatch {
			return
		}
		replies <- data
		ended := make(chan error, 10)
		to := cluster.Peer{Node: "x", Address: address}
		const asked = 3
		for range asked {
			a.Send(to, cluster.Request{Body: []byte("x")}, func(_ []byte, err error) { ended <- err })
		}
		for range asked {
			select {
			case err := <-ended:
				_ = err // however
			case <-time.After(patience):
				t.Fatal("a request does not end")
			}
		}
		a.Keep(nil)
		select {
		case <-replies: // nobody has asked for them
		default:
		}
		if len(ended) > 0 {
			t.Fatal("a request has ended twice")
		}
	})
}

// FuzzPort is any bytes at the port of a node.
func FuzzPort(f *testing.F) {
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	b := fuzzed(f, func(_ persistence.NodeID, _ cluster.Request, reply func([]byte)) { reply(nil) })
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := net.Dial("tcp", b.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write(data)
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		for buf := make([]byte, 4096); ; {
			if _, err := c.Read(buf); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the connection stays open")
				}
				return
			}
		}
	})
}

// Frames of random messages, split at random, are put together as they were: what is
// read is compared with what was written, lane by lane.
func TestFramesRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		var o outbox
		var want [lanes][]item
		for i := range 1 + r.IntN(8) {
			it := item{frame: frame{what: request, lane: lane(r.IntN(2)), number: r.Uint64(), kind: uint8(i), left: time.Duration(r.IntN(3)) * time.Microsecond}, end: never}
			it.body = make([]byte, r.IntN(3)*r.IntN(5000))
			for j := range it.body {
				it.body[j] = byte(r.Uint32())
			}
			it.total, it.size = len(it.body), len(it.body)+perMessage
			o.push(it)
			want[it.lane] = append(want[it.lane], it)
		}
		var got [lanes][]frame
		a := assembly{limit: 1 << 20}
		for !o.empty() {
			b := o.fill(nil, 1+r.IntN(3000), open{})
			messages, err := a.read(b, nil, request)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, m := range messages {
				got[m.lane] = append(got[m.lane], m)
			}
		}
		for l := range want {
			if len(got[l]) != len(want[l]) {
				t.Fatalf("seed %d: %d of %d messages", seed, len(got[l]), len(want[l]))
			}
			for i, w := range want[l] {
				g := got[l][i]
				if g.number != w.number || g.kind != w.kind || g.left != w.left || !bytes.Equal(g.body, w.body) {
					t.Fatalf("seed %d: lane %d, message %d differs", seed, l, i)
				}
			}
		}
		if o.bytes() != 0 {
			t.Fatalf("seed %d: an empty outbox counts %d bytes", seed, o.bytes())
		}
	}
}

// open is a gate that all may pass.
type open struct{}

func (open) begin()              {}
func (open) enter(*item) verdict { return pass }
func (open) left(*item)          {}
