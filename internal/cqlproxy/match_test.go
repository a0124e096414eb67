package cqlproxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	write := &Request{
		Client: "a", Node: "n", Opcode: OpExecute, Consistency: Quorum, Serial: Serial,
		Statements: []Bound{{parse("INSERT  INTO log (a, b)\n VALUES (?, ?)", "k")[0], [][]byte{[]byte("x"), nil}}},
	}
	transaction := &Request{
		Client: "a", Node: "n", Opcode: OpBatch, Consistency: LocalQuorum,
		Statements: []Bound{{parse(insertLog, "k")[0], nil}, {parse(raiseNode, "k")[0], [][]byte{[]byte("y")}}},
	}
	read := &Request{Client: "a", Node: "n", Opcode: OpQuery, Consistency: Serial, Statements: []Bound{{parse(selectNode, "")[0], nil}}}
	options := &Request{Opcode: OpOptions}
	for name, test := range map[string]struct {
		match Match
		want  []*Request
	}{
		"zero":                  {Match{}, []*Request{write, transaction, read}},
		"client":                {Match{Client: "b"}, nil},
		"node":                  {Match{Node: "m"}, nil},
		"opcode":                {Match{Opcode: OpBatch}, []*Request{transaction}},
		"another opcode":        {Match{Opcode: OpOptions}, []*Request{options}},
		"table":                 {Match{Table: "log"}, []*Request{write, transaction}},
		"table of a keyspace":   {Match{Table: "k.node"}, []*Request{transaction}},
		"table of no keyspace":  {Match{Table: "node"}, []*Request{transaction, read}},
		"text":                  {Match{Statement: "insert into LOG  (a,"}, []*Request{write}},
		"conditional":           {Match{Conditional: true}, []*Request{transaction}},
		"plain":                 {Match{Plain: true}, []*Request{write}},
		"consistency":           {Match{Consistency: Quorum}, []*Request{write}},
		"a serial read":         {Match{Consistency: Serial}, []*Request{read}},
		"serial consistency":    {Match{Serial: Serial}, []*Request{write}},
		"value":                 {Match{Values: map[int][]byte{0: []byte("x")}}, []*Request{write}},
		"value of another":      {Match{Table: "log", Values: map[int][]byte{0: []byte("y")}}, nil},
		"value beyond the last": {Match{Values: map[int][]byte{2: nil}}, nil},
		"where":                 {Match{Where: func(r *Request) bool { return len(r.Statements) == 2 }}, []*Request{transaction}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []*Request{write, transaction, read, options} {
				want := false
				for _, wanted := range test.want {
					want = want || r == wanted
				}
				if got := test.match.matches(r); got != want {
					t.Errorf("%s: %v, want %v", r, got, want)
				}
			}
		})
	}
}

// What the proxy makes of the requests that a client sends.
func TestRequests(t *testing.T) {
	eachVersion(t, func(t *testing.T, version byte) {
		proxy, servers := start(t, 1)
		var got []*Request
		proxy.Watch(Match{Where: func(r *Request) bool {
			got = append(got, r)
			return true
		}})
		c := connect(t, proxy, "label", servers[0].address, version)
		c.query(1, "USE weather")
		c.want(1, OpResult)
		id := c.prepare(insertLog)
		// On another connection, as drivers do.
		c = connect(t, proxy, "label", servers[0].address, version)
		c.execute(1, id, "seven", "eight")
		c.want(1, OpResult)
		c.send(1, OpBatch, batch(version, []string{raiseNode}, []string{id.id}))
		c.want(1, OpResult)

		timestamp := int64(7)
		log := Statement{Text: insertLog, Verb: "INSERT", Keyspace: "weather", Table: "log", markers: 2}
		node := Statement{Text: raiseNode, Verb: "UPDATE", Table: "node", Conditional: true, markers: 3}
		want := []*Request{
			{Conn: 1, Opcode: OpQuery, Consistency: Quorum, Serial: Serial, Timestamp: &timestamp, Statements: []Bound{{Statement: Statement{Text: "USE weather", Verb: "USE"}}}},
			{Conn: 2, Opcode: OpExecute, Consistency: Quorum, Serial: Serial, Timestamp: &timestamp, Statements: []Bound{{log, [][]byte{[]byte("seven"), []byte("eight")}}}},
			{Conn: 2, Opcode: OpBatch, Consistency: LocalQuorum, Statements: []Bound{{node, [][]byte{[]byte("v")}}, {log, [][]byte{[]byte("v")}}}},
		}
		for _, r := range want {
			r.Client, r.Node, r.version = "label", servers[0].address, version
		}
		must(t, proxy.Close()) // and nobody appends to got any more
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Request{}, Statement{})); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

// Statements are counted, and a table that is written in both ways is found.
// Seen to fail with InTransaction taken from the statement alone: log is written
// in a batch with a condition here.
func TestStatements(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	id := c.prepare(insertLog)
	for range 2 {
		c.execute(1, id, "v")
		c.want(1, OpResult)
	}
	c.query(1, raiseNode)
	c.want(1, OpResult)
	c.query(1, selectNode)
	c.want(1, OpResult)
	if mixed := proxy.MixedTables(); len(mixed) > 0 {
		t.Errorf("mixed: %v, want none yet", mixed)
	}
	c.send(1, OpBatch, batch(c.version, []string{raiseNode}, []string{id.id}))
	c.want(1, OpResult)
	if diff := cmp.Diff([]string{"log"}, proxy.MixedTables()); diff != "" {
		t.Errorf("mixed (-want +got):\n%s", diff)
	}
	log := parse(insertLog, "")[0]
	want := []Seen{
		{Statement: log, Prepared: 1, Sent: 2, Forwarded: 2},
		{Statement: log, InTransaction: true, Sent: 1, Forwarded: 1},
		{Statement: parse(selectNode, "")[0], Sent: 1, Forwarded: 1},
		{Statement: parse(raiseNode, "")[0], InTransaction: true, Sent: 2, Forwarded: 2},
	}
	if diff := cmp.Diff(want, proxy.Statements(), cmp.AllowUnexported(Statement{})); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}
