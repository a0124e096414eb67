package cassandra

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/persistence"
)

// format is the version of the tables' layout.
const format = 1

// record is the row of the table store: what the store is. It is written once, but for
// the level.
type record struct {
	ID          persistence.StoreID
	Level       persistence.Level
	Shards      uint32
	Hash        string
	Consistency Consistency
	HomeDC      string
}

func (r record) info() persistence.Info {
	return persistence.Info{ID: r.ID, Format: format, Shards: r.Shards, Hash: r.Hash}
}

// errNoRecord: the schema was never applied.
var errNoRecord = errors.New("the table store has no row")

// readRecord reads the record, at the consistency of the local data center first,
// which suffices where the store's home is; but for the level it never changes.
func (c *connection) readRecord(ctx context.Context) (record, error) {
	r, err := c.readRecordAt(ctx, HomeDC.levels())
	if errors.Is(err, errNoRecord) {
		return c.readRecordAt(ctx, Global.levels())
	}
	return r, err
}

func (c *connection) readRecordAt(ctx context.Context, l levels) (record, error) {
	var r record
	var id []byte
	var level int
	var shards int64
	var consistency string
	iter := readStore.query(c.Session, readStore.in(c.cfg.Keyspace), l, nil).IterContext(ctx)
	found := iter.Scan(&id, &level, &shards, &r.Hash, &consistency, &r.HomeDC)
	if err := iter.Close(); err != nil {
		return r, explain("reading", c.cfg.Keyspace, "store", iter.Host(), err)
	}
	if !found {
		return r, errNoRecord
	}
	if len(id) != len(r.ID) {
		return r, &persistence.CorruptError{Record: "store", Key: c.cfg.Keyspace, Reason: fmt.Sprintf("its id has %d bytes", len(id))}
	}
	copy(r.ID[:], id)
	r.Level = persistence.Level(level)
	r.Shards, r.Consistency = uint32(shards), Consistency(consistency)
	return r, nil
}

// createRecord writes the record unless there is one, and returns what is there.
// Its outcome needs no token: whoever wrote it, it is read afterwards.
func (c *connection) createRecord(ctx context.Context, r record) (record, error) {
	_, _ = rand.Read(r.ID[:]) // never fails
	l := r.Consistency.levels()
	iter := createStore.query(c.Session, createStore.in(c.cfg.Keyspace), l,
		[]any{r.ID[:], int(r.Level), int64(r.Shards), persistence.HashName, string(r.Consistency), r.HomeDC}).IterContext(ctx)
	err := iter.Close()
	there, readErr := c.readRecord(ctx)
	if readErr != nil {
		return record{}, errors.Join(explain("changing", c.cfg.Keyspace, "store", iter.Host(), err), readErr)
	}
	return there, nil
}

// refusal says why this program, or this node, can't use the store.
func (r record) refusal(cfg Config) error {
	switch {
	case cfg.Levels.OrKnown().Check(r.Level) != nil:
		return fmt.Errorf("cassandra: keyspace %s: %w", cfg.Keyspace, cfg.Levels.OrKnown().Check(r.Level))
	case r.Hash != persistence.HashName:
		return fmt.Errorf("%w: keyspace %s sorts entities into shards by %q, and this program by %q; use the version of the program that created it",
			persistence.ErrFormat, cfg.Keyspace, r.Hash, persistence.HashName)
	case persistence.ValidShards(r.Shards) != nil:
		return fmt.Errorf("%w: keyspace %s: %w", persistence.ErrFormat, cfg.Keyspace, persistence.ValidShards(r.Shards))
	case r.Consistency.validate() != nil:
		return fmt.Errorf("%w: keyspace %s: %w", persistence.ErrFormat, cfg.Keyspace, r.Consistency.validate())
	case cfg.Consistency != "" && cfg.Consistency != r.Consistency:
		return fmt.Errorf("cassandra: keyspace %s was created with consistency %q, and %q is asked for; it can't be chosen later: correct consistency=",
			cfg.Keyspace, r.Consistency, cfg.Consistency)
	case r.Consistency == HomeDC && r.HomeDC != cfg.LocalDC:
		return fmt.Errorf("cassandra: the home of keyspace %s is the data center %q, and this node is in %q; run it there, or correct dc=",
			cfg.Keyspace, r.HomeDC, cfg.LocalDC)
	}
	return nil
}
