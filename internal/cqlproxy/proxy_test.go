package cqlproxy

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// Without rules a frame gets through as it is, whatever is in it and however
// long it is, on streams of the client's choice.
func TestTransparent(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	eachVersion(t, func(t *testing.T, version byte) {
		proxy, servers := start(t, 1)
		c := connect(t, proxy, "", servers[0].address, version)
		var sent []frame
		for range 50 {
			junk := make([]byte, random.IntN(1<<random.IntN(19)))
			for i := range junk {
				junk[i] = byte(random.Uint32())
			}
			opcodes := []Opcode{OpQuery, OpBatch}
			f := frame{first: version, stream: int16(random.IntN(1 << 15)), opcode: opcodes[random.IntN(2)], flags: flagTracing, body: junk}
			sent = append(sent, f)
			c.sendFrame(f)
		}
		for i, f := range sent {
			c.wantExecution(f.stream, uint32(i+1))
		}
		for i, got := range servers[0].frames() {
			want := sent[i]
			if got.first != want.first || got.flags != want.flags || got.opcode != want.opcode || !bytes.Equal(got.body, want.body) {
				t.Fatalf("seed %d, frame %d: the server got opcode %#x, flags %#x and %d bytes, want %#x, %#x and %d",
					seed, i, got.opcode, got.flags, len(got.body), want.opcode, want.flags, len(want.body))
			}
		}
	})
}

// Frames go on when they are whole, also when they come in bits.
func TestFrameInBits(t *testing.T) {
	eachVersion(t, func(t *testing.T, version byte) {
		proxy, servers := start(t, 1)
		c := connect(t, proxy, "", servers[0].address, version)
		f := frame{first: version, stream: 9, opcode: OpQuery, body: query(version, insertLog, "v")}
		for b := range slices.Chunk(encode(nil, []outgoing{{f, c.segmented}}), 3) {
			_, err := c.conn.Write(b)
			must(t, err)
		}
		c.wantExecution(9, 1)
	})
}

func TestEvents(t *testing.T) {
	eachVersion(t, func(t *testing.T, version byte) {
		proxy, servers := start(t, 1)
		c := connect(t, proxy, "", servers[0].address, version)
		c.send(3, OpRegister, appendStringList(nil, []string{"STATUS_CHANGE"}))
		c.want(3, OpReady)
		c.want(-1, OpEvent)
	})
}

// No compression is offered, and one that asks for it is told.
func TestCompression(t *testing.T) {
	proxy, servers := start(t, 1)
	c := dial(t, proxy, "", servers[0].address, version4)
	c.send(1, OpOptions, nil)
	b := bodyOf(c.want(1, OpSupported))
	supported := make(map[string][]string)
	b.each(func() {
		name := b.string()
		supported[name] = b.stringList()
	})
	if b.err != nil || len(b.rest) > 0 || len(supported) != 2 || len(supported[compression]) > 0 || !slices.Equal(supported["CQL_VERSION"], []string{"3.4.7"}) {
		t.Errorf("supported: %v (error %v, rest %x), want no compression and the rest", supported, b.err, b.rest)
	}
	c.send(2, OpStartup, startup("CQL_VERSION", "3.0.0", compression, "lz4"))
	wantError(t, c.want(2, OpError), codeProtocol)
	c.sendFrame(frame{first: version4, flags: flagCompressed, stream: 3, opcode: OpQuery, body: []byte{1}})
	wantError(t, c.want(3, OpError), codeProtocol)
	wantTexts(t, servers[0])
}

// Many streams at once: each gets the answer to its own question.
func TestManyInFlight(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	const n = 2000
	held := proxy.Hold(Match{Table: "log", Times: n / 2})
	for i := range n {
		c.query(int16(i), insertLog)
	}
	for i := n / 2; i < n; i++ {
		c.wantExecution(int16(i), uint32(i-n/2+1))
	}
	held.Release()
	for i := range n / 2 {
		c.wantExecution(int16(i), uint32(n/2+i+1))
	}
}

// What is no CQL ends the connection, and Close says so.
func TestMalformed(t *testing.T) {
	s := startServer(t)
	proxy := New(s.address)
	c := connect(t, proxy, "", s.address, version5)
	_, err := c.conn.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	must(t, err)
	c.wantEnd()
	if err := proxy.Close(); !errors.Is(err, ErrMalformed) {
		t.Errorf("closing: %v, want %v", err, ErrMalformed)
	}
	if err := proxy.Close(); !errors.Is(err, ErrMalformed) {
		t.Errorf("closing again: %v, want %v", err, ErrMalformed)
	}
	if _, err := proxy.Client("").DialContext(within(t), "tcp", s.address); err == nil {
		t.Error("a proxy that is closed was dialled")
	}
}

func TestFailures(t *testing.T) {
	write := &Request{version: version4, Opcode: OpQuery, Consistency: Quorum, Serial: Serial, Statements: []Bound{{parse(insertLog, "")[0], nil}}}
	transaction := &Request{version: version5, Opcode: OpQuery, Consistency: Quorum, Serial: LocalSerial, Statements: []Bound{{parse(raiseNode, "")[0], nil}}}
	for _, test := range []struct {
		failure Failure
		request *Request
		code    int
		details string
	}{
		{WriteTimeout(WriteSimple, 1, 2), write, 0x1100, "\x00\x04\x00\x00\x00\x01\x00\x00\x00\x02\x00\x06SIMPLE"},
		{WriteTimeout(WriteCAS, 1, 2), transaction, 0x1100, "\x00\x09\x00\x00\x00\x01\x00\x00\x00\x02\x00\x03CAS\x00\x01"},
		{WriteFailure(WriteBatchLog, 0, 2, 1), write, 0x1500, "\x00\x04\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01\x00\x09BATCH_LOG"},
		{WriteFailure(WriteBatch, 0, 2, 1), transaction, 0x1500, "\x00\x09\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01\x04\x7f\x00\x00\x01\x00\x00\x00\x05BATCH"},
		{CASUnknown(1, 2), transaction, 0x1700, "\x00\x09\x00\x00\x00\x01\x00\x00\x00\x02"},
		{ReadTimeout(1, 2, true), write, 0x1200, "\x00\x04\x00\x00\x00\x01\x00\x00\x00\x02\x01"},
		{ReadTimeout(1, 2, false), write, 0x1200, "\x00\x04\x00\x00\x00\x01\x00\x00\x00\x02\x00"},
		{Unavailable(2, 1), write, 0x1000, "\x00\x04\x00\x00\x00\x02\x00\x00\x00\x01"},
		{Overloaded(), write, 0x1001, ""},
		{ServerError("broken"), write, 0x0000, ""},
	} {
		f := test.failure.frame(test.request)
		if f.opcode != OpError || f.first != fromServer|test.request.version {
			t.Errorf("%#04x: opcode %#02x, version %#02x", test.code, f.opcode, f.first)
		}
		if details := wantError(t, f, test.code).rest; string(details) != test.details {
			t.Errorf("%#04x: details %q, want %q", test.code, details, test.details)
		}
	}
}

// Whatever comes on a connection, reading it ends, and what was read is what is
// written again.
func FuzzFrames(f *testing.F) {
	for _, version := range []byte{version4, version5} {
		frames := []frame{
			{first: version, opcode: OpQuery, body: query(version, insertLog, "v")},
			{first: version, opcode: OpBatch, body: batch(version, []string{raiseNode}, []string{"id"})},
			{first: version, opcode: OpExecute, flags: flagPayload, body: []byte{0, 1, 0, 1, 'k', 0, 0, 0, 0, 0, 2, 'i', 'd'}},
			{first: fromServer | version, opcode: OpSupported, flags: flagTracing | flagWarning, body: make([]byte, 40)},
		}
		f.Add(false, encode(nil, []outgoing{{frames[0], false}, {frames[1], false}, {frames[2], false}, {frames[3], false}}))
		f.Add(true, appendSegments(nil, frames))
	}
	f.Fuzz(func(t *testing.T, segmented bool, stream []byte) {
		reader := newFrameReader(bytes.NewReader(stream), func() bool { return segmented })
		var written []byte
		for {
			got, err := reader.next()
			if err != nil {
				break
			}
			written = got.append(written)
			parser := requestParser{parse: parse, prepared: func([]byte) []Statement { return parse(insertLog, "") }}
			request := parser.parseRequest(got)
			_ = Match{Table: "log", Values: map[int][]byte{0: nil}}.matches(request)
			_ = failureOf(got)
			refuseCompression(got)
			if s := withoutCompression(got); asksForCompression(s) && !asksForCompression(got) {
				t.Errorf("%+v asks for compression, %+v did not", s, got)
			}
		}
		if !segmented && !bytes.HasPrefix(stream, written) {
			t.Errorf("read %x of %x", written, stream)
		}
	})
}
