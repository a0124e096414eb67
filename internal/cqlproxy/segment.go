package cqlproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// From version 5 on, once STARTUP has been answered, frames travel in segments
// (native_protocol_v5.spec, section 2): 3 bytes of length and flag, CRC-24 of
// these, the payload, CRC-32 of the payload, all little-endian. A segment that
// contains itself holds whole frames, one or several; a frame too long for one
// is cut into segments that do not.
const (
	segmentHeader     = 6
	segmentTrailer    = 4
	maxSegmentPayload = 1<<17 - 1
	selfContained     = 1 << 17
)

// ErrMalformed is wrapped by what is said of bytes that are not the protocol's.
var ErrMalformed = errors.New("cqlproxy: malformed")

// crc24 is the checksum of a segment's header: a polynomial of Philip Koopman,
// and a start value that is not zero, so that zeros don't pass.
func crc24(header []byte) uint32 {
	const (
		initial    = 0x875060
		polynomial = 0x1974F0B
	)
	crc := uint32(initial)
	for _, b := range header {
		crc ^= uint32(b) << 16
		for range 8 {
			crc <<= 1
			if crc&(1<<24) != 0 {
				crc ^= polynomial
			}
		}
	}
	return crc
}

// payloadStart is what the CRC-32 of every payload begins with.
var payloadStart = crc32.ChecksumIEEE([]byte{0xfa, 0x2d, 0x55, 0xca})

func payloadCRC(payload []byte) uint32 {
	return crc32.Update(payloadStart, crc32.IEEETable, payload)
}

// appendSegment appends one segment with the payload, which must fit in it.
func appendSegment(to, payload []byte, whole bool) []byte {
	length := uint32(len(payload))
	if whole {
		length |= selfContained
	}
	header := []byte{byte(length), byte(length >> 8), byte(length >> 16)}
	crc := crc24(header)
	to = append(to, header...)
	to = append(to, byte(crc), byte(crc>>8), byte(crc>>16))
	to = append(to, payload...)
	return binary.LittleEndian.AppendUint32(to, payloadCRC(payload))
}

// appendSegments appends the frames in as few segments as they fit in.
func appendSegments(to []byte, frames []frame) []byte {
	var payload []byte
	flush := func() {
		if len(payload) > 0 {
			to = appendSegment(to, payload, true)
			payload = payload[:0]
		}
	}
	for _, f := range frames {
		if len(payload)+f.size() > maxSegmentPayload {
			flush()
		}
		payload = f.append(payload)
		if len(payload) <= maxSegmentPayload {
			continue
		}
		// It is the only one in there, and too long.
		for rest := payload; len(rest) > 0; {
			n := min(len(rest), maxSegmentPayload)
			to = appendSegment(to, rest[:n], false)
			rest = rest[n:]
		}
		payload = payload[:0]
	}
	flush()
	return to
}

// readSegment returns the payload of the next segment. An end of the stream
// between segments is io.EOF, in one io.ErrUnexpectedEOF.
func readSegment(r *bufio.Reader) ([]byte, error) {
	var header [segmentHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	if got, want := uint24(header[3:]), crc24(header[:3]); got != want {
		return nil, fmt.Errorf("%w segment: CRC-24 of the header is %06x and should be %06x", ErrMalformed, got, want)
	}
	payload := make([]byte, uint24(header[:3])&maxSegmentPayload+segmentTrailer)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, unexpected(err)
	}
	payload, trailer := payload[:len(payload)-segmentTrailer], payload[len(payload)-segmentTrailer:]
	if got, want := binary.LittleEndian.Uint32(trailer), payloadCRC(payload); got != want {
		return nil, fmt.Errorf("%w segment: CRC-32 of the payload is %08x and should be %08x", ErrMalformed, got, want)
	}
	return payload, nil
}

func uint24(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
}

// unexpected is the error of a read that ended where it must not.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
