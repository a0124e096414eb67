package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/mesonet/mesonet/persistence"
)

// The tally shows that nothing is missing between the first write and the last.
// Pebble leaves out what it can't find: after damage to its MANIFEST the tables
// that the rest of it named, and a log file that is gone. It begins without
// them, and what came after is there, so that the ends of the logs, which the
// witness knows, look right.
//
// So all writes of the store are numbered, and each carries a leaf of the tally:
// a record that says from which write to which the leaf goes. Leaves follow each
// other without gaps, in their own numbers and in those of writes. A write
// replaces the leaf of the one before, except when Pebble has begun another log
// file: then the next write gets a leaf for itself alone, and those after it go
// on in one more. In this way each log file, and each table that was made from
// one, holds a leaf that is nowhere else, and is missed.
//
// A number for each write, in a record that is kept, would need no knowledge of
// log files, and a million records more.
type tally struct {
	mu     sync.Mutex
	leaf   uint64
	first  uint64
	writes uint64 // the number of the last write
	alone  bool   // the last write has its leaf for itself
	// turned: Pebble has begun a log file since the last write.
	turned atomic.Bool
	// durable is the number of the last write that was reported durable.
	durable atomic.Uint64
}

// leaves is how many leaves are kept: two for each log file, of up to
// Config.MemTable bytes, and each start.
const leaves = 2048

// add numbers the write b. t.mu is held until b has its place in the log.
func (t *tally) add(b *pebble.Batch) (number uint64, err error) {
	t.writes++
	turned := t.turned.Swap(false)
	if turned || t.alone {
		t.leaf, t.first = t.leaf+1, t.writes
		if t.leaf > leaves {
			if err := b.Delete(leafKey(t.leaf-leaves), nil); err != nil {
				return 0, err
			}
		}
	}
	t.alone = turned
	value := binary.BigEndian.AppendUint64(nil, t.first)
	value = binary.BigEndian.AppendUint64(value, t.writes)
	return t.writes, b.Set(leafKey(t.leaf), value, nil)
}

// reported notes that a write, and with it all before, is durable.
func (t *tally) reported(number uint64) {
	for {
		old := t.durable.Load()
		if number <= old || t.durable.CompareAndSwap(old, number) {
			return
		}
	}
}

// count goes through the leaves and returns an error when one is missing.
func (s *Store) count(ctx context.Context) error {
	t := &s.tally
	var oldest uint64
	err := s.scan(ctx, leafKey(0), []byte{prefixLeaf + 1}, func(key, value []byte) (bool, error) {
		leaf, err := parseLeafKey(key)
		if err != nil {
			return false, err
		}
		if len(value) != 16 {
			return false, &persistence.CorruptError{Record: "leaf of the tally", Key: fmt.Sprintf("%x", key), Reason: fmt.Sprintf("%x can't be understood", value)}
		}
		first, last := binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])
		if t.leaf == 0 {
			oldest, t.writes = leaf, first-1
		} else if leaf != t.leaf+1 || first != t.writes+1 {
			return false, s.lost("write %d and others up to %d are missing", t.writes+1, first-1)
		}
		t.leaf, t.first, t.writes = leaf, first, last
		return true, nil
	})
	begin := uint64(1)
	if t.leaf > leaves {
		begin = t.leaf - leaves + 1
	}
	if err == nil && t.leaf != 0 && oldest != begin {
		err = s.lost("the tally begins at leaf %d, and not at %d", oldest, begin)
	}
	t.alone = true // the next write begins a leaf
	t.durable.Store(t.writes)
	return err
}
