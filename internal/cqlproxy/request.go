package cqlproxy

import "fmt"

// A Consistency is a consistency level, as on the wire.
type Consistency uint16

// Consistency levels.
const (
	Any         Consistency = 0x0000
	One         Consistency = 0x0001
	Two         Consistency = 0x0002
	Three       Consistency = 0x0003
	Quorum      Consistency = 0x0004
	All         Consistency = 0x0005
	LocalQuorum Consistency = 0x0006
	EachQuorum  Consistency = 0x0007
	Serial      Consistency = 0x0008
	LocalSerial Consistency = 0x0009
	LocalOne    Consistency = 0x000a
)

// Flags of the parameters of a statement.
const (
	withValues       = 0x01
	withPageSize     = 0x04
	withPagingState  = 0x08
	withSerial       = 0x10
	withTimestamp    = 0x20
	withNames        = 0x40
	withKeyspace     = 0x80
	prepareKeyspace  = 0x01
	batchStatementID = 1
)

// A Request is a frame of a client, as far as the proxy understands it. Nothing
// in it may be changed.
type Request struct {
	Client string // the label of the client's connections
	Node   string // the server that it is for
	Conn   int    // the connection that it came on, counted from 1
	Opcode Opcode

	// Statements are those of a QUERY, EXECUTE or PREPARE (one, unless it is
	// BEGIN BATCH) or of a BATCH; none for any other request, and for one
	// that executes what was not prepared through this proxy.
	Statements []Bound

	Consistency Consistency
	Serial      Consistency // 0 if the request names none

	// Timestamp is the default timestamp that the client gave, nil if none.
	Timestamp *int64

	version byte
}

// A Bound is a statement with its values, encoded as on the wire; nil is null,
// or left unset.
type Bound struct {
	Statement
	Values [][]byte
}

// executes reports whether the request has the server execute statements.
func (r *Request) executes() bool {
	return r.Opcode == OpQuery || r.Opcode == OpExecute || r.Opcode == OpBatch
}

// conditional reports whether one of the statements is, which makes a
// lightweight transaction of the whole.
func (r *Request) conditional() bool {
	for _, s := range r.Statements {
		if s.Conditional {
			return true
		}
	}
	return false
}

// A requestParser understands requests with what is known where they came from.
type requestParser struct {
	keyspace string // in use on the connection
	parse    func(text, keyspace string) []Statement
	prepared func(id []byte) []Statement
}

// parseRequest returns the request of a frame. What it does not understand is
// left out, and is the server's to refuse.
func (p requestParser) parseRequest(f frame) *Request {
	request := &Request{Opcode: f.opcode, version: f.version()}
	if f.flags&flagCompressed != 0 {
		return request
	}
	b := bodyOf(f)
	switch f.opcode {
	case OpQuery:
		text := b.longString()
		values, keyspace := p.parameters(request, b)
		request.add(p.parse(text, keyspace), values)
	case OpPrepare:
		text := b.longString()
		keyspace := p.keyspace
		if request.version >= version5 && b.int()&prepareKeyspace != 0 {
			keyspace = b.string()
		}
		request.add(p.parse(text, keyspace), nil)
	case OpExecute:
		id := b.shortBytes()
		if request.version >= version5 {
			b.shortBytes() // of the result's metadata
		}
		values, _ := p.parameters(request, b)
		request.add(p.prepared(id), values)
	case OpBatch:
		p.batch(request, b)
	default:
	}
	if b.err != nil {
		request.Statements = nil
	}
	return request
}

// parameters reads what stands behind the statement of QUERY and EXECUTE.
func (p requestParser) parameters(r *Request, b *body) (values [][]byte, keyspace string) {
	r.Consistency = Consistency(b.short())
	flags := p.flags(r, b)
	if flags&withValues != 0 {
		b.each(func() {
			if flags&withNames != 0 {
				b.string()
			}
			values = append(values, b.value())
		})
	}
	if flags&withPageSize != 0 {
		b.int()
	}
	if flags&withPagingState != 0 {
		b.value()
	}
	return values, p.common(r, b, flags)
}

func (p requestParser) flags(r *Request, b *body) int {
	if r.version >= version5 {
		return b.int()
	}
	return int(b.byte())
}

// common reads the end of the parameters, which a batch has too.
func (p requestParser) common(r *Request, b *body, flags int) (keyspace string) {
	if flags&withSerial != 0 {
		r.Serial = Consistency(b.short())
	}
	if flags&withTimestamp != 0 {
		timestamp := b.long()
		r.Timestamp = &timestamp
	}
	if r.version >= version5 && flags&withKeyspace != 0 {
		return b.string()
	}
	return p.keyspace
}

func (p requestParser) batch(r *Request, b *body) {
	type item struct {
		text   string
		id     []byte
		values [][]byte
	}
	var items []item
	b.byte() // logged, unlogged or counter
	b.each(func() {
		var i item
		if b.byte() == batchStatementID {
			i.id = b.shortBytes()
		} else {
			i.text = b.longString()
		}
		b.each(func() { i.values = append(i.values, b.value()) })
		items = append(items, i)
	})
	r.Consistency = Consistency(b.short())
	keyspace := p.common(r, b, p.flags(r, b))
	for _, i := range items {
		if i.id != nil {
			r.add(p.prepared(i.id), i.values)
		} else {
			r.add(p.parse(i.text, keyspace), i.values)
		}
	}
}

// add gives each statement its share of the values.
func (r *Request) add(statements []Statement, values [][]byte) {
	for i, s := range statements {
		n := min(s.markers, len(values))
		if i == len(statements)-1 {
			n = len(values)
		}
		r.Statements = append(r.Statements, Bound{Statement: s, Values: values[:n:n]})
		values = values[n:]
	}
}

// String is for messages of failed tests.
func (r *Request) String() string {
	text := fmt.Sprintf("request %#02x", byte(r.Opcode))
	for _, s := range r.Statements {
		text += " " + s.Text
	}
	return text
}
