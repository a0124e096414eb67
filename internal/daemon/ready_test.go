package daemon

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

type fakeNode struct{ err error }

func (n *fakeNode) Err() error { return n.err }

// script is a readiness, what it hears, and what it passed on.
type script struct {
	*readiness
	entities entity.Listener
	log      journal.Listener
	told     map[string]int
}

func newScript() *script {
	s := &script{readiness: newReadiness(slog.New(slog.DiscardHandler)), told: map[string]int{}}
	s.entities = s.readiness.entities(entity.Listener{
		ShardOpened:  func(entity.ShardOpening) { s.told["opened"]++ },
		ShardStopped: func(persistence.Shard, error) { s.told["stopped"]++ },
		ShardOwned:   func(persistence.Shard, error) { s.told["owned"]++ },

		ShardHandedOver: func(entity.HandedOver) { s.told["handed"]++ },
		Checked:         func(error) { s.told["checked"]++ },
		Joined:          func(persistence.Incarnation) { s.told["joined"]++ },
	})
	s.log = s.readiness.log(journal.Listener{ShardLost: func(persistence.Shard, error) { s.told["lost"]++ }})
	return s
}

func (s *script) opened(shards ...persistence.Shard) {
	for _, n := range shards {
		s.entities.ShardOpened(entity.ShardOpening{Shard: n, Took: time.Millisecond})
	}
}

// look asks over HTTP and compares with the answer and with gRPC health.
func (s *script) look(t *testing.T, when, query, want string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz"+query, nil))
	if got := w.Body.String(); got != want {
		t.Errorf("%s: got\n%swant\n%s", when, got, want)
	}
	wantCode, wantHealth := http.StatusServiceUnavailable, healthv1.HealthCheckResponse_NOT_SERVING
	if strings.HasSuffix(want, "ok\n") {
		wantCode, wantHealth = http.StatusOK, healthv1.HealthCheckResponse_SERVING
	}
	if w.Code != wantCode {
		t.Errorf("%s: code %d, want %d", when, w.Code, wantCode)
	}
	h, err := s.health.Check(context.Background(), &healthv1.HealthCheckRequest{})
	if err != nil || h.GetStatus() != wantHealth {
		t.Errorf("%s: gRPC health says %v, %v; want %v", when, h.GetStatus(), err, wantHealth)
	}
}

// Whoever listens before readiness and the heartbeat hears as much as they do.
//
// Mutations seen to fail: entities of either taking a function's place.
func TestListenersAreHandedOn(t *testing.T) {
	s := newScript()
	l := (&heartbeat{}).entities(s.entities)
	l.ShardOpened(entity.ShardOpening{})
	l.ShardStopped(1, errors.New("damage"))
	l.ShardOwned(2, errors.New("another's"))
	l.Checked(nil)
	l.Joined(1)
	l.ShardHandedOver(entity.HandedOver{Shard: 3})
	if want := map[string]int{"opened": 1, "stopped": 1, "owned": 1, "checked": 1, "joined": 1, "handed": 1}; !maps.Equal(s.told, want) {
		t.Errorf("told %v, want %v", s.told, want)
	}
}

// A node's life as readiness tells it, over HTTP and gRPC. Mutations seen to
// fail: announce left out of shard, or of started; losses at the end counted;
// stopped shards not noted.
func TestReadiness(t *testing.T) {
	s := newScript()
	s.look(t, "begin", "", "the node is starting; 0 shards are open\n")
	s.opened(0, 2)
	s.look(t, "opening", "?verbose", "[-] daemon: starting\n[+] store: works\n[+] shards: 2 open so far\nthe node is starting; 2 shards are open\n")
	s.opened(1, 3)
	s.look(t, "all open, not serving yet", "", "the node is starting; 4 shards are open\n")
	node := &fakeNode{}
	s.started(node, 4)
	s.look(t, "started", "", "ok\n")
	s.look(t, "started", "?verbose", "[+] daemon: serving\n[+] store: works\n[+] shards: 4 of 4 open\nok\n")

	s.log.ShardLost(2, errors.Join(errors.New("disk full"), errors.New("and slow")))
	s.look(t, "lost", "", "shard 2 is being opened again: disk full; and slow\n")
	s.entities.ShardStopped(2, errors.New("the frame at 7 is missing"))
	s.log.ShardLost(0, errors.New("disk full"))
	s.look(t, "stopped", "?verbose", "[+] daemon: serving\n[+] store: works\n[-] shards: 2 of 4 open\n"+
		"shard 0 is being opened again: disk full\nshard 2 is stopped until somebody mends it: the frame at 7 is missing\n")
	s.opened(0, 2)
	s.look(t, "open again", "", "ok\n")

	s.end(nil)
	s.look(t, "stopping", "", "the node is stopping\n")
	s.log.ShardLost(1, errors.New("the journal is closed"))
	s.opened(1)
	s.look(t, "still stopping", "?verbose", "[-] daemon: stopping\n[+] store: works\n[+] shards: 4 of 4 open\nthe node is stopping\n")
	if want := map[string]int{"opened": 7, "stopped": 1, "lost": 2}; s.told["opened"] != want["opened"] || s.told["stopped"] != want["stopped"] || s.told["lost"] != want["lost"] {
		t.Errorf("passed on: %v, want %v", s.told, want)
	}
}

// A node of a cluster is ready when it serves and its own shards are open, be there
// any or not, and whatever becomes of those of others.
func TestReadinessInACluster(t *testing.T) {
	s := newScript()
	l := s.among(cluster.Listener{Status: func(cluster.Status) { s.told["status"]++ }})
	s.look(t, "begin", "", "the node is starting; 0 shards are open\nthe node has not joined its cluster yet\n")
	s.started(&fakeNode{}, 4)
	l.Status(cluster.Status{State: cluster.Serving, Awaited: 2})
	s.log.ShardLost(2, errors.New("disk full"))
	s.look(t, "opening", "", "2 shards are still to be opened\nshard 2 is being opened again: disk full\n")
	s.opened(0, 2)
	l.Status(cluster.Status{State: cluster.Serving, Open: 2, Ownerless: 2})
	s.look(t, "open", "?verbose", "[+] daemon: serving\n[+] store: works\n[+] cluster: serving, 2 shards open, 0 to be opened, 2 that nobody serves\nok\n")
	l.Status(cluster.Status{State: cluster.LostTouch})
	s.look(t, "cut off", "", "the node has lost touch with its store, or with most of the others, and answers nothing until it reaches them again\n")
	l.Status(cluster.Status{State: cluster.Serving})
	s.look(t, "no shards", "", "ok\n")
	l.Status(cluster.Status{State: cluster.Draining, Open: 1})
	s.look(t, "draining", "", "the node drains: it takes no shards, and has 1 still; start it again to bring it back\n")
	if s.told["status"] != 5 {
		t.Errorf("the status was handed on %d times", s.told["status"])
	}
}

// A node is ready with a part of the shards, while none of them is missing, and
// not without any, nor while its store is away. Mutations seen to fail: owned
// shards counted as missing, or a node without shards as ready; one check without
// an answer taken for many.
func TestReadinessAmongOthers(t *testing.T) {
	s := newScript()
	other := errors.New(`shard 0 is another node's`)
	s.entities.ShardOwned(0, other)
	s.entities.ShardOwned(1, other)
	s.started(&fakeNode{}, 2)
	s.look(t, "none", "?verbose", "[+] daemon: serving\n[+] store: works\n[-] shards: 0 of 2 open, 2 are other nodes'\n"+
		"no shard is this node's: shard 0 is another node's\n")
	s.opened(0)
	s.look(t, "one", "?verbose", "[+] daemon: serving\n[+] store: works\n[+] shards: 1 of 2 open, 1 are other nodes'\nok\n")
	s.log.ShardLost(0, errors.New("away"))
	s.entities.ShardOwned(0, other)
	s.opened(1)
	s.look(t, "the other", "", "ok\n")
	s.entities.Checked(errors.New("no host"))
	s.look(t, "one check lost", "", "ok\n")
	s.entities.Checked(errors.New("no host"))
	s.look(t, "two checks lost", "?verbose", "[+] daemon: serving\n[-] store: away\n[+] shards: 1 of 2 open, 1 are other nodes'\n"+
		"the store does not answer: no host\n")
	s.entities.Checked(nil)
	s.look(t, "back", "", "ok\n")
}

// What ends a daemon is said.
func TestReadinessFailed(t *testing.T) {
	s := newScript()
	node := &fakeNode{}
	s.opened(0)
	s.started(node, 1)
	node.err = errors.New("no space left on device")
	w := httptest.NewRecorder() // gRPC health follows when the daemon takes note
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	if want := "the store can't be used any more: no space left on device\n"; w.Code != http.StatusServiceUnavailable || w.Body.String() != want {
		t.Errorf("code %d, %q; want %q", w.Code, w.Body, want)
	}
	s.end(node.err)
	s.look(t, "failed", "", "the node is stopping\nthe store can't be used any more: no space left on device\n")

	s = newScript()
	s.opened(0)
	s.started(&fakeNode{}, 1)
	s.end(errors.New("serving on 127.0.0.1:1: closed"))
	s.end(nil)
	s.look(t, "failed to serve", "", "the node can't go on: serving on 127.0.0.1:1: closed\n")
}

// However many shards are not open, the answer can be read.
func TestReadinessOfManyShards(t *testing.T) {
	s := newScript()
	s.opened(1)
	s.started(&fakeNode{}, 4096)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != fewShards+1 || lines[0] != "shard 0 is being opened" || lines[1] != "shard 2 is being opened" ||
		lines[fewShards] != "and 4075 more shards are not open" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}
