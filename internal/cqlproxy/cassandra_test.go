package cqlproxy

import (
	"bytes"
	"testing"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

// The essential scenarios once more, with a real Cassandra: what it sends is
// understood, and what the proxy sends late, twice or in new segments is
// accepted.
func TestCassandra(t *testing.T) {
	node := serverstest.Cassandra(t, 1).Addresses()[0]
	eachVersion(t, func(t *testing.T, version byte) {
		proxy := New(node)
		defer func() { must(t, proxy.Close()) }()
		keyspace := serverstest.Name(t)
		s := session{connect(t, proxy, "owner", node, version)}
		s.run("CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
		s.run("USE " + keyspace)
		s.run("CREATE TABLE log (shard int, seq bigint, frame blob, PRIMARY KEY (shard, seq))")
		s.run("CREATE TABLE node (id int PRIMARY KEY, inc int)")
		s.run("INSERT INTO node (id, inc) VALUES (1, 1) IF NOT EXISTS")

		other := session{connect(t, proxy, "other", node, version)}
		other.run("USE " + keyspace)
		t.Run("late write", func(t *testing.T) { testLateWrite(t, proxy, s, other) })
		t.Run("lost replies", func(t *testing.T) { testLostReplies(t, proxy, other) })
		t.Run("retried transaction", func(t *testing.T) { testRetry(t, proxy, other) })
		t.Run("long frames", func(t *testing.T) { testLongFrames(t, other) })

		if mixed := proxy.MixedTables(); len(mixed) > 0 {
			t.Errorf("mixed tables: %v", mixed)
		}
		other.run("DROP KEYSPACE " + keyspace)
	})
}

// The owner's write is held, its connection closed and the other's write
// executed; then it arrives.
func testLateWrite(t *testing.T, proxy *Proxy, owner, other session) {
	insert := owner.prepare("INSERT INTO log (shard, seq, frame) VALUES (1, ?, ?) USING TIMESTAMP 5")
	late := proxy.Hold(Match{Client: "owner", Table: "log", Values: map[int][]byte{1: []byte("late")}})
	owner.executeWith(1, insert, simple(owner.version, "\x00\x00\x00\x00\x00\x00\x00\x01", "in time"))
	owner.want(1, OpResult)
	owner.executeWith(2, insert, simple(owner.version, "\x00\x00\x00\x00\x00\x00\x00\x02", "late"))
	must(t, late.Wait(within(t)))
	must(t, owner.conn.Close())

	const read = "SELECT frame FROM log WHERE shard = 1"
	if got := other.run(read); !bytes.Contains(got, []byte("in time")) || bytes.Contains(got, []byte("late")) {
		t.Errorf("before the release: %q", got)
	}
	late.Release()
	must(t, late.Done(within(t)))
	if got := other.run(read); !bytes.Contains(got, []byte("late")) {
		t.Errorf("after the release: %q", got)
	}
}

// Of two raises with lost replies the first was not applied and the second was.
func testLostReplies(t *testing.T, proxy *Proxy, c session) {
	for _, test := range []struct {
		at   Phase
		want string
	}{
		{OnRequest, "\x00\x00\x00\x01"},
		{OnReply, "\x00\x00\x00\x02"},
	} {
		lost := proxy.Drop(Match{At: test.at, Table: "node", Conditional: true})
		c.query3("UPDATE node SET inc = 2 WHERE id = 1 IF inc = 1")
		must(t, lost.Wait(within(t)))
		lost.Remove()
		if got := c.run("SELECT inc FROM node WHERE id = 1"); !bytes.HasSuffix(got, []byte(test.want)) {
			t.Errorf("reply lost at phase %d: inc in %x, want %x", test.at, got, test.want)
		}
	}
}

// A transaction that is retried unseen is applied, and the client told that it
// was not.
func testRetry(t *testing.T, proxy *Proxy, c session) {
	retry := proxy.Duplicate(Match{At: OnReply, Table: "node", Conditional: true})
	defer retry.Remove()
	got := c.run("UPDATE node SET inc = 3 WHERE id = 1 IF inc = 2")
	if want := []byte("\x00\x00\x00\x01\x00\x00\x00\x00\x04\x00\x00\x00\x03"); !bytes.HasSuffix(got, want) {
		t.Errorf("the retry's answer is %x, want [applied] false and inc 3 at its end", got)
	}
}

// Frames longer than a segment, there and back.
func testLongFrames(t *testing.T, c session) {
	frame := bytes.Repeat([]byte("long"), maxSegmentPayload)
	insert := c.prepare("INSERT INTO log (shard, seq, frame) VALUES (2, 0, ?) USING TIMESTAMP 5")
	c.executeWith(1, insert, simple(c.version, string(frame)))
	c.want(1, OpResult)
	if got := c.run("SELECT frame FROM log WHERE shard = 2"); !bytes.HasSuffix(got, frame) {
		t.Errorf("read %d bytes that do not end in the %d written", len(got), len(frame))
	}
}

// A session runs statements at QUORUM, with values and nothing else.
type session struct{ *client }

func (s session) run(text string) []byte {
	s.t.Helper()
	s.send(1, OpQuery, append(append(appendInt(nil, len(text)), text...), simple(s.version)...))
	return s.want(1, OpResult).body
}

// query3 sends on stream 3 and does not wait.
func (s session) query3(text string) {
	s.t.Helper()
	s.send(3, OpQuery, append(append(appendInt(nil, len(text)), text...), simple(s.version)...))
}

func simple(version byte, values ...string) []byte {
	body := appendFlags(appendShort(nil, int(Quorum)), version, withValues)
	body = appendShort(body, len(values))
	for _, value := range values {
		body = append(appendInt(body, len(value)), value...)
	}
	return body
}
