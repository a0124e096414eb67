package cqlproxy

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	insertLog  = "INSERT INTO log (shard, frame) VALUES (?, ?)"
	raiseNode  = "UPDATE node SET inc = ? WHERE node_id = ? IF inc = ?"
	selectNode = "SELECT inc FROM node WHERE node_id = ?"
)

func wantTexts(t *testing.T, s *server, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.texts()); diff != "" {
		t.Errorf("executed (-want +got):\n%s", diff)
	}
}

// The write of a dead owner arrives long after it: its client is closed, another
// has written, and then the server gets what was held, byte for byte. Seen to
// fail with closeIfIdle that does not look at conn.kept.
func TestLateWriteOfADeadOwner(t *testing.T) {
	eachVersion(t, func(t *testing.T, version byte) {
		proxy, servers := start(t, 1)
		server := servers[0]
		owner := connect(t, proxy, "owner", server.address, version)
		next := connect(t, proxy, "next", server.address, version)
		id := owner.prepare(insertLog)

		late := proxy.Hold(Match{Client: "owner", Table: "log"})
		owner.execute(2, id, "17", "late")
		must(t, late.Wait(within(t)))
		owner.query(3, selectNode)
		owner.wantExecution(3, 1)
		must(t, owner.conn.Close())

		next.execute(2, id, "17", "new")
		next.wantExecution(2, 2)
		wantTexts(t, server, selectNode, insertLog)

		late.Release()
		must(t, late.Done(within(t)))
		wantTexts(t, server, selectNode, insertLog, insertLog)
		got := server.frames()[2]
		if want := "late"; !slices.Contains(stringsOf(parseAs(got, insertLog).Statements[0].Values), want) {
			t.Errorf("executed %q, want the values with %q", got.body, want)
		}
	})
}

func parseAs(f frame, text string) *Request {
	parser := requestParser{parse: parse, prepared: func([]byte) []Statement { return parse(text, "") }}
	return parser.parseRequest(f)
}

func stringsOf(values [][]byte) []string {
	var list []string
	for _, v := range values {
		list = append(list, string(v))
	}
	return list
}

func TestHeldWriteIsDropped(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	held := proxy.Hold(Match{Table: "log"})
	c.query(1, insertLog, "a", "b")
	must(t, held.Wait(within(t)))
	if requests := held.Requests(); len(requests) != 1 || requests[0].Statements[0].Table != "log" {
		t.Errorf("%v is held, want one insert into log", requests)
	}
	must(t, c.conn.Close())
	held.Drop()
	must(t, held.Done(within(t)))
	wantTexts(t, servers[0])
}

// What is released while the client is there is answered as if nothing had been.
func TestHeldWriteIsAnswered(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	held := proxy.Hold(Match{Table: "log", Times: 1})
	c.query(1, insertLog, "first")
	must(t, held.Wait(within(t)))
	c.query(2, insertLog, "second")
	c.wantExecution(2, 1)
	held.Release()
	c.wantExecution(1, 2)
}

// A reply that is held: executed, and the client does not know.
func TestHeldReply(t *testing.T) {
	eachVersion(t, func(t *testing.T, version byte) {
		proxy, servers := start(t, 1)
		c := connect(t, proxy, "", servers[0].address, version)
		held := proxy.Hold(Match{At: OnReply, Table: "node"})
		c.query(1, raiseNode)
		must(t, held.Wait(within(t)))
		wantTexts(t, servers[0], raiseNode)
		c.wantNothing()
		held.Release()
		c.wantExecution(1, 1)
		must(t, held.Done(within(t)))
	})
}

// The reply of a transaction is lost, and it was applied or it was not.
func TestLostReply(t *testing.T) {
	for _, test := range []struct {
		name string
		at   Phase
		want []string
	}{
		{"not applied", OnRequest, nil},
		{"applied", OnReply, []string{raiseNode}},
	} {
		t.Run(test.name, func(t *testing.T) {
			proxy, servers := start(t, 1)
			c := connect(t, proxy, "", servers[0].address, version5)
			lost := proxy.Drop(Match{At: test.at, Conditional: true})
			c.query(1, raiseNode)
			must(t, lost.Wait(within(t)))
			must(t, lost.Done(within(t)))
			c.wantNothing()
			wantTexts(t, servers[0], test.want...)
		})
	}
}

// A timeout is told, the client uses the stream for something else, and then
// the transaction is executed: its answer must not be taken for the other's.
// Seen to fail with forward keeping the client's stream (one answer comes twice,
// or on the wrong stream), and with onReply not looking at silent.
func TestExecutedAfterATimeout(t *testing.T) {
	eachVersion(t, func(t *testing.T, version byte) {
		proxy, servers := start(t, 1)
		c := connect(t, proxy, "", servers[0].address, version)
		later := proxy.FailAndHold(Match{Table: "node", Conditional: true}, WriteTimeout(WriteCAS, 1, 2))
		c.query(1, raiseNode)
		wantError(t, c.want(1, OpError), codeWriteTimeout)

		pending := proxy.Hold(Match{Table: "node", Statement: "select inc  from"})
		c.query(1, selectNode)
		must(t, pending.Wait(within(t)))
		later.Release()
		must(t, later.Done(within(t)))
		wantTexts(t, servers[0], raiseNode)
		c.wantNothing()
		pending.Release()
		c.wantExecution(1, 2)
	})
}

func wantError(t *testing.T, f frame, code int) *body {
	t.Helper()
	b := bodyOf(f)
	if got := b.int(); got != code {
		t.Fatalf("error %#04x, want %#04x", got, code)
	}
	b.string()
	return b
}

// Errors are told before and after the server has executed the request.
func TestFail(t *testing.T) {
	for _, test := range []struct {
		name string
		at   Phase
		want []string
	}{
		{"instead", OnRequest, nil},
		{"after", OnReply, []string{insertLog}},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, version byte) {
				proxy, servers := start(t, 1)
				c := connect(t, proxy, "", servers[0].address, version)
				failed := proxy.Fail(Match{At: test.at, Table: "log", Times: 1}, Overloaded())
				c.query(5, insertLog)
				wantError(t, c.want(5, OpError), codeOverloaded)
				must(t, failed.Done(within(t)))
				wantTexts(t, servers[0], test.want...)
				c.query(5, selectNode)
				c.wantExecution(5, uint32(len(test.want)+1))
			})
		})
	}
}

// Both copies are executed, and the client gets one answer: the first, or, when
// it is a retry, the second.
func TestDuplicate(t *testing.T) {
	for _, test := range []struct {
		name   string
		at     Phase
		answer uint32
	}{
		{"at once", OnRequest, 1},
		{"retried", OnReply, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, version byte) {
				proxy, servers := start(t, 1)
				c := connect(t, proxy, "", servers[0].address, version)
				twice := proxy.Duplicate(Match{At: test.at, Table: "log"})
				c.query(1, insertLog, "v")
				c.wantExecution(1, test.answer)
				must(t, twice.Done(within(t)))
				wantTexts(t, servers[0], insertLog, insertLog)
				if f := servers[0].frames(); string(f[0].body) != string(f[1].body) {
					t.Errorf("executed %q and %q, want the same", f[0].body, f[1].body)
				}
				c.wantNothing()
				seen := proxy.Statements()
				if len(seen) != 1 || seen[0].Sent != 1 || seen[0].Forwarded != 2 {
					t.Errorf("seen %+v, want one statement that was sent once and forwarded twice", seen)
				}
			})
		})
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		name string
		at   Phase
		want []string
	}{
		{"before", OnRequest, nil},
		{"after", OnReply, []string{insertLog}},
	} {
		t.Run(test.name, func(t *testing.T) {
			proxy, servers := start(t, 1)
			c := connect(t, proxy, "", servers[0].address, version5)
			proxy.Cut(Match{At: test.at, Table: "log"})
			c.query(1, insertLog)
			c.wantEnd()
			wantTexts(t, servers[0], test.want...)
		})
	}
}

func TestDelay(t *testing.T) {
	for _, at := range []Phase{OnRequest, OnReply} {
		proxy, servers := start(t, 1)
		c := connect(t, proxy, "", servers[0].address, version5)
		const delay = 30 * time.Millisecond
		delayed := proxy.Delay(Match{At: at, Table: "log"}, delay)
		begun := time.Now()
		c.query(1, insertLog)
		c.query(2, selectNode)
		c.want(2, OpResult)
		c.want(1, OpResult)
		if took := time.Since(begun); took < delay {
			t.Errorf("at %d: answered after %v, want %v at least", at, took, delay)
		}
		must(t, delayed.Done(within(t)))
	}
}

// What is delayed when the proxy is closed is not waited for.
func TestCloseWhileDelayed(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	delayed := proxy.Delay(Match{}, time.Hour)
	c.query(1, insertLog)
	must(t, delayed.Wait(within(t)))
	must(t, proxy.Close())
	wantTexts(t, servers[0])
	if err := delayed.WaitFor(within(t), 2); !errors.Is(err, ErrClosed) {
		t.Errorf("waiting on a closed proxy: %v, want %v", err, ErrClosed)
	}
}

// Of two rules the older one acts, until it is used up; a watch sees all.
func TestOrderOfRules(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	watch := proxy.Watch(Match{Table: "log"})
	proxy.Fail(Match{Table: "log", Skip: 1, Times: 1}, Overloaded())
	second := proxy.Fail(Match{Table: "log", Skip: 1}, ServerError("broken"))
	c.query(0, insertLog)
	c.want(0, OpResult)
	for i, want := range []int{codeOverloaded, codeServer, codeServer} {
		c.query(int16(i), insertLog)
		wantError(t, c.want(int16(i), OpError), want)
	}
	second.Remove()
	c.query(9, insertLog)
	c.want(9, OpResult)
	if got := watch.Hits(); got != 5 {
		t.Errorf("the watch was hit %d times, want 5", got)
	}
}

// Clear ends rules and faults, and what was held arrives.
func TestClear(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	held := proxy.Hold(Match{Table: "log"})
	c.query(1, insertLog)
	must(t, held.Wait(within(t)))
	proxy.Pause(Link{}, BothWays)
	proxy.Refuse(Link{})
	proxy.Clear()
	c.wantExecution(1, 1)
	c.query(2, insertLog)
	c.wantExecution(2, 2)
	connect(t, proxy, "", servers[0].address, version5)
}

// The server goes while a request is held: that is told, not lost.
func TestReleasedWithoutAServer(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	held := proxy.Hold(Match{Table: "log"})
	c.query(1, insertLog)
	must(t, held.Wait(within(t)))
	servers[0].disconnect()
	c.wantEnd()
	held.Release()
	if err := held.Done(within(t)); !errors.Is(err, ErrLost) {
		t.Errorf("released: %v, want %v", err, ErrLost)
	}
}

// The server refuses what is released: Done says so.
func TestReleasedAndRefused(t *testing.T) {
	proxy, servers := start(t, 1)
	c := connect(t, proxy, "", servers[0].address, version5)
	held := proxy.Hold(Match{Opcode: OpExecute})
	c.execute(1, prepared{id: "unheard of"})
	must(t, held.Wait(within(t)))
	held.Release()
	var failure *ServerFailure
	if err := held.Done(within(t)); !errors.As(err, &failure) || failure.Code != 0x2500 {
		t.Errorf("released: %v, want error 0x2500", err)
	}
	wantError(t, c.want(1, OpError), 0x2500)
}

// A client that dials in by an address.
func TestListen(t *testing.T) {
	proxy, servers := start(t, 1)
	address, err := proxy.Listen(within(t), Link{"process", servers[0].address}, "127.0.0.1:0")
	must(t, err)
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	seen := proxy.Watch(Match{Client: "process", Opcode: OpOptions})
	f := frame{first: version4, opcode: OpOptions}
	_, err = conn.Write(f.append(nil))
	must(t, err)
	must(t, seen.Done(within(t)))
	if _, err := proxy.Listen(within(t), Link{"", "127.0.0.1:1"}, "127.0.0.1:0"); err == nil {
		t.Error("a way to a node that is not there")
	}
}
