package cassandra

import "fmt"

// class says how a table is written. A table has one class: a conditional write
// orders itself by ballots, a plain one by its timestamp, and Cassandra promises
// nothing about the two in one cell (I12).
type class int

const (
	// conditional tables are written by lightweight transactions alone.
	conditional class = iota
	// plain tables are written with the position as the timestamp.
	plain
	// hint tables are plain; nothing that is safe rests on them.
	hint
)

// verb is what a statement does.
type verb int

const (
	read verb = iota
	readSerial
	write
	transact
)

// statement is one line of CQL. %s is the keyspace.
type statement struct {
	table string
	verb  verb
	cql   string
	// again says that the driver may take the statement for idempotent. Only
	// appends are: they are the same bytes at the same place.
	again bool
}

// statements are all that are ever sent to the store's tables, by name; those of
// the schema and of Cassandra's own tables are in schema.go and checks.go.
var statements = []*statement{
	&readStore, &createStore, &readLevel, &settleLevel, &raiseLevel,
	&readNode, &checkNode, &createNode, &bootNode, &fenceNode,
	&readShard, &claimFirst, &claimNext, &raiseLow, &dropSeal, &readLow,
	&appendFrame, &readFrames, &lastFrame, &deleteChunk, &deleteFrames,
	&readPage, &scanPages, &scanPageKeys, &writePage,
	&listEntities, &noteEntity,
	&beat, &readBeats,
}

var (
	readStore = statement{table: "store", verb: read, cql: `SELECT id, format, shards, hash, consistency, home_dc
		FROM %s.store WHERE name = 'store'`}
	createStore = statement{table: "store", verb: transact, cql: `INSERT INTO %s.store (name, id, format, shards, hash, consistency, home_dc)
		VALUES ('store', ?, ?, ?, ?, ?, ?) IF NOT EXISTS`}
	// readLevel need not be SERIAL: see level.go.
	readLevel   = statement{table: "store", verb: read, cql: `SELECT format FROM %s.store WHERE name = 'store'`}
	settleLevel = statement{table: "store", verb: readSerial, cql: `SELECT format FROM %s.store WHERE name = 'store'`}
	raiseLevel  = statement{table: "store", verb: transact, cql: `UPDATE %s.store SET format = ? WHERE name = 'store' IF format = ?`}

	readNode = statement{table: "node", verb: readSerial, cql: `SELECT inc, change_id, addr FROM %s.node WHERE node_id = ?`}
	// checkNode is the ownership check. It need not be SERIAL: see ownership.go.
	checkNode  = statement{table: "node", verb: read, cql: `SELECT inc FROM %s.node WHERE node_id = ?`}
	createNode = statement{table: "node", verb: transact, cql: `INSERT INTO %s.node (node_id, inc, change_id, addr, raised_by)
		VALUES (?, ?, ?, ?, 'boot') IF NOT EXISTS`}
	bootNode = statement{table: "node", verb: transact, cql: `UPDATE %s.node SET inc = ?, change_id = ?, addr = ?, raised_by = 'boot'
		WHERE node_id = ? IF inc = ?`}
	fenceNode = statement{table: "node", verb: transact, cql: `UPDATE %s.node SET inc = ?, change_id = ?, raised_by = 'fence'
		WHERE node_id = ? IF inc = ?`}

	readShard = statement{table: "shard", verb: readSerial, cql: `SELECT cur_epoch, owner, owner_inc, low, change_id, epoch, seal, sealed_by
		FROM %s.shard WHERE shard = ?`}
	claimFirst = statement{table: "shard", verb: transact, cql: `UPDATE %s.shard SET cur_epoch = ?, owner = ?, owner_inc = ?, low = ?, change_id = ?
		WHERE shard = ? IF cur_epoch = null`}
	// claimNext seals the old epoch and opens the next in one change.
	claimNext = statement{table: "shard", verb: transact, cql: `UPDATE %s.shard SET cur_epoch = ?, owner = ?, owner_inc = ?, change_id = ?, seal = ?, sealed_by = ?
		WHERE shard = ? AND epoch = ? IF cur_epoch = ? AND owner = ? AND owner_inc = ? AND low = ?`}
	raiseLow = statement{table: "shard", verb: transact, cql: `UPDATE %s.shard SET low = ?
		WHERE shard = ? IF cur_epoch = ? AND owner = ? AND owner_inc = ? AND low = ?`}
	dropSeal = statement{table: "shard", verb: transact, cql: `DELETE FROM %s.shard WHERE shard = ? AND epoch = ? IF low >= ?`}
	// readLow need not be SERIAL: who sees that frames are gone asks after the
	// low mark above them was committed.
	readLow = statement{table: "shard", verb: read, cql: `SELECT low FROM %s.shard WHERE shard = ? LIMIT 1`}

	appendFrame = statement{table: "log", verb: write, again: true, cql: `INSERT INTO %s.log (shard, epoch, chunk, seq, frame)
		VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`}
	readFrames = statement{table: "log", verb: read, cql: `SELECT seq, frame FROM %s.log
		WHERE shard = ? AND epoch = ? AND chunk = ? AND seq >= ? LIMIT ?`}
	lastFrame = statement{table: "log", verb: read, cql: `SELECT seq, frame FROM %s.log
		WHERE shard = ? AND epoch = ? AND chunk = ? AND seq < ? ORDER BY seq DESC LIMIT 1`}
	deleteChunk = statement{table: "log", verb: write, cql: `DELETE FROM %s.log USING TIMESTAMP ?
		WHERE shard = ? AND epoch = ? AND chunk = ?`}
	deleteFrames = statement{table: "log", verb: write, cql: `DELETE FROM %s.log USING TIMESTAMP ?
		WHERE shard = ? AND epoch = ? AND chunk = ? AND seq < ?`}

	// Reads of pages name both columns, so that read repair carries both.
	readPage = statement{table: "page", verb: read, cql: `SELECT head, cell FROM %s.page
		WHERE shard = ? AND kind = ? AND id = ? AND page = ?`}
	scanPages = statement{table: "page", verb: read, cql: `SELECT page, head, cell FROM %s.page
		WHERE shard = ? AND kind = ? AND id = ? AND page >= ? LIMIT ?`}
	scanPageKeys = statement{table: "page", verb: read, cql: `SELECT page, head FROM %s.page
		WHERE shard = ? AND kind = ? AND id = ? AND page >= ? LIMIT ?`}
	writePage = statement{table: "page", verb: write, cql: `INSERT INTO %s.page (shard, kind, id, page, head, cell)
		VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`}

	listEntities = statement{table: "entity", verb: read, cql: `SELECT id FROM %s.entity WHERE shard = ? AND kind = ? AND id >= ? LIMIT ?`}
	noteEntity   = statement{table: "entity", verb: write, cql: `INSERT INTO %s.entity (shard, kind, id) VALUES (?, ?, ?) USING TIMESTAMP ?`}

	beat      = statement{table: "node_hb", verb: write, cql: `INSERT INTO %s.node_hb (node_id, inc, n, peers) VALUES (?, ?, ?, ?) USING TIMESTAMP ?`}
	readBeats = statement{table: "node_hb", verb: read, cql: `SELECT node_id, inc, n, peers FROM %s.node_hb`}
)

// in returns the statement's text for a keyspace.
func (st *statement) in(keyspace string) string { return fmt.Sprintf(st.cql, keyspace) }
