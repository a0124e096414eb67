package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// pagedList is what a page token belongs to. A token says after what the list goes
// on, not how much came before: so what comes and goes meanwhile moves nothing else
// over the end of a page. It is
//
//	4 bytes  CRC-32C of what the list is of
//	the rest, where it goes on, as the list has it
type pagedList struct {
	of string // what the list is of, unlike that of any other
	by string // what of a request says so, in words
}

var errForeignToken = errors.New("page_token is not one that this server gave; begin without one")

func (l pagedList) sum() uint32 {
	return crc32.Checksum([]byte(l.of), crc32.MakeTable(crc32.Castagnoli))
}

// token returns the token of a page that goes on there.
func (l pagedList) token(at []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, l.sum()), at...))
}

// parse returns where a token goes on.
func (l pagedList) parse(token string) (at []byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 4 {
		return nil, errForeignToken
	}
	if binary.BigEndian.Uint32(b) != l.sum() {
		return nil, fmt.Errorf("page_token belongs to another list; ask for the %s of the page before, or begin without one", l.by)
	}
	return b[4:], nil
}

// list returns what the page tokens of stations belong to. They go on after a
// station:
//
//	8 bytes  its distance, of a list of what is near
//	the key of its place, of a list of what is in a box
//	the rest, its id
func (q query) list() pagedList {
	text := "country " + q.country
	switch {
	case q.near != nil:
		text += fmt.Sprintf(" near %d %d", q.near.Latitude, q.near.Longitude)
	case q.box != nil:
		text += fmt.Sprintf(" box %d %d %d %d", q.box.South, q.box.West, q.box.North, q.box.East)
	}
	return pagedList{of: text, by: "country, box or place"}
}

// token returns the token of the page after a station.
func (q query) token(after weather.Neighbor) string {
	var at []byte
	switch {
	case q.near != nil:
		at = binary.BigEndian.AppendUint64(at, uint64(after.Distance))
	case q.box != nil:
		at = append(at, after.Place.Key()...)
	}
	return q.list().token(append(at, after.ID...))
}

// parseToken returns the station of a token, that before all for the empty one.
func (q query) parseToken(token string) (after weather.Neighbor, err error) {
	if token == "" {
		return weather.Neighbor{}, nil
	}
	b, err := q.list().parse(token)
	if err != nil {
		return weather.Neighbor{}, err
	}
	switch {
	case q.near != nil && len(b) > 8:
		after.Distance = int64(binary.BigEndian.Uint64(b))
		b = b[8:]
	case q.box != nil && len(b) > weather.KeyDigits:
		if after.Place, err = weather.ParseKey(string(b[:weather.KeyDigits])); err != nil {
			return weather.Neighbor{}, errForeignToken
		}
		b = b[weather.KeyDigits:]
	case q.near != nil || q.box != nil:
		return weather.Neighbor{}, errForeignToken
	}
	after.ID = string(b)
	if entity.CheckID(after.ID) != nil || after.Distance < 0 {
		return weather.Neighbor{}, errForeignToken
	}
	return after, nil
}
