package servers

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// CassandraConfig says which Cassandra to start.
type CassandraConfig struct {
	// Nodes is the size of the cluster, 1 to MaxNodes.
	Nodes int
	// DataCenters names the data center of each node, in order; without it all are
	// in datacenter1.
	DataCenters []string
	// Dir has all files: data, settings, logs. When it is empty a temporary
	// folder is made, and removed by Stop. A Dir is kept; start it again with the
	// same Nodes, Host and Port, since nodes know each other by address.
	Dir string
	// Host is the loopback address of the first node; the others have the ones
	// after it. When it is invalid, addresses are chosen on which nothing listens.
	Host netip.Addr
	// Port is where clients connect. It changes only when nothing is free there
	// and Host is invalid.
	Port uint16
	// HeapMB is the Java heap of each node in MiB. A node takes some 300 MiB more.
	HeapMB int
	// Optimize compiles Java code as in production. Without it a node starts in
	// half the time and serves a few times slower: right for tests, wrong for
	// benchmarks.
	Optimize bool
	// TimerSlack is by how much more Linux may let a thread of a node sleep than it asks
	// for; 0 is for its default, 50 µs. Threads of Cassandra that look for work sleep for
	// some 10 µs again and again, 20,000 times a second, which takes half a processor; and
	// Linux, which sees that processor wake all the time, leaves on another one what could
	// run there. A node alone on its machine loses little by that. For others there 1 ms
	// is better, also for itself.
	TimerSlack time.Duration
	// Settings are of cassandra.yaml, such as
	//
	//	"authenticator": "PasswordAuthenticator",
	//
	// each in place of the default; nil leaves out what the default sets.
	Settings map[string]any
	// JVMOptions come after all others on the command line.
	JVMOptions []string
	// Background leaves the nodes running when this process ends.
	Background bool
	// StartTimeout is what each node has to come up.
	StartTimeout time.Duration
}

// MaxNodes is the largest cluster: each node takes the memory of a server.
const MaxNodes = 5

// DefaultCassandraConfig returns a single node for tests.
func DefaultCassandraConfig() CassandraConfig {
	return CassandraConfig{
		Nodes:  1,    // up in 6 s
		Port:   9042, // as in production
		HeapMB: 512,  // enough for tests; three nodes take 2.5 GiB in all
		// A node is up in 6 s alone on two processors; tests of other packages
		// take them at the same time.
		StartTimeout: 3 * time.Minute,
	}
}

// Validate returns what cannot be started.
func (c CassandraConfig) Validate() error {
	var errs []error
	if c.Nodes < 1 || c.Nodes > MaxNodes {
		errs = append(errs, fmt.Errorf("servers: Nodes is %d: it must be 1 to %d", c.Nodes, MaxNodes))
	}
	if n := len(c.DataCenters); n != 0 && n != c.Nodes {
		errs = append(errs, fmt.Errorf("servers: DataCenters has %d names for %d nodes", n, c.Nodes))
	}
	if c.TimerSlack < 0 {
		errs = append(errs, fmt.Errorf("servers: TimerSlack is %s: it must be 0 (Linux's default) or more", c.TimerSlack))
	}
	errs = append(errs, validate(c.Host, c.Port, c.HeapMB, c.StartTimeout)...)
	return errors.Join(errs...)
}

// validate checks what Cassandra and Kafka both have.
func validate(host netip.Addr, port uint16, heapMB int, timeout time.Duration) []error {
	var errs []error
	if host.IsValid() && !(host.Is4() && host.IsLoopback()) {
		errs = append(errs, fmt.Errorf("servers: Host is %s: it must be one of 127.0.0.0/8, since nothing protects these servers", host))
	}
	if port == 0 {
		errs = append(errs, errors.New("servers: Port is 0: it must be that of the first choice"))
	}
	if heapMB < minHeapMB {
		errs = append(errs, fmt.Errorf("servers: HeapMB is %d: it must be at least %d", heapMB, minHeapMB))
	}
	if timeout <= 0 {
		errs = append(errs, fmt.Errorf("servers: StartTimeout is %s: it must be positive", timeout))
	}
	return errs
}

// minHeapMB is a heap that either server still starts with.
const minHeapMB = 256
