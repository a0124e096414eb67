package persistencetest

import (
	"slices"
	"strconv"

	"github.com/mesonet/mesonet/persistence"
)

// OpKind is a method of a store.
type OpKind int

// The kinds of operations.
const (
	OpAppend OpKind = iota
	OpReadLog
	OpDelete
	OpReadPage
	OpWritePages
	OpScan
	OpBoot
	OpCheck
	OpNode
	OpFence
	OpShard
	OpClaim
	OpRaiseLow
	OpLevel
	OpRaiseLevel
)

var opNames = [...]string{
	"append", "read of the log", "deletion", "read of a page", "write of pages", "scan", "boot", "check",
	"read of a node", "fence", "read of a shard", "claim", "raise of low", "read of the level", "raise of the level",
}

// String names the kind.
func (k OpKind) String() string {
	if k < 0 || int(k) >= len(opNames) {
		return "operation " + strconv.Itoa(int(k))
	}
	return opNames[k]
}

// Op is one operation on a [Faulty], with the arguments that it has.
type Op struct {
	// N is the number of the operation, from 1.
	N    int
	Kind OpKind
	// Shard is that of operations on one shard.
	Shard persistence.Shard
	// Node is that of operations on a node, and the claimer of a claim, and
	// Incarnation the one that is checked, fenced or claims.
	Node        persistence.NodeID
	Incarnation persistence.Incarnation
	// Position is where a read of the log begins, a deletion ends or low goes.
	Position persistence.Position
	// Level is the one that the store is raised to.
	Level persistence.Level
	// Frame is what is appended.
	Frame persistence.Frame
	// Key is that of the page that is read, or where a scan begins.
	Key persistence.PageKey
	// Pages are what is written.
	Pages []persistence.Page
}

// is returns a condition for operations: those of kinds, or all for none.
func is(kinds []OpKind) func(Op) bool {
	if len(kinds) == 0 {
		return nil
	}
	return func(op Op) bool { return slices.Contains(kinds, op.Kind) }
}
