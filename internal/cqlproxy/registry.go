package cqlproxy

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// Seen is how often a statement went by.
type Seen struct {
	Statement

	// InTransaction is a statement that was executed as part of a lightweight
	// transaction, be it that it has a condition or another of its batch. A
	// statement that was executed in both ways is listed twice.
	InTransaction bool

	Prepared  int // how often clients prepared it
	Sent      int // how often clients sent it to be executed
	Forwarded int // how often servers were given it to be executed
}

// A registry knows all statements that were seen.
type registry struct {
	mu       sync.Mutex
	texts    map[parsedKey][]Statement
	prepared map[preparedKey][]Statement
	seen     map[seenKey]*Seen
}

type (
	parsedKey   struct{ text, keyspace string }
	preparedKey struct{ node, id string }
	seenKey     struct {
		text, table   string
		inTransaction bool
	}
)

func newRegistry() *registry {
	return &registry{
		texts:    make(map[parsedKey][]Statement),
		prepared: make(map[preparedKey][]Statement),
		seen:     make(map[seenKey]*Seen),
	}
}

// parse is parse, once a text.
func (r *registry) parse(text, keyspace string) []Statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := parsedKey{text, keyspace}
	statements, known := r.texts[key]
	if !known {
		statements = parse(text, keyspace)
		r.texts[key] = statements
	}
	return statements
}

// learn keeps what a node has prepared. A driver may execute it on any
// connection to that node.
func (r *registry) learn(node string, id []byte, request *Request) {
	var statements []Statement
	for _, s := range request.Statements {
		statements = append(statements, s.Statement)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prepared[preparedKey{node, string(id)}] = statements
}

func (r *registry) lookUp(node string, id []byte) []Statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.prepared[preparedKey{node, string(id)}]
}

// count counts each statement of the request.
func (r *registry) count(request *Request, add func(*Seen)) {
	if len(request.Statements) == 0 {
		return
	}
	inTransaction := request.conditional()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range request.Statements {
		key := seenKey{s.Text, s.QualifiedTable(), inTransaction && s.IsWrite()}
		if r.seen[key] == nil {
			r.seen[key] = &Seen{Statement: s.Statement, InTransaction: key.inTransaction}
		}
		add(r.seen[key])
	}
}

func (r *registry) countSent(request *Request) {
	switch {
	case request.executes():
		r.count(request, func(s *Seen) { s.Sent++ })
	case request.Opcode == OpPrepare:
		r.count(request, func(s *Seen) { s.Prepared++ })
	}
}

func (r *registry) countForwarded(request *Request) {
	if request.executes() {
		r.count(request, func(s *Seen) { s.Forwarded++ })
	}
}

// Statements lists what was seen since the proxy was made, by table and text.
func (p *Proxy) Statements() []Seen {
	p.registry.mu.Lock()
	defer p.registry.mu.Unlock()
	var list []Seen
	for s := range maps.Values(p.registry.seen) {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Seen) int {
		return cmp.Or(
			cmp.Compare(a.QualifiedTable(), b.QualifiedTable()),
			cmp.Compare(a.Text, b.Text),
			boolCompare(a.InTransaction, b.InTransaction))
	})
	return list
}

// MixedTables names the tables to which clients have sent both plain and
// conditional writes: in these a plain write and a transaction that follow each
// other may take effect in the other order, since their timestamps come from
// different clocks.
func (p *Proxy) MixedTables() []string {
	plain, conditional := make(map[string]bool), make(map[string]bool)
	for _, s := range p.Statements() {
		if s.IsWrite() && s.Sent > 0 {
			if s.InTransaction {
				conditional[s.QualifiedTable()] = true
			} else {
				plain[s.QualifiedTable()] = true
			}
		}
	}
	maps.DeleteFunc(plain, func(table string, _ bool) bool { return !conditional[table] })
	return slices.Sorted(maps.Keys(plain))
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
