// Package servers runs real Cassandra and Kafka on this machine, for tests,
// benchmarks and whoever tries mesonet out.
//
//	config := servers.DefaultCassandraConfig()
//	config.Nodes = 3
//	cassandra, err := servers.StartCassandra(ctx, config)
//	…
//	defer cassandra.Stop()
//	connect(cassandra.Addresses())
//	cassandra.Nodes()[2].Kill()       // as a crash does
//	cassandra.Nodes()[2].Start(ctx)   // again, on what it had written
//
// Both are the releases that operators run, not imitations: their jars come
// from Maven Central, once, into a folder that all processes of the user share
// (see [Root]), and run on the JDK of the machine. What starts returns when the
// server accepts clients. When it does not come up, the error has the last
// lines of its log, which say why.
//
// Servers of several tests, packages and processes run side by side: each takes
// a loopback address of its own, or where a system has only one, ports of its
// own. They listen on nothing but loopback.
//
// What this process starts ends with it, also when it is killed, except where
// the configuration says [CassandraConfig.Background]. On Linux the kernel sees
// to that; elsewhere a killed process leaves its servers behind. A temporary folder
// that a killed process has left is removed when the next server starts.
//
// Tests get a server from package serverstest, which starts one for all tests
// of a package. All methods are safe for concurrent use. The package is for
// Unix-like systems.
package servers
