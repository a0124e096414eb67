package cqlproxy

import (
	"crypto/md5"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
)

// A server speaks as much of the protocol as a driver needs to have statements
// executed, and remembers them.
type server struct {
	t        *testing.T
	address  string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	conns    []net.Conn
	prepared map[string]string // text by id
	executed []executed
	next     uint32
}

// executed is a frame that the server had to execute.
type executed struct {
	text  string
	frame frame
}

func startServer(t *testing.T) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, address: listener.Addr().String(), listener: listener, prepared: make(map[string]string)}
	s.running.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.running.Go(func() { s.serve(conn) })
	}
}

func (s *server) stop() {
	s.listener.Close()
	s.disconnect()
	s.running.Wait()
}

func (s *server) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	segmented := false
	frames := newFrameReader(conn, func() bool { return segmented })
	for {
		request, err := frames.next()
		if err != nil {
			return
		}
		for _, reply := range s.handle(request) {
			if _, err := conn.Write(encode(nil, []outgoing{{reply, segmented}})); err != nil {
				return
			}
		}
		segmented = segmented || request.opcode == OpStartup && request.version() >= version5
	}
}

// handle returns the replies to a request, and an event after REGISTER.
func (s *server) handle(request frame) []frame {
	reply := frame{first: fromServer | request.version(), stream: request.stream}
	b := bodyOf(request)
	switch request.opcode {
	case OpOptions:
		reply.opcode = OpSupported
		reply.body = appendShort(nil, 2)
		reply.body = appendStringList(appendString(reply.body, "COMPRESSION"), []string{"lz4", "snappy"})
		reply.body = appendStringList(appendString(reply.body, "CQL_VERSION"), []string{"3.4.7"})
	case OpStartup:
		reply.opcode = OpReady
	case OpRegister:
		reply.opcode = OpReady
		return []frame{reply, {first: reply.first, stream: -1, opcode: OpEvent, body: appendString(nil, "STATUS_CHANGE")}}
	case OpPrepare:
		text := b.longString()
		id := md5.Sum([]byte(text))
		s.mu.Lock()
		s.prepared[string(id[:])] = text
		s.mu.Unlock()
		reply.opcode = OpResult
		reply.body = append(appendShort(appendInt(nil, 4), len(id)), id[:]...)
		if request.version() >= version5 {
			reply.body = appendString(reply.body, "metadata")
		}
	default:
		reply.opcode, reply.body = s.execute(request)
	}
	return []frame{reply}
}

// execute answers with VOID and, for tests, the number of the execution.
func (s *server) execute(request frame) (Opcode, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := bodyOf(request)
	var text string
	switch request.opcode {
	case OpQuery:
		text = b.longString()
	case OpExecute:
		text = s.prepared[string(b.shortBytes())]
		if text == "" {
			return OpError, appendString(appendInt(nil, 0x2500), "not prepared")
		}
	case OpBatch:
		text = "a batch"
	default:
		return OpError, appendString(appendInt(nil, codeProtocol), "what is that?")
	}
	s.executed = append(s.executed, executed{text, request})
	s.next++
	if keyspace, use := strings.CutPrefix(text, "USE "); use {
		return OpResult, appendString(appendInt(nil, 3), keyspace)
	}
	return OpResult, binary.BigEndian.AppendUint32(appendInt(nil, 1), s.next)
}

// texts are those of what was executed, without USE.
func (s *server) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var texts []string
	for _, e := range s.executed {
		if !strings.HasPrefix(e.text, "USE ") {
			texts = append(texts, e.text)
		}
	}
	return texts
}

func (s *server) frames() []frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	var frames []frame
	for _, e := range s.executed {
		frames = append(frames, e.frame)
	}
	return frames
}
