package cqlproxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// An Opcode says what a frame is.
type Opcode byte

// The opcodes of versions 4 and 5.
const (
	OpError         Opcode = 0x00
	OpStartup       Opcode = 0x01
	OpReady         Opcode = 0x02
	OpAuthenticate  Opcode = 0x03
	OpOptions       Opcode = 0x05
	OpSupported     Opcode = 0x06
	OpQuery         Opcode = 0x07
	OpResult        Opcode = 0x08
	OpPrepare       Opcode = 0x09
	OpExecute       Opcode = 0x0a
	OpRegister      Opcode = 0x0b
	OpEvent         Opcode = 0x0c
	OpBatch         Opcode = 0x0d
	OpAuthChallenge Opcode = 0x0e
	OpAuthResponse  Opcode = 0x0f
	OpAuthSuccess   Opcode = 0x10
)

// Flags of a frame: what stands in front of its body.
const (
	flagCompressed = 0x01
	flagTracing    = 0x02
	flagPayload    = 0x04
	flagWarning    = 0x08
)

const (
	frameHeader = 9
	fromServer  = 0x80 // in the first byte, beside the version

	version4 = 4
	version5 = 5 // the first with segments

	// maxFrameBody is the protocol's own limit.
	maxFrameBody = 256 << 20
)

// A frame is one message. Its body is never changed once it has been read: a
// copy of the frame with another stream may be under way beside it.
type frame struct {
	first  byte // version, and fromServer
	flags  byte
	stream int16 // negative for what the server says unasked
	opcode Opcode
	body   []byte
}

func (f frame) version() byte { return f.first &^ fromServer }

func (f frame) size() int { return frameHeader + len(f.body) }

func (f frame) append(to []byte) []byte {
	to = append(to, f.first, f.flags)
	to = binary.BigEndian.AppendUint16(to, uint16(f.stream))
	to = append(to, byte(f.opcode))
	to = binary.BigEndian.AppendUint32(to, uint32(len(f.body)))
	return append(to, f.body...)
}

// A frameReader takes a stream apart into frames, with or without segments.
type frameReader struct {
	conn *bufio.Reader

	// segmented is asked when the first byte after a frame has come, never
	// earlier: whoever waits for that byte does not know yet.
	segmented func() bool

	payload bytes.Reader // what is left of the last segment
}

func newFrameReader(r io.Reader, segmented func() bool) *frameReader {
	return &frameReader{conn: bufio.NewReaderSize(r, 64<<10), segmented: segmented}
}

// next returns the next frame. An end of the stream between frames is io.EOF,
// in one io.ErrUnexpectedEOF.
func (r *frameReader) next() (frame, error) {
	if r.payload.Len() > 0 {
		return readFrame(payloadReader{r})
	}
	if _, err := r.conn.Peek(1); err != nil {
		return frame{}, err
	}
	if r.segmented() {
		return readFrame(payloadReader{r})
	}
	return readFrame(r.conn)
}

// A payloadReader reads the payloads of segments as one stream.
type payloadReader struct{ *frameReader }

func (r payloadReader) Read(p []byte) (int, error) {
	for r.payload.Len() == 0 {
		payload, err := readSegment(r.conn)
		if err != nil {
			return 0, err
		}
		r.payload.Reset(payload)
	}
	return r.payload.Read(p)
}

func readFrame(r io.Reader) (frame, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return frame{}, err
	}
	f := frame{
		first:  header[0],
		flags:  header[1],
		stream: int16(binary.BigEndian.Uint16(header[2:])),
		opcode: Opcode(header[4]),
	}
	length := binary.BigEndian.Uint32(header[5:])
	if length > maxFrameBody {
		return frame{}, fmt.Errorf("%w frame: a body of %d bytes, and %d is the most", ErrMalformed, length, maxFrameBody)
	}
	body, err := readBody(r, int(length))
	if err != nil {
		return frame{}, unexpected(err)
	}
	f.body = body
	return f, nil
}

// readBody takes memory as bytes come, so that a length that lies costs little.
func readBody(r io.Reader, length int) ([]byte, error) {
	const atOnce = 1 << 20
	if length <= atOnce {
		body := make([]byte, length)
		_, err := io.ReadFull(r, body)
		return body, err
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(length)); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}
