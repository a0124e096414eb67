package cqlproxy

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(serverstest.Main(m)) }

// start is a proxy before as many servers.
func start(t *testing.T, servers int) (*Proxy, []*server) {
	t.Helper()
	var list []*server
	var nodes []string
	for range servers {
		s := startServer(t)
		list = append(list, s)
		nodes = append(nodes, s.address)
	}
	proxy := New(nodes...)
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("the proxy: %v", err)
		}
	})
	return proxy, list
}

// within is a context for what must come, and comes soon.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A client sends frames as a driver does.
type client struct {
	t         *testing.T
	conn      net.Conn
	frames    *frameReader
	version   byte
	segmented bool
}

func eachVersion(t *testing.T, test func(t *testing.T, version byte)) {
	t.Helper()
	t.Run("v4", func(t *testing.T) { test(t, version4) })
	t.Run("v5", func(t *testing.T) { test(t, version5) })
}

// dial connects without saying anything.
func dial(t *testing.T, p *Proxy, label, node string, version byte) *client {
	t.Helper()
	conn, err := p.Client(label).DialContext(within(t), "tcp", node)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	c := &client{t: t, conn: conn, version: version}
	c.frames = newFrameReader(conn, func() bool { return c.segmented })
	return c
}

// connect dials and starts up.
func connect(t *testing.T, p *Proxy, label, node string, version byte) *client {
	t.Helper()
	c := dial(t, p, label, node, version)
	c.send(0, OpStartup, startup("CQL_VERSION", "3.0.0"))
	c.want(0, OpReady)
	c.segmented = version >= version5
	return c
}

func (c *client) send(stream int16, opcode Opcode, body []byte) {
	c.t.Helper()
	c.sendFrame(frame{first: c.version, stream: stream, opcode: opcode, body: body})
}

func (c *client) sendFrame(f frame) {
	c.t.Helper()
	if _, err := c.conn.Write(encode(nil, []outgoing{{f, c.segmented}})); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receive() frame {
	c.t.Helper()
	f, err := c.frames.next()
	if err != nil {
		c.t.Fatalf("reading a frame: %v", err)
	}
	return f
}

// want receives a frame, which has to be this one.
func (c *client) want(stream int16, opcode Opcode) frame {
	c.t.Helper()
	f := c.receive()
	if f.stream != stream || f.opcode != opcode {
		c.t.Fatalf("got opcode %#02x on stream %d (%q), want %#02x on %d", f.opcode, f.stream, f.body, opcode, stream)
	}
	return f
}

// wantExecution receives the answer of the server's n-th execution.
func (c *client) wantExecution(stream int16, n uint32) {
	c.t.Helper()
	f := c.want(stream, OpResult)
	if len(f.body) != 8 || binary.BigEndian.Uint32(f.body[4:]) != n {
		c.t.Errorf("on stream %d: %x is not the answer of execution %d", stream, f.body, n)
	}
}

// wantNothing checks that no reply is there, by asking for another that comes
// after it.
func (c *client) wantNothing() {
	c.t.Helper()
	const stream = 4711
	c.send(stream, OpOptions, nil)
	c.want(stream, OpSupported)
}

func (c *client) wantEnd() {
	c.t.Helper()
	if f, err := c.frames.next(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("got frame %+v and error %v, want the end of the connection", f, err)
	}
}

func (c *client) query(stream int16, text string, values ...string) {
	c.t.Helper()
	c.send(stream, OpQuery, query(c.version, text, values...))
}

// prepared is what an EXECUTE names: a statement and its result's metadata.
type prepared struct{ id, metadata string }

func (c *client) prepare(text string) prepared {
	c.t.Helper()
	body := append(appendInt(nil, len(text)), text...)
	if c.version >= version5 {
		body = appendInt(body, 0)
	}
	c.send(1, OpPrepare, body)
	b := bodyOf(c.want(1, OpResult))
	b.int()
	p := prepared{id: string(b.shortBytes())}
	if c.version >= version5 {
		p.metadata = string(b.shortBytes())
	}
	return p
}

func (c *client) execute(stream int16, p prepared, values ...string) {
	c.t.Helper()
	c.executeWith(stream, p, parameters(c.version, values))
}

func (c *client) executeWith(stream int16, p prepared, parameters []byte) {
	c.t.Helper()
	body := appendString(nil, p.id)
	if c.version >= version5 {
		body = appendString(body, p.metadata)
	}
	c.send(stream, OpExecute, append(body, parameters...))
}

func startup(options ...string) []byte {
	body := appendShort(nil, len(options)/2)
	for _, s := range options {
		body = appendString(body, s)
	}
	return body
}

func query(version byte, text string, values ...string) []byte {
	body := append(appendInt(nil, len(text)), text...)
	return append(body, parameters(version, values)...)
}

// parameters are at QUORUM and SERIAL, with a timestamp of 7.
func parameters(version byte, values []string) []byte {
	body := appendFlags(appendShort(nil, int(Quorum)), version, withValues|withSerial|withTimestamp|withPageSize|withPagingState)
	body = appendShort(body, len(values))
	for _, value := range values {
		body = append(appendInt(body, len(value)), value...)
	}
	body = appendInt(body, 5000)               // page size
	body = append(appendInt(body, 2), "xy"...) // paging state
	body = appendShort(body, int(Serial))
	return binary.BigEndian.AppendUint64(body, 7)
}

func appendFlags(to []byte, version byte, flags int) []byte {
	if version >= version5 {
		return appendInt(to, flags)
	}
	return append(to, byte(flags))
}

// batch has statements by text and, after these, by id, each with one value.
func batch(version byte, texts, ids []string) []byte {
	body := appendShort([]byte{0}, len(texts)+len(ids))
	one := func() {
		body = append(appendInt(appendShort(body, 1), 1), 'v')
	}
	for _, text := range texts {
		body = append(appendInt(append(body, 0), len(text)), text...)
		one()
	}
	for _, id := range ids {
		body = appendString(append(body, 1), id)
		one()
	}
	return appendFlags(appendShort(body, int(LocalQuorum)), version, 0)
}
