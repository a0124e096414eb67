// Package cassandra is the cluster store: a keyspace of Apache Cassandra, shared
// by all nodes of a cluster.
//
//	cfg, err := cassandra.ParseURL("cassandra://mesonet@10.0.0.1,10.0.0.2/mesonet?dc=dc1")
//	store, err := cassandra.Open(ctx, cfg)
//
// The tables have to be there: [Schema] prints, creates and compares them.
//
// # What it rests on
//
// Records are written with their position as the write timestamp. So the higher
// position wins in Cassandra as it does in package persistence, whatever comes
// last, and no clock decides anything (P5). Frames and pages are written and read
// at QUORUM; with read repair BLOCKING, what a read has shown is on a quorum by
// then. Incarnations and shard rows are changed by lightweight transactions only,
// and read at SERIAL where a decision rests on them. No table has both kinds of
// writes, see statements.go. docs/design/cassandra.md tells the whole, with what
// was rejected.
//
// # Consistency
//
// How many data centers have to answer is part of the store, not of a node's
// configuration: [Global] or [HomeDC], recorded when the schema is created.
//
// # Failure
//
// A store that can't be reached answers with errors, goes on trying to connect,
// and works again by itself. An append is repeated, the same bytes at the same
// place, until [Config.WriteTimeout]; a change of ownership without an answer is
// settled by reading, with a token that tells one's own change from another's.
// What stays unknown is an error that is none of those of package persistence.
//
// # Concurrency
//
// All methods may be called from any goroutine. Each append has a goroutine of
// its own until it is answered; Close waits for all of them.
package cassandra
