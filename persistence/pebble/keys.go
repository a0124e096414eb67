package pebble

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/persistence"
)

// Keys, in Pebble's order of bytes. Numbers are big-endian so that they sort.
//
//	'l' shard position               a frame
//	'm'                              the store's description, as in the STORE file
//	'n' node                         a node's row
//	'o' shard                        a shard's row
//	'p' shard kind 0 id 0 page       a page's cell
//	's' shard epoch                  a seal
const (
	prefixFrame = 'l'
	prefixNode  = 'n'
	prefixOwner = 'o'
	prefixPage  = 'p'
	prefixSeal  = 's'
)

var metaKey = []byte{'m'}

func shardKey(prefix byte, s persistence.Shard) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, uint32(s))
}

func frameKey(s persistence.Shard, p persistence.Position) []byte {
	return binary.BigEndian.AppendUint64(shardKey(prefixFrame, s), uint64(p))
}

func sealKey(s persistence.Shard, e persistence.Epoch) []byte {
	return binary.BigEndian.AppendUint32(shardKey(prefixSeal, s), uint32(e))
}

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

func parsePageKey(s persistence.Shard, key []byte) (persistence.PageKey, error) {
	kind, rest, ok := strings.Cut(string(key[len(shardKey(prefixPage, s)):]), "\x00")
	id, page, ok2 := strings.Cut(rest, "\x00")
	if !ok || !ok2 {
		return persistence.PageKey{}, &persistence.CorruptError{Record: "page", Key: fmt.Sprintf("%x", key), Reason: "its key can't be understood"}
	}
	return persistence.PageKey{Shard: s, Kind: kind, ID: id, Page: page}, nil
}
