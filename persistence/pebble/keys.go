package pebble

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/persistence"
)

// Keys, in Pebble's order of bytes. Numbers are big-endian so that they sort.
//
//	'f'                              the level of the formats
//	'l' shard position               a frame
//	'm'                              the store's description, as in the STORE file
//	'n' node                         a node's row
//	'o' shard                        a shard's row
//	'p' shard kind 0 id 0 page       a page's cell
//	's' shard epoch                  a seal
//	't' leaf                         a leaf of the tally
const (
	prefixFrame = 'l'
	prefixLeaf  = 't'
	prefixNode  = 'n'
	prefixOwner = 'o'
	prefixPage  = 'p'
	prefixSeal  = 's'
)

var (
	metaKey  = []byte{'m'}
	levelKey = []byte{'f'}
)

func shardKey(prefix byte, s persistence.Shard) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, uint32(s))
}

func frameKey(s persistence.Shard, p persistence.Position) []byte {
	return binary.BigEndian.AppendUint64(shardKey(prefixFrame, s), uint64(p))
}

func sealKey(s persistence.Shard, e persistence.Epoch) []byte {
	return binary.BigEndian.AppendUint32(shardKey(prefixSeal, s), uint32(e))
}

func leafKey(leaf uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefixLeaf}, leaf) }

func nodeKey(n persistence.NodeID) []byte { return append([]byte{prefixNode}, n...) }

func pageKey(k persistence.PageKey) ([]byte, error) {
	for _, s := range []string{k.Kind, k.ID, k.Page} {
		if strings.IndexByte(s, 0) >= 0 {
			return nil, fmt.Errorf("pebble: page %q: names can't have a zero byte", k.String())
		}
	}
	return scanKey(k), nil
}

// scanKey is the place of k in the order of keys.
func scanKey(k persistence.PageKey) []byte {
	b := shardKey(prefixPage, k.Shard)
	b = append(append(b, k.Kind...), 0)
	b = append(append(b, k.ID...), 0)
	return append(b, k.Page...)
}

// The following read keys of the shard, or of none, back.

func parseFrameKey(s persistence.Shard, key []byte) (persistence.Position, error) {
	rest, ok := bytes.CutPrefix(key, shardKey(prefixFrame, s))
	if !ok || len(rest) != 8 {
		return 0, strange("frame", key)
	}
	return persistence.Position(binary.BigEndian.Uint64(rest)), nil
}

func parseSealKey(s persistence.Shard, key []byte) (persistence.Epoch, error) {
	rest, ok := bytes.CutPrefix(key, shardKey(prefixSeal, s))
	if !ok || len(rest) != 4 {
		return 0, strange("seal", key)
	}
	return persistence.Epoch(binary.BigEndian.Uint32(rest)), nil
}

func parseLeafKey(key []byte) (uint64, error) {
	if len(key) != 9 || key[0] != prefixLeaf {
		return 0, strange("leaf of the tally", key)
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

func parsePageKey(s persistence.Shard, key []byte) (persistence.PageKey, error) {
	rest, ok := bytes.CutPrefix(key, shardKey(prefixPage, s))
	kind, names, ok2 := strings.Cut(string(rest), "\x00")
	id, page, ok3 := strings.Cut(names, "\x00")
	if !ok || !ok2 || !ok3 || strings.IndexByte(page, 0) >= 0 {
		return persistence.PageKey{}, strange("page", key)
	}
	return persistence.PageKey{Shard: s, Kind: kind, ID: id, Page: page}, nil
}

func strange(record string, key []byte) error {
	return &persistence.CorruptError{Record: record, Key: fmt.Sprintf("%x", key), Reason: "its key can't be understood"}
}
