package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// rawBytes has grpc-go send a *[]byte as it is.
type rawBytes struct{}

// Name is the content-subtype.
func (rawBytes) Name() string { return "raw" }

// Marshal gives the bytes away.
func (rawBytes) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("%T is no *[]byte", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

// Unmarshal copies them.
func (rawBytes) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T is no *[]byte", v)
	}
	*b = data.Materialize()
	return nil
}

// The service of the limit: a stream of batches, of which each message is a length, a
// number and a body.
const bareAsksMethod = "/mesonet.bench.Asks/Exchange"

var bareAsksStream = grpc.StreamDesc{StreamName: "Exchange", ServerStreams: true, ClientStreams: true}

func appendAsk(b []byte, number uint64, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint64(b, number)
	return append(b, body...)
}

// eachAsk calls f for the messages of a batch.
func eachAsk(b []byte, f func(number uint64, body []byte)) {
	for len(b) > 0 {
		n := 12 + int(binary.LittleEndian.Uint32(b))
		f(binary.LittleEndian.Uint64(b[4:]), b[12:n])
		b = b[n:]
	}
}

// answerBareAsks answers each batch with one.
func answerBareAsks(_ any, stream grpc.ServerStream) error {
	answer := make([]byte, askedBytes)
	for {
		var in []byte
		if err := stream.RecvMsg(&in); err != nil {
			return err
		}
		out := make([]byte, 0, len(in))
		eachAsk(in, func(number uint64, _ []byte) { out = appendAsk(out, number, answer) })
		if err := stream.SendMsg(&out); err != nil {
			return err
		}
	}
}

// A bareClient asks over one stream: what is asked while a batch is written is the
// next.
type bareClient struct {
	stream grpc.ClientStream
	mu     sync.Mutex
	wake   sync.Cond
	batch  []byte
	number uint64
	asked  map[uint64]func([]byte, error)
	closed bool
}

func (c *bareClient) send(body []byte, done func([]byte, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	c.asked[c.number] = done
	c.batch = appendAsk(c.batch, c.number, body)
	c.wake.Signal()
}

func (c *bareClient) write() error {
	for {
		c.mu.Lock()
		for len(c.batch) == 0 && !c.closed {
			c.wake.Wait()
		}
		batch, closed := c.batch, c.closed
		c.batch = nil
		c.mu.Unlock()
		if closed {
			return c.stream.CloseSend()
		}
		if err := c.stream.SendMsg(&batch); err != nil {
			return err
		}
	}
}

func (c *bareClient) read() {
	for {
		var in []byte
		if err := c.stream.RecvMsg(&in); err != nil {
			c.fail(err)
			return
		}
		eachAsk(in, func(number uint64, body []byte) {
			c.mu.Lock()
			done := c.asked[number]
			delete(c.asked, number)
			c.mu.Unlock()
			done(body, nil)
		})
	}
}

// fail tells all who wait.
func (c *bareClient) fail(err error) {
	c.mu.Lock()
	asked := c.asked
	c.asked = make(map[uint64]func([]byte, error))
	c.mu.Unlock()
	for _, done := range asked {
		done(nil, err)
	}
}

// close ends the writer. Nothing is asked any more.
func (c *bareClient) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake.Signal()
}

// bareTransportAsks is the limit: batches over a stream of grpc-go, of what has come meanwhile.
func (s *suite) bareTransportAsks(ctx context.Context) (_ float64, err error) {
	desc := bareAsksStream
	desc.Handler = answerBareAsks
	conn, stop, err := bareServer(ctx, "mesonet.bench.Asks", desc, grpc.ForceServerCodecV2(rawBytes{}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	streaming, cancel := context.WithCancel(always)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	stream, err := conn.NewStream(streaming, &bareAsksStream, bareAsksMethod, grpc.ForceCodecV2(rawBytes{}))
	if err != nil {
		return 0, err
	}
	c := &bareClient{stream: stream, asked: make(map[uint64]func([]byte, error))}
	c.wake.L = &c.mu
	running.Go(func() { _ = c.write() }) // what it fails with, the reader has too
	running.Go(c.read)
	defer c.close()
	return s.askedBetween(ctx, c.send)
}
