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

// A page token says after which station the list goes on, not how many came
// before: so stations that come and go meanwhile move none of the others over the
// end of a page. It is
//
//	4 bytes  CRC-32C of what the list is of
//	8 bytes  distance of the station, of a list of what is near
//	the key of its place, of a list of what is in a box
//	the rest, its id

var (
	errForeignToken = errors.New("page_token is not one that this server gave; begin without one")
	errOtherList    = errors.New("page_token belongs to another list; ask for the country, box or place of the page before, or begin without one")
)

// sum tells lists apart.
func (q query) sum() uint32 {
	text := "country " + q.country
	switch {
	case q.near != nil:
		text += fmt.Sprintf(" near %d %d", q.near.Latitude, q.near.Longitude)
	case q.box != nil:
		text += fmt.Sprintf(" box %d %d %d %d", q.box.South, q.box.West, q.box.North, q.box.East)
	}
	return crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
}

// token returns the token of the page after a station.
func (q query) token(after weather.Neighbor) string {
	b := binary.BigEndian.AppendUint32(nil, q.sum())
	switch {
	case q.near != nil:
		b = binary.BigEndian.AppendUint64(b, uint64(after.Distance))
	case q.box != nil:
		b = append(b, after.Place.Key()...)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, after.ID...))
}

// parseToken returns the station of a token, that before all for the empty one.
func (q query) parseToken(token string) (after weather.Neighbor, err error) {
	if token == "" {
		return weather.Neighbor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 4 {
		return weather.Neighbor{}, errForeignToken
	}
	if binary.BigEndian.Uint32(b) != q.sum() {
		return weather.Neighbor{}, errOtherList
	}
	b = b[4:]
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
