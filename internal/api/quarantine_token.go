package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/mesonet/mesonet/weather/quarantine"
)

// quarantineList is the list of the lines of a source, or that of the sources. As
// those of stations, its page tokens say what the next page begins after:
//
//	4 bytes  CRC-32C of what the list is of
//	4 bytes  number of a line, of a list of lines
//	the rest, the name of a source, of the list of sources
type quarantineList struct{ source string } // "" for that of the sources

var errOtherQuarantine = errors.New("page_token belongs to another list; ask for the source of the page before, or begin without one")

func (l quarantineList) sum() uint32 {
	return crc32.Checksum([]byte("quarantine "+l.source), crc32.MakeTable(crc32.Castagnoli))
}

func (l quarantineList) lineToken(line uint32) string {
	b := binary.BigEndian.AppendUint32(nil, l.sum())
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, line))
}

func (l quarantineList) sourceToken(source string) string {
	b := binary.BigEndian.AppendUint32(nil, l.sum())
	return base64.RawURLEncoding.EncodeToString(append(b, source...))
}

// parse returns what of a token is behind the sum.
func (l quarantineList) parse(token string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 4 {
		return nil, errForeignToken
	}
	if binary.BigEndian.Uint32(b) != l.sum() {
		return nil, errOtherQuarantine
	}
	return b[4:], nil
}

// parseLine returns the line of a token, 0 for the empty one.
func (l quarantineList) parseLine(token string) (uint32, error) {
	if token == "" {
		return 0, nil
	}
	b, err := l.parse(token)
	if err == nil && len(b) != 4 {
		err = errForeignToken
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

// parseSource returns the source of a token, "" for the empty one.
func (l quarantineList) parseSource(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := l.parse(token)
	if err == nil && (len(b) == 0 || len(b) > quarantine.MaxSource) {
		err = errForeignToken
	}
	return string(b), err
}
