package entity

import (
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// Listener is a set of functions that are told what a host does. Any may be
// nil. They are called from whatever goroutine found out, several at a time, and
// must not block.
type Listener struct {
	// ShardOpened: a shard is served from now on.
	ShardOpened func(ShardOpening)
	// Joined: the node has its place in the store as this incarnation; at the
	// start, and again after it was fenced.
	Joined func(persistence.Incarnation)
	// Checked: the node has looked whether it has its place still; err says that
	// the store did not answer. It is called on stores that are not local only.
	Checked func(err error)
	// Level: the store's formats are at this level, at the start and when it was raised,
	// and are written so from now on. With err it is one that this program doesn't know:
	// the host has failed, and given its shards up.
	Level func(level persistence.Level, err error)
	// ShardOwned: a shard is another node's, as err says, and this one waits for
	// it.
	ShardOwned func(shard persistence.Shard, err error)
	// ShardHandedOver: this node has given a shard to another, or could not. After
	// the former it is told ShardOwned too.
	ShardHandedOver func(HandedOver)
	// ShardStopped: a shard can't be opened and is not tried again; its
	// entities answer with err.
	ShardStopped func(shard persistence.Shard, err error)
	// EntityWoke: an actor was made for an entity.
	EntityWoke func(kind string)
	// EntityPassivated: an entity that nobody asked for a while left memory.
	EntityPassivated func(kind string)
	// EntityFailed: an entity's code panicked. What the supervisor does about
	// it is logged.
	EntityFailed func(path string, err error)
	// EntityCorrupt: an entity answers nothing but err.
	EntityCorrupt func(id ID, err error)
	// PagesStored: pages of a shard were stored, or could not be (err).
	PagesStored func(PageFlush)
	// RowsWritten: rows of pages that are about to be stored were written, or
	// could not be (Err): then the pages wait.
	RowsWritten func(ViewFlush)
	// Checkpointed: the checkpoint of a shard is at a position now.
	Checkpointed func(shard persistence.Shard, at persistence.Position)
	// PagesEvicted: so many pages with so many bytes left memory.
	PagesEvicted func(pages int, bytes int64)
}

// ShardOpening says how a shard came to be open.
type ShardOpening struct {
	Shard persistence.Shard
	Epoch persistence.Epoch
	// Events is how many events were read from the log.
	Events int
	Took   time.Duration
}

// PageFlush is one write of pages to the store.
type PageFlush struct {
	Shard persistence.Shard
	Pages int
	Bytes int // of the pages' data
	Took  time.Duration
	Err   error
}

// ViewFlush is one write of rows into the tables of all views.
type ViewFlush struct {
	Shard persistence.Shard
	Pages int // that have rows, changed or not
	Rows  int // that were put, and rows or ranges that were erased
	Took  time.Duration
	Err   error
}

// Stats is what a host holds at a moment. The numbers are read one after the
// other while work goes on.
type Stats struct {
	// Shards is how many there are, OpenShards how many are served, and
	// StoppedShards how many can't be until somebody mends them.
	Shards, OpenShards, StoppedShards int
	// Entities is how many are awake, by kind.
	Entities map[string]int
	// Corrupt is how many entities that are awake answer nothing but an error.
	Corrupt int
	// MemoryBytes is about what entities and their pages take, and MemoryLimit
	// what they may; 0 for no limit.
	MemoryBytes, MemoryLimit int64
	// TailBytes is how much log a recovery would read.
	TailBytes int64
}
