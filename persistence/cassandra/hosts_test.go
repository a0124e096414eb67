package cassandra

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mesonet/mesonet/internal/servers"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// recorder is a log that is read while it is written.
type recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// A node that stands still costs one request its time, not each that would go
// there, and is asked again when it goes on; that one is killed and comes back is
// told once each.
//
// Seen to fail with hosts.last returning what it gets: a third of the frames had
// to be repeated; and with probe returning at once: it is never back.
func testNodeSilent(t *testing.T, cluster *servers.Cassandra, cfg Config) {
	var log recorder
	var repeated atomic.Int64
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Listener.Repeated = func(string, error) { repeated.Add(1) }
	s := opened(t, cfg)
	add := func(seq uint64) {
		for shard := range persistence.Shard(24) {
			f := persistencetest.Frame(t, shard+10, persistence.At(e, seq), 1, "x")
			must(t, persistencetest.Append(t.Context(), s.Log(), f))
		}
	}
	add(0)
	repeated.Store(0)
	node := cluster.Nodes()[1]
	must(t, node.Pause())
	resumed := false
	defer func() {
		if !resumed {
			must(t, node.Resume())
		}
	}()
	add(1)
	if n := repeated.Load(); n > 3 {
		t.Errorf("%d of 24 writes had to be repeated while a node stood still, want 1", n)
	}
	lines := func(what string) int {
		return strings.Count(log.String(), what+"\" host="+node.Address())
	}
	told := func(n int, what string) {
		t.Helper()
		must(t, eventually(t, func() error {
			if lines(what) < n {
				return persistence.ErrNotFound
			}
			return nil
		}))
	}
	told(1, "the others are asked")
	resumed = true
	must(t, node.Resume())
	told(1, "is back")
	must(t, node.Kill())
	add(2)
	must(t, node.Start(t.Context()))
	told(2, "is back")
	if n := strings.Count(log.String(), "\n"); lines("the others are asked") != 2 || n > 8 {
		t.Errorf("%d lines tell that a node stood still and was killed:\n%s", n, log.String())
	}
}
