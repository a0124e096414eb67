package servers

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// Opcodes of Cassandra's native protocol, version 4:
// https://cassandra.apache.org/doc/latest/cassandra/_attachments/native_protocol_v4.html
const (
	opStartup   = 0x01
	opReady     = 0x02
	opOptions   = 0x05
	opSupported = 0x06
	opQuery     = 0x07
	opResult    = 0x08
)

// cql is a connection that speaks the native protocol by hand.
type cql struct{ net.Conn }

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

// ask sends one request and returns the answer.
func (c cql) ask(opcode byte, body []byte) (answer byte, content []byte, err error) {
	header := []byte{0x04, 0, 0, 0, opcode}
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(header, uint32(len(body))), body...)); err != nil {
		return 0, nil, err
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(c, head); err != nil {
		return 0, nil, err
	}
	content = make([]byte, binary.BigEndian.Uint32(head[5:]))
	_, err = io.ReadFull(c, content)
	return head[4], content, err
}

// checkOptions asks a node what it supports, which needs no session.
func checkOptions(t *testing.T, address string) {
	t.Helper()
	opcode, _, err := cql{dial(t, address)}.ask(opOptions, nil)
	if err != nil || opcode != opSupported {
		t.Fatalf("OPTIONS to %s: opcode %#x, %v; want SUPPORTED, %#x", address, opcode, err, opSupported)
	}
}

// count runs a query for one bigint, which are then the last bytes of the answer.
func count(t *testing.T, address, query string) int64 {
	t.Helper()
	c := cql{dial(t, address)}
	startup := []byte("\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0")
	if opcode, content, err := c.ask(opStartup, startup); err != nil || opcode != opReady {
		t.Fatalf("STARTUP to %s: opcode %#x, %q, %v; want READY, %#x", address, opcode, content, err, opReady)
	}
	body := append(binary.BigEndian.AppendUint32(nil, uint32(len(query))), query...)
	body = append(body, 0, 1, 0) // consistency ONE, no flags
	opcode, content, err := c.ask(opQuery, body)
	if err != nil || opcode != opResult || len(content) < 8 {
		t.Fatalf("%s at %s: opcode %#x, %q, %v; want RESULT, %#x", query, address, opcode, content, err, opResult)
	}
	return int64(binary.BigEndian.Uint64(content[len(content)-8:]))
}

// checkAPIVersions sends Kafka's first request, key 18 in version 0:
// https://kafka.apache.org/protocol#The_Messages_ApiVersions
func checkAPIVersions(t *testing.T, address string) {
	t.Helper()
	conn := dial(t, address)
	const correlation = 7
	request := []byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, correlation, 0xff, 0xff} // no client id
	_, err := conn.Write(request)
	must(t, err)
	answer := make([]byte, 14)
	_, err = io.ReadFull(conn, answer)
	must(t, err)
	id, code, kinds := binary.BigEndian.Uint32(answer[4:]), binary.BigEndian.Uint16(answer[8:]), binary.BigEndian.Uint32(answer[10:])
	if id != correlation || code != 0 || kinds < 10 {
		t.Errorf("ApiVersions to %s: correlation id %d, error %d, %d kinds of request; want %d, 0, some", address, id, code, kinds, correlation)
	}
}
