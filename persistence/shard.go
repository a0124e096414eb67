package persistence

import (
	"fmt"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// HashName names the function of [ShardOf] in a store's description. A store
// that names another one is refused: its entities would be looked for in the
// wrong shards.
const HashName = "xxh64-kind-nul-id"

// MaxShards bounds the number of shards of a store.
const MaxShards = 1 << 16

// Shard numbers a fixed slice of all entities, from 0.
type Shard uint32

// ShardOf returns the shard of an entity in a store of n shards: the low bits
// of xxHash64 (seed 0) over the kind, a zero byte and the id. It is a contract
// of the store's format (docs/design/log.md). n must be a power of two, see
// [ValidShards].
func ShardOf(kind, id string, n uint32) Shard {
	key := make([]byte, 0, 64) // enough to stay off the heap, most often
	key = append(key, kind...)
	key = append(key, 0)
	key = append(key, id...)
	return Shard(uint32(xxhash.Sum64(key)) & (n - 1))
}

// ValidShards returns an error unless n can be the number of shards of a store.
func ValidShards(n uint32) error {
	if n == 0 || n > MaxShards || bits.OnesCount32(n) != 1 {
		return fmt.Errorf("persistence: the number of shards must be a power of two from 1 to %d, not %d", MaxShards, n)
	}
	return nil
}
