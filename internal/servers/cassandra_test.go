package servers

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// One node through its life. Mutations: Start waits for no log line (the
// options after it are refused); Stop forgets the folder (found left); Pause
// sends SIGCONT (it answers).
func TestCassandra(t *testing.T) {
	require(t)
	tmp := isolate(t)
	c := start(t, DefaultCassandraConfig())
	node := c.Nodes()[0]
	checkOptions(t, c.Addresses()[0])

	must(t, node.Pause())
	paused := dial(t, node.Address()) // the kernel accepts, and nobody answers
	must(t, paused.SetDeadline(time.Now().Add(300*time.Millisecond)))
	var timeout net.Error
	if _, _, err := (cql{paused}).ask(opOptions, nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a paused node: %v; want no answer", err)
	}
	must(t, node.Resume())
	checkOptions(t, node.Address())

	must(t, node.Start(t.Context())) // it runs: nothing happens
	must(t, node.Kill())
	if conn, err := net.Dial("tcp", node.Address()); err == nil {
		conn.Close()
		t.Errorf("%s accepts connections after Kill", node.Address())
	}
	if err := node.Pause(); err == nil {
		t.Error("a killed node could be paused")
	}
	must(t, node.Start(t.Context()))
	checkOptions(t, node.Address())

	pid := node.PID()
	must(t, c.Stop())
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Stop: %v; want none", pid, err)
	}
	if names := left(t, tmp); len(names) > 0 {
		t.Errorf("left after Stop: %q", names)
	}
}

func TestNodesFindEachOther(t *testing.T) {
	require(t)
	config := DefaultCassandraConfig()
	config.Nodes = 2
	c := start(t, config)
	for _, address := range c.Addresses() {
		// A node sees another up a moment before it writes that down.
		deadline := time.Now().Add(30 * time.Second)
		for peers := int64(0); peers != 1; {
			if peers = count(t, address, "SELECT COUNT(*) FROM system.peers_v2"); peers != 1 && time.Now().After(deadline) {
				t.Fatalf("%s knows %d peers, want 1", address, peers)
			}
		}
	}
}

func TestWrongSetting(t *testing.T) {
	require(t)
	tmp := isolate(t)
	config := DefaultCassandraConfig()
	config.Settings = map[string]any{"commitlog_sink": "periodic"}
	c, err := StartCassandra(t.Context(), config)
	if err == nil {
		must(t, c.Stop())
		t.Fatal("started with a setting that does not exist")
	}
	// The words are Cassandra's.
	for _, want := range []string{"ended before it was ready", "Invalid yaml", "commitlog_sink"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}
	if names := left(t, tmp); len(names) > 0 {
		t.Errorf("left after the failure: %q", names)
	}
}

// A start that takes too long ends the process, and says how far it came.
func TestStartTimeout(t *testing.T) {
	require(t)
	tmp := isolate(t)
	config := DefaultCassandraConfig()
	config.StartTimeout = 1500 * time.Millisecond
	c, err := StartCassandra(t.Context(), config)
	if err == nil {
		must(t, c.Stop())
		t.Skip("this machine starts Cassandra in 1.5 s")
	}
	if !strings.Contains(err.Error(), "not ready after 1.5s") {
		t.Errorf("got %v; want that it was not ready after 1.5s", err)
	}
	if names := left(t, tmp); len(names) > 0 {
		t.Errorf("left after the failure: %q", names)
	}
}

func TestCassandraYAML(t *testing.T) {
	places, err := choosePlaces(3, randomHost(), 9042, 7000)
	if err != nil {
		t.Skip(err) // a system with one loopback address
	}
	for _, test := range []struct {
		name      string
		changed   map[string]any
		want, not string
	}{
		{name: "default", want: "commitlog_sync_group_window: 1ms"},
		{name: "another sync", changed: map[string]any{"commitlog_sync": "periodic"}, want: "commitlog_sync: periodic", not: "commitlog_sync_group_window"},
		{name: "left out", changed: map[string]any{"auto_snapshot": nil}, not: "auto_snapshot"},
		{name: "nested", changed: map[string]any{"client_encryption_options": map[string]any{"enabled": true}}, want: "client_encryption_options:\n    enabled: true"},
		{name: "a seed", want: "seeds: " + places[0].other()},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, err := cassandraYAML(t.TempDir(), places, 1, false, test.changed)
			must(t, err)
			if !strings.Contains(string(text), test.want) {
				t.Errorf("%q is not in\n%s", test.want, text)
			}
			if test.not != "" && strings.Contains(string(text), test.not) {
				t.Errorf("%q is in\n%s", test.not, text)
			}
		})
	}
}

func TestToken(t *testing.T) {
	for _, test := range []struct {
		i, n int
		want string
	}{
		{0, 1, "-9223372036854775807"},
		{0, 3, "-9223372036854775807"},
		{1, 3, "-3074457345618258602"},
		{2, 3, "3074457345618258603"},
	} {
		if got := token(test.i, test.n); got != test.want {
			t.Errorf("token(%d, %d) = %s, want %s", test.i, test.n, got, test.want)
		}
	}
}
