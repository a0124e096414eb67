package pebble

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/mesonet/mesonet/persistence"
)

// The WITNESS file says what the store had reported durable some time ago.
// Pebble takes damage in the last 32 KiB of its write-ahead log, or a log that
// is gone, for the torn end that a crash leaves, and begins without it: right
// for what nobody was promised, and silent for the rest. So the store writes
// down, beside the records, how far it had come, and refuses a folder whose
// records have not come that far.
//
// The file is only ever behind the truth, so it never accuses wrongly: it is
// written after what it tells of is durable. It need not be synced for that, nor
// be there at all; it is synced once a start, and written again about every
// second while there is something to tell, and at Close. One that a crash cut
// off, or whose sum is wrong, says nothing.
type witness struct {
	// Nodes are the incarnations that were given out.
	Nodes map[persistence.NodeID]persistence.Incarnation `json:"nodes"`
	// Shards are the ends of the last frames that were reported durable.
	Shards map[persistence.Shard]persistence.Position `json:"shards"`
	// Writes is the number in the tally of the last write that was.
	Writes uint64 `json:"writes"`
}

func newWitness() witness {
	return witness{
		Nodes:  make(map[persistence.NodeID]persistence.Incarnation),
		Shards: make(map[persistence.Shard]persistence.Position),
	}
}

const (
	witnessFile  = "WITNESS"
	witnessEvery = time.Second
)

// noteNode and noteFrames add to what the witness has seen.
func (s *Store) noteNode(node persistence.NodeID, inc persistence.Incarnation) {
	s.witnessMu.Lock()
	defer s.witnessMu.Unlock()
	s.witness.Nodes[node] = inc
}

func (s *Store) noteFrames(group []pendingAppend) {
	s.witnessMu.Lock()
	defer s.witnessMu.Unlock()
	for _, p := range group {
		if end := p.frame.End(); end > s.witness.Shards[p.frame.Shard] {
			s.witness.Shards[p.frame.Shard] = end
		}
	}
}

// testify writes the file.
func (s *Store) testify(sync bool) error {
	s.witnessMu.Lock() // also for the files: one writes them at a time
	defer s.witnessMu.Unlock()
	s.witness.Writes = s.tally.durable.Load()
	content, err := encodeWitness(s.witness)
	if err != nil {
		return err
	}
	fs, name := s.cfg.fs, s.path(witnessFile)
	f, err := fs.Create(name+".new", writeCategory)
	if err != nil {
		return fmt.Errorf("pebble: %w", err)
	}
	_, err = f.Write(bytes.Clone(content))
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fs.Rename(name+".new", name)
	}
	if err == nil && sync {
		err = syncFolder(fs, s.cfg.Dir)
	}
	if err != nil {
		return fmt.Errorf("pebble: the witness can't be written: %w", err)
	}
	return nil
}

// hear reads the file and compares the records with what it says. One that is
// missing or can't be understood says nothing.
func (s *Store) hear(ctx context.Context) error {
	s.witness = newWitness()
	content, err := readFile(s.cfg.fs, s.path(witnessFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s can't be read: %w; see to the disk, then start again", persistence.ErrFailed, s.path(witnessFile), err)
	}
	said, err := decodeWitness(content)
	if errors.Is(err, errSaysNothing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s can't be understood (%w); remove it to go on with what the records hold", persistence.ErrCorrupt, s.path(witnessFile), err)
	}
	lost := func(what string, args ...any) error {
		return fmt.Errorf("%w (or remove %s to go on with what is left)", s.lost(what, args...), s.path(witnessFile))
	}
	if said.Writes > s.tally.writes {
		return lost("%d writes of %d are there", s.tally.writes, said.Writes)
	}
	for node, inc := range said.Nodes {
		stored, err := s.Ownership().Node(ctx, node)
		if err != nil && !errors.Is(err, persistence.ErrNotFound) {
			return err
		}
		if stored.Incarnation < inc {
			return lost("node %q had incarnation %d and has %d", node, inc, stored.Incarnation)
		}
		s.witness.Nodes[node] = inc
	}
	for shard, end := range said.Shards {
		stored, err := s.storedEnd(ctx, shard)
		if err != nil {
			return err
		}
		if stored < end {
			return lost("the log of shard %d went to %s and goes to %s", shard, end, stored)
		}
		s.witness.Shards[shard] = end
	}
	return nil
}

// The file is the witness as JSON on one line, and on the next the CRC-32C of
// the first, in hexadecimal.
func encodeWitness(w witness) ([]byte, error) {
	line, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("pebble: %w", err)
	}
	return sealWitness(line), nil
}

func sealWitness(line []byte) []byte {
	line = append(bytes.Clone(line), '\n')
	return fmt.Appendf(line, "%08x\n", crc32.Checksum(line, castagnoli))
}

var (
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)
	errSaysNothing = errors.New("pebble: the witness is not whole")
)

// decodeWitness reads the content of the file. A witness with the right sum that
// can't be understood is another program's.
func decodeWitness(content []byte) (witness, error) {
	w := newWitness()
	end := bytes.LastIndexByte(bytes.TrimSuffix(content, []byte{'\n'}), '\n') + 1
	if fmt.Sprintf("%08x\n", crc32.Checksum(content[:end], castagnoli)) != string(content[end:]) {
		return w, errSaysNothing
	}
	err := json.Unmarshal(content[:end], &w)
	return w, err
}

// storedEnd returns the end of a shard's last frame, or its low mark, if all
// frames are deleted.
func (s *Store) storedEnd(ctx context.Context, shard persistence.Shard) (end persistence.Position, err error) {
	row, err := s.Ownership().Shard(ctx, shard)
	if err != nil {
		return 0, err
	}
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: frameKey(shard, 0), UpperBound: shardKey(prefixFrame, shard+1)})
	if err != nil {
		return 0, s.unread(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return row.Low, s.unread(it.Error())
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return 0, s.unread(err)
	}
	f, err := frameAt(shard, it.Key(), value)
	if err != nil {
		return 0, err
	}
	return max(f.End(), row.Low), nil
}
