// Package serverstest gives the tests of a package a real Cassandra or Kafka.
//
// A server starts when the first test asks for it, all tests of the package
// share it, and it ends after the last. TestMain says so:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(serverstest.Main(m)) }
//
//	func TestStore(t *testing.T) {
//		addresses := serverstest.Cassandra(t, 1).Addresses()
//		keyspace := serverstest.Name(t)
//		…
//	}
//
// Since the server is shared, each test takes a keyspace or a topic of its own,
// by [Name], and what it kills or pauses it starts again. A test that needs
// other settings starts a server of its own with package servers, after
// [Require].
//
// Tests are skipped with -short, and on a developer's machine that has no JDK
// or no Maven. They fail there when CI or MESONET_REQUIRE_SERVERS is in the
// environment and not empty, "0" or "false": a safety test that nobody runs
// proves nothing.
//
// [Network] gives a test hosts of their own, to cut the ways between them. That takes
// the rights of root, which nobody can install: without them such tests are skipped
// everywhere, and say so. All functions are safe for concurrent use.
package serverstest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mesonet/mesonet/internal/servers"
	"github.com/mesonet/mesonet/internal/servers/hosts"
)

// Runner runs tests; *testing.M is one, and goleak takes one.
type Runner interface {
	Run() int
}

// Main returns what runs the tests of m and then stops the servers they have
// started. A server that does not stop fails the tests.
func Main(m Runner) Runner { return stopping{m} }

type stopping struct{ tests Runner }

func (s stopping) Run() int {
	running.Lock()
	running.main = true
	running.Unlock()
	code := s.tests.Run()
	running.Lock()
	defer running.Unlock()
	for _, server := range running.servers {
		if err := server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// stopper is a server that was started.
type stopper interface{ Stop() error }

// server is what one key of running has: started once, or failed once.
type server struct {
	start   sync.Once
	started stopper
	err     error
}

func (s *server) stop() error {
	if s.started == nil {
		return nil
	}
	return s.started.Stop()
}

// running are the shared servers of this process.
var running struct {
	sync.Mutex

	main    bool // Main's runner runs, so that somebody stops them
	servers map[string]*server
}

// Cassandra returns the cluster of so many nodes that the tests of the package
// share. Those of one and of three nodes are different ones.
func Cassandra(t testing.TB, nodes int) *servers.Cassandra {
	t.Helper()
	return shared(t, fmt.Sprintf("cassandra/%d", nodes), func() (*servers.Cassandra, error) {
		config := servers.DefaultCassandraConfig()
		config.Nodes = nodes
		return servers.StartCassandra(t.Context(), config)
	})
}

// Kafka returns the broker that the tests of the package share.
func Kafka(t testing.TB) *servers.Kafka {
	t.Helper()
	return shared(t, "kafka", func() (*servers.Kafka, error) {
		return servers.StartKafka(t.Context(), servers.DefaultKafkaConfig())
	})
}

func shared[S stopper](t testing.TB, key string, start func() (S, error)) S {
	t.Helper()
	Require(t)
	started, err := get(key, func() (stopper, error) {
		started, err := start()
		if err != nil {
			return nil, err // not a nil S, which would be no nil stopper
		}
		return started, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return started.(S) // the key is of this kind alone
}

// get returns the server of the key, and starts it for the first who asks.
func get(key string, start func() (stopper, error)) (stopper, error) {
	running.Lock()
	if !running.main {
		running.Unlock()
		return nil, errors.New("serverstest: nobody would stop the server: TestMain must run serverstest.Main(m)")
	}
	s := running.servers[key]
	if s == nil {
		s = &server{}
		if running.servers == nil {
			running.servers = map[string]*server{}
		}
		running.servers[key] = s
	}
	running.Unlock()
	s.start.Do(func() { s.started, s.err = start() })
	return s.started, s.err
}

// Require skips the test where it need not run: with -short, and where a
// developer's machine cannot run servers. What else is wrong fails it.
func Require(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real server, which -short leaves out")
	}
	switch err := servers.Check(t.Context()); {
	case err == nil:
	case errors.Is(err, servers.ErrMissing) && !required():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// Network returns a network for the test alone, which ends with it. The test is skipped
// with -short, where network namespaces can't be made, and on a developer's machine
// that misses what it takes.
func Network(t testing.TB) *hosts.Network {
	t.Helper()
	if testing.Short() {
		t.Skip("makes network namespaces, which -short leaves out")
	}
	switch err := hosts.Check(); {
	case err == nil:
	case errors.Is(err, hosts.ErrForbidden), errors.Is(err, hosts.ErrMissing) && !required():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	n, err := hosts.NewNetwork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func required() bool {
	for _, name := range []string{"CI", "MESONET_REQUIRE_SERVERS"} {
		switch strings.ToLower(os.Getenv(name)) {
		case "", "0", "false":
		default:
			return true
		}
	}
	return false
}

var names atomic.Int64

// Name returns a new name for what a test keeps on a shared server: a keyspace,
// a topic. It has lower-case letters, digits and _, and is unique in the
// process.
func Name(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '_'
		}
	}, t.Name())
	// Cassandra's names begin with a letter and have at most 48 characters.
	return fmt.Sprintf("t%.36s_%d", strings.TrimPrefix(name, "test"), names.Add(1))
}
