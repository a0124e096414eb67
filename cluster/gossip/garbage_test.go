package gossip

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

// labelled puts the label of a cluster in front.
func labelled(name string, b []byte) []byte {
	label := labelPrefix + name
	return append(append([]byte{labelByte, byte(len(label))}, label...), b...)
}

// What is no gossip is counted and dropped, on both protocols, with a key and without;
// said once a host; and the node lives on.
func TestGarbage(t *testing.T) {
	plain := func(c *Config) { c.Keys = nil }
	for _, test := range []struct {
		name    string
		udp     bool
		bytes   []byte
		change  func(*Config)
		refused Reason // "" where it is garbage
	}{
		{name: "a web request", bytes: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
		{name: "a label that breaks off", bytes: []byte{labelByte, 200, 'm'}},
		{name: "a label of something else", bytes: []byte{labelByte, 3, 'f', 'o', 'o', 0}},
		{name: "a label and garbage", bytes: labelled("plains", []byte("\xffgarbage")), change: plain},
		{name: "a broken exchange", bytes: labelled("plains", []byte("\x06\x83\xa5Nodes\x01")), change: plain},
		{name: "a broken ping", bytes: labelled("plains", []byte("\x00\xc1")), change: plain},
		{name: "a type that does not belong there", bytes: labelled("plains", []byte("\x03\x80")), change: plain},
		{name: "a stream without a key", bytes: labelled("plains", []byte("\x06\x80")), refused: OtherKey},
		{name: "a stream with another key", bytes: labelled("plains", append([]byte{10, 0, 0, 0, 60}, make([]byte, 60)...)), refused: OtherKey},

		{name: "a packet of something else", udp: true, bytes: []byte("hello")},
		{name: "a packet with half a label", udp: true, bytes: []byte{labelByte, 200, 'm'}},
		{name: "a packet of another cluster", udp: true, bytes: labelled("hills", []byte("x")), refused: OtherCluster},
		{name: "a packet without a key", udp: true, bytes: labelled("plains", []byte("\x00\x80")), refused: OtherKey},
		{name: "a packet and garbage", udp: true, bytes: labelled("plains", []byte("\xffgarbage")), change: plain},
		{name: "an empty packet", udp: true, bytes: labelled("plains", nil), change: plain},
		{name: "a broken ping in a packet", udp: true, bytes: labelled("plains", []byte("\x00\xc1")), change: plain},
		{name: "a broken alive in a packet", udp: true, bytes: labelled("plains", []byte("\x04\xc1")), change: plain},
		{name: "a bad checksum", udp: true, bytes: labelled("plains", []byte("\x0c\x00\x00\x00\x00abc")), change: plain},
		{name: "a broken compound", udp: true, bytes: labelled("plains", []byte("\x07\x05a")), change: plain},
		{name: "a truncated compound", udp: true, bytes: labelled("plains", []byte("\x07\x01\x00\x09a")), change: plain},
		{name: "a broken compression", udp: true, bytes: labelled("plains", []byte("\x09\x80")), change: plain},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := start(t, nil, "a", func(c *Config) {
				if test.change != nil {
					test.change(c)
				}
			})
			network := "tcp"
			if test.udp {
				network = "udp"
			}
			for range 3 {
				conn, err := (&net.Dialer{}).DialContext(t.Context(), network, n.Address())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Write(test.bytes); err != nil {
					t.Fatal(err)
				}
				if tcp, ok := conn.(*net.TCPConn); ok {
					_ = tcp.CloseWrite()
					_ = tcp.SetReadDeadline(time.Now().Add(time.Minute))
					if _, err := io.ReadAll(tcp); err != nil && !strings.Contains(err.Error(), "reset") {
						t.Errorf("it was not closed: %v", err)
					}
				}
				_ = conn.Close()
			}
			eventually(t, "all are counted", func() bool {
				if test.refused != "" {
					return len(n.reasons()) == 3 && n.reasons()[0] == test.refused
				}
				return n.dropped() == 3
			})
			if n.dropped() > 0 && len(n.reasons()) > 0 {
				t.Errorf("counted as %v and as garbage", n.reasons())
			}
			if said := strings.Count(n.log(), "level=WARN"); said != 1 {
				t.Errorf("said %d times:\n%s", said, n.log())
			}
			other := start(t, nil, "b", func(c *Config) { c.Keys = n.config.Keys })
			other.join(t, n)
			n.sees(t, "a b")
		})
	}
}

// A port that is only tried is nothing to speak of: load balancers do it.
func TestTriedPort(t *testing.T) {
	n := start(t, nil, "a")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", n.Address())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if n.dropped() != 0 || n.log() != "" {
		t.Errorf("counted %d times, and said %q", n.dropped(), n.log())
	}
}

// Closing does not wait for those who say nothing.
//
// Mutation: a wire that leaves connections open lets them have their 5 s.
func TestCloseEndsConnections(t *testing.T) {
	n := start(t, nil, "a")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", n.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	n.close()
	if took := time.Since(began); took > n.config.Tuning.StreamTimeout {
		t.Errorf("it took %v", took)
	}
}

// FuzzGarbage feeds a node without a key, which reads everything, with packets and
// streams; then it still answers, and believes in nobody.
func FuzzGarbage(f *testing.F) {
	good, err := full().encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{
		[]byte("\x00\x80"), []byte("\x01\x80"), []byte("\x03\x80"), []byte("\x04\x80"), []byte("\x05\x80"), []byte("\x06\x80"), []byte("\x08abc"),
		[]byte("\x06\x83\xa5Nodes\x01\xacUserStateLen\x00\xa4Join\xc3"),
		[]byte("\x07\x02\x00\x02\x00\x02\x00\x80\x03\x80"),
		[]byte("\x09\x82\xa4Algo\x00\xa3Buf\xc4\x01\x00"),
		append([]byte("\x04\x86\xabIncarnation\x01\xa4Node\xa3n-1\xa4Addr\xc4\x04\x0a\x00\x00\x09\xa4Port\x01\xa3Vsn\xc4\x06\x01\x05\x02\x00\x00\x00\xa4Meta\xc5"), binary.BigEndian.AppendUint16(nil, uint16(len(good)))...),
	} {
		f.Add(b, false)
		f.Add(b, true)
		f.Add(append(bytes.Clone(b), good...), true)
	}
	network := newNetwork()
	n := start(f, network, "a", func(c *Config) {
		c.Keys = nil
		c.Tuning.StreamTimeout = 100 * time.Millisecond
	})
	from := network.host()
	f.Fuzz(func(t *testing.T, b []byte, packet bool) {
		if bytes.Contains(b, good) {
			t.Skip("a good announcement is believed")
		}
		if packet {
			_, _ = from.WriteTo(labelled("plains", b), n.Address())
			return
		}
		conn, err := from.DialTimeout(n.Address(), time.Second)
		if err != nil {
			t.Fatalf("it does not answer any more: %v", err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(labelled("plains", b))
		_ = conn.Close()
		if got := n.Members(); len(got) != 1 || got[0] != n.config.Self {
			t.Fatalf("it believes in %+v", got)
		}
	})
}

// Bytes of real packets, changed here and there, so that they get past the first look.
// A seed is printed when it fails.
func TestBrokenPackets(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	bubble(t, func(t *testing.T, network *network) {
		plain := func(c *Config) { c.Keys = nil }
		a := start(t, network, "a", plain)
		var (
			mu    sync.Mutex
			taken [][]byte
		)
		tap := &tapped{host4: network.host(), took: func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			if len(taken) < 200 {
				taken = append(taken, bytes.Clone(b))
			}
		}}
		b := start(t, network, "b", plain, func(c *Config) { c.Transport = tap })
		b.join(t, a)
		m := member("b")
		for i := range 20 {
			m.Weight = uint32(i)
			if err := b.Announce(m); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		b.close()
		a.sees(t, "a")
		for range 5000 {
			packet := bytes.Clone(taken[random.IntN(len(taken))])
			for range 1 + random.IntN(4) {
				packet[random.IntN(len(packet))] ^= 1 << random.IntN(8)
			}
			_, _ = tap.host4.WriteTo(packet[:random.IntN(len(packet)+1)], a.Address())
			<-time.After(time.Millisecond)
		}
		<-time.After(10 * time.Minute)
		if got := ids(a.Gossip); got != "a" {
			t.Errorf("with seed %d: a sees %q", seed, got)
		}
		if a.dropped() == 0 {
			t.Errorf("with seed %d: nothing was counted", seed)
		}
		m = member("a")
		m.State = cluster.Serving
		if err := a.Announce(m); err != nil || a.Members()[0] != m {
			t.Errorf("with seed %d: announcing: %v, %v", seed, err, a.Members())
		}
	})
}
