package cqlproxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// The sums were made with another implementation: gocql.Crc24 and gocql.Crc32 of
// apache/cassandra-gocql-driver v2.1.2.
func TestChecksums(t *testing.T) {
	for _, test := range []struct {
		header string
		want   uint32
	}{
		{"\x00\x00\x00", 0x7de777},
		{"\x09\x00\x02", 0xc1c8a4},
		{"\xff\xff\x01", 0xfe9138},
	} {
		if got := crc24([]byte(test.header)); got != test.want {
			t.Errorf("CRC-24 of %x is %06x, want %06x", test.header, got, test.want)
		}
	}
	for payload, want := range map[string]uint32{"": 0x44777ed3, "mesonet": 0x0b2f5bc9} {
		if got := payloadCRC([]byte(payload)); got != want {
			t.Errorf("CRC-32 of %q is %08x, want %08x", payload, got, want)
		}
	}
}

// Frames around the size of a segment come back, byte for byte in whatever
// pieces they arrive. In the first segment there are two frames.
func TestSegments(t *testing.T) {
	var frames []frame
	for i, size := range []int{0, 3, maxSegmentPayload - frameHeader - 1, maxSegmentPayload - frameHeader, maxSegmentPayload - frameHeader + 1, 1, 3*maxSegmentPayload + 17} {
		body := bytes.Repeat([]byte{byte(i + 1)}, size)
		frames = append(frames, frame{first: version5, stream: int16(i), opcode: OpQuery, body: body})
	}
	stream := appendSegments(nil, frames)
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(stream),
		"halves":  iotest.HalfReader(bytes.NewReader(stream)),
		"bytes":   iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		reader := newFrameReader(r, func() bool { return true })
		for i, want := range frames {
			got, err := reader.next()
			if err != nil {
				t.Fatalf("%s: frame %d: %v", name, i, err)
			}
			if got.stream != want.stream || !bytes.Equal(got.body, want.body) {
				t.Errorf("%s: frame %d has stream %d and %d bytes, want %d and %d", name, i, got.stream, len(got.body), want.stream, len(want.body))
			}
		}
		if _, err := reader.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the last frame: %v, want %v", name, err, io.EOF)
		}
	}
	first, err := readSegment(bufio.NewReader(bytes.NewReader(stream)))
	if want := frames[0].size() + frames[1].size(); err != nil || len(first) != want {
		t.Errorf("the first segment has %d bytes (error %v), want the two frames of %d", len(first), err, want)
	}
}

// Each bit of a segment counts. Seen to fail without the comparison of either
// checksum.
func TestDamagedSegment(t *testing.T) {
	whole := appendSegment(nil, []byte("the payload"), true)
	for bit := range len(whole) * 8 {
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		payload, err := readSegment(bufio.NewReader(bytes.NewReader(damaged)))
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("with bit %d turned: payload %q and error %v, want %v", bit, payload, err, ErrMalformed)
		}
	}
}

// A stream that ends in a frame is not one that ends.
func TestHalfFrame(t *testing.T) {
	f := frame{first: version4, opcode: OpQuery, body: []byte("0123456789")}
	for _, segmented := range []bool{false, true} {
		whole := encode(nil, []outgoing{{f, segmented}})
		for n := 1; n < len(whole); n++ {
			reader := newFrameReader(bytes.NewReader(whole[:n]), func() bool { return segmented })
			if got, err := reader.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("segments %v, %d of %d bytes: frame %+v and error %v, want %v", segmented, n, len(whole), got, err, io.ErrUnexpectedEOF)
			}
		}
	}
}

func TestFrameTooLong(t *testing.T) {
	_, err := readFrame(bytes.NewReader([]byte{version4, 0, 0, 0, byte(OpQuery), 0x10, 0, 0, 1}))
	if !errors.Is(err, ErrMalformed) {
		t.Errorf("a body of more than 256 MiB: error %v, want %v", err, ErrMalformed)
	}
}
