package cqlproxy

import (
	"bytes"
	"slices"
	"strings"
)

// A Phase is one of the two ways that a message goes through the proxy.
type Phase int

const (
	// OnRequest is when the client has sent it and the server has not got it.
	OnRequest Phase = iota

	// OnReply is when the server has executed it, and answered, and the client
	// does not know yet.
	OnReply
)

// A Match says what a rule is about. Every field that is set must agree; the
// zero Match is every QUERY, EXECUTE and BATCH.
type Match struct {
	// At is when the rule acts; what it matches is a request in either case.
	At Phase

	// Client and Node are the label of the client and the address of the
	// server, as given to New; empty is any.
	Client, Node string

	// Opcode restricts the rule to requests of this kind. Zero is what
	// executes statements: QUERY, EXECUTE and BATCH; the other kinds have to be
	// asked for, so that a rule does not break handshakes and heartbeats by
	// accident.
	Opcode Opcode

	// Table is TABLE or KEYSPACE.TABLE, spelled as it is stored. One statement
	// of a batch is enough.
	Table string

	// Statement is a part of a statement's text, compared without regard to
	// case and to how words are spaced.
	Statement string

	// Conditional and Plain restrict the rule to requests with a conditional
	// write, and to those with writes of which none is. Both is neither.
	Conditional, Plain bool

	// Consistency and Serial are levels; zero is any.
	Consistency, Serial Consistency

	// Values are bound values by their index, encoded as on the wire.
	Values map[int][]byte

	// Where is asked last, if it is set. It may be called from any goroutine
	// and must not call the proxy.
	Where func(*Request) bool

	// Skip is how many that match are let pass first; Times how many the rule
	// is about after that, 0 for all.
	Skip, Times int
}

func (m Match) matches(r *Request) bool {
	switch {
	case m.Client != "" && m.Client != r.Client,
		m.Node != "" && m.Node != r.Node,
		m.Opcode != 0 && m.Opcode != r.Opcode,
		m.Opcode == 0 && !r.executes(),
		m.Consistency != 0 && m.Consistency != r.Consistency,
		m.Serial != 0 && m.Serial != r.Serial,
		m.Conditional && !r.conditional(),
		m.Plain && (r.conditional() || !slices.ContainsFunc(r.Statements, Bound.IsWrite)):
		return false
	}
	ofStatement := m.Table != "" || m.Statement != "" || len(m.Values) > 0
	if ofStatement && !slices.ContainsFunc(r.Statements, m.matchesStatement) {
		return false
	}
	return m.Where == nil || m.Where(r)
}

func (m Match) matchesStatement(s Bound) bool {
	if m.Table != "" && m.Table != s.Table && m.Table != s.QualifiedTable() {
		return false
	}
	if m.Statement != "" && !strings.Contains(spaced(s.Text), spaced(m.Statement)) {
		return false
	}
	for i, want := range m.Values {
		if i < 0 || i >= len(s.Values) || !bytes.Equal(s.Values[i], want) {
			return false
		}
	}
	return true
}

// spaced is a text with its words spaced evenly, in lower case.
func spaced(text string) string {
	return strings.ToLower(strings.Join(strings.Fields(text), " "))
}
