package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// patience is how long a test waits for what has to happen; only a failure lasts so
// long.
const patience = 20 * time.Second

var testIdentity = cluster.Identity{Cluster: "test", Store: "store-1", Shards: 32}

// A node is a transport with all that it has told.
type node struct {
	*Transport
	t         *testing.T
	id        persistence.NodeID
	connected chan Connection
	broken    chan error
	refused   chan refusal
	malformed chan error
	log       *logged
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// echo answers with what it was asked.
func echo(_ persistence.NodeID, r cluster.Request, reply func([]byte)) {
	reply(bytes.Clone(r.Body))
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start starts a node. Settings are the defaults but for what change does.
func start(t *testing.T, id persistence.NodeID, handler cluster.Handler, change func(*Config)) *node {
	t.Helper()
	return startAt(t, "127.0.0.1:0", id, handler, change)
}

func startAt(t *testing.T, address string, id persistence.NodeID, handler cluster.Handler, change func(*Config)) *node {
	t.Helper()
	n := &node{
		t: t, id: id, log: &logged{},
		connected: make(chan Connection, 1000),
		broken:    make(chan error, 1000),
		refused:   make(chan refusal, 1000),
		malformed: make(chan error, 1000),
	}
	cfg := DefaultConfig(testIdentity, id, cluster.Protocol{Least: 1, Most: 2}, listen(t, address))
	cfg.Silence = 5 * time.Second // of a machine that is busy with other tests
	cfg.ConnectTimeout = 5 * time.Second
	cfg.RefusedRetry = 10 * time.Millisecond
	cfg.Logger = slog.New(slog.NewTextHandler(n.log, nil))
	cfg.Listener = Listener{
		Connected: func(c Connection) { n.connected <- c },
		Broken:    func(_ Connection, err error) { n.broken <- err },
		Refused:   func(reason Reason, err error) { n.refused <- refusal{reason, err} },
		Malformed: func(_ string, err error) { n.malformed <- err },
	}
	if change != nil {
		change(&cfg)
	}
	tr, err := New(cfg, handler)
	if err != nil {
		t.Fatal(err)
	}
	n.Transport = tr
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) peer() cluster.Peer { return cluster.Peer{Node: n.id, Address: n.Address()} }

// A result is what becomes of a request.
type result struct {
	reply []byte
	err   error
}

// send sends a request and returns where its result comes; a second one fails the
// test.
func (n *node) send(to cluster.Peer, r cluster.Request) <-chan result {
	results := make(chan result, 1)
	n.Send(to, r, func(reply []byte, err error) {
		select {
		case results <- result{reply, err}:
		default:
			n.t.Errorf("a request has ended twice, now with %q, %v", reply, err)
		}
	})
	return results
}

func (n *node) ask(to cluster.Peer, body string) (string, error) {
	n.t.Helper()
	r := next(n.t, n.send(to, cluster.Request{Body: []byte(body)}), "the reply to "+body)
	return string(r.reply), r.err
}

// must asks and takes no error.
func (n *node) must(to cluster.Peer, body string) {
	n.t.Helper()
	if got, err := n.ask(to, body); err != nil || got != body {
		n.t.Fatalf("asked %q: %q, %v", body, got, err)
	}
}

// next waits for the next of a channel.
func next[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// await waits for news, whatever they are.
func await[T any](t *testing.T, from <-chan T, what string) {
	t.Helper()
	_ = next(t, from, what)
}

// eventually asks until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// is fails unless the error is all of these, and says these words.
func is(t *testing.T, err error, kinds []error, words ...string) {
	t.Helper()
	for _, k := range kinds {
		if !errors.Is(err, k) {
			t.Errorf("got error %v, want one that is %q", err, k)
		}
	}
	for _, w := range words {
		if !strings.Contains(fmt.Sprint(err), w) {
			t.Errorf("got error %v, want one that says %q", err, w)
		}
	}
}

// held holds requests until they are let go.
type held struct {
	mu   sync.Mutex
	all  []func([]byte)
	come chan string // the body of each
}

func hold() *held { return &held{come: make(chan string, 100_000)} }

func (h *held) handle(_ persistence.NodeID, r cluster.Request, reply func([]byte)) {
	h.mu.Lock()
	h.all = append(h.all, reply)
	h.mu.Unlock()
	h.come <- string(r.Body)
}

// answer answers all that are held.
func (h *held) answer() int {
	h.mu.Lock()
	all := h.all
	h.all = nil
	h.mu.Unlock()
	for _, reply := range all {
		reply([]byte("ok"))
	}
	return len(all)
}

func errorsIsAny(err error, kinds ...error) bool {
	return slices.ContainsFunc(kinds, func(k error) bool { return errors.Is(err, k) })
}
