// Package cqlproxy is a network between a Cassandra driver and Cassandra, for
// tests, in which things go wrong on demand.
//
// A [Proxy] stands before all nodes of a cluster. It understands the native
// protocol in versions 4 and 5, so that a test names what is to go wrong by
// table, statement, consistency or value, and not by connection and time:
//
//	proxy := cqlproxy.New("127.0.0.1:9042", "127.0.0.2:9042", "127.0.0.3:9042")
//	defer proxy.Close()
//	cluster.Dialer = proxy.Client("a") // the configuration of a's driver
//
//	late := proxy.Hold(cqlproxy.Match{Client: "a", Table: "log"})
//	...                   // a appends; its append is under way
//	late.Wait(ctx)        // the proxy has it
//	...                   // a is fenced, b takes over, a is closed
//	late.Release()        // now it arrives
//	late.Done(ctx)        // and is executed
//
// # What can go wrong
//
// A rule is a [Match] and what is done with it, before the server has the
// request or after it has executed it (Match.At):
//
//   - [Proxy.Hold]: late. OnRequest it is executed late, the client gone or not;
//     OnReply it is executed in time and the client learns of it late.
//   - [Proxy.Drop]: a lightweight transaction whose reply is lost was not
//     applied (OnRequest), or was (OnReply).
//   - [Proxy.FailAndHold]: the client is told of a timeout, and it is executed
//     after all.
//   - [Proxy.Fail]: an error told instead of executing, or after it.
//   - [Proxy.Duplicate]: executed twice.
//   - [Proxy.Cut]: the connection breaks just then.
//   - [Proxy.Delay]: later, by the clock.
//   - [Proxy.Watch]: nothing; for waiting until something has been sent.
//
// Of the rules that match, the oldest that is not used up acts, and every Watch.
// A [Link] as a whole can be paused in one direction or both, refuse
// connections, or be cut. Everything that waits returns a handle, and handles
// are waited for, so that no test has to sleep. [Proxy.Clear] makes all well
// again; what was held then arrives.
//
// [Proxy.Statements] counts what was sent and what servers were given;
// [Proxy.MixedTables] finds tables that were written both with and without
// conditions.
//
// # How a driver comes through it
//
// A driver asks the first node for the addresses of the others, and connects to
// these. A [Client] is therefore the driver's Dialer (gocql: ClusterConfig.Dialer):
// it takes the address of a node and connects to the proxy's door for it,
// on loopback, and it refuses addresses that it doesn't know. Its connections
// say that they lead to the node, which drivers look at. No answer has to be
// rewritten. Clients of one process are told apart by their label.
//
// Another process gets a door with [Proxy.Listen]. Its driver finds only doors if
// each node's broadcast_rpc_address is an address (127.0.0.11, say) where the
// proxy listens, at the node's own port, in place of its rpc_address.
//
// # What is passed on unchanged
//
// Without rules a client gets and a server gets the frames that the other side
// has sent, in order. Three things differ: the proxy chooses the streams on the
// server's side (see conn), puts frames into segments anew, and takes the
// compression out of SUPPORTED, so that no frame is compressed. A client that
// compresses nevertheless gets a protocol error. TLS is not spoken.
//
// # Concurrency
//
// All methods may be called from any goroutine. A connection has four goroutines
// and a message that is delayed one; Close ends them and waits. A message is
// matched when it is read, in the order of its connection; between streams the
// protocol promises no order, and the proxy none.
package cqlproxy
